# SPDX-License-Identifier: MIT
"""TCP through the device and out directly: whole, both ways, both families, many at once."""
import hashlib
import json
import threading

from direct import (NEAR, NEAR6, SITES, World, at_once, fetch, lab, noise, read_all, running, sites, tcp,
                    works)

BOTH = (NEAR, NEAR6)
SIZE = 50 << 20


def test_curl(l):
    w = World(l)
    sites(w)
    with running(w) as p:
        for address, name in SITES:
            status, out = fetch(w, address)
            mine = "2001:db8:f::2" if ":" in address else "198.18.0.2"
            assert (status, out) == (0, f"{name} asked by {mine}\n"), (status, out)
            # And it was by us: the flow is in the log with what it carried.
            p.wait_line(rf"tcp .*{address}\]?:80,.*direct, up \d+ down \d\d+", again=True)


def test_checksums(l):
    w = World(l)
    content = noise(SIZE)
    want = hashlib.sha256(content).hexdigest()
    for address in BOTH:
        l.server(w.near, address, 4000, lab.store(content))
    with running(w):
        for address in BOTH:
            with tcp(w.app, address, 4000) as s:
                s.sendall(b"G")
                got = hashlib.sha256()
                n = 0
                while data := s.recv(1 << 18):
                    got.update(data)
                    n += len(data)
            assert (n, got.hexdigest()) == (SIZE, want), f"{n} bytes came from {address}"
            with tcp(w.app, address, 4000) as s:
                s.sendall(b"P")
                s.sendall(content)
                s.shutdown(1)
                assert read_all(s).decode() == want, f"other bytes went to {address}"


def test_both_ways_at_once(l):
    w = World(l)
    content = noise(8 << 20)
    for address in BOTH:
        l.server(w.near, address, 7, lab.echo)
    with running(w):
        for address in BOTH:
            with tcp(w.app, address, 7) as s:
                got = []
                at_once([lambda: (s.sendall(content), s.shutdown(1)), lambda: got.append(read_all(s))])
            assert got == [content], f"{len(got[0])} bytes came back from {address}"


def test_200_at_once(l):
    w = World(l)
    for address in BOTH:
        l.server(w.near, address, 7, lab.echo)

    def talk(i):
        mine = noise(32768, seed=i)
        with tcp(w.app, BOTH[i % 2], 7, seconds=40) as s:
            met.wait()              # all are open at the same time
            s.sendall(mine)
            s.shutdown(1)
            assert read_all(s) == mine, f"connection {i} got something else"

    met = threading.Barrier(200, timeout=40)
    with running(w):
        at_once([lambda i=i: talk(i) for i in range(200)])


def test_iperf(l):
    w = World(l)
    with running(w):
        for address in BOTH:
            for streams in (1, 8):
                for way in ("", "-R"):
                    server = w.near.start(f"iperf3 -s -1 -B {address} --forceflush")
                    server.wait_line("Server listening")
                    out = w.app.run(f"iperf3 -c {address} -P {streams} -n 100M -J {way}")
                    end = json.loads(out)["end"]
                    # iperf3 ends by its control connection, and does not wait for what is under way.
                    got = [s["receiver"]["bytes"] for s in end["streams"]]
                    assert len(got) == streams and min(got) > 0 and sum(got) > 10 << 20, (address, streams, way, got)
                    assert server.wait() == 0, server.text


def test_counted(l):
    """The end tells what became of packets. Between two ends in one machine nothing is lost or spoilt."""
    w = World(l)
    sites(w)
    with running(w) as p:
        for address in BOTH:
            works(w, address)
        assert "counted:" not in p.text
    m = p.wait_line(r"counted: packets in (\d+), out (\d+), malformed (\d+), unknown (\d+), over the limit (\d+), "
                    r"retransmitted (\d+), refused (\d+), dropped (\d+)", again=True)
    came, went, malformed, _, over, again, refused, dropped = map(int, m.groups())
    # Of each connection at least SYN, ACK, request, FIN; and SYN, answer, FIN, since acknowledgements wait for them.
    assert came >= 8 and went >= 6, m[0]
    assert (malformed, over, again, refused, dropped) == (0, 0, 0, 0, 0), m[0]


lab.main(test_curl, test_checksums, test_both_ways_at_once, test_200_at_once, test_iperf, test_counted)
