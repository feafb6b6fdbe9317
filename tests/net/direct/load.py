# SPDX-License-Identifier: MIT
"""Many, slow and narrow: what bounds there are hold, and nobody's bytes are lost."""
import hashlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import threading
import time

from direct import (NEAR, NEAR6, SLUICE, TUN, Injector, World, at_once, count_exactly, datagram, engine_of, ip4, lab,
                    noise, private, read_all, read_exactly, reset, running, sites, tcp, tun_address, udp, works)
from cost import processor_time

BOTH = (NEAR, NEAR6)
MB = 1 << 20
# AddressSanitizer's allocator gives little back.
with open(SLUICE, "rb") as f:
    SANITIZED = b"__asan_init" in f.read()


def test_slow_reader(l):
    """Applications that do not read stop the servers, not the others, and get everything in the end."""
    w = World(l)
    sites(w)
    content = noise(16 * MB)
    want = hashlib.sha256(content).digest()
    sent, lock = [0], threading.Lock()

    def serve(connection, _peer):
        for at in range(0, len(content), 65536):
            connection.sendall(content[at:at + 65536])
            with lock:
                sent[0] += 65536

    l.server(w.near, NEAR, 4000, serve)
    with running(w) as p:
        before = private(p)
        ones = [tcp(w.app, NEAR, 4000, seconds=40) for _ in range(10)]

        def stopped():
            n = sent[0]
            works(w)            # the others go on; and this takes a while
            return n > MB and sent[0] == n

        lab.until(stopped, "the servers to be stopped")
        assert sent[0] < 10 * len(content), "nothing stops the servers"
        grown = private(p) - before
        assert grown < 100 * MB, f"{grown / MB:.0f} MB for ten slow readers"

        def rest(s):
            got = read_all(s)
            assert hashlib.sha256(got).digest() == want, f"{len(got)} bytes"
            s.close()

        at_once([lambda s=s: rest(s) for s in ones])


def test_budget(l):
    """600 applications that do not read, and 16 MB for traffic: it stays below them, and the others go on; when they
    have gone, the memory is the system's again."""
    w = World(l)
    sites(w)
    raise_limit()

    def serve(connection, _peer):
        try:
            connection.sendall(bytes(4 * MB))
        except OSError:
            pass

    l.server(w.near, NEAR, 4000, serve)
    l.server(w.near, NEAR, 7, lab.echo)
    with running(w, sluice={"memory": "16 MB"}) as p:
        before = private(p)
        other = tcp(w.app, NEAR, 7)
        peaks = [burst(w, p, other, before) for _ in range(2)]
        print(f"        {[f'{(x - before) / MB:.1f}' for x in peaks]} MB for them", flush=True)
        assert max(peaks) - before < 16 * MB and peaks[1] - peaks[0] < 2 * MB


def burst(w, p, other, before):
    """Lets 600 come, stall and go; the memory while they were there."""
    full = [0]
    stalled = [w.app.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(600)]
    for s in stalled:
        s.setblocking(False)
        s.connect_ex((NEAR, 4000))

    def stopped():
        full[0], was = private(p), full[0]
        other.sendall(b"still here")
        assert read_exactly(other, 10) == b"still here"
        return full[0] == was > before + 3 * MB

    lab.until(stopped, "the servers to be stopped", seconds=40)
    for s in stalled:
        reset(s)
    works(w)
    if not SANITIZED:
        lab.until(lambda: private(p) - before < MB, "the memory to be given back")
    return full[0]


def test_slow_server(l):
    """The same the other way."""
    w = World(l)
    sites(w)
    content = noise(16 * MB)
    want = hashlib.sha256(content).digest()
    go_on, got, sent = threading.Event(), [], [0]

    def serve(connection, _peer):
        go_on.wait(40)
        got.append(hashlib.sha256(read_all(connection)).digest())

    def send(s):
        for at in range(0, len(content), 65536):
            s.sendall(content[at:at + 65536])
            sent[0] += 65536
        s.close()

    l.server(w.near, NEAR, 4000, serve)
    with running(w) as p:
        before = private(p)
        ones = [tcp(w.app, NEAR, 4000, seconds=40) for _ in range(5)]
        threads = [threading.Thread(target=send, args=(s,), daemon=True) for s in ones]
        for t in threads:
            t.start()

        def stopped():
            n = sent[0]
            works(w)
            return n > MB and sent[0] == n

        lab.until(stopped, "the applications to be stopped")
        assert sent[0] < 5 * len(content), "nothing stops the applications"
        grown = private(p) - before
        assert grown < 100 * MB, f"{grown / MB:.0f} MB for five slow servers"
        go_on.set()
        lab.until(lambda: len(got) == 5, "the servers to have it all", seconds=40)
        assert set(got) == {want}


def test_short_connections(l):
    """2,000 of them one after the other in 10 lines, ended in all ways; nothing is left."""
    w = World(l)
    sites(w)

    def serve(connection, _peer):
        how = read_exactly(connection, 1)
        if how == b"r":
            reset(connection)
        elif how == b"f":
            connection.sendall(b"bye")
        else:
            connection.sendall(read_all(connection))

    for address in BOTH:
        l.server(w.near, address, 4000, serve)

    def line(n):
        for i in range(200):
            s = tcp(w.app, BOTH[(n + i) % 2], 4000)
            how = b"rfea"[i % 4:i % 4 + 1]
            s.sendall(how)
            if how == b"r":
                try:
                    raise lab.Failed(f"{s.recv(1)} instead of a reset")
                except ConnectionResetError:
                    pass
            elif how == b"f":
                assert read_all(s) == b"bye"
            elif how == b"e":
                s.sendall(b"echo")
                s.shutdown(socket.SHUT_WR)
                assert read_all(s) == b"echo"
            else:
                reset(s)
            s.close()

    def descriptors(p):
        return len(os.listdir(f"/proc/{engine_of(p)}/fd"))

    with running(w) as p:
        works(w)
        lab.until(lambda: not w.app.run("ss -Htn dport = :80").strip(), "curl's connections to be over")
        before = descriptors(p)
        at_once([lambda n=n: line(n) for n in range(10)])
        lab.until(lambda: descriptors(p) <= before, "all descriptors to be closed")
        works(w)


def test_ports_again(l):
    """3,000 connections over 16 ports, one after the other: each port comes back long before what the stack
    remembers of its last connection has gone, and none is left unanswered.  They are below those that the system
    gives out by itself, which the engine's own connections take."""
    w = World(l)

    def serve(connection, _peer):
        connection.sendall(read_exactly(connection, 1))
        connection.shutdown(socket.SHUT_WR)     # whoever ends first is the one who remembers
        read_all(connection)

    l.server(w.near, NEAR, 4000, serve)

    def one(i):
        with w.app.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            s.settimeout(0.9)                   # a SYN that is not answered is repeated after a second
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("", 20000 + i % 16))
            s.connect((NEAR, 4000))
            s.sendall(b"%d" % (i % 10))
            assert read_all(s) == b"%d" % (i % 10), i

    with running(w):
        for i in range(3000):
            one(i)


def test_2000_open(l):
    """2,000 connections at the same time, each of which still works at the end."""
    w = World(l)
    sites(w)
    raise_limit()
    l.server(w.near, NEAR, 7, lab.echo)
    with running(w) as p:
        before = private(p)
        ones = [tcp(w.app, NEAR, 7) for _ in range(2000)]
        for i, s in enumerate(ones):
            s.sendall(b"%d" % i)
        for i, s in enumerate(ones):
            assert read_exactly(s, len(b"%d" % i)) == b"%d" % i
        print(f"        {(private(p) - before) / 2000:.0f} bytes for each idle connection", flush=True)
        assert private(p) - before < 2000 * 16000
        works(w)
        for i, s in enumerate(ones):
            s.sendall(b"%d again" % i)
            assert read_exactly(s, len(b"%d again" % i)) == b"%d again" % i
            s.close()


# Who may not raise its own limits.
NO_MORE = "setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"


def start_limited(w, soft, hard, *before):
    """sluice where a process may have so many descriptors."""
    p = w.app.start(["prlimit", f"--nofile={soft}:{hard}", *before, SLUICE, "run", "-c", w.config(first="direct"),
                     "--state", w.app.state])
    p.wait_line(r"\bready\b")
    return p


def root_may_raise(limit):
    """Whether root's hard limits can be raised here; in some containers they cannot."""
    raised = ["prlimit", "--nofile=64:64", "prlimit", f"--nofile={limit}:{limit}", "true"]
    return subprocess.run(raised, stderr=subprocess.DEVNULL).returncode == 0


def test_descriptors_raised(l):
    """A low limit is none for root: its engine gets what all flows together need.  Where the hard one stays, the soft one
    becomes it, and the log says what that means."""
    w = World(l)
    enough = 64 + 512 + 16384 * 4 // 3
    for soft, hard in ((64, 128), (64, 6000)):
        p = start_limited(w, soft, hard)
        with open(f"/proc/{engine_of(p)}/limits") as f:
            limit = next(x for x in f if x.startswith("Max open files")).split()[3:5]
        w.stop(p)
        if root_may_raise(enough + 2):
            assert min(map(int, limit)) >= enough, limit
            assert "descriptors allows" not in p.text, p.text
        else:
            assert limit == [str(hard)] * 2, limit
            assert f"the limit of {hard} descriptors allows {max(64, hard - 64) * 3 // 4} connections" in p.text, p.text


def test_too_few_descriptors(l):
    """Where there are too few to work with, sluice says so instead of meeting errors later."""
    w = World(l)
    p = w.app.start(["prlimit", "--nofile=40:40", *NO_MORE, SLUICE, "run", "-c", w.config(first="direct"),
                     "--state", w.app.state])
    p.wait_line("the limit of 40 descriptors .* is too low to work with: it takes 64 at least")
    assert p.wait() != 0


def test_few_memory(l):
    """The limit that is met first is the one that is named."""
    w = World(l)
    p = w.start(w.config(first="direct", sluice={"geoip": w.database(), "memory": "16 MB"}))
    p.wait_line("sluice.memory of 16 MB allows 1[37][0-9][0-9] connections", again=True)
    assert " qlen 625" in w.app.run("ip link show tun7"), "the device's queue is as long as ever"
    w.stop(p)
    assert "descriptors allows" not in p.text, p.text


def test_tail_beside_short_ones(l):
    """A slow reader gets what its server left behind, however many short connections end beside it."""
    w = World(l)
    sites(w)
    content = noise(14000)
    l.server(w.near, NEAR, 4000, lambda c, _: c.sendall(content))

    def bye(c, _peer):
        c.recv(1)
        c.sendall(b"bye")
        c.shutdown(1)
        read_all(c)

    l.server(w.near, NEAR, 4001, bye)
    p = start_limited(w, 128, 128, *NO_MORE)
    s = w.app.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    s.settimeout(20)
    s.connect((NEAR, 4000))
    s.shutdown(1)
    p.wait_line("tcp .*:4000.*: ")      # the flow has ended, and what is left is the stack's
    for _ in range(40):
        with tcp(w.app, NEAR, 4001) as c:
            c.sendall(b"x")
            assert read_all(c) == b"bye"
    assert read_all(s) == content
    s.close()
    w.stop(p)


def test_few_descriptors(l):
    """Where the limit of descriptors cannot be raised, connections beyond it are not refused: they wait until others
    end, and those that are open live on."""
    w = World(l)
    sites(w)
    l.server(w.near, NEAR, 7, lab.echo)
    p = start_limited(w, 128, 128, *NO_MORE)
    ones = [tcp(w.app, NEAR, 7) for _ in range(48)]
    more = []
    for _ in range(90):
        s = w.app.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.setblocking(False)
        s.connect_ex((NEAR, 7))
        more.append(s)

    def live():
        for s in ones:
            s.sendall(b"live")
        for s in ones:
            assert read_exactly(s, 4) == b"live"

    def connected():
        """Those of the others that are; none may have failed."""
        done = select.select([], more, [], 0)[1]
        errors = [s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for s in done]
        assert not any(errors), errors
        return done

    live()
    assert not connected(), "more connections than the limit allows"
    p.wait_line(r"a limit was met: .* 48 TCP connections of 48")
    for s in ones[:12]:
        s.close()
    del ones[:12]

    def twelve():
        live()
        return len(connected()) >= 12

    lab.until(twelve, "connections that waited to be made", seconds=30)
    assert engine_of(p)
    for s in ones + more:
        s.close()
    w.stop(p)
    assert "connections and" in p.text, p.text


def raise_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 10000)), hard))


def test_6000_datagram_sockets(l):
    """More associations than there is room for: the oldest idle ones go, new ones are not shut out for long."""
    w = World(l)
    sites(w)
    heard = set()
    l.server(w.near, NEAR, 9000, lambda data, peer: heard.add(data), socket.SOCK_DGRAM)
    with running(w) as p:
        mine, injector = tun_address(w), Injector(w)
        before = private(p)

        def most_are_heard():
            # A flood may lose datagrams in any queue on its way: those that were not heard are sent again.
            for i in range(6000):
                if b"%d" % i not in heard:
                    injector.send(ip4(mine, NEAR, 17, datagram(mine, NEAR, 10000 + i, 9000, b"%d" % i)))
            injector.drain()
            return len(heard) >= 4000

        lab.until(most_are_heard, "4,000 of 6,000 sockets to be heard")
        grown = private(p) - before
        assert grown < 60 * MB, f"{grown / MB:.0f} MB for 6,000 sockets"

        def one_more():
            injector.send(ip4(mine, NEAR, 17, datagram(mine, NEAR, 9999, 9000, b"one more")))
            injector.drain()
            return b"one more" in heard

        lab.until(one_more, "a new socket's datagram to pass")
        works(w)
        injector.close()


def test_mtus(l):
    """Any MTU of the device carries everything."""
    w = World(l)
    sites(w)
    content = noise(2 * MB)
    for address in BOTH:
        l.server(w.near, address, 4000, lambda c, _: c.sendall(read_all(c)))
        l.server(w.near, address, 7, lab.echo_datagram, socket.SOCK_DGRAM)
    for mtu in (1280, 1400, 9000, 65535):
        with running(w, mtu=mtu):
            assert f"mtu {mtu} " in w.app.run(f"ip link show {TUN}")
            for address in BOTH:
                with tcp(w.app, address, 4000) as s, udp(w.app, address) as u:
                    got = []
                    at_once([lambda: (s.sendall(content), s.shutdown(1)), lambda: got.append(read_all(s))])
                    assert got == [content], (mtu, address, len(got[0]))
                    for n in (1200, 5000, 20000):
                        u.sendto(content[:n], (address, 7))
                        assert u.recv(65535) == content[:n], (mtu, address, n)


def test_narrow_path(l):
    """Behind the router the link is narrower than it says at first: path MTU discovery is the engine's."""
    w = World(l)
    w.router.sysctl("net.ipv4.icmp_ratelimit", 0)
    content = noise(2 * MB)
    for space, dev in ((w.router, "near"), (w.near, "eth0")):
        space.run(f"ip link set {dev} mtu 1300")
    for address in BOTH:
        l.server(w.near, address, 4000, lambda c, _: c.sendall(read_all(c)))
        l.server(w.near, address, 7, lab.echo_datagram, socket.SOCK_DGRAM)
    with running(w):
        for address in BOTH:
            with tcp(w.app, address, 4000) as s:
                got = []
                at_once([lambda: (s.sendall(content), s.shutdown(1)), lambda: got.append(read_all(s))])
                assert got == [content], (address, len(got[0]))
            with udp(w.app, address, seconds=1) as u:
                def asked():
                    u.sendto(content[:1450], (address, 7))
                    try:
                        return u.recv(65535) == content[:1450]
                    except TimeoutError:
                        return False        # the first of them teaches the way's width
                lab.until(asked, f"1,450 bytes to {address} and back")
                for n in (1000, 1400, 8000):
                    u.sendto(content[:n], (address, 7))
                    assert u.recv(65535) == content[:n], (address, n)


def test_crowd_at_the_door(l):
    """The device keeps what comes at once while the engine has no processor: a first packet of each of 1,500."""
    w = World(l)
    came = set()
    l.server(w.near, NEAR, 7, lambda data, _: came.add(data), socket.SOCK_DGRAM)
    with running(w) as p, udp(w.app, NEAR) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * MB)
        os.kill(engine_of(p), signal.SIGSTOP)
        for i in range(1500):
            s.sendto(b"%d" % i, (NEAR, 7))
        lost = json.loads(w.app.run(f"ip -j -s link show {TUN}"))[0]["stats64"]["tx"]["dropped"]
        os.kill(engine_of(p), signal.SIGCONT)
        assert lost == 0, f"the device dropped {lost}"
        lab.until(lambda: came, "one of them to arrive")


def test_full_uplink(l):
    """Datagrams for which a slow link has no room are lost, as any sender's are: nothing turns in a circle meanwhile,
    and what comes later passes."""
    w = World(l)
    came = set()
    l.server(w.near, NEAR, 7, lambda data, _: came.add(data[:4]), socket.SOCK_DGRAM)
    with running(w) as p, udp(w.app, NEAR) as s:
        s.settimeout(None)
        engine = engine_of(p)
        w.app.run("tc qdisc add dev eth0 root tbf rate 8mbit burst 3000 limit 6000")
        began, used = time.monotonic(), processor_time(engine)
        while time.monotonic() < began + 2:     # twice what the link carries
            for _ in range(20):
                s.sendto(b"some".ljust(1000), (NEAR, 7))
            select.select([], [], [], 0.01)
        used = (processor_time(engine) - used) / (time.monotonic() - began)
        print(f"        {used:.0%} of a processor", flush=True)
        lab.until(lambda: b"some" in came, "one of them to arrive")
        assert used < 0.5, f"{used:.0%} of a processor"
        w.app.run("tc qdisc del dev eth0 root")

        def later():
            s.sendto(b"late", (NEAR, 7))
            return b"late" in came

        lab.until(later, "one that comes later")


count_exactly()
lab.main(test_slow_reader, test_budget, test_slow_server, test_short_connections, test_ports_again, test_2000_open,
         test_descriptors_raised, test_too_few_descriptors, test_few_memory, test_tail_beside_short_ones, test_few_descriptors,
         test_6000_datagram_sockets, test_mtus, test_narrow_path, test_full_uplink,
         test_crowd_at_the_door)
