# SPDX-License-Identifier: MIT
"""What an application sees of a direct connection is what it would see without sluice."""
import errno
import hashlib
import select
import socket
import threading
import time

from direct import (DEAD, DEAD6, FAR, FAR6, GONE, GONE6, NEAR, NEAR6, World, fetch, lab, noise, read_all, read_exactly,
                    reset, running, sites, tcp, tcp_error, udp, works)

BYTES = [{"protocol": ["bittorrent"], "outboundTag": "block"}]     # needs the first bytes of everything
SNIFFING = {"enabled": True, "destOverride": ["http", "tls"]}
BOTH = (NEAR, NEAR6)


# What the kernel of a router allows a source, whatever the limits below: so many seconds' worth of packets without a
# route are answered at once, one a second after that (net.ipv4.route.error_burst and error_cost, the machine's own).
UNROUTED = 5


def quick(w):
    """The router answers every packet that it cannot forward, but for the limit above."""
    w.router.sysctl("net.ipv4.icmp_ratelimit", 0)
    w.router.sysctl("net.ipv6.icmp.ratelimit", 0)


def test_errors_are_the_same(l):
    w = World(l)
    quick(w)
    for kind, v4, v6 in (("unreachable", "198.51.101.0/24", "2001:db8:e1::/64"),
                         ("prohibit", "198.51.102.0/24", "2001:db8:e2::/64")):
        w.router.run(f"ip route add {kind} {v4}")
        w.router.run(f"ip -6 route add {kind} {v6}")
    places = ((NEAR, 81), (NEAR6, 81), (GONE, 80), (GONE6, 80), ("198.51.101.1", 80), ("2001:db8:e1::1", 80),
              ("198.51.102.1", 80), ("2001:db8:e2::1", 80))
    since = time.monotonic()
    without = {place: tcp_error(w.app, *place)[0] for place in places}
    unrouted = sum(n != errno.ECONNREFUSED and ":" not in place[0] for place, n in without.items())
    assert without[NEAR, 81] == without[NEAR6, 81] == errno.ECONNREFUSED, without
    assert without[GONE, 80] == without[GONE6, 80] == errno.ENETUNREACH, without
    assert without["198.51.101.1", 80] == errno.EHOSTUNREACH, without
    with running(w):
        time.sleep(max(0, since + 2 * unrouted - UNROUTED - time.monotonic()) + 0.1)
        got = {place: tcp_error(w.app, *place) for place in places}
        wrong = {place: (errno.errorcode.get(n, n), errno.errorcode[without[place]])
                 for place, (n, _) in got.items() if n != without[place]}
        assert not wrong, f"(with, without): {wrong}"
        slow = {place: s for place, (_, s) in got.items() if s > 1}
        assert not slow, f"at once: {slow}"


def test_silence_is_silence(l):
    w = World(l)
    with running(w), lab.Sniffer(w.app, "eth0") as s:
        for address in (DEAD, DEAD6):
            number, seconds = tcp_error(w.app, address, 80, seconds=3)
            assert number is None and seconds >= 3, (address, number, seconds)
            # It was tried, and tried again.
            assert len(s.seen(lambda p: p.dst == address and p.proto == 6)) >= 2


def scan(w, address, first, n):
    """(refused, accepted, other) of n ports."""
    refused = accepted = other = 0
    waiting, ports = {}, iter(range(first, first + n))
    poll = select.epoll()
    end = time.monotonic() + 40
    for port in ports:
        s = w.app.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.setblocking(False)
        assert s.connect_ex((address, port)) == errno.EINPROGRESS
        waiting[s.fileno()] = s
        poll.register(s, select.EPOLLOUT)
        while waiting and (len(waiting) >= 200 or port == first + n - 1):
            assert time.monotonic() < end, f"{len(waiting)} of the connections still wait"
            for fd, _ in poll.poll(1):
                s = waiting.pop(fd)
                poll.unregister(fd)
                number = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                s.close()
                refused += number == errno.ECONNREFUSED
                accepted += number == 0
                other += number not in (0, errno.ECONNREFUSED)
    poll.close()
    return refused, accepted, other


def test_scan(l):
    w = World(l)
    sites(w)
    with running(w):
        assert scan(w, NEAR, 20000, 2000) == (2000, 0, 0)
        # The scan itself sees what is open.
        assert scan(w, NEAR, 80, 1) == (0, 1, 0)
        works(w)


def banner(connection, _peer):
    """The server speaks first, and goes on; it wants an echo of each line."""
    connection.sendall(b"220 ready\r\n")
    for i in range(6):
        line = b"line %d\r\n" % i
        time.sleep(0.5)             # the protocol's own pace: an idle flow must live
        connection.sendall(line)
        if read_exactly(connection, len(line)) != line:
            return
    connection.sendall(b"bye\r\n")


def test_server_speaks_first(l):
    w = World(l)
    for address in BOTH:
        l.server(w.near, address, 25, banner)
    for rules, sniffing in ((BYTES, SNIFFING), ([], SNIFFING), (BYTES, None)):
        with running(w, rules, sniffing=sniffing) as p:
            open_ones = []
            for address in BOTH:
                began = time.monotonic()
                s = tcp(w.app, address, 25)
                assert read_exactly(s, 11) == b"220 ready\r\n"
                took = time.monotonic() - began
                assert took < 1, f"the banner took {took:.2f} s"
                open_ones.append(s)
            for i in range(6):
                for s in open_ones:
                    line = read_exactly(s, 8)
                    assert line == b"line %d\r\n" % i
                    s.sendall(line)
            for s in open_ones:
                assert read_all(s) == b"bye\r\n"
                s.close()
            assert p.alive()


def test_client_speaks_late(l):
    """A client that is silent for longer than the wait for its first bytes loses nothing."""
    w = World(l)
    l.server(w.near, NEAR, 7, lab.echo)
    with running(w, BYTES, sniffing=SNIFFING):
        with tcp(w.app, NEAR, 7) as s:
            # Until the far side has it: the wait is over.
            lab.until(lambda: ":7" in w.near.run("ss -Htn state established sport = :7"), "the connection")
            s.sendall(noise(100000))
            s.shutdown(1)
            assert read_all(s) == noise(100000)


def test_closed_port_behind_bytes(l):
    """Where the first bytes are needed the SYN is admitted; what comes then is a reset, and never an answer."""
    w = World(l)
    with running(w, BYTES, sniffing=SNIFFING):
        s = w.app.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.settimeout(10)
        try:
            s.connect((NEAR, 81))
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            got = s.recv(100)
            raise lab.Failed(f"a closed port answered {got!r}")
        except (ConnectionRefusedError, ConnectionResetError):
            pass
        s.close()


def test_late_answer(l):
    """An answer that comes three seconds after the client's end arrives whole."""
    w = World(l)
    content = noise(1 << 20)

    def slow(connection, _peer):
        asked = read_all(connection)
        time.sleep(3)               # this is what is tested
        connection.sendall(asked + content)

    for address in BOTH:
        l.server(w.near, address, 4001, slow)
    with running(w):
        ones = [tcp(w.app, address, 4001) for address in BOTH]
        for s in ones:
            s.sendall(b"a question")
            s.shutdown(socket.SHUT_WR)
        for s in ones:
            got = read_all(s)
            assert hashlib.sha256(got).digest() == hashlib.sha256(b"a question" + content).digest(), len(got)
            s.close()


def test_server_ends_first(l):
    """The other way round: the server says its end, and still hears everything."""
    w = World(l)
    content, heard = noise(1 << 20), []

    def half(connection, _peer):
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        heard.append(read_all(connection))

    for address in BOTH:
        l.server(w.near, address, 4002, half)
    with running(w):
        for address in BOTH:
            with tcp(w.app, address, 4002) as s:
                assert read_all(s) == b"hello"
                s.sendall(content)
            got = lab.until(lambda: heard and heard.pop(), "the server to hear the end")
            assert got == content, len(got)


def test_reset_from_the_far_side(l):
    w = World(l)
    content = noise(1 << 20)

    def at_once(connection, _peer):
        read_exactly(connection, 1)
        reset(connection)

    def amid(connection, _peer):
        connection.sendall(content)
        read_exactly(connection, 1)
        reset(connection)

    for address in BOTH:
        l.server(w.near, address, 4003, at_once)
        l.server(w.near, address, 4004, amid)
    with running(w):
        for address in BOTH:
            for port, before in ((4003, 0), (4004, len(content))):
                with tcp(w.app, address, port) as s:
                    read_exactly(s, before)
                    s.sendall(b"x")
                    try:
                        got = s.recv(1)
                        raise lab.Failed(f"{got!r} instead of a reset from {address}:{port}")
                    except ConnectionResetError:
                        pass


def test_reset_from_the_application(l):
    w = World(l)
    met, ends = threading.Semaphore(0), []

    def serve(connection, _peer):
        connection.sendall(read_exactly(connection, 1))
        met.release()
        try:
            ends.append(connection.recv(1))
        except OSError as e:
            ends.append(e.errno)

    for address in BOTH:
        l.server(w.near, address, 4005, serve)
    with running(w):
        for address in BOTH:
            s = tcp(w.app, address, 4005)
            s.sendall(b"x")
            read_exactly(s, 1)
            reset(s)
            lab.until(lambda: ends, "the far side to see the end")
            assert ends.pop() == errno.ECONNRESET
            # Closing with unread bytes is a reset too.
            s = tcp(w.app, address, 4005)
            s.sendall(b"x")
            assert select.select([s], [], [], 20)[0]
            s.close()
            lab.until(lambda: ends, "the far side to see the end")
            assert ends.pop() == errno.ECONNRESET


def test_blackhole(l):
    w = World(l)
    sites(w)
    got = []
    for address in BOTH:
        l.server(w.near, address, 5353, lambda data, peer: got.append(data), socket.SOCK_DGRAM)
    rules = [{"ip": [NEAR, NEAR6], "outboundTag": "block"}]
    with running(w, rules), lab.Sniffer(w.app, "eth0") as sniffer:
        for address in BOTH:
            number, seconds = tcp_error(w.app, address, 80)
            assert number == errno.ECONNREFUSED and seconds < 1, (number, seconds)
            s = udp(w.app, address, seconds=1)
            s.connect((address, 5353))
            for _ in range(3):
                s.send(b"swallowed")
            try:
                raise lab.Failed(f"{s.recv(100)} came back")
            except TimeoutError:
                pass
            s.send(b"still no error")
            s.close()
        works(w, FAR)
        works(w, FAR6)
        assert not got and not sniffer.seen(lambda p: p.dst in BOTH or p.src in BOTH)


def test_blackhole_http(l):
    w = World(l)
    sites(w)
    rules = [{"ip": [NEAR, NEAR6], "outboundTag": "forbidden"}]
    path = w.config(rules, first="direct")
    import json
    with open(path) as f:
        config = json.load(f)
    config["outbounds"].append({"tag": "forbidden", "protocol": "blackhole", "settings": {"response": {"type": "http"}}})
    with open(path, "w") as f:
        json.dump(config, f)
    p = w.start(path)
    for address in BOTH:
        status, out = fetch(w, address, "-w %{http_code}")
        assert (status, out) == (0, "403"), (status, out)
    works(w, FAR)
    w.stop(p)


lab.main(test_errors_are_the_same, test_silence_is_silence, test_scan, test_server_speaks_first, test_client_speaks_late,
         test_closed_port_behind_bytes, test_late_answer, test_server_ends_first, test_reset_from_the_far_side,
         test_reset_from_the_application, test_blackhole, test_blackhole_http)
