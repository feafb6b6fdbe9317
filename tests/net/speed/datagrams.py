# SPDX-License-Identifier: MIT
"""Datagrams by the batch: the same bytes and borders with the device's offload and without; and who is told that a
datagram is too large, on this host and on one behind it."""
import errno
import os
import select
import socket

from transfers import MTUS, NEAR, NEAR6, UDP_SEGMENT, World, behind, echo, lab, passes, running, udp

BOTH = (NEAR, NEAR6)


def echoes(l):
    w = World(l)
    for address in BOTH:
        echo(w, address, 4001)
    return w


def test_same_datagrams(l):
    w = echoes(l)
    for mtu in MTUS:
        for offload in (True, False):
            with running(w, mtu=mtu, offload=offload) as p:
                p.wait_line("datagrams of direct flows: by the batch, cut by the kernel", again=True)
                for address in BOTH:
                    passes(w.app, address, 4001, mtu, (mtu, offload, address))


def received(space):
    """What the sockets of a space were given, each time one datagram, or several joined; over both families."""
    def read():
        with open("/proc/thread-self/net/snmp") as four, open("/proc/thread-self/net/snmp6") as six:
            return (int([x for x in four if x.startswith("Udp:")][1].split()[1]) +
                    sum(int(x.split()[1]) for x in six if x.startswith("Udp6InDatagrams")))
    return space.inside(read)


def test_answers_are_joined(l):
    """Once a flow's answers come by many the kernel hands them over as one: 40 in far fewer calls than 40."""
    w = echoes(l)
    b = behind(l, w)        # whose own sockets are not counted here
    pieces = [bytes([i]) * 1000 for i in range(40)]
    with running(w):
        for address in BOTH:
            with udp(b, address) as s:
                s.setsockopt(17, UDP_SEGMENT, 1000)
                s.connect((address, 4001))

                def joined():
                    before = received(w.app)
                    s.send(b"".join(pieces))
                    assert [s.recv(2000) for _ in pieces] == pieces
                    return received(w.app) - before <= 10

                lab.until(joined, f"answers from {address} to be joined", seconds=5)


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
    w = echoes(l)
    b = behind(l, w)
    with running(w, mtu=1280):
        for address, head in ((NEAR, 28), (NEAR6, 48)):
            with never_cut(b, address, 4001) as s:
                assert too_large(s, 1400) == 1280
                fits(s, 1280 - head)


def test_server_is_narrow(l):
    """VMess passes less than the device: who does not want to be cut is told how much."""
    w = echoes(l)
    w.start_v2ray()
    b = behind(l, w)
    for space, dev in ((b, "eth0"), (w.app, "lan")):
        space.run(f"ip link set {dev} mtu 9000")
    with running(w, first="proxy", mtu=9000):
        for address, head in ((NEAR, 28), (NEAR6, 48)):
            for space in (b, w.app):
                with never_cut(space, address, 4001) as s:
                    assert too_large(s, 5000) == 1966 + head
                    fits(s, 1966)


lab.main(test_same_datagrams, test_answers_are_joined, test_device_is_narrow, test_server_is_narrow)
