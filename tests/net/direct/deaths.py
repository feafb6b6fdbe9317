# SPDX-License-Identifier: MIT
"""Ends of all kinds: what is undone, what goes on, and that nothing of an application's gets out meanwhile."""
import contextlib
import os
import signal
import socket
import time

from direct import (APP, FAR, FAR6, NEAR, NEAR6, SLUICE, TUN, Restless, World, engine_of, lab, noise, read_exactly, sites, tcp, udp,
                    works)
from world import DIRECT


def recover(w):
    status, out = w.app.call([SLUICE, "recover", "--state", w.app.state])
    assert status == 0, out
    return out


class Probe(Restless):
    """An application that never stops trying to get out: datagrams that say so, and connections to one port."""

    WORD, PORT = b"this must stay inside", 4567

    def __init__(self, w):
        super().__init__(w, 0.002)
        self.tries, self.sockets = 0, [udp(w.app, a) for a in (FAR, FAR6)]

    def turn(self):
        for s, address in zip(self.sockets, (FAR, FAR6)):
            with contextlib.suppress(OSError):
                s.sendto(self.WORD, (address, self.PORT))
            with contextlib.suppress(OSError), socket.socket(s.family, socket.SOCK_STREAM) as c:
                c.setblocking(False)
                c.connect_ex((address, self.PORT))
        self.tries += 1

    def go_on(self, n=20):
        """It has tried n more times."""
        want = self.tries + n
        lab.until(lambda: self.tries >= want, "the probe to go on")

    @classmethod
    def mine(cls, p):
        """Its packets; answers to it are none."""
        return p.dst in (FAR, FAR6) and p.dport == cls.PORT


# What the probe does is nowhere allowed to go; all else is direct.
INSIDE = [{"ip": [FAR, FAR6], "outboundTag": "block"}]


def test_ended_in_order(l):
    """SIGTERM and SIGINT, with connections and associations alive: all is undone, and the status is 0."""
    w = World(l)
    sites(w)
    l.server(w.near, NEAR, 7, lab.echo)
    before = w.app.system()
    for number in (signal.SIGTERM, signal.SIGINT):
        p = w.start(w.config(first="direct"))
        during = w.app.system()
        assert during != before and TUN in during
        with tcp(w.app, NEAR, 7) as s, udp(w.app, NEAR) as u:
            s.sendall(b"hello")
            read_exactly(s, 5)
            u.sendto(b"hello", (NEAR, 9))
            assert p.stop(number) == 0, p.text
            # The application is told; it does not wait for ever.
            with contextlib.suppress(ConnectionError):
                s.settimeout(10)
                s.sendall(b"more")
                assert s.recv(1) == b""
        assert not any(x in p.text for x in ("Sanitizer", "did not come home", "runtime error")), p.text
        lab.equal(w.app.system(), before, f"after signal {number}")
        works(w)


def test_engine_killed(l):
    """It is started again, traffic flows again, and none gets out in between: the sniffer sees the probe before the
    start, and never after."""
    w = World(l)
    sites(w)
    before = w.app.system()
    with lab.Sniffer(w.router, "app") as s, Probe(w) as probe:
        s.wait(Probe.mine, "the probe, before the start")
        p = w.start(w.config(INSIDE, first="direct"))
        during = w.app.system()
        # What was on its way at the moment of the start has passed: a ping behind it has been answered.
        w.router.run(f"ping -n -c 1 -W 5 {APP}")
        since = s.count()
        for turn in range(3):
            probe.go_on()
            engine = engine_of(p)
            os.kill(engine, (signal.SIGKILL, signal.SIGABRT, signal.SIGKILL)[turn])
            p.wait_line(f"process {engine}. was ended by signal")
            probe.go_on()
            p.wait_line("ready")
            probe.go_on()
            works(w, NEAR), works(w, NEAR6)
            lab.equal(w.app.system(), during, "after the engine's death")
        left = s.seen(Probe.mine, since)
        assert not left, f"{len(left)} packets got out, first {left[0]}"
    assert p.stop() == 0, p.text
    lab.equal(w.app.system(), before, "after the end")


def test_engine_stopped(l):
    """An engine that hangs lets nothing out either, and the end does not hang with it."""
    w = World(l)
    before = w.app.system()
    with lab.Sniffer(w.router, "app") as s, Probe(w) as probe:
        s.wait(Probe.mine, "the probe, before the start")
        p = w.start(w.config(INSIDE, first="direct"))
        w.router.run(f"ping -n -c 1 -W 5 {APP}")
        since = s.count()
        os.kill(engine_of(p), signal.SIGSTOP)
        probe.go_on(100)
        assert not s.seen(Probe.mine, since)
        assert p.stop() == 1 and "did not end by itself" in p.text, p.text
    lab.equal(w.app.system(), before, "after the end")


def test_asked_twice(l):
    """The second signal hurries an engine that hangs: all is undone, and the status says that it was killed."""
    w = World(l)
    sites(w)
    before = w.app.system()
    p = w.start(w.config(first="direct"))
    os.kill(engine_of(p), signal.SIGSTOP)
    p.send(signal.SIGTERM)
    p.send(signal.SIGINT)
    assert p.wait(2.5) == 1 and "asked to end twice" in p.text, p.text
    lab.equal(w.app.system(), before, "after the end")
    works(w)


def killed(l, kill, again):
    w = World(l)
    sites(w)
    before = w.app.system()
    with lab.Sniffer(w.router, "app") as s, Probe(w) as probe:
        s.wait(Probe.mine, "the probe, before the start")
        p = w.start(w.config(INSIDE, first="direct"))
        w.router.run(f"ping -n -c 1 -W 5 {APP}")
        since, engine = s.count(), engine_of(p)
        kill(p.pid, engine)
        p.wait()
        lab.until(lambda: not os.path.exists(f"/proc/{engine}"), "the engine to be gone")
        lab.until(lambda: w.app.call(f"ip link show {TUN}")[0] != 0, "the device to go")
        probe.go_on(50)
        left = s.seen(Probe.mine, since)
        assert not left, f"{len(left)} packets got out, first {left[0]}"
        if again:
            # The start begins with putting everything back; from its end on it is closed again.
            q = w.start(w.config(INSIDE, first="direct"))
            w.router.run(f"ping -n -c 1 -W 5 {APP}")
            since = s.count()
            probe.go_on(50)
            works(w, NEAR)
            left = s.seen(Probe.mine, since)
            assert not left, f"{len(left)} packets got out, first {left[0]}"
            w.stop(q)
    if not again:
        recover(w)
    lab.equal(w.app.system(), before, "after all")
    works(w, NEAR), works(w, FAR)
    assert "0 changes" in recover(w)


def keeper(k, _):
    os.kill(k, signal.SIGKILL)


def both(k, e):
    os.kill(k, signal.SIGSTOP)          # so that neither sees the other's death
    os.kill(e, signal.SIGKILL)
    os.kill(k, signal.SIGKILL)


def test_keeper_killed_recover(l):
    killed(l, keeper, False)


def test_keeper_killed_start(l):
    killed(l, keeper, True)


def test_both_killed_recover(l):
    killed(l, both, False)


def test_both_killed_start(l):
    killed(l, both, True)


def test_killed_at_any_moment(l):
    """Both, from the first moment of the start on, a little later each time: `recover` leaves nothing."""
    w = World(l)
    before = w.app.system()
    path, made = w.config(first="direct"), 0
    began = time.monotonic()
    w.stop(w.start(path))
    whole = time.monotonic() - began
    for i in range(16):
        p = w.start(path, wait=False)
        with contextlib.suppress(lab.Failed):
            # A part more of a whole life each time, unless the program ends by itself, which it does not.
            lab.until(lambda: not p.alive(), "its end", seconds=whole * i / 16)
        p.kill()
        lab.until(lambda: not lab._session(p.pid), "both to be gone")
        made += w.app.system() != before
        recover(w)
        lab.equal(w.app.system(), before, f"killed after {whole * i / 16:.3f} s, and recovered")
    assert made >= 3, f"only {made} of the kills met anything that had to be undone"


def test_killed_under_load(l):
    """The engine dies amid transfers: the applications see errors at once, unless the kernel carries them, and the next
    one serves them again."""
    w = World(l)
    content = noise(4 << 20)
    l.server(w.near, NEAR, 4000, lambda c, _: c.sendall(content))
    l.server(w.near, NEAR, 7, lab.echo)
    p = w.start(w.config(first="direct"))
    ones = [tcp(w.app, NEAR, 7) for _ in range(50)]
    for s in ones:
        s.sendall(b"hello")
        read_exactly(s, 5)
    big = tcp(w.app, NEAR, 4000)
    read_exactly(big, 100000)
    os.kill(engine_of(p), signal.SIGKILL)
    p.wait_line("was ended by signal")
    for s in ones:
        if DIRECT != "stack":
            s.sendall(b"again")
            assert read_exactly(s, 5) == b"again"
            continue
        try:
            raise lab.Failed(f"{s.recv(10)!r} from a connection of a dead engine")
        except ConnectionAbortedError:
            pass
    p.wait_line("ready")
    if DIRECT != "stack":
        assert read_exactly(big, len(content) - 100000) == content[100000:]
    for s in (*ones, big):
        s.close()
    with tcp(w.app, NEAR, 4000) as s:
        assert read_exactly(s, len(content)) == content
    assert p.stop() == 0, p.text


lab.main(test_ended_in_order, test_engine_killed, test_engine_stopped, test_asked_twice, test_keeper_killed_recover, test_keeper_killed_start,
         test_both_killed_recover, test_both_killed_start, test_killed_at_any_moment, test_killed_under_load)
