# SPDX-License-Identifier: MIT
"""The cable itself: what is sent into one end comes out of the other as late, and as seldom, as was asked for."""
import math
import os
import pathlib
import random
import signal
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import lab                                              # noqa: E402

A, B = "198.51.100.1", "198.51.100.2"
A6, B6 = "2001:db8:7::1", "2001:db8:7::2"
PORT = 9
UDP_SEGMENT = 103


def cable(l, six=False, **how):
    """Two spaces and the cable; without IPv6 nothing but the test sends a packet."""
    a, b = l.space("a"), l.space("b")
    for space in (a, b):
        space.sysctl("net.ipv6.conf.all.disable_ipv6", 0 if six else 1)
        space.sysctl("net.ipv6.conf.default.disable_ipv6", 0 if six else 1)
    more = (f" {A6}/64", f" {B6}/64") if six else ("", "")
    return a, b, l.long_link(a, "eth1", f"{A}/24{more[0]}", b, "eth1", f"{B}/24{more[1]}", **how)


def sink(space, address=B):
    s = space.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind((address, PORT))
    s.settimeout(10)
    return s


def shout(space, numbers, address=B):
    s = space.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    for i in numbers:
        s.sendto(struct.pack("!I", i).ljust(100, b"."), (address, PORT))
    s.close()


def heard(s, into):
    """The numbers that come, until the word "end"."""
    while (p := s.recv(2000)) != b"end":
        into.append(struct.unpack("!I", p[:4])[0])


def test_delay(l):
    """Nothing comes early, and ICMP sees both ways."""
    a, b, link = cable(l, delay=30)
    s = sink(b)
    sender = a.socket(socket.AF_INET, socket.SOCK_DGRAM)
    took = []
    for _ in range(50):
        began = time.monotonic()
        sender.sendto(b"x", (B, PORT))
        s.recv(100)
        took.append(time.monotonic() - began)
    assert min(took) >= 0.03, min(took)
    # A few are late on a machine that has other things to do; most of them twice as late is a fault.
    assert sorted(took)[25] < 0.06, took
    ping = a.run(f"ping -n -c 5 -i 0.1 {B}").splitlines()[-1]
    assert float(ping.split()[3].split("/")[0]) >= 60, ping
    n = link.counts()
    assert n["there"]["left"] == 55 and n["back"]["left"] == 5, n
    assert sum(n["there"][k] for k in ("lost", "dropped", "overrun", "refused", "unread")) == 0, n


def arrived(name, count, **how):
    """The numbers, of `count`, that came through a cable, and what it says."""
    with lab.Lab() as l:
        a, b, link = cable(l, **how)
        s, got, over = sink(b), [], threading.Event()
        t = threading.Thread(target=lambda: (heard(s, got), over.set()))
        t.start()
        for at in range(0, count, 100):
            shout(a, range(at, at + 100))
            lab.until(lambda: len(got) > at * 0.9, f"{name} after {at}: {len(got)}")
        end = a.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while not over.wait(0.01):      # the word may be lost, too
            end.sendto(b"end", (B, PORT))
        t.join()
        return got, link.counts()["there"]


def test_loss(_):
    """As many as were asked for are lost, each by itself, and the same ones each time."""
    count, share = 20000, 0.02
    got, n = arrived("once", count, loss=share * 100, seed=7)
    assert got == sorted(set(got)), "out of order"
    assert n["lost"] >= count - len(got) and n["left"] == n["packets"] - n["lost"], n
    assert abs(count - len(got) - count * share) < 5 * math.sqrt(count * share * (1 - share)), len(got)
    gone = sorted(set(range(count)) - set(got))
    pairs = sum(y - x == 1 for x, y in zip(gone, gone[1:]))
    assert abs(pairs - len(gone) * share) < 5 * math.sqrt(len(gone) * share) + 1, f"{pairs} lost side by side"
    assert arrived("again", count, loss=share * 100, seed=7)[0] == got, "the same seed, other losses"
    assert arrived("otherwise", 2000, loss=share * 100, seed=8)[0] != got[:2000], "another seed, the same losses"


def rows(space, address, count):
    """Datagrams in rows: one call, many packets."""
    s = space.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
    for at in range(0, count, 40):
        s.sendto(b"".join(struct.pack("!I", i).ljust(1000, b".") for i in range(at, at + 40)), (address, PORT))
    s.close()


def test_rows(l):
    """Of packets that come in one row, GSO, each is lost by itself; the others are whole."""
    a, b, link = cable(l, six=True, loss=2, seed=3)
    for address in (B, B6):
        s, count = sink(b, address), 2000
        rows(a, address, count)
        s.setblocking(False)
        got = []

        def drain():
            while True:
                try:
                    p = s.recv(2000)
                except BlockingIOError:
                    return len(got) > count * 0.9
                assert len(p) == 1000 and p[4:] == b"." * 996, p
                got.append(struct.unpack("!I", p[:4])[0])

        lab.until(drain, f"most of the datagrams to {address}")
        lab.until(lambda: drain() and got[-1] > count - 10, "the last one, about")
        assert got == sorted(set(got)) and 10 < count - len(got) < 80, len(got)
    n = link.counts()["there"]
    assert n["reads"] < n["packets"] / 10, f"they did not come in rows: {n}"


def waited_for():
    """The first arguments of the calls that our threads are in."""
    for path in pathlib.Path("/proc/self/task").glob("*/syscall"):
        words = path.read_text().split()
        if len(words) > 1:
            yield int(words[1], 16)


def signal_somewhere():
    """A signal without effect, which the kernel gives to any thread of ours but this, if there is one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    os.kill(os.getpid(), signal.SIGCHLD)
    lab.until(lambda: signal.SIGCHLD not in signal.sigpending() or threading.active_count() == 1, "it to be taken")
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_servers_end(l):
    """A server of the lab that was closed takes nothing from the one that has its number afterwards."""
    a = l.space("a")
    for kind, serve in ((socket.SOCK_STREAM, lab.echo), (socket.SOCK_DGRAM, lab.echo_datagram)):
        old = l.server(a, "127.0.0.1", 7, serve, kind)
        number = old.fileno()
        lab.until(lambda: number in waited_for(), "the server's thread to wait")
        old.close()
        with a.socket(socket.AF_INET, kind) as s, a.socket(socket.AF_INET, kind) as client:
            assert number in (s.fileno(), client.fileno()), "the number is not given again"
            mine, other = (s, client) if s.fileno() == number else (client, s)
            mine.bind(("127.0.0.1", 8))
            if kind == socket.SOCK_STREAM:
                mine.listen()
            signal_somewhere()
            other.connect(("127.0.0.1", 8))
            other.send(b"word")
            lab.until(lambda: number not in waited_for(), "whoever waits to take it")
            mine.setblocking(False)
            if kind == socket.SOCK_STREAM:
                mine.accept()[0].close()
            else:
                assert mine.recv(100) == b"word"


def transfer(l, a, b, address, n):
    """TCP both ways at a time, checked to the last byte."""
    want = random.Random(5).randbytes(n)
    listener = l.server(b, address, 7, lab.echo)
    back = bytearray()
    with a.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as s:
        s.settimeout(60)
        s.connect((address, 7))

        def read():
            while p := s.recv(65536):
                back.extend(p)

        t = threading.Thread(target=read)
        t.start()
        s.sendall(want)
        s.shutdown(socket.SHUT_WR)
        t.join()
    listener.close()
    assert back == want, f"{len(back)} bytes of {n} came back, or others"


def test_bytes(l):
    """Rows of TCP segments lose some, are cut there, and TCP mends it: both families, and without rows."""
    for i, more in enumerate(({}, {"rate": 200}, {"no-offload": None})):
        with lab.Lab() as inner:
            a, b, link = cable(inner, six=True, delay=1, loss=0.5, seed=i, **more)
            for address in (B, B6):
                transfer(inner, a, b, address, 4 << 20)
            n = link.counts()
            assert n["there"]["lost"] > 5 and n["back"]["lost"] > 5, n
            assert n["there"]["overrun"] + n["there"]["unread"] == 0, n
            rows_are_there = n["there"]["reads"] < n["there"]["packets"] / 2
            assert rows_are_there == ("no-offload" not in more), n


def test_rate(l):
    """What comes at once leaves one after the other; what has no room to wait is dropped, from the end."""
    a, b, link = cable(l, rate=0.5, queue=20)
    s, count, wire = sink(b), 400, 128
    shout(a, range(count))
    got = [struct.unpack("!I", s.recv(200)[:4])[0]]
    began = time.monotonic()
    n = 0
    while got[-1] < 80:
        got.append(struct.unpack("!I", s.recv(200)[:4])[0])
        n += 1
    assert time.monotonic() - began > 0.8 * n * wire * 8 / 0.5e6, "faster than the line"
    assert got == list(range(len(got))), got
    n = link.counts()["there"]
    assert n["dropped"] > 100 and n["packets"] == count, n


lab.main(test_servers_end, test_delay, test_loss, test_rows, test_bytes, test_rate)
