# SPDX-License-Identifier: MIT
"""Connections from a host that is not directly connected into the application's host: SSH to a headless machine."""
import os
import signal
import socket
import threading

from direct import APP, APP6, FAR, NEAR, SLUICE, World, engine_of, lab, noise, read_exactly, sites, tcp, tcp_error, udp, works


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


lab.main(test_rp_filter_0, test_rp_filter_1, test_rp_filter_2, test_to_vmess_by_default, test_after_a_kill)
