# SPDX-License-Identifier: MIT
"""Transfers with the device's offload and without it: the same bytes, at every MTU, and the log says which it is."""
import hashlib
import threading

from transfers import MTUS, NEAR, NEAR6, UDP_SEGMENT, World, at_once, both_ways, lab, noise, nothing_twice, running, udp

BOTH = (NEAR, NEAR6)
SIZE = 20 << 20
FULL = r"offload of the TUN device: checksums, TCP segments"
NONE = r"offload of the TUN device: none, by the configuration"
STATES = ((True, FULL), (False, NONE))


def stores(l, content):
    w = World(l)
    for address in BOTH:
        l.server(w.near, address, 4000, lab.store(content))
    return w


def transfer(w, content, where):
    """Both families at a time, each way."""
    want, answers = hashlib.sha256(content).hexdigest(), []
    at_once([lambda a=a: answers.append((a, *both_ways(w.app, a, content))) for a in BOTH])
    for address, got, digest in answers:
        assert got == content, f"{len(got)} other bytes came: {where}, {address}"
        assert digest == want, f"other bytes went: {where}, {address}"


def test_same_bytes(l):
    content = noise(SIZE)
    w = stores(l, content)
    for mtu in MTUS:
        for offload, line in STATES:
            with running(w, mtu=mtu, offload=offload) as p:
                p.wait_line(line, again=True)
                transfer(w, content, (mtu, offload))
            nothing_twice(p)


def test_datagrams(l):
    """What the kernel hands over as one packet (UDP_SEGMENT) arrives as the datagrams that were meant."""
    w = World(l)

    def serve(address):
        s = udp(w.near, address, bind=(address, 4001))
        while True:
            data, peer = s.recvfrom(65536)
            s.sendto(b"%d:" % len(data) + hashlib.sha256(data).digest(), peer)

    for address in BOTH:
        threading.Thread(target=serve, args=(address,), daemon=True).start()
    for offload, _ in STATES:
        with running(w, offload=offload):
            for address in BOTH:
                content = noise(10 * 1200 + 77)
                with udp(w.app, address) as s:
                    s.setsockopt(17, UDP_SEGMENT, 1200)
                    s.connect((address, 4001))
                    s.send(content)
                    pieces = [content[i:i + 1200] for i in range(0, len(content), 1200)]
                    want = {b"%d:" % len(x) + hashlib.sha256(x).digest() for x in pieces}
                    answers = {s.recv(2048) for _ in pieces}
                    assert answers == want, (offload, address)


lab.main(test_same_bytes, test_datagrams)
