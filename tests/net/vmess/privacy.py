# SPDX-License-Identifier: MIT
"""What the outer link may see: packets to the VMess server, and nothing else, whatever happens inside."""
import contextlib
import os
import signal
import socket
import threading
import time

from vmess import (FAR, FAR6, MARKER, MB, World, engine_of, grind, lab, mill, running, stay_inside, tcp, udp,
                   web)

BOTH = (FAR, FAR6)


def world(l):
    w = World(l)
    w.start_v2ray()
    for address in BOTH:
        l.server(w.far, address, 80, web("far"))
        l.server(w.far, address, 9, mill)
        l.server(w.far, address, 9, lab.echo_datagram, socket.SOCK_DGRAM)
    return w


class Probes:
    """An application that never stops asking: connections and datagrams of each family, with words in them
    that must not be seen, until `with` ends."""

    def __init__(self, space):
        self.space, self.over = space, threading.Event()
        self.answered = {"tcp": 0, "udp": 0}
        self.tried = 0
        self.threads = [threading.Thread(target=self.run, args=(way, address), daemon=True)
                        for way in (self.connect, self.send) for address in BOTH]

    def connect(self, address):
        with tcp(self.space, address, 80, seconds=1) as s:
            s.sendall(b"GET /" + MARKER + b" HTTP/1.0\r\n\r\n")
            self.answered["tcp"] += s.recv(100) != b""

    def send(self, address):
        with udp(self.space, address, seconds=0.2) as s:
            s.sendto(MARKER, (address, 9))
            self.answered["udp"] += s.recv(100) == MARKER

    def run(self, way, address):
        while not self.over.wait(0.005):
            self.tried += 1
            with contextlib.suppress(OSError):
                way(address)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()

    def go_on(self):
        """Waits until new answers came to each kind of probe."""
        before = dict(self.answered)
        lab.until(lambda: all(self.answered[k] > before[k] for k in before), "answers to the probes", 30)


def test_probes_are_seen(l):
    """The sniffer works: without sluice the same probes are on the link."""
    w = world(l)
    with lab.Sniffer(w.app, "eth0") as s, Probes(w.app):
        s.wait(lambda p: p.dst == FAR and p.proto == 6 and MARKER in p.data)
        s.wait(lambda p: p.dst == FAR6 and p.proto == 17 and MARKER in p.data)


def test_running(l):
    """Connections, datagrams and pings to where VMess leads: only VMess is on the link."""
    w = world(l)
    with running(w), lab.Sniffer(w.app, "eth0") as s:
        with Probes(w.app) as probes:
            probes.go_on()
            for address in BOTH:
                status, _ = w.app.call(f"ping -c 1 -W 1 {address}")
                assert status == 1, "a ping was answered by somebody who cannot know"
        stay_inside(s)


def test_start_and_stop(l):
    """The probes meet the device from the moment of `ready`, and the link again after the end; none that was
    sent between leaves."""
    w = world(l)
    with lab.Sniffer(w.app, "eth0") as s, Probes(w.app) as probes:
        s.wait(lambda p: p.dst == FAR and MARKER in p.data)
        with running(w):
            # What was on its way before passes once more at most; what begins now does not.
            probes.go_on()
            since = s.count()
            probes.go_on()
            stay_inside(s, since)
        since = s.count()
        s.wait(lambda p: p.dst == FAR and p.proto == 17 and MARKER in p.data, since=since)


def test_engine_killed(l):
    """The engine dies under load, again and again: nothing leaves by the link, and then traffic flows."""
    w = world(l)
    # The probes begin after it: to one from before the site would send its answer again and again.
    p = w.start(w.config())
    with lab.Sniffer(w.app, "eth0") as s, Probes(w.app) as probes:
        probes.go_on()
        since = s.count()
        for pause in (0, 0.05, 0.3):
            load = threading.Thread(target=quietly, args=(w,), daemon=True)
            load.start()
            time.sleep(pause)                   # another moment of the load each time
            old = engine_of(p)
            os.kill(old, signal.SIGKILL)
            p.wait_line(rf"process {old}\) was ended by signal 9")
            p.wait_line(r"engine: ready")
            probes.go_on()
            load.join()
        stay_inside(s, since)
        status, out = w.app.call(f"curl -sS -m 10 http://{FAR}/")
        assert (status, out) == (0, "far asked by 203.0.113.10\n"), (status, out)
        grind(w.app, FAR6, 9, MB)
        assert p.stop(seconds=30) == 0 and "Sanitizer" not in p.text, p.text


def quietly(w):
    """A large transfer that the engine's death ends."""
    with contextlib.suppress(Exception):
        grind(w.app, FAR, 9, 20 * MB, seconds=5)


def test_server_gone(l):
    """The server is killed: the applications are refused, and nothing goes out instead."""
    w = world(l)
    with running(w), lab.Sniffer(w.app, "eth0") as s:
        w.v2ray.kill()
        with Probes(w.app) as probes:
            lab.until(lambda: probes.tried > 50)
            assert probes.answered == {"tcp": 0, "udp": 0}
            status, out = w.app.call(f"curl -sS -m 10 http://{FAR}/")
            assert status == 7, (status, out)
        stay_inside(s)
        w.start_v2ray()
        with Probes(w.app) as probes:
            probes.go_on()
        stay_inside(s)


lab.main(test_probes_are_seen, test_running, test_start_and_stop, test_engine_killed, test_server_gone)
