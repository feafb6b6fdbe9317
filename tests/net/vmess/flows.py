# SPDX-License-Identifier: MIT
"""TCP through the device and a real V2Ray server: whole, in order, ended as the far side ended it."""
import itertools
import struct
import threading
import time

from vmess import (FAR, FAR6, MARKER, MB, NEAR, SECURITIES, World, at_once, flow_line, grind, lab, mill,
                   noise, nothing_twice, read_all, read_exactly, reset, reset_comes, running, stay_inside, tcp, web)

BOTH = (FAR, FAR6)


def world_with(l, *sites):
    """V2Ray runs, and `sites` serve: (port, serve)."""
    w = World(l)
    w.start_v2ray()
    for address, (port, serve) in itertools.product(BOTH, sites):
        l.server(w.far, address, port, serve)
    return w


def test_securities(l):
    """Each cipher, to both families; nothing but VMess is on the link."""
    w = world_with(l, (80, web("far")), (9, mill))
    for security in SECURITIES:
        # With `none` VMess carries the bytes as they are.
        word = "harmless" if security == "none" else MARKER.decode()
        with running(w, security=security) as p, lab.Sniffer(w.app, "eth0") as s:
            for address in BOTH:
                host = f"[{address}]" if ":" in address else address
                out = w.app.run(["curl", "-sS", "-m", "10", "-A", word, f"http://{host}/"])
                # The server asks, in its own name.
                assert out in ("far asked by 203.0.113.10\n", "far asked by 2001:db8:5::10\n"), out
                up, down = flow_line(p, "tcp", (address, 80), "proxy", "ended")
                assert up > 50 and down > 50, (up, down)
                grind(w.app, address, 9, MB)
            stay_inside(s)
            assert s.seen(lambda q: q.proto == 6 and len(q.body) > 0), "the sniffer saw nothing at all"


def test_large(l):
    """100 MB each way with one cipher, 20 with the others."""
    w = world_with(l, (9, mill))
    for security, size in zip(SECURITIES, (100, 20, 20)):
        with running(w, security=security) as p:
            grind(w.app, FAR, 9, size * MB)
            up, down = flow_line(p, "tcp", (FAR, 9), "proxy", "ended")
            assert (up, down) == (size * MB + 16, size * MB + 32), (up, down)
        nothing_twice(p)


def test_without_offload(l):
    """Whatever the device does for us, narrow and wide, the bytes are the same."""
    w = world_with(l, (9, mill))
    for mtu in (1280, 65535):
        for offload in (True, False):
            with running(w, mtu=mtu, offload=offload) as p:
                at_once([lambda a=a: grind(w.app, a, 9, 4 * MB) for a in BOTH])
            nothing_twice(p)


def test_200_at_once(l):
    w = world_with(l, (7, lab.echo))
    met = threading.Barrier(200, timeout=60)

    def talk(i):
        mine = noise(32768, seed=i)
        with tcp(w.app, BOTH[i % 2], 7, seconds=60) as s:
            met.wait()                                  # all are open at the same time
            s.sendall(mine)
            assert read_exactly(s, len(mine)) == mine, f"connection {i} got something else"

    with running(w):
        at_once([lambda i=i: talk(i) for i in range(200)])


def answer_late(connection, _peer):
    """Begins 3 s after the request is complete, which servers and clients have been seen to cut off."""
    seconds, size = struct.unpack("!BQ", read_exactly(connection, 9))
    time.sleep(seconds)
    connection.sendall(noise(size))


def test_write_side_shut(l):
    """A request whose writer has shut its side gets its whole answer, also a late and a large one."""
    w = world_with(l, (9, answer_late))

    def ask(address, seconds, size):
        with tcp(w.app, address, 9) as s:
            s.sendall(struct.pack("!BQ", seconds, size))
            s.shutdown(1)
            got = read_all(s)
            assert got == noise(size), f"{len(got)} of {size} bytes came {seconds} s after the end"

    with running(w) as p:
        at_once([lambda a=a, s=s: ask(a, s, 20 * MB if s else 2 * MB) for a in BOTH for s in (0, 3)])
        assert flow_line(p, "tcp", (FAR6, 9), "proxy", "ended")[0] == 9


def test_closed(l):
    """An application that has closed is found out, though its server says nothing; one that still reads is waited for."""
    w = world_with(l, (9, answer_late))
    with running(w) as p:
        gone, patient = tcp(w.app, FAR, 9), tcp(w.app, FAR, 9)
        with patient:
            with gone:
                gone.sendall(struct.pack("!BQ", 100, 1))
            patient.sendall(struct.pack("!BQ", 6, 1000))
            patient.shutdown(1)
            assert flow_line(p, "tcp", (FAR, 9), "proxy", "closed by the application") == (9, 0)
            assert read_all(patient) == noise(1000)
        assert flow_line(p, "tcp", (FAR, 9), "proxy", "ended") == (9, 1000)


def test_server_speaks_first(l):
    """A banner comes without a word from the application, and the talk goes on for seconds."""
    pauses = (0, 0.2, 1.5)

    def serve(connection, _peer):
        connection.sendall(b"SSH-2.0-here\r\n")
        for i, pause in enumerate(pauses):
            assert read_exactly(connection, 2) == b"%02d" % i
            time.sleep(pause)                           # longer than a server waits for a half that ended
            connection.sendall(b"ok%02d" % i)
        connection.sendall(b"bye")

    w = world_with(l, (22, serve))

    def talk(address):
        with tcp(w.app, address, 22) as s:
            began = time.monotonic()
            assert read_exactly(s, 14) == b"SSH-2.0-here\r\n"
            assert time.monotonic() - began < 2, "the banner was kept waiting"
            for i, pause in enumerate(pauses):
                time.sleep(pause)
                s.sendall(b"%02d" % i)
                assert read_exactly(s, 4) == b"ok%02d" % i
            assert read_all(s) == b"bye"

    # Without sniffing nothing waits for the application's first bytes; with it, 100 ms at most.
    for sniffing in (None, {"enabled": True, "destOverride": ["http", "tls"]}):
        with running(w, sniffing=sniffing) as p:
            at_once([lambda a=a: talk(a) for a in BOTH])
            assert flow_line(p, "tcp", (FAR, 22), "proxy", "ended") == (2 * len(pauses), 14 + 4 * len(pauses) + 3)


def test_endings(l):
    """An end is an end, and a reset from the far side is a reset, early and late."""
    def end(connection, _peer):
        read_exactly(connection, 1)
        connection.sendall(b"the end")

    def end_silent(connection, _peer):
        read_exactly(connection, 1)

    def fall(connection, _peer):
        read_exactly(connection, 1)
        # Little, since V2Ray does not see a reset behind much; and it has arrived when the
        # application says so.
        connection.sendall(noise(1000))
        read_exactly(connection, 1)
        reset(connection)

    def fall_silent(connection, _peer):
        read_exactly(connection, 1)
        reset(connection)

    w = world_with(l, (1, end), (2, end_silent), (3, fall), (4, fall_silent))

    def begin(port, address=FAR):
        s = tcp(w.app, address, port)
        s.sendall(b"?")
        return s

    with running(w) as p:
        for address in BOTH:
            with begin(1, address) as s:
                assert read_all(s) == b"the end"
            with begin(3, address) as s:
                assert read_exactly(s, 1000) == noise(1000)
                s.sendall(b"!")
                assert reset_comes(s) == b""
            flow_line(p, "tcp", (address, 3), "proxy", "far side: ")
            with begin(4, address) as s:
                assert reset_comes(s) == b""
            # V2Ray does not tell a target that ended without a byte from one that it did not reach.
            with begin(2, address) as s:
                assert reset_comes(s) == b""
        # Nobody listens there: VMess cannot say so before, and a reset says it afterwards.
        with begin(5) as s:
            assert reset_comes(s) == b""
        flow_line(p, "tcp", (FAR, 5), "proxy", "far side: the VMess server did not reach the target")


def test_application_resets(l):
    """A reset by the application ends the far side's connection too, and only that one."""
    ended = threading.Event()

    def serve(connection, _peer):
        connection.sendall(b"go")
        try:
            while connection.recv(65536):
                pass
        finally:
            ended.set()

    w = world_with(l, (9, serve), (7, lab.echo))
    with running(w) as p:
        other = tcp(w.app, FAR, 7)
        s = tcp(w.app, FAR, 9)
        assert read_exactly(s, 2) == b"go"
        s.sendall(b"something")
        reset(s)
        flow_line(p, "tcp", (FAR, 9), "proxy", "reset by the application")
        assert ended.wait(10), "the far side did not hear of it"
        other.sendall(b"still here")
        assert read_exactly(other, 10) == b"still here"
        other.close()


def test_rules(l):
    """Near goes directly and far by VMess, and the log says by which rule."""
    w = world_with(l, (80, web("far")))
    l.server(w.near, NEAR, 80, web("near"))
    rules = [{"port": "1-2", "outboundTag": "block"},
             {"ruleTag": "home", "ip": ["geoip:xa"], "outboundTag": "direct"}]
    with running(w, rules=rules) as p:
        assert w.app.run(f"curl -sS -m 10 http://{NEAR}/") == "near asked by 198.18.0.2\n"
        assert w.app.run(f"curl -sS -m 10 http://{FAR}/") == "far asked by 203.0.113.10\n"
        flow_line(p, "tcp", (NEAR, 80), "direct", "ended", rule=r"rule 1 \(home\)")
        flow_line(p, "tcp", (FAR, 80), "proxy", "ended")


lab.main(test_securities, test_large, test_without_offload, test_200_at_once, test_write_side_shut, test_closed,
         test_server_speaks_first, test_endings, test_application_resets, test_rules)
