# SPDX-License-Identifier: MIT
"""Who is measured by what, and how often, in tests/bench/run."""
import re

import bulk
import peers
import resting
import talkers
import udp
import words
from clients import Door, Relay, Sluice
from upstream import RAW, SECURE, SINK

AES, CHACHA = "aes-128-gcm", "chacha20-poly1305"
PLACES = [(server, cipher) for server in (RAW, SINK) for cipher in (AES, CHACHA)]


class Cast:
    """The clients, of which `only`, a pattern, chooses."""

    def __init__(self, bench, with_peers, only):
        self.bench, self.only = bench, re.compile(only)
        self.kinds = [(kind, mtu) for kind, mtu in peers.KINDS if with_peers and peers.there(*kind.programs)]
        self.doors = [d for d in peers.DOORS[:None if with_peers else 1] if peers.there(d[1][0])]
        self.relay, self.direct = Relay(bench), Sluice(bench, "sluice direct")
        self.plain = Sluice(bench, "sluice direct, no offload", sluice={"offload": False})
        self.vmess = {(server, cipher): Sluice(bench, server=server, security=cipher)
                      for server, cipher in (*PLACES, (SECURE, AES))}

    def chosen(self, *clients):
        return [c for c in clients if self.only.search(c.name)]

    def kind_streams(self, kind, mtu):
        """By VMess to the server that is not the limit, and directly; by every way; and at the MTU of Ethernet."""
        ways = [(None, None), (SINK, AES)]
        more = [(RAW, AES), (SINK, CHACHA), (SECURE, AES)] if kind in peers.EVERY_WAY and not self.bench.quick else []
        usual = ways if kind in peers.AT_1500 and not self.bench.quick else []
        return [kind(self.bench, mtu, *way) for way in ways + more] + [kind(self.bench, 1500, *way) for way in usual]

    def streams(self):
        """For the transfers of bulk; without a TUN the old Xray only as itself."""
        if self.bench.quick:
            own, doors = [self.vmess[way] for way in PLACES], []
        else:
            own = [self.plain, *self.vmess.values()]
            doors = [Door(self.bench, label, command, *way) for label, command in self.doors
                     for way in ((RAW, AES), (RAW, CHACHA), (SECURE, AES))[:1 if command is peers.XRAY_OLD else 3]]
        found = [client for kind in self.kinds for client in self.kind_streams(*kind)]
        return self.chosen(self.relay, self.direct, *own, *doors, *found)

    def few(self, server=SINK, relay=True):
        """For what takes longer: direct, and VMess to that server."""
        few = [kind(self.bench, mtu, *way) for kind, mtu in self.kinds if kind in peers.FEW
               for way in ((None, None), (server, AES))]
        return self.chosen(*([self.relay] if relay else []), self.direct, self.vmess[server, AES], *few)

    def by_vmess(self, server):
        return [c for c in self.few(server) if c.server]


def take(bench, clients, rows, rounds, peer_rounds=None):
    """In turns, a round of each client after the other; peers in fewer of them where it takes long."""
    for number in bench.rounds(rounds):
        for client in clients:
            if not client.peer or number < (peer_rounds or rounds):
                bench.turn(client, rows)


def streams(bench, cast):
    """By eight, too, of those that stand for their kind."""
    wide = {c.name for c in cast.few() if not c.server}
    clients = cast.streams()
    for _ in bench.rounds(3):
        for client in clients:
            bench.turn(client, bulk.rows(1, 8) if client.name in wide else bulk.rows(1))


def round_trips(bench, cast):
    take(bench, cast.few(), words.trips_rows(bench.quick), 3, 1)


def connections(bench, cast):
    take(bench, cast.few(), [words.CONNECTIONS], 3, 2)


def offered(bench, cast):
    """Every client of one way at the same rate, by what all of them have had."""
    for way in ("direct", "VMess"):
        clients = [c for c in cast.few() if (c.server is None) == (way == "direct")]
        take(bench, clients, [words.offered_row(bench, way, clients)], 3, 2)


def ends(bench, cast):
    take(bench, cast.few() + ([] if bench.quick else cast.by_vmess(RAW)), [words.END], 2, 1)


def in_turn(bench, cast):
    take(bench, cast.few(), [words.IN_TURN], 1)


def idle(bench, cast):
    take(bench, cast.few(), resting.ROWS, 1)


def datagrams(bench, cast):
    """By v2ray, since the C sink knows TCP alone; a new one each time, for the reason at Servers.renew."""
    for number in bench.rounds(2):
        yardstick = [] if bench.quick else cast.chosen(udp.Tunfwd(bench))
        for client in (*yardstick, *cast.few(RAW, relay=False)):
            rows = [udp.IDLE_FLOWS, udp.NAMES, udp.PACKETS] if client.name != "tunfwd" else [udp.PACKETS]
            if not client.peer or number == 0:
                bench.servers.renew()
                bench.turn(client, rows)


def names(bench, cast):
    """Of those that answer for names themselves."""
    own = [kind(bench, mtu, *way) for kind, mtu in cast.kinds if kind is peers.SingBoxMixed
           for kind in (peers.SingBoxNames,) for way in ((None, None), (RAW, AES))]
    take(bench, cast.chosen(*own), [udp.NAMES], 1)


def first_byte(bench, cast):
    loud = Sluice(bench, server=SINK, security=AES, words=("--log", "debug"), log={"loglevel": "debug"})
    clients = cast.chosen(loud, *(c for c in cast.by_vmess(SINK) if c.peer))
    for _ in bench.rounds(3):
        for client in clients:
            bench.try_row(resting.FIRST_BYTE, client)


def talk(bench, cast):
    take(bench, [c for c in cast.few() if not c.peer], talkers.ROWS, 2)


MEASURES = {"streams": streams, "trips": round_trips, "connections": connections, "offered": offered, "ends": ends,
            "in-turn": in_turn, "idle": idle, "datagrams": datagrams, "names": names, "first-byte": first_byte,
            "talk": talk}
SHORT = [m for m in MEASURES if m != "talk"]        # for --quick
