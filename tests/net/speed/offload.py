# SPDX-License-Identifier: MIT
"""Transfers with the device's offload and without it: the same bytes, at every MTU, and the log says which it is."""
import hashlib
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "direct"))

from direct import NEAR, NEAR6, World, at_once, lab, noise, read_all, running, tcp, udp, with_config  # noqa: E402

SIZE = 20 << 20
MTUS = (1280, 1500, 9000, 65535)
FULL = r"offload of the TUN device: checksums, TCP segments"
NONE = r"offload of the TUN device: none, by the configuration"


def both_ways(w, address, content):
    """What came, and the digest of what went; the application writes in odd pieces."""
    with tcp(w.app, address, 4000) as s:
        s.sendall(b"G")
        got = read_all(s)
    with tcp(w.app, address, 4000) as s:
        s.sendall(b"P")
        at, step = 0, 1
        while at < len(content):
            s.sendall(content[at:at + step])
            at += step
            step = step * 3 % 262139 + 1
        s.shutdown(1)
        return got, read_all(s).decode()


def test_same_bytes(l):
    content = noise(SIZE)
    want = hashlib.sha256(content).hexdigest()
    w = World(l)
    plain = w.config
    for address in (NEAR, NEAR6):
        l.server(w.near, address, 4000, lab.store(content))
    for mtu in MTUS:
        for offload, line in ((True, FULL), (False, NONE)):
            w.config = plain
            with_config(w, mtu, offload)
            with running(w) as p:
                p.wait_line(line, again=True)
                answers = []
                at_once([lambda a=a: answers.append((a, *both_ways(w, a, content))) for a in (NEAR, NEAR6)])
                for address, got, digest in answers:
                    where = (mtu, offload, address)
                    assert hashlib.sha256(got).hexdigest() == want, f"{len(got)} other bytes came: {where}"
                    assert digest == want, f"other bytes went: {where}"


def test_datagrams(l):
    """What the kernel hands over as one packet (UDP_SEGMENT) arrives as the datagrams that were meant."""
    w = World(l)

    def serve(address):
        s = udp(w.near, address, bind=(address, 4001))
        while True:
            data, peer = s.recvfrom(65536)
            s.sendto(b"%d:" % len(data) + hashlib.sha256(data).digest(), peer)

    for address in (NEAR, NEAR6):
        threading.Thread(target=serve, args=(address,), daemon=True).start()
    for offload in (True, False):
        plain = w.config
        with_config(w, 1500, offload)
        with running(w):
            for address in (NEAR, NEAR6):
                content = noise(10 * 1200 + 77)
                with udp(w.app, address) as s:
                    s.setsockopt(17, 103, 1200)         # SOL_UDP, UDP_SEGMENT
                    s.connect((address, 4001))
                    s.send(content)
                    pieces = [content[i:i + 1200] for i in range(0, len(content), 1200)]
                    want = {b"%d:" % len(x) + hashlib.sha256(x).digest() for x in pieces}
                    answers = {s.recv(2048) for _ in pieces}
                    assert answers == want, (offload, address)
        w.config = plain


lab.main(test_same_bytes, test_datagrams)
