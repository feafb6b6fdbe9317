# SPDX-License-Identifier: MIT
"""Downloads and uploads that stop in the middle: within sluice.memory, others are served, and all bytes are right when
they go on."""
import json
import pathlib
import subprocess
import threading

from direct import (FAR, NEAR, TUN, World, at_once, count_exactly, lab, noise, private, read_exactly, running, sites, tcp,
                    vmess_servers, works)

HERE = pathlib.Path(__file__).resolve().parent
READERS, SIZE, FIRST = 10000, 48 * 1024, 2000
MB = 1 << 20


def transfer(s):
    """Through an echo and back, with the others stalled."""
    content, got = noise(MB), []
    at_once([lambda: s.sendall(content), lambda: got.append(read_exactly(s, len(content)))])
    assert got == [content]


def come_and_transfer(w):
    with tcp(w.app, NEAR, 7) as s:
        transfer(s)


class Readers:
    """10,000 applications that stop after some bytes, and what memory that takes."""

    def __init__(self, l, w):
        # What waits in the kernels is not what is looked at here.
        for space in (w.app, w.near):
            space.sysctl("net.ipv4.tcp_max_syn_backlog", 4096)
            space.sysctl("net.core.somaxconn", 4096)
        self.w, self.program = w, l.program("stall", [HERE / "stall.c"])
        w.near.start([self.program, "serve", NEAR, "4000", str(SIZE)]).wait_line("ready")

    def start(self, p):
        self.w.app.run(f"ip link set {TUN} txqueuelen 20000")      # as many answers as there are readers come at once
        works(self.w)
        self.p, self.before = p, private(p)
        self.process = self.w.app.start([self.program, "read", NEAR, "4000", str(READERS), str(FIRST)],
                                        stdin=subprocess.PIPE)

    def bounded(self):
        grown = private(self.p) - self.before
        print(f"        {grown / MB:.0f} MB for them", flush=True)
        assert grown < 256 * MB, f"{grown / MB:.0f} MB"

    def go_on(self):
        """How they ended."""
        self.process.popen.stdin.write(b"%d\n" % (SIZE >> 10))
        self.process.popen.stdin.flush()
        return json.loads(self.process.wait_line(r"(\{.*\})", seconds=120).group(1))


def test_10000_readers(l):
    w = World(l)
    sites(w)
    readers = Readers(l, w)
    l.server(w.near, NEAR, 7, lab.echo)
    with running(w) as p:
        readers.start(p)
        readers.process.wait_line("stalled, 0 failed, 0 waited", seconds=120)
        works(w)
        at_once([lambda: come_and_transfer(w)] * 4)
        readers.bounded()
        how = readers.go_on()
        assert how == {"right": READERS, "wrong": 0, "failed": 0, "stuck": 0}, how
        works(w)


def test_10000_readers_by_vmess(l):
    """Each holds a block of chunks here, for which there is a part of sluice.memory: once that is taken the others wait
    at the door, and come in when those before them have read, or have not for ten seconds."""
    w = World(l)
    sites(w)
    vmess_servers(w)
    readers = Readers(l, w)
    l.server(w.near, NEAR, 7, lab.echo)
    with running(w, first="proxy", rules=[{"ip": [FAR], "outboundTag": "direct"}]) as p, tcp(w.app, NEAR, 7) as other:
        readers.start(p)
        p.wait_line('the memory for connections by "proxy" is used up', seconds=60)
        transfer(other)
        works(w, FAR)
        readers.bounded()
        how = readers.go_on()
        late = p.text.count("closed: not read for long, while others need the memory")
        assert how == {"right": READERS - late, "wrong": 0, "failed": late, "stuck": 0}, (how, late)
        works(w)


def test_stalled_uploads(l):
    """Uploads to servers that do not read: who was there before talks and uploads, and others come."""
    w = World(l)
    sites(w)
    over = threading.Event()
    for space in (w.app, w.near):
        space.sysctl("net.core.somaxconn", 4096)
        space.sysctl("net.ipv4.tcp_rmem", "4096 4096 4096")
    l.server(w.near, NEAR, 7, lab.echo)
    l.server(w.near, NEAR, 4000, lambda c, _: over.wait(60))
    content = noise(64 * 1024)
    with running(w, sluice={"memory": "16 MB", "geoip": w.database()}), tcp(w.app, NEAR, 7) as other:
        ones = [tcp(w.app, NEAR, 4000) for _ in range(400)]
        for s in ones:
            s.setblocking(False)

        def full():
            """Nobody could send any more."""
            sent = 0
            for s in ones:
                try:
                    sent += s.send(content)
                except BlockingIOError:
                    pass
            return sent == 0

        lab.until(full, "400 uploads to stop", seconds=60)
        other.sendall(b"still here")
        assert read_exactly(other, 10) == b"still here"
        come_and_transfer(w)
        works(w)
        over.set()
        for s in ones:
            s.close()


count_exactly()
lab.main(test_10000_readers, test_10000_readers_by_vmess, test_stalled_uploads)
