# SPDX-License-Identifier: MIT
"""Datagrams by the batch: the same bytes and borders with the device's offload and without, from this host and from
one behind it; and who is told that a datagram is too large."""
import errno
import hashlib
import os
import pathlib
import random
import select
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "direct"))

from direct import NEAR, NEAR6, World, lab, running, udp, with_config   # noqa: E402

UDP_SEGMENT, UDP_GRO = 103, 104
BEHIND, BEHIND6 = "203.0.113.130", "2001:db8:7::2"
MTUS = (1280, 1500, 9000, 65535)


def summed(rng, size, number):
    """A datagram of this size that carries its number and its own digest, as far as there is room."""
    body = number.to_bytes(4, "big") + rng.randbytes(max(0, size - 20))
    return (body + hashlib.md5(body).digest())[-size:] if size < 20 else body + hashlib.md5(body).digest()


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


def test_same_datagrams(l):
    w = World(l)
    for address in (NEAR, NEAR6):
        echo(w, address, 4001)
    plain = w.config
    for mtu in MTUS:
        for offload in (True, False):
            w.config = plain
            with_config(w, mtu, offload)
            with running(w) as p:
                p.wait_line("datagrams of direct flows: by the batch, cut by the kernel", again=True)
                for address in (NEAR, NEAR6):
                    passes(w.app, address, 4001, mtu, (mtu, offload, address))


def behind(l, w):
    """A host behind the application's, whose packets come with sums that nobody has computed."""
    b = l.space("behind")
    l.link(b, "eth0", f"{BEHIND}/26 {BEHIND6}/64", w.app, "lan", "203.0.113.129/26 2001:db8:7::1/64")
    b.route("default via 203.0.113.129")
    b.route("default via 2001:db8:7::1")
    w.app.sysctl("net.ipv4.ip_forward", 1)
    w.app.sysctl("net.ipv6.conf.all.forwarding", 1)
    return b


def test_forwarded(l):
    w = World(l)
    b = behind(l, w)
    for address in (NEAR, NEAR6):
        echo(w, address, 4001)
    plain = w.config
    for offload in (True, False):
        w.config = plain
        with_config(w, 1500, offload)
        with running(w):
            for address in (NEAR, NEAR6):
                passes(b, address, 4001, 1500, (offload, address))


def too_large(s, size):
    """Sends until it is told that this is too large; what passes then."""
    def told():
        try:
            s.send(os.urandom(size))
        except OSError as e:
            return e.errno == errno.EMSGSIZE
        select.select([s], [], [], 0.05)
        return False

    lab.until(told, f"{size} bytes to be too large")
    six = s.family == socket.AF_INET6
    return s.getsockopt(41, 24) if six else s.getsockopt(0, 14)     # IPV6_MTU, IP_MTU


def fits(s, size):
    """A datagram of this size passes; what was told of earlier ones may come first."""
    def sent():
        try:
            return s.send(bytes(size)) == size
        except OSError as e:
            assert e.errno == errno.EMSGSIZE
            return False

    lab.until(sent, f"{size} bytes to go")
    assert len(s.recv(65536)) == size


def never_cut(space, address, port):
    s = udp(space, address)
    if ":" in address:
        s.setsockopt(41, 23, 2)             # IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO
    else:
        s.setsockopt(0, 10, 2)              # IP_MTU_DISCOVER, IP_PMTUDISC_DO
    s.connect((address, port))
    return s


def test_device_is_narrow(l):
    """The host behind learns the device's MTU, and datagrams that fit pass."""
    w = World(l)
    b = behind(l, w)
    for address in (NEAR, NEAR6):
        echo(w, address, 4001)
    with_config(w, 1280, True)
    with running(w):
        for address, head in ((NEAR, 28), (NEAR6, 48)):
            with never_cut(b, address, 4001) as s:
                assert too_large(s, 1400) == 1280
                fits(s, 1280 - head)


def test_server_is_narrow(l):
    """VMess passes less than the device: who does not want to be cut is told how much."""
    w = World(l)
    w.start_v2ray()
    b = behind(l, w)
    for address in (NEAR, NEAR6):
        echo(w, address, 4001)
    for space, dev in ((b, "eth0"), (w.app, "lan")):
        space.run(f"ip link set {dev} mtu 9000")
    with_config(w, 9000, True)
    with running(w, first="proxy"):
        for address, head in ((NEAR, 28), (NEAR6, 48)):
            for space in (b, w.app):
                with never_cut(space, address, 4001) as s:
                    assert too_large(s, 5000) == 1966 + head
                    fits(s, 1966)


lab.main(test_same_datagrams, test_forwarded, test_device_is_narrow, test_server_is_narrow)
