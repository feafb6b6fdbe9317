# SPDX-License-Identifier: MIT
"""Connections from a host that is not directly connected, through start, life, stop and kill."""
import os
import signal
import socket

from keeper import CONFIG, World, lab


class Session:
    """A connection from `far` into `box` that says something and wants it back."""

    def __init__(self, w, address, port):
        self.socket = w.far.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(20)
        self.socket.connect((address, port))
        self.n = 0

    def talk(self):
        self.n += 1
        want = b"line %d\n" % self.n
        self.socket.sendall(want)
        got = b""
        while len(got) < len(want):
            got += self.socket.recv(100)
        assert got == want, (got, want)


V4, V6 = "192.0.2.2", "2001:db8:1::2"


def serve(w):
    for address in (V4, V6):
        w.lab.server(w.box, address, 22, lab.echo)
    # A server on all addresses of both families, as sshd has it: IPv4 comes to it mapped.
    both = w.box.socket(socket.AF_INET6, socket.SOCK_STREAM)
    both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    both.bind(("::", 23))
    both.listen(8)
    w.lab.closers.append(both.close)
    w.lab.server(w.box, V4, 53, lab.echo_datagram, socket.SOCK_DGRAM)
    return both


def life(l, rp_filter):
    w = World(l, rp_filter)
    both = serve(w)
    old = [Session(w, V4, 22), Session(w, V6, 22)]
    mapped = w.far.socket(socket.AF_INET, socket.SOCK_STREAM)
    mapped.settimeout(20)
    mapped.connect((V4, 23))
    accepted, _ = both.accept()
    accepted.settimeout(20)
    quiet = Session(w, V4, 22)             # says nothing until long after the start
    for s in old:
        s.talk()
    p = w.start()
    # The server's side speaks first: its packet is the first one after the start.
    accepted.sendall(b"first")
    assert mapped.recv(10) == b"first"
    for s in old:
        s.talk()
    young = [Session(w, V4, 22), Session(w, V6, 22)]
    for s in old + young:
        s.talk()
    udp = w.far.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.settimeout(20)
    udp.sendto(b"question", (V4, 53))
    assert udp.recv(100) == b"question"
    w.far.run(f"ping -c 1 -W 5 {V4}")
    w.far.run(f"ping -c 1 -W 5 {V6}")
    # What is closed says so outside.
    refused = w.far.socket(socket.AF_INET, socket.SOCK_STREAM)
    refused.settimeout(20)
    try:
        refused.connect((V4, 24))
        raise lab.Failed("a closed port is open")
    except ConnectionRefusedError:
        pass
    quiet.talk()
    os.kill(p.engine, signal.SIGKILL)
    for s in old + young:
        s.talk()
    p.wait_line("engine: ready")
    for s in old + young:
        s.talk()
    assert p.stop() == 0
    for s in old + young + [quiet, Session(w, V4, 22)]:
        s.talk()
    for s in (udp, refused, mapped, accepted):
        s.close()


def test_rp_filter_0(l):
    life(l, 0)


def test_rp_filter_1(l):
    life(l, 1)


def test_rp_filter_2(l):
    life(l, 2)


def test_after_a_kill(l):
    """Keeper and engine are dead, the routes say unreachable, and one can still log in to repair it."""
    for rp_filter in (0, 1):
        w = World(l, rp_filter) if rp_filter == 0 else w
        for name in ("all", "default", "eth0"):
            w.box.sysctl(f"net.ipv4.conf.{name}.rp_filter", rp_filter)
        if rp_filter == 0:
            serve(w)
        old = Session(w, V4, 22)
        old.talk()
        p = w.start()
        during = Session(w, V4, 22)
        during.talk()
        p.send(signal.SIGKILL)
        p.wait()
        lab.until(lambda: w.box.call("ip link show tun7")[0] != 0, "the device to go")
        for s in (during, Session(w, V4, 22), Session(w, V6, 22)):
            s.talk()
        status, out = w.recover()
        assert status == 0, out
        old.talk()


def test_other_connections_do_not_escape(l):
    """What this machine itself began before the start does not go on beside the device, even when the far side
    speaks first after the start."""
    w = World(l)
    far = w.far.socket(socket.AF_INET, socket.SOCK_STREAM)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    far.bind(("203.0.113.9", 80))
    far.listen(8)
    client = w.box.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.connect(("203.0.113.9", 80))
    there, _ = far.accept()
    peer = w.far.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind(("203.0.113.9", 500))
    asked = w.box.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asked.connect(("203.0.113.9", 500))
    asked.send(b"hello")
    _, back = peer.recvfrom(100)
    with lab.Sniffer(w.router, "r0") as s:
        p = w.start()
        since = s.count()
        there.sendall(b"a secret follows")
        peer.sendto(b"late answer", back)
        assert asked.recv(100) == b"late answer"
        for _ in range(3):
            asked.send(b"escaped")
        client.send(b"escaped")
        p.wait_line(r"engine: \d+ packets")
        # Something that comes later, by the same way, and is seen.
        w.far.run("ping -c 1 -W 5 192.0.2.2")
        left = [q for q in s.seen(lambda q: b"escaped" in q.data, since)]
        assert not left, left
        assert p.stop() == 0
    for x in (far, client, there, peer, asked):
        x.close()


def test_forged_answers_open_nothing(l):
    """A datagram from a name server's port is no question: what a resolver asks it from that port, however low, stays
    inside, while others who ask there get their answers."""
    w = World(l)
    peers = [w.far.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for u, port in zip(peers, (53, 500)):
        u.bind(("203.0.113.9", port))
    asked = w.box.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asked.bind(("", 5000))
    with lab.Sniffer(w.router, "r0") as s:
        p = w.start()
        for u in peers:
            u.sendto(b"forged", (V4, 5000))
            assert asked.recv(100) == b"forged"
        asked.sendto(b"escaped", ("203.0.113.9", 53))
        p.wait_line(r"engine: \d+ packets")
        asked.sendto(b"answer", ("203.0.113.9", 500))
        s.wait(lambda q: b"answer" in q.data, "the answer to who may ask")
        left = s.seen(lambda q: b"escaped" in q.data)
        assert not left, left
        assert p.stop() == 0
    for x in (asked, *peers):
        x.close()


def test_nobody_reaches_the_device_address(l):
    """A neighbour's packet to the device's own address is dropped, so that it cannot speak into what runs inside."""
    w = World(l)
    got = []
    w.lab.server(w.box, "0.0.0.0", 7000, lambda data, peer: got.append(data) or data, socket.SOCK_DGRAM)
    p = w.start(CONFIG + "ready\n")
    w.router.route("198.18.0.0/15 via 192.0.2.2")
    u = w.router.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.sendto(b"to the device", ("198.18.0.1", 7000))
    u.sendto(b"to the machine", ("192.0.2.2", 7000))
    lab.until(lambda: b"to the machine" in got, "the second datagram")
    assert got == [b"to the machine"], got
    u.close()
    assert p.stop() == 0


def test_container(l):
    """What this machine forwards goes the way of its own applications; what is forwarded in from outside is answered."""
    w = World(l)
    inner = l.space("inner")
    l.link(inner, "eth0", "198.51.100.2/24 2001:db8:3::2/64", w.box, "br0", "198.51.100.1/24 2001:db8:3::1/64")
    inner.route("default via 198.51.100.1")
    inner.route("default via 2001:db8:3::1")
    w.router.route("198.51.100.0/24 via 192.0.2.2")
    w.box.sysctl("net.ipv4.ip_forward", 1)
    # A published port, as containers have it.
    w.box.run(["nft", "add table ip publish; add chain ip publish pre { type nat hook prerouting priority dstnat; };"
               "add rule ip publish pre ip daddr 192.0.2.2 tcp dport 8080 dnat to 198.51.100.2:80"])
    l.server(inner, "198.51.100.2", 80, lab.echo)
    u = inner.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with lab.Sniffer(w.router, "r0") as s:
        u.sendto(b"probe", ("203.0.113.9", 4242))
        s.wait(lambda q: q.dport == 4242, "a probe before the start")
        u.close()
        p = w.start()
        since = s.count()
        u = inner.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for _ in range(64):
            u.sendto(b"probe", ("203.0.113.9", 4242))
        p.wait_line(r"engine: 64 packets")
        assert not s.seen(lambda q: q.dport == 4242, since), s.packets
        Session(w, V4, 8080).talk()
        assert p.stop() == 0
    u.close()


lab.main(test_container, test_rp_filter_0, test_rp_filter_1, test_rp_filter_2, test_after_a_kill,
         test_other_connections_do_not_escape, test_forged_answers_open_nothing, test_nobody_reaches_the_device_address)
