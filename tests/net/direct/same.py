# SPDX-License-Identifier: MIT
"""What applications see of direct flows is the same whether sluice carries them or the kernel does."""
import contextlib
import socket
import sys
import threading
import time

from direct import (FAR, FAR6, GONE, GONE6, World, at_once, family, lab, noise, read_all, reset, tcp, tcp_error, udp)
from handed import BOTH, echoes, heard, kernel, large, said, wrap_nft


def half(connection, _peer):
    """Reads to the end, and answers afterwards."""
    data = read_all(connection)
    connection.sendall(b"%d bytes\n" % len(data))


def abrupt(connection, _peer):
    connection.recv(100)
    reset(connection)


def tried(w, what, address):
    """One flow of a kind; what the application saw."""
    try:
        return what(w, address)
    except OSError as e:
        return f"errno {e.errno}"


def half_closed(w, address):
    with tcp(w.app, address, 8) as s:
        s.sendall(noise(100000))
        s.shutdown(socket.SHUT_WR)
        return read_all(s)


def aborted(w, address):
    with tcp(w.app, address, 9) as s:
        s.sendall(b"x")
        return read_all(s)


def refused(w, address):
    return tcp_error(w.app, address, 81)[0]


def closed_udp(w, address):
    with udp(w.app, address, seconds=5) as s:
        s.connect((address, 81))
        s.send(b"x")
        return s.recv(10)


def gone(w, address):
    return tcp_error(w.app, GONE6 if ":" in address else GONE, 80)[0]


def sizes(w, address):
    with udp(w.app, address, seconds=5) as s:
        got = []
        for n in (0, 1, 1000, 1452, 5000, 20000):
            s.sendto(noise(n), (address, 7))
            got.append(len(s.recv(65536)))
        return got


def segmented(w, address):
    """One send that the device gets as one packet, and the server as many."""
    got = []
    place = w.lab.server(w.near, address, 70, lambda data, _peer: got.append(len(data)), socket.SOCK_DGRAM)
    with udp(w.app, address) as s:
        s.setsockopt(socket.SOL_UDP, 103, 500)
        s.connect((address, 70))
        for _ in range(2):
            s.send(noise(4700))
        s.send(b"end")
        lab.until(lambda: 3 in got, "the last one")
    place.close()
    return sorted(got)


def ping(w, address):
    return w.app.call(f"ping -n -c 2 -i 0.2 -W 5 -s 1000 {address}")[0]


def many(w, address):
    """Short ones on few ports."""
    def run():
        for i in range(1000):
            with socket.socket(family(address), socket.SOCK_STREAM) as s:
                s.settimeout(5)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("", 20000 + i % 10))
                s.connect((address, 7))
                said(s, b"short")
                reset(s)
        return "all"
    return w.app.inside(run)


FARS = (FAR, FAR6)


@contextlib.contextmanager
def tunnelled(w):
    """Traffic that a rule sends to the tunnel, on and on. Of thousands of connections in a short time this server takes
    one or another for a repeated one, and does not answer."""
    ends, rounds = threading.Event(), []

    def run(address):
        with udp(w.app, address, seconds=1) as u:
            while not ends.is_set():
                with contextlib.suppress(TimeoutError), tcp(w.app, address, 7, seconds=2) as s:
                    said(s, b"secret")
                heard(u, b"secret", (address, 7))
                rounds.append(address)

    threads = [threading.Thread(target=run, args=(address,), daemon=True) for address in FARS]
    for t in threads:
        t.start()
    try:
        yield
    finally:
        ends.set()
        for t in threads:
            t.join()
    assert all(rounds.count(address) > 10 for address in FARS), [rounds.count(address) for address in FARS]


class Idle:
    """Flows that are silent until the kernel has forgotten them all: one of each kind to an address."""

    def __init__(self, w, address):
        self.address = address
        self.stream, self.half = tcp(w.app, address, 7), tcp(w.app, address, 10)
        self.datagrams = udp(w.app, address, seconds=5)
        said(self.stream, b"before")
        self.half.sendall(noise(10000))
        self.half.shutdown(socket.SHUT_WR)
        for word in (b"1", b"2", b"3"):
            heard(self.datagrams, word, (address, 7))

    def goes_on(self):
        said(self.stream, b"after")
        heard(self.datagrams, b"after", (self.address, 7))
        return len(read_all(self.half))

    def close(self):
        for s in (self.stream, self.half, self.datagrams):
            s.close()


def forgotten(w):
    """Whether no set of flows has any."""
    return all("elements" not in w.app.run(f"nft list set {word} sluice_direct flows") for word in ("ip", "ip6"))


# Seconds instead of minutes, in the table and for connections that are datagrams.
SHORT = """text=$(printf '%%s' "$text" | sed -E 's/timeout (180|60|15)s/timeout %ds/g')"""
TOGETHER = (large, half_closed, aborted, refused, closed_udp, gone, sizes)
ALONE = (segmented, ping, many)


def seen_by(w, way, answers):
    """What applications see of a hundred flows."""
    got = {}

    def flow(kind, address, n):
        got[kind.__name__, address, n] = tried(w, kind, address)

    idle = [Idle(w, address) for address in BOTH for _ in range(5)]
    at_once([lambda a=(kind, address, n): flow(*a) for n in range(6) for kind in TOGETHER for address in BOTH])
    for kind in ALONE:
        for address in BOTH:
            flow(kind, address, 0)
    if way == "kernel":
        lab.until(lambda: forgotten(w), "the kernel to forget all")
    answers.set()
    for n, one in enumerate(idle):
        got["idle", one.address, n] = one.goes_on()
        one.close()
    return "\n".join(f"{name}: {what}" for name, what in sorted(got.items()))


def test_same(l):
    """A hundred flows of all kinds and thousands of short ones, by the one and by the other; meanwhile nothing leaves
    that a rule sends to the tunnel."""
    w = World(l)
    echoes(w)
    w.start_v2ray()
    for space in (w.router, w.near):
        space.sysctl("net.ipv4.icmp_ratelimit", 0)
        space.sysctl("net.ipv6.icmp.ratelimit", 0)
    wrap_nft(w, SHORT % 1)
    for name in ("", "_stream"):
        w.app.sysctl(f"net.netfilter.nf_conntrack_udp_timeout{name}", 1)
    answers = threading.Event()

    def late(connection, _peer):
        data = read_all(connection)
        answers.wait(60)
        connection.sendall(data)

    for address in BOTH:
        l.server(w.near, address, 8, half)
        l.server(w.near, address, 9, abrupt)
        l.server(w.near, address, 10, late)
    for address in FARS:
        l.server(w.far, address, 7, lab.echo)
        l.server(w.far, address, 7, lab.echo_datagram, socket.SOCK_DGRAM)
    got = {}
    for way in ("stack", "kernel"):
        answers.clear()
        with kernel(w, [{"ip": list(FARS), "outboundTag": "proxy"}], way=way), lab.Sniffer(w.app, "eth0") as out, \
                tunnelled(w):
            got[way] = seen_by(w, way, answers)
            beside = out.seen(lambda q: {q.src, q.dst} & set(FARS))
            assert not beside, beside
    lab.equal(got["kernel"], got["stack"], "by the kernel, and by the stack")
    assert "errno 104" in got["stack"] and "111" in got["stack"] and "all" in got["stack"], got["stack"]


@contextlib.contextmanager
def silent_flows(way):
    """Flows of each kind in a world of their own, whose set has a timeout of 5 s; and what goes on of them."""
    with lab.Lab() as l:
        w, answers = World(l), threading.Event()
        echoes(w)
        wrap_nft(w, SHORT % 5)

        def late(connection, _peer):
            data = read_all(connection)
            answers.wait()
            connection.sendall(data)

        for address in BOTH:
            l.server(w.near, address, 10, late)
        with kernel(w, way=way):
            flows = [Idle(w, address) for address in BOTH]

            def go_on():
                assert way == "stack" or forgotten(w)
                answers.set()
                return [f"{one.address}: {tried(w, lambda *_, one=one: one.goes_on(), one.address)}" for one in flows]

            yield go_on
            for one in flows:
                one.close()


def silent(seconds):
    """The same of flows that are silent for so long, under the real clock."""
    with silent_flows("stack") as stack, silent_flows("kernel") as by_kernel:
        time.sleep(seconds)
        got = by_kernel(), stack()
    lab.equal(got[0], got[1], "by the kernel, and by the stack")
    lab.equal(got[0], [f"{address}: 10000" for address in BOTH], "what goes on")


def test_silent_for_half_a_minute(_):
    silent(30)


def test_silent_for_ten_minutes(_):
    silent(600)


# The one that takes ten minutes only where it is named.
lab.main(test_same, test_silent_for_half_a_minute,
         *[test for test in [test_silent_for_ten_minutes] if test.__name__ in sys.argv])
