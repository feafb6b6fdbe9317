# SPDX-License-Identifier: MIT
"""What connections with TLS and WebSocket hold is counted: a crowd of them, and of datagrams, stays within a small
sluice.memory; who is there goes on, who comes later waits.  With --measure: what one connection takes."""
import contextlib
import pathlib
import re
import socket
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "net" / "direct")]

from device import FAR, grind, lab, mill, noise, read_exactly, start, tcp, world   # noqa: E402
from direct import NEAR, count_exactly, private, reset                        # noqa: E402

MB = 1 << 20
LIMIT = 16
RULES = [{"ip": ["192.0.2.0/24"], "outboundTag": "direct"}]
SAID = r'memory for connections by "proxy" is used up'


def begin(l, library):
    w = world(l)
    for space, address in ((w.far, FAR), (w.near, NEAR)):
        l.server(space, address, 7, lab.echo)
    l.server(w.far, FAR, 4000, lambda c, _: c.sendall(c.recv(1) and noise(4 * MB)))
    l.server(w.far, FAR, 9, mill)
    p = start(w, library, rules=RULES, sluice={"geoip": w.database(), "memory": f"{LIMIT} MB"})
    others = [tcp(w.app, address, 7, seconds=60) for address in (FAR, NEAR)]
    goes_on(others)
    return w, p, others


def crowd(w, n, port):
    """Applications that begin a connection; those that are let in and those that wait."""
    ones = [w.app.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(n)]
    for s in ones:
        s.setblocking(False)
        s.connect_ex((FAR, port))
    return ones


def flood(w, n):
    """Datagrams from n sockets."""
    ones = [w.app.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(n)]
    for s in ones:
        for _ in range(20):
            with contextlib.suppress(OSError):
                s.sendto(bytes(1400), (FAR, 9000))
    return ones


def goes_on(ones):
    for s in ones:
        s.sendall(b"still here")
    for s in ones:
        assert read_exactly(s, 10) == b"still here"


def over(w, p, ones):
    """They end, and there is room again."""
    for s in ones:
        reset(s) if s.type == socket.SOCK_STREAM else s.close()

    def let_in():
        with contextlib.suppress(OSError), tcp(w.app, FAR, 7, seconds=3) as s:
            s.sendall(b"let in")
            return read_exactly(s, 6) == b"let in"

    lab.until(let_in, "a new connection to be let in", seconds=40)
    grind(w.app, FAR, 9, MB)
    w.stop(p)


def within(l, library):
    """A crowd of connections that rest, and a flood of datagrams."""
    w, p, others = begin(l, library)
    before, most, last = private(p), 0, 0
    ones = crowd(w, 1000, 7) + flood(w, 500)

    def settled():
        nonlocal most, last
        goes_on(others)
        last, was = private(p), last
        most = max(most, last)
        return last == was and re.search(SAID, p.text)

    lab.until(settled, "the memory to be used up, and no more", seconds=60)
    print(f"        {library}: {(most - before) / MB:.1f} MB of {LIMIT} for the crowd", flush=True)
    assert most - before < LIMIT * MB
    assert len(re.findall(SAID, p.text)) == 1, "it is said once"
    over(w, p, ones)


def test_openssl(l):
    within(l, "auto")


def test_bearssl(l):
    within(l, "bearssl")


def test_not_read(l):
    """Downloads that nobody reads hold all that there is; when others have waited long enough, some of them end."""
    w, p, others = begin(l, "auto")
    before = private(p)
    ones = [tcp(w.app, FAR, 4000) for _ in range(80)]
    for s in ones:
        s.sendall(b"!")
    p.wait_line(r"closed: not read for long, while others need the memory", seconds=60)
    goes_on(others)
    grown = private(p) - before
    print(f"        {grown / MB:.1f} MB of {LIMIT} for what is not read", flush=True)
    assert grown < LIMIT * MB
    over(w, p, ones)


def measured(l, library):
    w = world(l)
    l.server(w.far, FAR, 7, lab.echo)
    p = start(w, library, rules=RULES, sluice={"geoip": w.database()})
    ones = [tcp(w.app, FAR, 7) for _ in range(100)]
    goes_on(ones)
    first = private(p)
    more = [tcp(w.app, FAR, 7) for _ in range(900)]
    goes_on(more)
    print(f"        {library}: {(private(p) - first) / 900:.0f} bytes a connection that rests", flush=True)
    w.stop(p)


def measure_openssl(l):
    measured(l, "auto")


def measure_bearssl(l):
    measured(l, "bearssl")


count_exactly()
if sys.argv[1:] == ["--measure"]:
    del sys.argv[1:]
    lab.main(measure_openssl, measure_bearssl)
else:
    lab.main(test_openssl, test_bearssl, test_not_read)
