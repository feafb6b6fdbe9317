# SPDX-License-Identifier: MIT
"""Connections from a host that is not directly connected into the application's host: SSH to a headless machine."""
import os
import signal
import socket
import threading

from direct import (APP, APP6, FAR, NEAR, SLUICE, TUN, World, engine_of, lab, noise, read_exactly, running, sites, tcp,
                    tcp_error, udp, works)


class Session:
    """A connection from `far` that says something and wants it back."""

    def __init__(self, w, address, port=22):
        self.socket, self.n = tcp(w.far, address, port), 0

    def talk(self, size=20):
        self.n += 1
        want = noise(size, seed=self.n)
        threading.Thread(target=self.socket.sendall, args=(want,), daemon=True).start()
        got = read_exactly(self.socket, size)
        assert got == want, "something else came back"


def serve(w, rp_filter):
    for name in ("all", "default", "eth0"):
        w.app.sysctl(f"net.ipv4.conf.{name}.rp_filter", rp_filter)
    for address in (APP, APP6):
        w.lab.server(w.app, address, 22, lab.echo)
        w.lab.server(w.app, address, 7, lab.echo_datagram, socket.SOCK_DGRAM)
    sites(w)


def young(w):
    """What comes in new."""
    for address in (APP, APP6):
        s = Session(w, address)
        s.talk()
        s.talk(300000)
        s.socket.close()
        with udp(w.far, address) as u:
            u.sendto(b"hello", (address, 7))
            assert u.recv(100) == b"hello"
        status, out = w.far.call(f"ping -n -c 1 -W 5 {address}")
        assert status == 0, out
        assert tcp_error(w.far, address, 23)[0] == 111         # ECONNREFUSED


def through_life(l, rp_filter):
    w = World(l)
    serve(w, rp_filter)
    old = [Session(w, a) for a in (APP, APP6)]
    quiet = [Session(w, a) for a in (APP, APP6)]        # say nothing until the end
    for s in old:
        s.talk()
    p = w.start(w.config(first="direct"))
    for s in old:
        s.talk(100000)
    young(w)
    works(w, NEAR), works(w, FAR)
    os.kill(engine_of(p), signal.SIGKILL)
    for s in old:
        s.talk()
    young(w)
    p.wait_line("ready")
    works(w, FAR)
    status = p.stop()
    assert status == 0 and "Sanitizer" not in p.text, p.text
    for s in old + quiet:
        s.talk(100000)
        s.socket.close()
    young(w)


def test_rp_filter_0(l):
    through_life(l, 0)


def test_rp_filter_1(l):
    through_life(l, 1)


def test_rp_filter_2(l):
    through_life(l, 2)


def test_to_vmess_by_default(l):
    """Also where everything else goes to VMess, whose server cannot be reached."""
    w = World(l)
    serve(w, 1)
    old = Session(w, APP)
    p = w.start(w.config())
    old.talk()
    young(w)
    w.stop(p)
    old.talk()


def test_after_a_kill(l):
    """Keeper and engine are dead, and their routes say "unreachable"; one can still log in and repair it."""
    w = World(l)
    serve(w, 1)
    old = Session(w, APP)
    p = w.start(w.config(first="direct"))
    during = Session(w, APP)
    during.talk()
    p.kill()
    lab.until(lambda: w.app.call("ip link show tun7")[0] != 0, "the device to go")
    during.talk()
    Session(w, APP).talk(300000), Session(w, APP6).talk(300000)
    status, out = w.app.call([SLUICE, "recover", "--state", w.app.state])
    assert status == 0, out
    for s in (old, during):
        s.talk()
    young(w)


def test_wildcard_datagrams(l):
    """A server on all addresses, which names no source for its answers, is heard by a client far away: from the
    address that was asked, and not by way of the device.  Clients of before the start, too."""
    w = World(l)
    sites(w)
    for address in ("0.0.0.0", "::"):
        l.server(w.app, address, 9 if ":" in address else 7, lab.echo_datagram, socket.SOCK_DGRAM)
    ports = {APP: 7, APP6: 9}
    for name in ("all", "default", "eth0"):
        w.app.sysctl(f"net.ipv4.conf.{name}.rp_filter", 1)

    def ask(u, address, word):
        u.sendto(word, (address, ports[address]))
        data, peer = u.recvfrom(100)
        assert data == word and peer[:2] == (address, ports[address]), (data, peer)

    old = {a: udp(w.far, a) for a in ports}
    for address, u in old.items():
        ask(u, address, b"before")
    before = w.app.system()
    with running(w):
        for turn in range(3):
            for address, u in old.items():
                ask(u, address, b"old %d" % turn)
                with udp(w.far, address) as young:
                    ask(young, address, b"young")
                    ask(young, address, b"again")
        works(w, NEAR)
    for address, u in old.items():
        ask(u, address, b"after")
        u.close()
    lab.equal(w.app.system(), before, "after the end")


def test_no_way_opened_from_outside(l):
    """Who forges a datagram from a server that is asked through the device does not make the questions leave beside it."""
    w = World(l)
    with udp(w.far, FAR, bind=(FAR, 3478)) as server, udp(w.app, FAR, bind=("0.0.0.0", 40000)) as u, \
            lab.Sniffer(w.router, "app") as s:
        p = w.start(w.config(first="block"))
        server.sendto(b"forged", (APP, 40000))
        assert u.recv(100) == b"forged"
        with lab.Sniffer(w.app, TUN) as inside:
            for _ in range(3):
                u.sendto(b"a question", (FAR, 3478))
            lab.until(lambda: inside.seen(lambda q: b"a question" in q.data) or
                      s.seen(lambda q: b"a question" in q.data), "the questions")
        w.far.run(f"ping -n -c 1 -W 5 {APP}")
        left = s.seen(lambda q: b"a question" in q.data)
        assert not left, left
        w.stop(p)


lab.main(test_wildcard_datagrams, test_no_way_opened_from_outside, test_rp_filter_0, test_rp_filter_1, test_rp_filter_2, test_to_vmess_by_default, test_after_a_kill)
