# SPDX-License-Identifier: MIT
"""What sluice is to reach, beside what a run of tests/bench/run has found; measures that are missing are left out."""
from table import brief

KINDS = ("aes-128-gcm to a C sink", "chacha20-poly1305 to a C sink", "aes-128-gcm in TLS + WebSocket to v2ray")
DIRECT, SINK = "sluice direct", f"sluice vmess {KINDS[0]}"
RAW, DOOR = "sluice vmess aes-128-gcm to v2ray", "v2ray without a TUN, vmess aes-128-gcm to v2ray"
WAYS = ("up", "down")
OWN_DNS = "with its DNS"                    # in the label of a peer that asks for the applications


class Found:
    """The medians, and questions to them; None where there is no answer."""

    def __init__(self, table):
        self.table = table

    def get(self, measure, client, key="rate"):
        return self.table.get(measure, {}).get(client, {}).get(key)

    def best(self, measure, way, key="rate", pick=max):
        """Of the peers with a TUN, by the end of their names."""
        values = [v[key] for c, v in self.table.get(measure, {}).items()
                  if key in v and c.endswith(way) and "MTU" in c]
        return pick(values, default=None)

    def share(self, measure, client, base, key="rate", base_measure=None):
        return ratio(self.get(measure, client, key), self.get(base_measure or measure, base, key))


def ratio(a, b):
    return None if a is None or not b else a / b


def streams(f):
    for n in ("1 stream", "8 streams"):
        for way in WAYS:
            measure = f"{way}, {n}"
            yield f"direct, {measure}, of relay's", f.share(measure, DIRECT, "relay", "gbit_s"), ">=", 0.8
            yield "the same, CPU s/GB, of relay's", f.share(measure, DIRECT, "relay", "cpu_s_GB"), "<=", 2
    for way in WAYS:
        measure = f"{way}, 1 stream"
        for kind in KINDS:
            client, own = f"sluice vmess {kind}", f"vmess {kind}"
            yield (f"VMess {kind}, {way}, CPU s/GB, of the best peer's",
                   ratio(f.get(measure, client, "cpu_s_GB"), f.best(measure, own, "cpu_s_GB", min)), "<=", 1 / 3)
            yield ("the same, Gbit/s, of the best peer's",
                   ratio(f.get(measure, client, "gbit_s"), f.best(measure, own, "gbit_s")), ">=", 2)
        yield f"VMess to v2ray, {way}, of v2ray's without a TUN", f.share(measure, RAW, DOOR, "gbit_s"), ">=", 1


def words(f):
    few, many = "round trips/s, 100 flows", "round trips/s, 10000 flows"
    turns, end, offered = "connections in turn", "the server's end, waited for", "equal rate offered, VMess"
    every = "connections/s, 50 at once"
    for client in (DIRECT, SINK):
        yield (f"{client}: 10,000 busy flows, of the rate of 100",
               f.share(many, client, client, base_measure=few), ">=", 0.8)
    yield "connections/s, direct, of relay's", f.share(every, DIRECT, "relay"), ">=", 0.7
    yield "connections/s, VMess, of the best peer's", ratio(f.get(every, SINK), f.best(every, "a C sink")), ">=", 2
    yield ("p99 at an equal rate, VMess, of the best peer's",
           ratio(f.get(offered, SINK, "p99_ms"), f.best(offered, "a C sink", "p99_ms", min)), "<=", 0.5)
    for client in (DIRECT, SINK):
        yield f"{client}: 100,000 in turn, answered", f.get(turns, client, "answered"), ">=", 100000
        yield "the same, unanswered", f.get(turns, client, "unanswered"), "<=", 0
    for client in (SINK, RAW):
        yield f"{client}: the server's end, ms after the answer, p50", f.get(end, client, "end_p50_ms"), "<=", 5


def resting(f):
    yield "private KB, idle", f.get("idle", DIRECT, "private_KB"), "<=", 4096
    for client, kb in ((DIRECT, 1), (SINK, 2)):
        yield f"{client}: KB an idle flow", f.get("idle, many flows", client, "KB_a_flow"), "<=", kb
        yield "the same, private KB with 10,000", f.get("idle, many flows", client, "private_KB"), "<=", 25600
        yield "the same, wake-ups a second without flows", f.get("idle", client, "wakes_s"), "<=", 0.1
        yield "the same, with 100", f.get("idle, 100 flows", client, "wakes_s"), "<=", 1
    first = f.table.get("start to first byte", {}).get(SINK, {})
    if "ms" in first:
        apart = first.get("nft_ms", 0) + first.get("resolvectl_ms", 0)
        yield "start to first byte, ms, without nft and resolvectl", first["ms"] - apart, "<=", 15


def datagrams(f):
    packets, names = "UDP packets/s, 1,000 flows", "DNS questions/s, a socket each"
    yield "datagrams/s, direct, of tunfwd's", f.share(packets, DIRECT, "tunfwd"), ">=", 0.7
    peers = [f.best(packets, "to v2ray", key) for key in ("rate", "through_s")]
    yield ("datagrams/s, VMess, of the best peer's, whatever that loses",
           ratio(f.get(packets, RAW), max((p for p in peers if p), default=None)), ">=", 2)
    for client, way, times in ((DIRECT, "direct", 2), (RAW, "to v2ray", 5)):
        passed_on = {c: v for c, v in f.table.get(names, {}).items() if OWN_DNS not in c}
        yield (f"{client}: DNS questions/s, of the best peer's that passes them on",
               ratio(f.get(names, client), Found({names: passed_on}).best(names, way)), ">=", times)
        yield "the same, of the best's that asks for itself", ratio(f.get(names, client), f.best(names, way)), ">=", 1
        yield "the same, late", f.get(names, client, "late"), "<=", 0


def others(f):
    for client in (DIRECT, SINK):
        for way in WAYS:
            yield (f"{client}: p99 of an echo beside 8 bulk flows {way}, ms",
                   f.get(f"an echo, 8 bulk flows {way}", client, "p99_ms"), "<=", 2)
            yield ("the same: 100 people beside one, the least, of its rate alone",
                   f.share(f"100 people, 1 bulk flow {way}", client, client, "least", "100 people"), ">=", 0.9)
    for measure in f.table:
        if "% lost" in measure:
            for client in (DIRECT, "sluice vmess"):
                yield f"{client}: {measure}, of the kernel's", f.share(measure, client, "kernel", "mbit_s"), ">=", 0.95
    again = [v["segments"] for v in f.table.get("lwIP retransmissions", {}).values()]
    yield "lwIP retransmissions, all runs", sum(again) if again else None, "<=", 0


def show_rows(rows):
    """In Markdown; rows are (what, here, way, wanted)."""
    print("\n| goal | wanted | here | |\n|---|---|---|---|")
    for what, here, way, wanted in rows:
        if here is not None:
            met = here >= wanted if way == ">=" else here <= wanted
            print(f"| {what} | {way} {brief(wanted)} | {brief(here)} | {'met' if met else '**not met**'} |")


def show(table):
    found = Found(table)
    show_rows(row for part in (streams, words, resting, datagrams, others) for row in part(found))
