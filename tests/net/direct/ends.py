# SPDX-License-Identifier: MIT
"""Where flows that the kernel carries end by themselves: applications hear of it at once, and what the engine may do
without them is bounded."""
import contextlib
import ctypes
import errno
import json
import os
import re
import resource
import select
import signal
import socket
import struct
import threading
import time

from direct import (ACK, APP, APP6, DEAD, DEAD6, FAR, FAR6, NEAR, NEAR6, SLUICE, SYN, TUN, Injector, Restless, World, datagram, engine_of, family, ip4,
                    ip6, lab, read_exactly, segment, sites, tcp, tun_address, udp, works)
from handed import BOTH, echoes, heard, kernel, killed, said, tracked

PIDFD_OPEN, PIDFD_GETFD = 434, 438
libc = ctypes.CDLL(None, use_errno=True)


def fault(s):
    """The error by which a connection ended, as who only receives hears of it."""
    try:
        return f"{len(s.recv(1))} bytes"
    except OSError as e:
        return e.errno


ABORTED, RESET = 103, 104


def forget_all(w):
    """Conntrack forgets everything: IPCTNL_MSG_CT_DELETE without a word on what."""
    s = w.app.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    s.send(struct.pack("IHHIIBBH", 20, 1 << 8 | 2, 5, 1, 0, 0, 0, 0))
    assert struct.unpack("IHHIIi", s.recv(4096)[:20])[5] == 0
    s.close()


def silently(s):
    """Closes without a word to anybody."""
    TCP_REPAIR = 19
    s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    s.close()


def test_another_connections(l):
    """Conntrack forgets a direct connection whose ends a tunnelled one has by now, which goes on."""
    w = World(l)
    echoes(w)
    w.start_v2ray()
    p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"}))

    def begun(address):
        s = w.app.socket(family(address), socket.SOCK_STREAM)
        s.settimeout(10)
        s.bind((tun_address(w, ":" in address), 20000))
        s.connect((address, 7))
        said(s, b"word")
        return s

    for address in BOTH:
        silently(begun(address))
    l.server(w.near, NEAR, 8, lab.echo)
    w.config([{"port": "8", "outboundTag": "direct"}], first="proxy", sluice={"geoip": w.database(), "direct": "kernel"})
    killed(w, p)
    direct = tcp(w.app, NEAR, 8)
    said(direct, b"word")
    ones = [begun(address) for address in BOTH]
    forget_all(w)
    assert p.wait_line(r"lost their way outside: (\d+), ended")[1] == "1", p.text
    assert fault(direct) == ABORTED
    for s in ones:
        said(s, b"after")
        s.close()
    assert p.stop() == 0 and "Sanitizer" not in p.text, p.text


def listening(w):
    """A server of the application's host on the port that a connection comes from."""
    s = w.app.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(("", 20000))
    s.listen()
    return s


def from_that_port(w):
    s = w.app.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(10)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((tun_address(w), 20000))
    s.connect((NEAR, 7))
    return s


def serving(ended):
    """A server that says one word, and notes how its connection ends."""
    def serve(connection, _peer):
        connection.sendall(b"hello")
        ended.append(fault(connection))
    return serve


def test_stop_while_asking(l):
    """Who still waits for an answer hears of the end, too."""
    w = World(l)
    waiting = []
    with lab.Sniffer(w.app, "eth0") as out:
        with kernel(w):
            for address in (DEAD, DEAD6):
                s = w.app.socket(family(address), socket.SOCK_STREAM)
                s.setblocking(False)
                assert s.connect_ex((address, 80)) == errno.EINPROGRESS
                waiting.append(s)
                lab.until(lambda a=address: out.seen(lambda q: q.dst == a and q.proto == 6), "its SYN to leave")
    for s in waiting:
        lab.until(lambda s=s: select.select([], [s], [], 0)[1], "the end of one", 3)
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == ABORTED


def test_stop(l):
    """Applications that only receive get an error when sluice ends, their servers a reset; what they carried is in the
    totals. Others' connections, and servers on the same ports, live on."""
    w = World(l)
    echoes(w)
    ended = []
    for address in BOTH:
        l.server(w.near, address, 4000, serving(ended))
    other = tcp(w.app, NEAR, 7)                                         # from before the start: of another address
    said(other, b"before")
    with kernel(w) as p:
        ones = [tcp(w.app, address, 4000) for address in BOTH]
        for s in ones:
            assert read_exactly(s, 5) == b"hello"
        # A socket of IPv6 that speaks IPv4.
        mapped = w.app.socket(socket.AF_INET6, socket.SOCK_STREAM)
        mapped.settimeout(10)
        mapped.connect(("::ffff:" + NEAR, 4000))
        assert read_exactly(mapped, 5) == b"hello"
        busy = tcp(w.app, NEAR, 7)
        said(busy, b"x" * 100000)
        quiet = tcp(w.app, NEAR, 7)
        said(quiet, b"word")
        open_since = time.monotonic()
        lab.until(lambda: time.monotonic() > open_since + 1, "a while that is in the log")
        lived = 0.9
    assert [fault(s) for s in ones + [mapped, busy, quiet]] == [ABORTED] * 5
    lab.until(lambda: len(ended) == 3, "the servers to be told")
    assert ended == [RESET] * 3, ended
    carried = re.findall(r"tcp .*direct \(kernel\), up (\d+) down \d+, (\S+) s: (.*)", p.text)
    up = [int(x) for x, _, _ in carried]
    assert len(up) == 5 and max(up) > 100000, p.text
    assert all(how == "sluice ends" for _, _, how in carried), p.text
    assert all(lived <= float(seconds) < 60 for _, seconds, _ in carried), (lived, p.text)
    assert re.search("kernel carried: 5, ended", p.text), p.text
    said(other, b"after")


class Asking(Restless):
    """An application that goes on asking for connections; those that have the device's addresses in the end."""

    def __init__(self, w, address, mine):
        super().__init__(w, 0.02)
        self.address, self.mine = address, mine

    def turn(self):
        if len(self.sockets) == 500:
            return
        s = socket.socket(family(self.address), socket.SOCK_STREAM)
        s.setblocking(False)
        s.connect_ex((self.address, 7))
        self.sockets.append(s)

    def left(self):
        """Those that still ask, or speak, from the device."""
        self.stop()
        return [s for s in self.sockets
                if s.getsockname()[0] in self.mine and s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0]


def test_stop_of_one_that_hangs(l):
    """The engine hangs and is killed at the end: what it carried ends before the device goes, so that nothing of what
    applications still have to say leaves beside it; who asks meanwhile is told, too."""
    w = World(l)
    echoes(w)
    w.start_v2ray()
    fars = FAR, FAR6
    for address in fars:
        l.server(w.far, address, 7, lab.echo)
        l.server(w.far, address, 7, lab.echo_datagram, socket.SOCK_DGRAM)
    for way in ("kernel", "stack"):
        p = w.start(w.config([{"ip": list(fars), "outboundTag": "proxy"}], first="direct",
                             sluice={"geoip": w.database(), "direct": way}))
        mine = tun_address(w), tun_address(w, True)
        ones = [tcp(w.app, address, 7) for address in (*BOTH, *fars)]
        callers = [udp(w.app, address) for address in (*BOTH, *fars)]
        for u, s in zip(callers, ones):
            u.connect(s.getpeername()[:2])
            said(u, b"word")
            said(s, b"word")
        os.kill(engine_of(p), signal.SIGSTOP)
        with lab.Sniffer(w.app, "eth0") as out, Asking(w, FAR, mine) as four, Asking(w, FAR6, mine) as six:
            for s in ones[2:]:
                s.sendall(b"secret")
            assert p.stop() == 1 and "did not end by itself" in p.text, p.text
            assert [fault(s) for s in ones + callers] == [ABORTED] * 8
            assert not four.left() and not six.left()
            beside = out.seen(lambda q: q.outgoing and (q.src in mine or b"secret" in q.data))
            assert not beside, beside


def test_lost_network(l):
    """The link goes: who only receives gets an error at once, also half closed; a server on that very port, and who is
    only asking for a connection, do not."""
    w = World(l)
    sites(w)
    echoes(w)
    ended = []
    for address in BOTH:
        l.server(w.near, address, 4000, serving(ended))
    with kernel(w) as p:
        server = listening(w)
        ones = [tcp(w.app, address, 4000) for address in BOTH] + [from_that_port(w)]
        for s in ones[:2]:
            assert read_exactly(s, 5) == b"hello"
        said(ones[2], b"word")
        w.app.run("ip link set eth0 down")
        assert [fault(s) for s in ones] == [ABORTED] * 3
        p.wait_line("lost their way outside: [123], ended")
        w.app.run("ip link set eth0 up")
        w.app.route("default via 198.18.0.1")
        w.app.run("ip -6 addr replace 2001:db8:f::2/64 dev eth0 nodad")
        w.app.run("ip -6 route replace default via 2001:db8:f::1")
        for address in BOTH:
            works(w, address)
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        server.close()


def cable(w):
    """Another link, which new default routes lead to; the old one stays."""
    w.lab.link(w.app, "eth1", "198.18.9.2/24 2001:db8:9::2/64", w.router, "app2", "198.18.9.1/24 2001:db8:9::1/64")
    w.app.run("ip route replace default via 198.18.0.1 dev eth0 metric 600")
    w.app.run("ip route del default via 198.18.0.1 dev eth0 metric 0")
    w.app.run("ip -6 route add default via 2001:db8:f::1 dev eth0 metric 2000")
    w.app.run("ip -6 route del default via 2001:db8:f::1 dev eth0 metric 1024")

    def plug():
        w.app.route("default via 198.18.9.1 dev eth1 metric 100")
        w.app.route("default via 2001:db8:9::1 dev eth1 metric 100")
    return plug


def test_other_link(l):
    """The default route moves to another link, while the old one is still there: who sends, and who only receives, gets
    an error with the first packet that would leave by the new one.  Datagrams (but for the first, which is refused) and
    new connections go by the new link, and nothing leaves there with the old one's address, or the device's."""
    w = World(l)
    sites(w)
    echoes(w)
    plug = cable(w)
    go_on = threading.Event()

    def serve(connection, _peer):
        connection.sendall(b"hello")
        go_on.wait()
        connection.sendall(b"more")

    for address in BOTH:
        l.server(w.near, address, 4000, serve)
    with kernel(w) as p:
        senders, receivers = ([tcp(w.app, address, port) for address in BOTH] for port in (7, 4000))
        datagrams = [udp(w.app, address, seconds=1) for address in BOTH]
        for s, u, address in zip(senders, datagrams, BOTH):
            said(s, b"before")
            for word in (b"one", b"two", b"three"):
                heard(u, word, (address, 7))
        for s in receivers:
            assert read_exactly(s, 5) == b"hello"
        with lab.Sniffer(w.app, "eth1") as out:
            plug()
            for s, u, address in zip(senders, datagrams, BOTH):
                s.sendall(b"after")
                assert fault(s) in (ABORTED, RESET)
                try:
                    u.sendto(b"lost", (address, 7))
                    raise lab.Failed("a datagram with the old link's address")
                except PermissionError:
                    heard(u, b"after", (address, 7))
                out.wait(lambda q: q.outgoing and q.proto == 17 and q.dst == address, "the datagram on the new link")
                works(w, address)
                out.wait(lambda q: q.outgoing and q.proto == 6 and q.dst == address and q.dport == 80, "the new one")
            go_on.set()
            for s in receivers:
                assert read_exactly(s, 4) == b"more"        # and this is acknowledged
                assert fault(s) in (ABORTED, RESET)
            strange = out.seen(lambda q: q.outgoing and q.proto in (6, 17) and q.src not in ("198.18.9.2", "2001:db8:9::2"))
            assert not strange, strange
        for s in senders + receivers + datagrams:
            s.close()
        assert "lost their way outside" in p.text


def test_killed(l):
    """Keeper and engine are killed; `recover` ends what has nobody to carry it any more, and nothing of it leaves."""
    w = World(l)
    echoes(w)
    for way in ("kernel", "stack"):
        p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": way}))
        ones = [tcp(w.app, address, 7) for address in BOTH]
        for s in ones:
            said(s, b"word")
        mine = tun_address(w), tun_address(w, True)
        p.kill()
        lab.until(lambda: w.app.call(f"ip link show {TUN}")[0] != 0, "the device to go")
        with lab.Sniffer(w.app, "eth0") as out:
            w.app.run([SLUICE, "recover", "--state", w.app.state])
            assert [fault(s) for s in ones] == [ABORTED] * 2
            beside = out.seen(lambda q: q.outgoing and q.src in mine)
            assert not beside, beside


def test_engine_killed(l):
    """The engine is killed: who only receives what it carried gets an error at once, through a server or directly; what
    the kernel carries goes on, and who is only asking for a connection gets it from the next engine."""
    w = World(l)
    echoes(w)
    w.start_v2ray()
    for space, addresses in ((w.near, BOTH), (w.far, (FAR, FAR6))):
        for address in addresses:
            l.server(space, address, 4000, serving([]))
    l.server(w.far, FAR, 7, lab.echo)
    other = tcp(w.app, NEAR, 7)                                         # from before the start: of another address
    said(other, b"before")
    sniffed = {"port": "4000", "protocol": ["bittorrent"], "outboundTag": "block"}  # needs bytes: by the stack
    for way in ("kernel", "stack"):
        rules = [{"ip": [FAR, FAR6], "outboundTag": "proxy"}, sniffed]
        p = w.start(w.config(rules, first="direct", sluice={"geoip": w.database(), "direct": way}))
        server = listening(w)
        waiting = [tcp(w.app, address, 4000) for address in (*BOTH, FAR, FAR6)]
        for s in waiting:
            assert read_exactly(s, 5) == b"hello"
        kept = [tcp(w.app, address, 7) for address in BOTH]
        for s in kept:
            said(s, b"before")
        engine = engine_of(p)
        os.kill(engine, signal.SIGSTOP)
        asking = w.app.socket(socket.AF_INET, socket.SOCK_STREAM)
        asking.setblocking(False)
        asking.connect_ex((FAR, 7))
        os.kill(engine, signal.SIGKILL)
        assert [fault(s) for s in waiting] == [ABORTED] * 4
        if way == "kernel":
            for s in kept:
                said(s, b"after")
        else:
            assert [fault(s) for s in kept] == [ABORTED] * 2
        p.wait_line(f"connections that the engine carried: {4 if way == 'kernel' else 6}, ended")
        asking.settimeout(10)
        lab.until(lambda: asking.connect_ex((FAR, 7)) in (0, errno.EISCONN), "the one that is only asked for")
        said(asking, b"word")
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        for s in (server, asking, *waiting, *kept):
            s.close()
        assert p.stop() == 0 and "Sanitizer" not in p.text, p.text
        said(other, b"after")


def test_other_rules(l):
    """The next engine's rules send elsewhere what the kernel carries: the application, its server and conntrack hear of
    the end, which is all that leaves; who only receives hears of it with what comes next."""
    w = World(l)
    w.start_v2ray()
    ended = []

    def talk(connection, _peer):
        try:
            while connection.recv(100):
                connection.sendall(b"word")
        except OSError as e:
            ended.append(e.errno)

    def pump(connection, _peer):
        try:
            while True:
                connection.sendall(b"word")
                connection.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    connection.recv(1)
        except OSError as e:
            ended.append(e.errno)

    for address in BOTH:
        l.server(w.near, address, 4000, talk)
        l.server(w.near, address, 4001, pump)
    p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"}))
    talks, hears = ([tcp(w.app, address, port) for address in BOTH] for port in (4000, 4001))
    for s in talks:
        s.sendall(b"word")
    for s in talks + hears:
        assert read_exactly(s, 4) == b"word"
    w.config([], first="proxy", sluice={"geoip": w.database(), "direct": "kernel"})
    with lab.Sniffer(w.app, "eth0") as out:
        killed(w, p)
        for s in talks:
            s.sendall(b"secret")
        for s in talks + hears:
            s.settimeout(10)
            try:
                while s.recv(100):
                    pass
                raise lab.Failed("the end of the stream")
            except ConnectionResetError:
                pass
        lab.until(lambda: len(ended) == 4, "the servers to be told")
        assert {*ended} <= {RESET, errno.EPIPE}, ended
        beside = out.seen(lambda q: q.outgoing and q.dst in BOTH and q.body)
        assert not beside, beside
    carried = tracked(w, r"dport=400[01] .*zone-orig=")
    assert len(carried) == 4 and all(" CLOSE " in x for x in carried), carried
    assert p.stop() == 0 and "Sanitizer" not in p.text, p.text


def fill(most):
    """So many connections of this machine's with itself."""
    held = [socket.create_server(("127.0.0.1", 9999), backlog=1)]
    for i in range(most):
        c = socket.socket()
        c.bind((f"127.0.0.{2 + i % 5}", 0))
        c.connect(("127.0.0.1", 9999))
        held += c, held[0].accept()[0]
    return held


def test_engine_killed_amid_many(l):
    """Those that an engine carried are found among the many that others have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 10000)), hard))
    w = World(l)
    ended = []
    for address in BOTH:
        l.server(w.near, address, 4000, serving(ended))
    p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "stack"}))
    held = w.app.inside(fill, 4500)
    waiting = [tcp(w.app, address, 4000) for address in BOTH * 3]
    for s in waiting:
        assert read_exactly(s, 5) == b"hello"
    killed(w, p)
    assert [fault(s) for s in waiting] == [ABORTED] * 6
    for s in held:
        s.close()
    assert p.stop() == 0 and "Sanitizer" not in p.text, p.text


def test_engine_killed_bound(l):
    """The same for sockets that are bound to the device, as by `curl --interface`."""
    w = World(l)
    waiting = []
    p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "stack"}))
    for address in BOTH:
        l.server(w.near, address, 4000, serving([]))
        s = w.app.socket(family(address), socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, TUN.encode())
        s.settimeout(5)
        s.connect((address, 4000))
        assert read_exactly(s, 5) == b"hello"
        waiting.append(s)
    killed(w, p)
    assert [fault(s) for s in waiting] == [ABORTED] * 2
    assert p.stop() == 0 and "Sanitizer" not in p.text, p.text


def forgotten(l, loose, later=None):
    """What conntrack forgot ends at once, whatever it takes for a connection."""
    w = World(l)
    sites(w)
    echoes(w)
    w.app.run("nft add table ip other")                                 # so that there is conntrack
    w.app.run("nft add chain ip other c { type filter hook output priority 0 ; }")
    w.app.run("nft add rule ip other c ct state new")
    w.app.sysctl("net.netfilter.nf_conntrack_tcp_loose", loose)
    with kernel(w):
        if later is not None:
            w.app.sysctl("net.netfilter.nf_conntrack_tcp_loose", later)
            lab.until(lambda: all((later == 0) == ("chain strict" in w.app.run(f"nft list table {x} sluice_direct"))
                                  for x in ("ip", "ip6")), "the tables to follow")
        ones = [tcp(w.app, address, 7) for address in BOTH]
        for s in ones:
            said(s, b"word")
        forget_all(w)
        assert [fault(s) for s in ones] == [ABORTED] * 2
        # A packet of a connection of which nobody knows is answered with a reset, and does not go out.
        s = Injector(w)
        with lab.Sniffer(w.app, "lo") as lo, lab.Sniffer(w.app, "eth0") as out:
            for build, six, address in ((ip4, False, NEAR), (ip6, True, NEAR6)):
                me = tun_address(w, six)
                s.send(build(me, address, 6, segment(me, address, 5000, 80, ACK, ack=1, payload=b"stray")))
                lo.wait(lambda q: q.dst == me and q.dport == 5000 and q.payload[13] & 4, "the reset")
            assert not out.seen(lambda q: b"stray" in q.data)
        s.close()
        for address in BOTH:
            works(w, address)


def test_forgotten(l):
    forgotten(l, 1)


def test_forgotten_strictly(l):
    forgotten(l, 0)


def test_forgotten_strictly_by_now(l):
    forgotten(l, 1, later=0)


def test_forgotten_strictly_no_more(l):
    forgotten(l, 0, later=1)


def test_half_closed(l):
    """Conntrack keeps a connection that is half closed for as long as keepalives take, and not for days."""
    w = World(l)
    echoes(w)
    over = threading.Event()
    l.server(w.near, NEAR, 8, lambda c, _: (c.recv(100), c.recv(100), c.sendall(b"late"), over.wait()))
    with kernel(w):
        with tcp(w.app, NEAR, 7) as whole, tcp(w.app, NEAR, 8) as s:
            said(whole, b"word")
            s.sendall(b"word")
            s.shutdown(socket.SHUT_WR)
            assert read_exactly(s, 4) == b"late"

            def seconds(state, port):
                found = tracked(w, rf"{state} src=\S+ dst={NEAR} \S+ dport={port} ")
                return int(found[0].split()[4]) if found else 0

            lab.until(lambda: seconds("(CLOSE_WAIT|FIN_WAIT)", 8), "the half-closed one in conntrack")
            assert 7200 < seconds("(CLOSE_WAIT|FIN_WAIT)", 8) <= 7440
            assert seconds("ESTABLISHED", 7) > 400000
            over.set()


def raw_sockets(pid):
    """Copies of the sockets by which an engine sends whole packets, by family."""
    process, found = libc.syscall(PIDFD_OPEN, pid, 0), {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        fd = libc.syscall(PIDFD_GETFD, process, int(name), 0)
        try:
            s = socket.socket(fileno=fd)
        except OSError:
            os.close(fd)
            continue
        if s.type == socket.SOCK_RAW and s.proto == socket.IPPROTO_RAW:
            found[s.family] = s
    os.close(process)
    return found


def pieces(build, src, dst, proto, payload):
    """A packet as two fragments."""
    for at, more in ((0, 1), (32, 0)):
        part = payload[at:] if at else payload[:32]
        if build is ip4:
            yield ip4(src, dst, proto, part, ident=7, fragment=more << 13 | at >> 3)
        else:
            yield ip6(src, dst, 44, struct.pack("!BBHI", proto, 0, at | more, 7) + part)


def test_forged(l):
    """An engine that was taken over speaks as the device, and as nobody else, neither as its machine nor as another."""
    w = World(l)
    echoes(w)
    with kernel(w) as p, lab.Sniffer(w.app, "eth0") as out:
        raw = raw_sockets(engine_of(p))
        assert set(raw) == {socket.AF_INET, socket.AF_INET6}, raw
        for build, number, sources, address in (
                (ip4, socket.AF_INET, (APP, FAR, "0.0.0.0"), NEAR),
                (ip6, socket.AF_INET6, (APP6, FAR6, "::"), NEAR6)):
            me = tun_address(w, number == socket.AF_INET6)
            for source in sources:
                syn = build(source, address, 6, segment(source, address, 5000, 7, SYN))
                try:
                    raw[number].sendto(syn, (address, 0))
                    raise lab.Failed(f"sent as {source}")
                except PermissionError:
                    pass
                for piece in pieces(build, source, address, 17, datagram(source, address, 5000, 7, bytes(64))):
                    with contextlib.suppress(PermissionError):
                        raw[number].sendto(piece, (address, 0))
            for proto in (47, 132):
                for piece in pieces(build, me, address, proto, bytes(64)):
                    with contextlib.suppress(PermissionError):
                        raw[number].sendto(piece, (address, 0))
                try:
                    raw[number].sendto(build(me, address, proto, bytes(20)), (address, 0))
                    raise lab.Failed(f"sent protocol {proto}")
                except PermissionError:
                    pass
            raw[number].sendto(build(me, address, 6, segment(me, address, 5001, 7, SYN)), (address, 0))
            out.wait(lambda q: q.dst == address and q.dport == 7, "the sound one")
        bad = out.seen(lambda q: q.sport == 5000 or q.proto in (44, 47, 132))
        assert not bad, bad
        for s in raw.values():
            s.close()
        # Who answers others by the same mark is somebody else.
        l.server(w.app, APP, 22, lab.echo)
        with tcp(w.far, APP, 22) as s:
            said(s, b"from outside")


def test_exceptions(l):
    """What stays with the stack for what the configuration says is said at the start."""
    w = World(l)
    sites(w)
    for change, why in (
            (lambda text: text["outbounds"][0].update(settings={"domainStrategy": "UseIP"}), "has settings of its own"),
            (lambda text: text.update(policy={"levels": {"0": {"connIdle": 100}}}), "the policy limits their time")):
        path = w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"})
        with open(path) as f:
            text = json.load(f)
        change(text)
        with open(path, "w") as f:
            json.dump(text, f)
        p = w.start(path)
        p.wait_line(r"outbounds\[0\]: its flows are carried by sluice all the same: .*" + why, again=True)
        works(w)
        w.stop(p)
        assert "with the kernel 0," in p.text, p.text


lab.main(test_stop_while_asking, test_stop, test_stop_of_one_that_hangs, test_lost_network, test_other_link,
         test_another_connections, test_killed, test_engine_killed,
         test_engine_killed_amid_many, test_engine_killed_bound, test_other_rules, test_forgotten, test_forgotten_strictly,
         test_forgotten_strictly_by_now, test_forgotten_strictly_no_more, test_half_closed, test_forged, test_exceptions)
