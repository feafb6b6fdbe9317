# SPDX-License-Identifier: MIT
"""Of flows that the kernel carries nothing leaves that a rule sends to the tunnel, and nothing that the machine's own
firewall would not let out: such flows take the stack, go by the engine, or end."""
import contextlib
import errno
import os
import pathlib
import re
import select
import signal
import socket
import struct
import sys

from direct import (ACK, FAR, FAR6, NEAR, NEAR6, PSH, RST, TUN, World, at_once, engine_of, family, ip4, ip6, lab, reset,
                    segment, tcp, tun_address, udp)
from handed import BOTH, as_user, echoed, echoes, exchanged, heard, kernel, killed, said

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "names"))

from names import Resolver, ask                                         # noqa: E402

TABLE = """table inet other {
	chain out { type filter hook %s; policy accept; %s; }
}
"""
OUTPUT, POSTROUTING = "output priority 0", "postrouting priority srcnat + 150"


def by_device(s, proto, address):
    """Packets of applications that the device has got."""
    return len(s.seen(lambda q: q.proto == proto and q.outgoing and q.dst == address))


def by_engine(w, s, uid, address):
    """What the application of this user sends arrives, and not by the kernel."""
    with as_user(w, uid, family(address), socket.SOCK_STREAM) as c:
        c.connect((address, 7))
        said(c, b"word")
        exchanged(c)
    with as_user(w, uid, family(address), socket.SOCK_DGRAM) as u:
        u.settimeout(1)
        u.connect((address, 7))
        lab.until(lambda: all(echoed(u) for _ in range(20)), "20 datagrams, one after another")
    lab.until(lambda: by_device(s, 6, address) > 5 and by_device(s, 17, address) >= 15, f"those of {uid} at the device")


def test_owners(l):
    """Firewalls that let out some users: not root, the engine's alone, not the application's (of which OUTPUT still
    believes that it goes into the device)."""
    w = World(l)
    echoes(w)
    with kernel(w) as p:
        engine = os.stat(f"/proc/{engine_of(p)}").st_uid
        for where, rules, uid in (
                (OUTPUT, "oifname eth0 meta l4proto { tcp, udp } meta skuid 0 drop", 0),
                (POSTROUTING, "oifname eth0 meta l4proto { tcp, udp } meta skuid 0 drop", 0),
                (OUTPUT, f"oifname eth0 meta l4proto {{ tcp, udp }} meta skuid != {engine} drop", 1000),
                (POSTROUTING, "oifname eth0 meta skuid 1000 drop", 1000)):
            w.app.run("nft -f -", input=(TABLE % (where, rules)).encode())
            with lab.Sniffer(w.app, TUN) as s:
                at_once([lambda a=a: by_engine(w, s, uid, a) for a in BOTH])
            w.app.run("nft delete table inet other")
        # And with all that gone:
        for address in BOTH:
            with lab.Sniffer(w.app, TUN) as s, tcp(w.app, address, 7) as c:
                exchanged(c)
                assert by_device(s, 6, address) == 1, s.packets


def bound(w, address, port, kind=socket.SOCK_STREAM):
    s = w.app.socket(family(address), kind)
    s.settimeout(10)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((tun_address(w, ":" in address), port))
    return s


def send_late(device, tun, address, port):
    """What was still under way of a connection that has ended."""
    late = segment(tun, address, port, 7, ACK | PSH, payload=b"secret")
    if ":" in address:
        device.sendto(ip6(tun, address, 6, late), (TUN, 0x86dd))
    else:
        device.sendto(ip4(tun, address, 6, late), (TUN, 0x0800))


def assert_kept(w, out):
    """The engine has read all that was sent before, and nothing has left for the sites."""
    # Which it answers itself.
    ask(w.app, "nobody.example.test")
    out.wait(lambda q: b"nobody" in q.payload and not q.outgoing)
    beside = out.seen(lambda q: q.dst in BOTH and q.outgoing and q.dport != 53)
    assert not beside, beside


DIRECT, TUNNEL = "direct.example.test", "tunnel.example.test"
NAMED = [{"domain": [f"full:{TUNNEL}"], "outboundTag": "proxy"}]


def two_names(l):
    """A world in which both names have the addresses of one site."""
    w = World(l)
    w.start_v2ray()
    Resolver(l, w.far, FAR, dict.fromkeys((DIRECT, TUNNEL), BOTH))
    w.app.resolv(f"nameserver {FAR}\n")
    echoes(w)
    return w


def learn(w, name):
    """The application asks for the name, which is the one of these addresses from now on."""
    assert ask(w.app, name).addresses
    ask(w.app, name, 28)


def test_other_name(l):
    """The ports of a direct connection are used for a name that goes by the tunnel: what is under way when that ends is
    not sent on outside."""
    w = two_names(l)
    # Whatever numbers the packet below has, conntrack takes it for one of the old connection's.
    w.app.sysctl("net.netfilter.nf_conntrack_tcp_be_liberal", 1)
    with kernel(w, NAMED), w.app.inside(socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, 0) as device:
        for address in BOTH:
            tun = tun_address(w, ":" in address)
            for name in (DIRECT, TUNNEL):
                learn(w, name)
                with lab.Sniffer(w.app, "eth0") as out, bound(w, address, 20000) as c:
                    c.connect((address, 7))
                    said(c, b"word")
                    reset(c)
                    if name == DIRECT:
                        continue
                    send_late(device, tun, address, 20000)
                    assert_kept(w, out)


def silently(s):
    """Closes without a word to anybody."""
    TCP_REPAIR = 19
    s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    s.close()


def test_other_engine(l):
    """The same where the direct connection was decided by an engine before, and direct is again what the address's last
    name is when the late packet comes."""
    w = two_names(l)
    w.app.sysctl("net.netfilter.nf_conntrack_tcp_be_liberal", 1)
    cases = [(address, port, end) for address in BOTH for port, end in ((20000, reset), (20001, silently))]

    p = w.start(w.config(NAMED, first="direct", sluice={"geoip": w.database(), "direct": "kernel"}))
    with w.app.inside(socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, 0) as device:
        for turn, name in enumerate((DIRECT, TUNNEL)):
            learn(w, name)
            with lab.Sniffer(w.app, "eth0") as out:
                for address, port, end in cases:
                    c = bound(w, address, port)
                    c.connect((address, 7))
                    said(c, b"word")
                    (reset if turn else end)(c)
                if turn == 0:
                    killed(w, p)
                    continue
                learn(w, DIRECT)
                for address, port, _ in cases:
                    send_late(device, tun_address(w, ":" in address), address, port)
                assert_kept(w, out)
        # And direct connections have these ports again.
        for address, port, _ in cases:
            with lab.Sniffer(w.app, TUN) as s, bound(w, address, port) as c:
                c.connect((address, 7))
                exchanged(c)
                # Of the one that ended without a word the server still knows: its answer to the first SYN is a question.
                assert by_device(s, 6, address) <= 2, s.packets
    assert p.stop() == 0 and "Sanitizer" not in p.text, p.text


def stopped(engine):
    """The engine reads nothing until it is told to go on."""
    os.kill(engine, signal.SIGSTOP)
    lab.until(lambda: "\nState:\tT" in pathlib.Path(f"/proc/{engine}/status").read_text(), "the engine to stand still")


def connects(w, address, port):
    """A connection whose SYN is on its way."""
    s = bound(w, address, port)
    s.setblocking(False)
    s.connect_ex((address, 7))
    return s


def test_late_words(l):
    """What is still to be read of a direct connection when its ports are used for a name that goes by the tunnel: it
    leaves, for it was sent before, and none of what comes after it does."""
    w = two_names(l)

    with kernel(w, NAMED) as p:
        for liberal in (True, False):
            w.app.sysctl("net.netfilter.nf_conntrack_tcp_be_liberal", int(liberal))
            learn(w, DIRECT)
            olds = [bound(w, address, 20001 + liberal) for address in BOTH]
            for old, address in zip(olds, BOTH):
                old.connect((address, 7))
                said(old, b"word")
            # Connections from before that are not judged by their numbers afterwards, either.
            w.app.run("nft flush ruleset")
            p.wait_line("they are put back")
            learn(w, TUNNEL)
            with lab.Sniffer(w.app, "eth0") as out:
                engine = engine_of(p)
                stopped(engine)
                try:
                    for old in olds:
                        old.sendall(b"old words")
                        reset(old)
                    news = [connects(w, address, 20001 + liberal) for address in BOTH]
                finally:
                    os.kill(engine, signal.SIGCONT)
                for new in news:
                    assert select.select([], [new], [], 10)[1]
                    new.settimeout(10)
                    said(new, b"secret")
                    new.close()
                beside = out.seen(lambda q: q.dst in BOTH and q.outgoing)
                words = [q for q in beside if q.body == b"old words"]
                assert [q.dst for q in words] == list(BOTH), beside
                # What ends the old connections may follow.
                rest = [q for q in beside if q not in words and not q.payload[13] & RST]
                assert not rest, rest


def test_refused_amid(l):
    """A firewall refuses one of the engine's datagrams: from then on they are the stack's, also where an older one of
    that flow, which was still to be read, has left before."""
    w = World(l)
    for address in BOTH:
        l.server(w.near, address, 7, lambda data, peer: b"%d" % peer[1], socket.SOCK_DGRAM)
    with kernel(w) as p:
        engine = engine_of(p)
        w.app.run("nft -f -", input=(TABLE % (
            OUTPUT, "oifname eth0 meta l4proto udp meta skuid 0 meta length > 500 drop")).encode())
        for address in BOTH:
            with udp(w.app, address) as u:
                u.connect((address, 7))

                def port(n=1):
                    u.send(bytes(n))
                    return int(u.recv(100))

                first = port()
                for word in ("ip", "ip6"):
                    w.app.run(f"nft flush set {word} sluice_direct flows")
                stopped(engine)
                try:
                    u.send(b"old")
                    u.send(bytes(500))
                finally:
                    os.kill(engine, signal.SIGCONT)
                lab.equal(int(u.recv(100)), first, "the old one")
                second = int(u.recv(100))
                assert second != first
                lab.equal({port() for _ in range(10)}, {second}, "the ones after the one that was refused")


def test_next_engine(l):
    """The next engine has another configuration, which wants nothing of the kernel: what the kernel carried goes by its
    rules at once, and the tables are gone."""
    w = World(l)
    echoes(w)
    w.start_v2ray()
    p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"}))
    flows = [(tcp(w.app, address, 7), udp(w.app, address, seconds=1), address) for address in BOTH]
    for stream, datagrams, address in flows:
        said(stream, b"direct")
        for word in (b"one", b"two", b"three"):
            heard(datagrams, word, (address, 7))
    w.config([], first="proxy", sluice={"geoip": w.database(), "direct": "stack"})
    killed(w, p)
    tables = w.app.run("nft list tables")
    assert "sluice_direct" not in tables and "inet sluice" in tables, tables
    with lab.Sniffer(w.app, "eth0") as out:
        for stream, datagrams, address in flows:
            try:
                said(stream, b"tunnel")
                raise lab.Failed("a connection that belongs to nobody goes on")
            except ConnectionError:
                pass
            heard(datagrams, b"tunnel", (address, 7))
        beside = out.seen(lambda q: q.outgoing and q.dst in BOTH)
        assert not beside, beside
    # And back.
    w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"})
    killed(w, p)
    with lab.Sniffer(w.app, TUN) as s, tcp(w.app, NEAR, 7) as c:
        exchanged(c)
        assert by_device(s, 6, NEAR) == 1, s.packets
    assert p.stop() == 0 and "Sanitizer" not in p.text and "they are put back" not in p.text, p.text


class Table:
    """The table of connections of a space, filled with ones of nobody's."""

    MARK = 9

    def __init__(self, space):
        self.space = space
        self.socket = space.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.made = 0
        self.most = int(space.run("sysctl -n net.netfilter.nf_conntrack_max"))

    def count(self):
        return int(self.space.run("sysctl -n net.netfilter.nf_conntrack_count"))

    @staticmethod
    def _attribute(kind, *content):
        content = b"".join(content)
        return struct.pack("=HH", 4 + len(content), kind) + content + bytes(-len(content) % 4)

    @staticmethod
    def _message(kind, flags, *attributes):
        body = struct.pack("=BBH", socket.AF_INET, 0, 0) + b"".join(attributes)
        return struct.pack("=IHHII", 16 + len(body), 1 << 8 | kind, 1 | flags, 0, 0) + body

    def _pattern(self, address, port):
        """What makes a connection from there, answered and not to be given up for others."""
        a, nest = self._attribute, 0x8000
        there, to = socket.inet_aton(NEAR), struct.pack("!H", 9)

        def half(kind, src, dst, sport, dport):
            return a(kind | nest, a(1 | nest, a(1, src), a(2, dst)),
                     a(2 | nest, a(1, b"\x11"), a(2, sport), a(3, dport)))

        return self._message(0, 0x600, half(1, address, there, port, to), half(2, there, address, to, port),
                             a(3, struct.pack("!I", 0xe)), a(7, struct.pack("!I", 600)),
                             a(8, struct.pack("!I", self.MARK)))

    def fill(self, left):
        """Until so many more fit."""
        address, port = b"ADDR", b"PO"
        a, b, c, d, e = re.split(address + b"|" + port, self._pattern(address, port))
        while (room := self.most - left - self.count()) > 0:
            for _ in range(0, room, 128):
                pieces = []
                for n in range(self.made, self.made + min(128, room)):
                    host, number = struct.pack("!I", 0xc6336400 + (n >> 16)), struct.pack("!H", n & 0xffff)
                    pieces += a, host, b, number, c, host, d, number, e
                self.socket.send(b"".join(pieces))
                self.made += 128

    def clear(self):
        self.socket.send(self._message(2, 0, self._attribute(8, struct.pack("!I", self.MARK)),
                                       self._attribute(21, b"\xff" * 4)))
        lab.until(lambda: self.count() < self.most // 2, "the table to be empty")


def test_full_table(l):
    """The table of connections is full, or nearly: what begins then hears nothing, as of any kernel, and has its
    connection once there is room; nothing leaves otherwise than it should."""
    w = World(l)
    echoes(w)
    w.start_v2ray()
    fars = (FAR, FAR6)
    for address in fars:
        l.server(w.far, address, 7, lab.echo)
    with kernel(w, [{"ip": list(fars), "outboundTag": "proxy"}]), contextlib.ExitStack() as stack:
        table = Table(w.app)
        out = stack.enter_context(lab.Sniffer(w.app, "eth0"))
        before = [stack.enter_context(tcp(w.app, address, 7)) for address in BOTH]
        for s in before:
            said(s, b"before")
        tun = {tun_address(w), tun_address(w, True)}
        begun = []
        for left in (2, 1, 0):
            table.fill(left)
            for s in before:
                said(s, b"while it is full")
            for address in BOTH + fars:
                begun.append(stack.enter_context(w.app.socket(family(address), socket.SOCK_STREAM)))
                begun[-1].setblocking(False)
                lab.equal(begun[-1].connect_ex((address, 7)), errno.EINPROGRESS, address)
        lab.equal(select.select([], begun[-len(BOTH + fars):], [], 0.3)[1], [], "answers where there is no room")
        table.clear()
        for c in begun:
            assert select.select([], [c], [], 20)[1], "no answer since there is room"
            lab.equal(c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0, "what became of it")
            c.settimeout(10)
            said(c, b"new")
        for address in BOTH + fars:
            with tcp(w.app, address, 7) as c:
                exchanged(c)
        strange = out.seen(lambda q: {q.src, q.dst} & (tun | set(fars)))
        assert not strange, strange


# Applications that never rest.
DATAGRAMS = """
import contextlib, socket
s = socket.socket(socket.{family}, socket.SOCK_DGRAM)
s.connect(("{address}", 9))
while True:
    with contextlib.suppress(OSError):
        s.send(bytes(100))
"""
SEGMENTS = """
import socket
s = socket.create_connection(("{address}", 10))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while True:
    s.send(bytes(100))
"""


def swallow(connection, _peer):
    while connection.recv(1 << 20):
        pass


def carried_now(w, address):
    """The protocols of what the kernel carries there."""
    listed = w.app.run(f"nft list set {'ip6' if ':' in address else 'ip'} sluice_direct flows")
    return set(re.findall(rf"\. {address} \. (\w+) \.", listed))


def into_device(w):
    """Packets that were sent into it, also those that it had no room for."""
    names = ("tx_packets", "tx_dropped")
    return sum(int(w.app.run(f"cat /sys/class/net/{TUN}/statistics/{name}")) for name in names)


def busy(w, address):
    own = {"geoip": w.database(), "direct": "kernel"}
    words = {"address": address, "family": "AF_INET6" if ":" in address else "AF_INET"}
    p = w.start(w.config(first="direct", sluice=own))
    u, t = (w.app.start([sys.executable, "-c", text.format(**words)]) for text in (DATAGRAMS, SEGMENTS))
    lab.until(lambda: carried_now(w, address) == {"tcp", "udp"}, "both to be the kernel's")
    w.config(first="block", sluice=own)
    killed(w, p)
    with lab.Sniffer(w.app, "eth0") as out:
        before = into_device(w)
        lab.until(lambda: out.seen(lambda q: q.dst == address and q.body) or
                  not t.alive() and into_device(w) > before + 1000, "one to end, and the other to go on inside")
        left = out.seen(lambda q: q.dst == address and q.body)
    assert not left, f"{len(left)} packets got out, first {left[0]}"
    u.kill(), t.kill()
    assert p.stop() == 0 and "Sanitizer" not in p.text and "they are put back" not in p.text, p.text


def test_busy(l):
    """The next engine's rules keep inside what the kernel carries, and what never rests: nothing of it leaves. Several
    times, as the moment counts."""
    w = World(l)
    for address in BOTH:
        l.server(w.near, address, 9, lambda *_: None, socket.SOCK_DGRAM)
        l.server(w.near, address, 10, swallow)
    for address in BOTH * 2:
        busy(w, address)


lab.main(test_owners, test_other_name, test_other_engine, test_late_words, test_refused_amid, test_next_engine, test_full_table,
         test_busy)
