# SPDX-License-Identifier: MIT
"""UDP and ping, directly."""
import select
import socket

from direct import (APP, APP6, DEAD, DEAD6, FAR, FAR6, NEAR, NEAR6, World, at_once, lab, noise, running, udp)

BOTH = (NEAR, NEAR6)
UDP = socket.SOCK_DGRAM


class Echo:
    """UDP servers that remember whom they heard."""

    def __init__(self, w, space, address, port, word=b""):
        self.peers, self.word = [], word
        self.socket = w.lab.server(space, address, port, self.answer, UDP)
        self.at = (address, port)

    def answer(self, data, peer):
        self.peers.append(peer[:2])
        return self.word + data


def echo_both(w, port=7):
    return [Echo(w, w.near, a, port, b"near ") for a in BOTH] + [Echo(w, w.far, a, port, b"far ") for a in (FAR, FAR6)]


def ask(s, to, data=b"hello"):
    s.sendto(data, to)
    got, source = s.recvfrom(65535)
    return got, source[:2]


def test_two_destinations(l):
    """One socket, two destinations: both hear it, both answers come, each from the right source."""
    w = World(l)
    echo_both(w)
    with running(w):
        for near, far in ((NEAR, FAR), (NEAR6, FAR6)):
            with udp(w.app, near) as s:
                for _ in range(3):
                    s.sendto(b"one", (near, 7))
                    s.sendto(b"two", (far, 7))
                    got = {s.recvfrom(100)[0:2] for _ in range(2)}
                    assert {(d, a[0], a[1]) for d, a in got} == {(b"near one", near, 7), (b"far two", far, 7)}, got


def test_mapping_is_one(l):
    """All destinations see one address and port, which stays; and who was never asked may answer."""
    w = World(l)
    servers = echo_both(w)
    other = [Echo(w, w.far, a, 8) for a in (FAR, FAR6)]
    with running(w):
        for i, (near, far) in enumerate(((NEAR, FAR), (NEAR6, FAR6))):
            with udp(w.app, near) as s:
                for to in ((near, 7), (far, 7), (far, 8), (near, 7)):
                    ask(s, to)
                seen = {p for e in (servers[i], servers[2 + i], other[i]) for p in e.peers}
                assert len(seen) == 1, f"the mapping depends on the destination: {seen}"
                mapped = seen.pop()
                assert mapped[0] == (APP, APP6)[i]
                stranger = udp(w.far, far, bind=(far, 9999))
                stranger.sendto(b"a stranger", mapped)
                data, source = s.recvfrom(100)
                assert (data, source[:2]) == (b"a stranger", (far, 9999)), (data, source)
                # And the application can answer it.
                s.sendto(b"hello stranger", source)
                assert stranger.recvfrom(100)[0] == b"hello stranger"
                stranger.close()


def test_sockets_are_apart(l):
    """300 sockets, of which each gets its own answers."""
    w = World(l)
    servers = echo_both(w)
    with running(w):
        ones = [udp(w.app, BOTH[i % 2]) for i in range(300)]
        for first in range(0, 300, 50):         # no more than a small receive buffer holds
            for i in range(first, first + 50):
                ones[i].sendto(b"%d" % i, (BOTH[i % 2], 7))
            for i in range(first, first + 50):
                data, source = ones[i].recvfrom(100)
                assert (data, source[0]) == (b"near %d" % i, BOTH[i % 2]), (i, data, source)
        assert len(set(servers[0].peers)) == len(set(servers[1].peers)) == 150
        for s in ones:
            s.close()


def test_closed_port(l):
    w = World(l)
    with running(w):
        for address in BOTH:
            with udp(w.app, address) as s:
                s.connect((address, 9))
                s.send(b"anybody?")
                try:
                    raise lab.Failed(f"{s.recv(100)} from a closed port")
                except ConnectionRefusedError:
                    pass
            # A socket with many destinations learns which one it was, and goes on with the others.
            six = address == NEAR6
            server = Echo(w, w.near, address, 7)
            with udp(w.app, address) as s:
                level, option = (socket.IPPROTO_IPV6, 25) if six else (socket.IPPROTO_IP, 11)
                s.setsockopt(level, option, 1)          # IPV6_RECVERR, IP_RECVERR
                ask(s, (address, 7))
                s.sendto(b"anybody?", (address, 9))
                poll = select.poll()
                poll.register(s, 0)
                assert poll.poll(10000), "no error came"
                _, _, flags, about = s.recvmsg(100, 512, socket.MSG_ERRQUEUE)
                assert flags & socket.MSG_ERRQUEUE and about[:2] == (address, 9), about
                s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                assert ask(s, (address, 7))[0] == b"hello"
            server.socket.close()


def test_silence(l):
    """Nobody there: neither an answer nor an error, and the others go on."""
    w = World(l)
    echo_both(w)
    with running(w):
        for dead, near in ((DEAD, NEAR), (DEAD6, NEAR6)):
            with udp(w.app, near, seconds=1) as s:
                s.sendto(b"hello", (dead, 7))
                try:
                    raise lab.Failed(f"{s.recvfrom(100)} came")
                except TimeoutError:
                    pass
                assert ask(s, (near, 7))[0] == b"near hello"


def test_sizes(l):
    """Empty, and as large as a datagram can be: fragments on the device and on the link."""
    w = World(l)
    for address in BOTH:
        e = Echo(w, w.near, address, 7)
        e.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    with running(w), lab.Sniffer(w.app, "tun7") as s:
        for address in BOTH:
            with udp(w.app, address) as u:
                u.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                for n in (0, 1, 1400, 1452, 1453, 1472, 1473, 2000, 8192, 30000, 65507 if ":" not in address else 65527):
                    got, source = ask(u, (address, 7), noise(n, seed=n))
                    assert got == noise(n, seed=n) and source == (address, 7), (address, n, len(got))
        # They were fragments both ways.
        for outgoing in (True, False):
            assert s.seen(lambda p: p.version == 4 and p.outgoing == outgoing and p.data[6] & 0x20)
            assert s.seen(lambda p: p.version == 6 and p.outgoing == outgoing and p.proto == 44)


def test_many_at_once(l):
    """A burst in both directions, no more at a time than fits into the queues: nothing is lost or changed."""
    w = World(l)
    echo_both(w)

    def burst(address):
        with udp(w.app, address) as s:
            for turn in range(100):
                want = {b"%d %d " % (turn, i) + noise(1000, seed=i) for i in range(10)}
                for data in want:
                    s.sendto(data, (address, 7))
                word = b"near " if address in BOTH else b"far "
                got = {s.recv(2000) for _ in want}
                assert got == {word + d for d in want}, f"turn {turn}"

    with running(w):
        at_once([lambda a=a: burst(a) for a in (NEAR, NEAR6, FAR, FAR6)])


def ping(w, address, more="-c 1 -W 2"):
    return w.app.call(f"ping -n {more} {address}")


def test_ping(l):
    w = World(l)
    with running(w):
        for address in (NEAR, NEAR6, FAR, FAR6):
            status, out = ping(w, address, "-c 3 -i 0.2 -W 5")
            assert status == 0 and "3 received" in out and f"from {address}" in out and "DUP" not in out, out
        for address in BOTH:
            status, out = ping(w, address, "-c 1 -W 5 -s 4000")
            assert status == 0 and "4008 bytes" in out, out
        # A flood of several at once: each gets its own.
        at_once([lambda a=a: check(ping(w, a, "-c 20 -i 0.01 -W 5"), "20 received") for a in (NEAR, NEAR6, FAR, FAR6)])
        for address in (DEAD, DEAD6):
            with lab.Sniffer(w.app, "eth0") as s:
                status, out = ping(w, address)
                assert status == 1 and "0 received" in out, f"a dead host answered:\n{out}"
                # It was asked.
                assert s.seen(lambda p: p.dst == address and p.proto in (1, 58))


def check(answer, word):
    status, out = answer
    assert status == 0 and word in out, out


def test_ping_is_not_faked(l):
    """What a rule sends to VMess, or nowhere, is not answered, though it is alive and would be."""
    w = World(l)
    for tag in ("proxy", "block"):
        with running(w, [{"ip": [FAR, FAR6], "outboundTag": tag}]), lab.Sniffer(w.app, "eth0") as s:
            for address in (FAR, FAR6):
                status, out = ping(w, address)
                assert status == 1 and "0 received" in out, out
            check(ping(w, NEAR), "1 received")
            check(ping(w, NEAR6), "1 received")
            assert not s.seen(lambda p: p.dst in (FAR, FAR6) or p.src in (FAR, FAR6))
    # A rule for all networks is one for pings; the first outbound would answer.
    with running(w, [{"network": "tcp,udp", "ip": [FAR], "outboundTag": "block"}]):
        assert ping(w, FAR)[0] == 1
        check(ping(w, NEAR), "1 received")


def test_ping_ends_with_the_host(l):
    """The truth of each moment: alive, gone, and back."""
    w = World(l)
    with running(w):
        check(ping(w, NEAR), "1 received")
        w.near.run("ip link set eth0 down")
        status, out = ping(w, NEAR, "-c 1 -W 1")
        assert status == 1 and " 0 received" in out, out
        w.near.run("ip link set eth0 up")
        w.near.call("ip route add default via 192.0.2.1")
        lab.until(lambda: ping(w, NEAR, "-c 1 -W 1")[0] == 0, "the host that is back")


lab.main(test_two_destinations, test_mapping_is_one, test_sockets_are_apart, test_closed_port, test_silence, test_sizes,
         test_many_at_once, test_ping, test_ping_is_not_faked, test_ping_ends_with_the_host)
