# SPDX-License-Identifier: MIT
"""Somebody else takes away what is ours: the rules, the routes, the addresses, the device."""
import contextlib
import os
import signal
import socket
import time

from keeper import CONFIG, World, lab
from kill import Prober, is_probe

# By a shell; what an administrator, a script or systemd-networkd does.
REMOVALS = (
    "ip rule del pref 7373",
    "ip -6 rule del pref 7373",
    "ip route flush table 7370",
    "ip -6 route flush table 7370",
    "ip rule flush; ip rule add pref 32766 lookup main; ip rule add pref 32767 lookup default",
    "ip -6 rule flush; ip -6 rule add pref 32766 lookup main",
    "ip rule del pref 7374; ip -6 rule del pref 7370",
    "ip rule del pref 32765 fwmark 7370 lookup main suppress_ifgroup 7370",
    "ip rule del pref 7371 oif tun7; ip -6 rule del pref 7371 oif tun7",
    "ip route del default table 7372; ip -6 route flush table 7372",
    "ip route del unreachable default table 7370 metric 2147483647",
    "ip addr flush dev tun7",
    "ip -6 addr flush dev tun7",
    "ip link set tun7 down",
    "ip link set tun7 down; ip link set tun7 up",
)


def most_lines(began):
    """What the log may say since then, however often somebody changed something."""
    return 8 * (time.monotonic() - began + 1)


def state(w):
    """All but the order of addresses."""
    return "\n".join(sorted(w.box.system().splitlines()))


def undone(w, during, what):
    try:
        lab.until(lambda: state(w) == during)
    except lab.Failed:
        lab.equal(state(w), during, f"after {what}")


def test_removals(l):
    """All is there again a moment later, the log says so, and then nothing leaves past the device."""
    w = World(l)
    before = w.box.system()
    with lab.Sniffer(w.router, "r0") as s:
        p = w.start()
        during = state(w)
        prober = Prober(w.box)
        prober.more()
        astray = []
        for what in REMOVALS:
            since = s.count()
            w.box.run(["sh", "-c", what])
            p.wait_line("somebody changed our device, addresses, routes or routing rules.*they are put back")
            undone(w, during, what)
            back = s.count()
            prober.more()
            assert not s.seen(is_probe, back), (what, s.seen(is_probe, back)[:5])
            astray.append((len(s.seen(is_probe, since)), what))
        print("left in clear meanwhile:", [x for x in astray if x[0]])
        # Each of three is sent every 2 ms.
        assert all(n < 150 for n, _ in astray), astray
        prober.stop()
        assert p.stop() == 0, p.text
    lab.equal(w.box.system(), before, "after SIGTERM")


def test_again_and_again(l):
    """Somebody removes a rule as often as he can: in the end it is there, and the log is not filled."""
    w = World(l)
    p = w.start()
    during = state(w)
    began = time.monotonic()
    w.box.run(["sh", "-c", "for i in $(seq 200); do ip rule del pref 7373 2>&-; ip route flush table 7370 2>&-; done; true"])
    undone(w, during, "the end")
    assert p.stop() == 0, p.text
    said = [x for x in p.lines if "put back" in x]
    assert 0 < len(said) <= most_lines(began), p.text


def test_old_connection(l):
    """What began inside does not go on outside for the moment until the rules are back; what began outside in that
    moment comes inside then, though of an IPv6 route that was added no socket is told."""
    w = World(l)
    p = w.start()
    for address in ("203.0.113.9", "2001:db8:2::9"):
        l.server(w.far, address, 4242, lambda data, peer: None, socket.SOCK_DGRAM)
    ends = (("198.18.0.1", "192.0.2.2", "203.0.113.9"), ("2001:db8:7::1", "2001:db8:1::2", "2001:db8:2::9"))
    with lab.Sniffer(w.router, "r0") as s, contextlib.ExitStack() as stack:
        # The moment lasts as long as the keeper is stopped.
        p.send(signal.SIGSTOP)
        w.box.run(["sh", "-c", "ip rule del pref 7373; ip -6 route flush table 7370"])
        begun = []
        for tun, link, to in ends:
            family = socket.AF_INET6 if ":" in to else socket.AF_INET
            for source in (tun, link):
                u = stack.enter_context(w.box.socket(family, socket.SOCK_DGRAM))
                u.bind((source, 0))
                u.connect((to, 4242))
                with contextlib.suppress(PermissionError):      # what the firewall does not let out
                    u.send(b"probe")
                begun.append(u)
            s.wait(lambda q, link=link: is_probe(q) and q.src == link, "what has the link's address")
            assert not s.seen(lambda q, tun=tun: q.src == tun), s.packets
        p.send(signal.SIGCONT)
        p.wait_line("they are put back")
        since = s.count()
        for u in begun:
            u.send(b"probe")
        # Whatever leaves has left when this has been answered.
        w.box.run("ping -c 1 -W 5 192.0.2.1")
        assert not s.seen(is_probe, since), s.seen(is_probe, since)
    assert p.stop() == 0, p.text


def test_device_goes(l):
    """Nothing can be put back there: sluice ends, says why, undoes all, and its status is that of a failure."""
    w = World(l)
    before = w.box.system()
    for what in ("ip link del tun7", "ip link set tun7 down; ip link set tun7 name other"):
        p = w.start()
        w.box.run(["sh", "-c", what])
        assert p.wait() == 1, p.text
        assert "somebody removed the device tun7" in p.text, p.text
        lab.equal(w.box.system(), before, "after the end")
        assert os.listdir(w.box.state) == ["lock"], os.listdir(w.box.state)


def test_settings(l):
    """The settings that marks need are put back, and at the end they are what they were before sluice."""
    w = World(l)
    names = ("net.ipv4.conf.all.src_valid_mark", "net.ipv4.tcp_fwmark_accept")
    before = [w.box.run(f"sysctl -n {x}") for x in names]
    p = w.start()
    for name in names:
        w.box.sysctl(name, 0)
        p.wait_line(f"somebody set {name} to 0; it is put back to 1")
        assert w.box.run(f"sysctl -n {name}") == "1\n"
    # Somebody goes on and on.
    began, since = time.monotonic(), len(p.lines)
    somebody = w.box.start(["sh", "-c", "while :; do echo 0 >/proc/sys/net/ipv4/tcp_fwmark_accept; done"])
    p.wait_line(r"put back to 1 \(again and again\)")
    somebody.kill()
    lab.until(lambda: w.box.run(f"sysctl -n {names[1]}") == "1\n")
    said = [x for x in p.lines[since:] if "put back" in x]
    assert len(said) <= most_lines(began), len(said)
    assert p.stop() == 0, p.text
    assert [w.box.run(f"sysctl -n {x}") for x in names] == before


def test_by_hand(l):
    """Where nothing is led into the device but by the user's own routes, the engine's way out is put back."""
    w = World(l)
    p = w.start(CONFIG.replace("routes 46", "routes 0") + "ready\n")
    during = state(w)
    for what in ("ip rule del pref 7371", "ip route flush table 7371", "ip -6 route flush table 7371", "ip link set tun7 down"):
        w.box.run(["sh", "-c", what])
        undone(w, during, what)
    assert p.stop() == 0, p.text


if __name__ == "__main__":
    lab.main(test_removals, test_again_and_again, test_old_connection, test_device_goes, test_settings, test_by_hand)
