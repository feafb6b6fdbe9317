# SPDX-License-Identifier: MIT
"""Downloads and uploads that stop in the middle: within sluice.memory, others are served, and all bytes are right when
they go on."""
import json
import pathlib
import subprocess
import threading

from direct import NEAR, TUN, World, at_once, count_exactly, lab, noise, private, read_exactly, running, sites, tcp, works

HERE = pathlib.Path(__file__).resolve().parent
READERS, SIZE, FIRST = 10000, 48 * 1024, 2000
MB = 1 << 20


def transfer(w):
    """Through an echo and back, with the others stalled."""
    content = noise(MB)
    with tcp(w.app, NEAR, 7) as s:
        got = []
        at_once([lambda: s.sendall(content), lambda: got.append(read_exactly(s, len(content)))])
        assert got == [content]


def test_10000_readers(l):
    w = World(l)
    sites(w)
    # What waits in the kernels is not what is looked at here.
    for space in (w.app, w.near):
        space.sysctl("net.ipv4.tcp_max_syn_backlog", 4096)
        space.sysctl("net.core.somaxconn", 4096)
    stall = l.program("stall", [HERE / "stall.c"])
    l.server(w.near, NEAR, 7, lab.echo)
    w.near.start([stall, "serve", NEAR, "4000", str(SIZE)]).wait_line("ready")
    with running(w) as p:
        w.app.run(f"ip link set {TUN} txqueuelen 20000")      # as many answers as there are readers come at once
        works(w)
        before = private(p)
        readers = w.app.start([stall, "read", NEAR, "4000", str(READERS), str(FIRST)], stdin=subprocess.PIPE)
        readers.wait_line("stalled, 0 failed, 0 waited", seconds=120)
        works(w)
        at_once([lambda: transfer(w)] * 4)
        grown = private(p) - before
        print(f"        {grown / MB:.0f} MB for {READERS} of them, {grown // READERS} bytes each", flush=True)
        assert grown < 256 * MB, f"{grown / MB:.0f} MB"
        readers.popen.stdin.write(b"%d\n" % (SIZE >> 10))
        readers.popen.stdin.flush()
        how = json.loads(readers.wait_line(r"(\{.*\})", seconds=120).group(1))
        assert how == {"right": READERS, "wrong": 0, "failed": 0, "stuck": 0}, how
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
        transfer(w)
        works(w)
        over.set()
        for s in ones:
            s.close()


count_exactly()
lab.main(test_10000_readers, test_stalled_uploads)
