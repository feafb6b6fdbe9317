# SPDX-License-Identifier: MIT
"""Transfers that check every byte, for the tests of what the device does for us; and a host behind the application's."""
import hashlib
import pathlib
import random
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "direct"))

from direct import (NEAR, NEAR6, World, at_once, lab, noise, nothing_twice, read_all, running,  # noqa: E402,F401
                    tcp, udp)

UDP_SEGMENT, UDP_GRO = 103, 104
BEHIND, BEHIND6 = "203.0.113.130", "2001:db8:7::2"
MTUS = (1280, 1500, 9000, 65535)


def both_ways(space, address, content):
    """What came, and the digest of what went; the application writes in odd pieces."""
    with tcp(space, address, 4000) as s:
        s.sendall(b"G")
        got = read_all(s)
    with tcp(space, address, 4000) as s:
        s.sendall(b"P")
        at, step = 0, 1
        while at < len(content):
            s.sendall(content[at:at + step])
            at += step
            step = step * 3 % 262139 + 1
        s.shutdown(1)
        return got, read_all(s).decode()


def summed(rng, size, number):
    """A datagram of this size that carries its number and its own digest, as far as there is room."""
    body = number.to_bytes(4, "big") + rng.randbytes(max(0, size - 20))
    return (body + hashlib.md5(body).digest())[max(0, 20 - size):]


def is_whole(data):
    return len(data) < 20 or hashlib.md5(data[:-16]).digest() == data[-16:]


def echo(w, address, port):
    """Sends back what comes, by the batch: what the kernel joined goes back cut at the same places."""
    s = udp(w.near, address, bind=(address, port))
    s.setsockopt(17, UDP_GRO, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.settimeout(None)

    def work():
        while True:
            data, extra, _, peer = s.recvmsg(65536, 64)
            size = int.from_bytes(extra[0][2][:2], sys.byteorder) if extra else 0
            if 0 < size < len(data):
                s.sendmsg([data], [(17, UDP_SEGMENT, size.to_bytes(2, sys.byteorder))], 0, peer)
            else:
                s.sendto(data, peer)

    threading.Thread(target=work, daemon=True).start()


def bursts(rng, mtu):
    """What is sent at one go: lists of sizes. Some are of one size, as the kernel can cut them."""
    top = min(mtu, 60000)
    yield [1200] * 20 + [77]
    yield [1] * 30
    yield [rng.randrange(1, 1400) for _ in range(25)]
    yield [0, 5, 0, 5, 5, 5, 4, 6]
    yield [min(top, 1472)] * 12
    yield [rng.choice((100, top - 48, 3000)) for _ in range(8)]


def passes(space, address, port, mtu, where):
    rng = random.Random(mtu)
    number = 0
    with udp(space, address) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.connect((address, port))
        for sizes in bursts(rng, mtu):
            sent = [summed(rng, size, number + i) for i, size in enumerate(sizes)]
            number += len(sent)
            for data in sent:
                s.send(data)
            got = [s.recv(65536) for _ in sent]
            assert all(map(is_whole, got)), where
            assert got == sent, (where, list(map(len, sent)), list(map(len, got)))
        sent = [summed(rng, 1000, i) for i in range(40)]
        s.setsockopt(17, UDP_SEGMENT, 1000)
        s.send(b"".join(sent))
        got = [s.recv(65536) for _ in sent]
        assert got == sent, (where, "as one packet")


def behind(l, w):
    """A host behind the application's, whose packets come with sums that nobody has computed."""
    b = l.space("behind")
    l.link(b, "eth0", f"{BEHIND}/26 {BEHIND6}/64", w.app, "lan", "203.0.113.129/26 2001:db8:7::1/64")
    b.route("default via 203.0.113.129")
    b.route("default via 2001:db8:7::1")
    w.app.forward()
    return b


