# SPDX-License-Identifier: MIT
"""UDP through the device and a real V2Ray server: to each target its own, with borders and sources kept."""
import socket

from vmess import (FAR, FAR6, MARKER, NEAR, NEAR6, SECURITIES, World, at_once, flow_line, lab, noise, running,
                   stay_inside, udp)

# DNS-sized, what an MTU of 1500 takes with room to spare, and what V2Ray still carries back.
SIZES = (1, 33, 512, 1232, 1400, 1472)


def world(l, sites=((FAR, "far"), (FAR6, "far"), (NEAR, "near"), (NEAR6, "near"))):
    """V2Ray runs, and each site tells who it is before it echoes."""
    w = World(l)
    w.start_v2ray()
    for address, name in sites:
        l.server(getattr(w, name), address, 9, lambda data, peer, a=address: a.encode() + b" " + data,
                 socket.SOCK_DGRAM)
    return w


def ask(s, address, data, port=9):
    """Sends until the answer to this one comes: a datagram may be lost, an answer may not be wrong."""
    want = address.encode() + b" " + data
    for _ in range(10):
        s.sendto(data, (address, port))
        try:
            while True:
                got, peer = s.recvfrom(65535)
                assert peer[:2] == (address, port) or got != want, f"the answer of {address} came from {peer}"
                if got == want:
                    return
        except TimeoutError:
            continue
    raise lab.Failed(f"no answer from {address} to {len(data)} bytes")


def test_securities(l):
    """Each cipher, both families, all sizes, and nothing but VMess on the link."""
    w = world(l)
    for security in SECURITIES:
        word = b"harmless" if security == "none" else MARKER
        with running(w, security=security) as p, lab.Sniffer(w.app, "eth0") as sniffer:
            for address in (FAR, FAR6):
                with udp(w.app, address, seconds=1) as s:
                    for size in SIZES:
                        ask(s, address, (word + noise(size))[:size])
            stay_inside(sniffer)
        for address in (FAR, FAR6):
            up, down = flow_line(p, "udp", (address, 9), "proxy", "sluice ends")
            assert up >= sum(SIZES) and down >= sum(SIZES) + len(SIZES) * (len(address) + 1), (up, down)


def test_two_destinations(l):
    """One socket speaks with two hosts, and with two ports of one; each answers for itself."""
    w = world(l)
    l.server(w.far, FAR, 10, lambda data, peer: b"ten " + data, socket.SOCK_DGRAM)
    with running(w) as p, udp(w.app, FAR, seconds=1) as s:
        for i in range(5):
            ask(s, FAR, b"to far %d" % i)
            ask(s, NEAR, b"to near %d" % i)
            s.sendto(b"to ten %d" % i, (FAR, 10))
            got, peer = s.recvfrom(100)
            assert (got, peer) == (b"ten to ten %d" % i, (FAR, 10)), (got, peer)
    for target in ((FAR, 9), (NEAR, 9), (FAR, 10)):
        flow_line(p, "udp", target, "proxy", "sluice ends")


class Noted:
    """Sites that echo on port 10, and note from which port of the server they hear each socket: its datagrams begin
    with its number.

    v2ray 4.34 lets its sockets towards the sites share a port (SO_REUSEPORT with port 0), so that of 60 two
    meet on one in every twentieth run, and the one gets the other's answers: the site sees who shares.
    """

    def __init__(self, w):
        self.asked, self.wrong = {}, {}     # port of the server -> sockets; socket -> what it got
        for space, addresses in ((w.far, (FAR, FAR6)), (w.near, (NEAR, NEAR6))):
            for address in addresses:
                w.lab.server(space, address, 10, self._site(address), socket.SOCK_DGRAM)

    def _site(self, address):
        def serve(data, peer):
            self.asked.setdefault(peer[1], set()).add(int(data.split()[0]))
            return address.encode() + b" " + data
        return serve

    def right(self, most):
        """Only those who share a port, of whom there are few, may have got something else."""
        shared = set().union(*(who for who in self.asked.values() if len(who) > 1))
        assert len(shared) <= most, f"too many for chance: {shared}"
        assert set(self.wrong) <= shared, f"{self.wrong}, although only {shared} share a port"


def answers(s, n):
    """As many as come."""
    got = []
    try:
        while len(got) < n:
            got.append(s.recv(100))
    except TimeoutError:
        pass
    return sorted(got)


def test_first_of_each_comes_through(l):
    """What is sent while the way to the server opens waits for it: no datagram of a quiet link is lost."""
    w = world(l)
    noted = Noted(w)
    with running(w):
        for i in range(40):
            address = (FAR, FAR6)[i % 2]
            with udp(w.app, address, seconds=5) as s:
                for k in range(5):
                    s.sendto(b"%d %d" % (i, k), (address, 10))
                got = answers(s, 5)
                if got != [address.encode() + b" %d %d" % (i, k) for k in range(5)]:
                    noted.wrong[i] = got
    noted.right(most=4)


def test_many_sockets(l):
    """Each of 60 sockets gets its own answers only."""
    w = world(l)
    noted = Noted(w)

    def talk(i):
        address = (FAR, FAR6, NEAR, NEAR6)[i % 4]
        with udp(w.app, address, seconds=2) as s:
            for k in range(10):
                s.sendto(b"%d %d" % (i, k), (address, 10))
                try:
                    got, peer = s.recvfrom(100)
                except TimeoutError:
                    got, peer = b"nothing", (address, 10)
                assert peer[:2] == (address, 10), peer
                if got != address.encode() + b" %d %d" % (i, k):
                    noted.wrong[i] = (k, got)
                    return

    with running(w):
        at_once([lambda i=i: talk(i) for i in range(60)])
    noted.right(most=6)
    assert len(noted.asked) >= 54, noted.asked


def test_rules(l):
    """One socket, two ways out: near directly, far by VMess."""
    w = world(l)
    asked = []
    l.server(w.near, NEAR, 11, lambda data, peer: asked.append(peer[0]) or data, socket.SOCK_DGRAM)
    l.server(w.far, FAR, 11, lambda data, peer: asked.append(peer[0]) or data, socket.SOCK_DGRAM)
    with running(w, rules=[{"ip": [f"{NEAR}/24"], "outboundTag": "direct"}]) as p, udp(w.app, FAR) as s:
        for address in (NEAR, FAR):
            s.sendto(b"who am I", (address, 11))
            assert s.recvfrom(100) == (b"who am I", (address, 11))
        assert asked == ["198.18.0.2", "203.0.113.10"], asked
    flow_line(p, "udp", (NEAR, 11), "direct", "sluice ends", rule="rule 0")
    flow_line(p, "udp", (FAR, 11), "proxy", "sluice ends")


def test_server_goes_and_comes(l):
    """The association of a server that is restarted goes on with the new one."""
    w = world(l)
    with running(w), udp(w.app, FAR, seconds=1) as s:
        ask(s, FAR, b"before")
        w.v2ray.stop()
        s.sendto(b"into the void", (FAR, 9))
        w.start_v2ray()
        ask(s, FAR, b"after")


lab.main(test_securities, test_two_destinations, test_first_of_each_comes_through, test_many_sockets, test_rules,
         test_server_goes_and_comes)
