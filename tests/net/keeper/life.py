# SPDX-License-Identifier: MIT
"""Start and stop: what is there while it runs, and that nothing is left."""
import os
import re
import signal
import socket

from keeper import CONFIG, RESOLV, World, lab


def test_start_and_stop(l):
    w = World(l)
    before = w.box.system()
    p = w.start()
    rules = w.box.run("ip -4 rule") + w.box.run("ip -6 rule")
    for part in ("7370:\tfrom all fwmark 0x1cca goto 7374", "7371:\tfrom all uidrange", "lookup main suppress_prefixlength 0",
                 "fwmark 0x1cca lookup main suppress_ifgroup 7370", "fwmark 0x1cca lookup 7371", "fwmark 0x1cca unreachable",
                 "7370:\tfrom all fwmark 0x80001cca blackhole", "7371:\tfrom all oif tun7 lookup 7372", "7373:\tfrom all lookup 7370", "7374:\tfrom all nop"):
        assert rules.count(part) == 2, f"{part} in\n{rules}"
    routes = w.box.run("ip -4 route show table 7370")
    for part in ("default dev tun7", "unreachable default", "throw 224.0.0.0/4", "throw 169.254.0.0/16",
                 "throw 255.255.255.255"):
        assert part in routes, routes
    routes = w.box.run("ip -6 route show table 7370")
    for part in ("default dev tun7", "unreachable default", "throw ff00::/8", "throw fe80::/10"):
        assert part in routes, routes
    for family, hop, noise in ((4, "192.0.0.8", "throw 224.0.0.0/4"), (6, "fe80::1cca", "throw ff00::/8")):
        routes = w.box.run(f"ip -{family} route show table 7372")
        assert f"default via {hop} dev tun7" in routes and noise in routes, routes
    assert "tun7" not in w.box.run("ip -6 route show table local type multicast")
    assert "table inet sluice" in w.box.run("nft list ruleset")
    # The copy of the machine's default routes is for devices that are led to by hand (direct/byhand.py).
    for family in (4, 6):
        assert "table 7371" not in w.box.run(f"ip -{family} route show table all")
    link = w.box.run("ip addr show tun7")
    for part in ("mtu 1400", "198.18.0.1/15", "2001:db8:7::1/64", "UP"):
        assert part in link, link
    assert "fe80" not in link, link
    assert w.box.run("sysctl -n net.ipv4.conf.all.src_valid_mark").strip() == "1"
    text = w.box.resolv_text()
    servers = [x for x in text.splitlines() if x.startswith("nameserver")]      # the machine's own stand in comments
    assert servers == ["nameserver 198.18.0.53"] and "search example.org" in text, text
    said = p.text
    assert "before 192.0.2.1:53 search 'example.org example.net'" in said, said
    assert "before [2001:db8:1::1]:53" in said, said
    assert os.stat(w.box.state).st_mode & 0o777 == 0o700
    assert p.stop() == 0
    p.wait_line("engine: goodbye")
    lab.equal(w.box.system(), before, "after SIGTERM")
    assert os.listdir(w.box.state) == ["lock"], os.listdir(w.box.state)


def test_interrupt(l):
    w = World(l)
    before = w.box.system()
    assert w.start().stop(signal.SIGINT) == 0
    lab.equal(w.box.system(), before, "after SIGINT")


def test_other_signals(l):
    """Those that mean nothing are told of, and SIGQUIT is an end like any other."""
    w = World(l)
    before = w.box.system()
    p = w.start()
    for number, line in ((signal.SIGHUP, "SIGHUP changes nothing.*start it again"), (signal.SIGUSR1, "User defined signal 1"),
                         (signal.SIGUSR2, "User defined signal 2"), (signal.SIGALRM, "Alarm clock")):
        p.send(number)
        p.wait_line(line)
    # The device still answers for the route, and the program ends in order afterwards.
    assert "dev tun7" in w.box.run("ip route get 203.0.113.9 from 198.18.0.1")
    assert p.stop(signal.SIGQUIT) == 0
    lab.equal(w.box.system(), before, "after SIGQUIT")


def test_stubborn_engine(l):
    w = World(l)
    before = w.box.system()
    p = w.start(CONFIG + "stubborn\nready\n")
    assert p.stop() == 1
    assert "did not end by itself" in p.text, p.text
    lab.equal(w.box.system(), before, "after the kill")


def test_ill_engine(l):
    """An engine that finds something wrong with itself at the end is not passed over."""
    w = World(l)
    before = w.box.system()
    p = w.start(CONFIG + "ill\nready\n")
    assert p.stop() == 9
    assert "ended with status 9" in p.text, p.text
    lab.equal(w.box.system(), before, "after the end")


def test_second_sigterm_hurries(l):
    """Its engine is killed, which the status says; what was changed is undone all the same."""
    w = World(l)
    before = w.box.system()
    p = w.start(CONFIG + "stubborn\nready\n")
    p.send(signal.SIGTERM)
    p.send(signal.SIGINT)
    assert p.wait() == 1
    assert "asked to end twice" in p.text and "did not end by itself" not in p.text, p.text
    lab.equal(w.box.system(), before, "after the second signal")


def test_one_family(l):
    """What the device does not carry is refused, and does not leave beside it."""
    w = World(l)
    p = w.start(CONFIG.replace("routes 46", "routes 4") + "ready\n")
    with lab.Sniffer(w.router, "r0") as s:
        status, out = w.box.call("ping -c 1 -W 1 2001:db8:2::9")
        assert status != 0 and re.search("unreachable|No route", out), out
        # A neighbour is still one.
        w.box.run("ping -c 1 -W 5 2001:db8:1::1")
        assert not s.seen(lambda q: q.dst == "2001:db8:2::9"), s.packets
    assert p.stop() == 0


def test_lan_noise(l):
    """Multicast, broadcast and link-local stay on the link."""
    w = World(l)
    p = w.start()
    with lab.Sniffer(w.router, "r0") as s:
        u = w.box.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        u.sendto(b"group", ("239.1.2.3", 9999))
        u.sendto(b"all", ("255.255.255.255", 9998))
        # What has no route on the link itself: asked from the table, since nobody answers for it.
        route = w.box.run("ip route get 169.254.7.7")
        assert "dev eth0" in route, route
        s.wait(lambda q: q.dst == "239.1.2.3", "the group")
        s.wait(lambda q: q.dst == "255.255.255.255", "the broadcast")
        six = w.box.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        six.sendto(b"group", ("ff0e::1234", 9997))
        s.wait(lambda q: q.dst == "ff0e::1234", "the IPv6 group")
        u.close(), six.close()
    assert p.stop() == 0


def test_dhcp_renewal(l):
    """A DHCP client renews with a server behind the router by unicast, from its port."""
    w = World(l)
    p = w.start()
    with lab.Sniffer(w.router, "r0") as s:
        u = w.box.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind(("192.0.2.2", 68))
        u.sendto(b"renew", ("203.0.113.9", 67))
        s.wait(lambda q: q.dport == 67, "the renewal")
        u.close()
    assert p.stop() == 0


def test_notify(l):
    w = World(l)
    for path in (os.path.join(w.box.dir, "notify"), f"@{l.prefix}notify"):
        u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        u.settimeout(20)
        u.bind(path if path[0] == "/" else "\0" + path[1:])
        # The abstract namespace belongs to the network namespace.
        if path[0] == "@":
            u.close()
            u = w.box.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            u.settimeout(20)
            u.bind("\0" + path[1:])
        p = w.start(env={"NOTIFY_SOCKET": path})
        assert u.recv(100) == b"READY=1"
        assert p.stop() == 0
        assert u.recv(100) == b"STOPPING=1"
        u.close()


def test_no_name(l):
    """Without a name the system chooses one, and a restarted engine gets the same device."""
    w = World(l)
    p = w.start(CONFIG.replace("name tun7\n", "") + "ready\n")
    name = p.wait_line("engine: tun (tun[0-9]+)", again=True)[1]
    os.kill(p.engine, signal.SIGKILL)
    p.wait_line("ended by signal 9")
    assert p.wait_line("engine: tun (tun[0-9]+)")[1] == name
    p.wait_line("engine: ready")
    assert p.stop() == 0


def test_ipv6_off_for_new_devices(l):
    w = World(l)
    w.box.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
    p = w.start()
    assert "2001:db8:7::1/64" in w.box.run("ip addr show tun7")
    assert p.stop() == 0


lab.main(test_no_name, test_ipv6_off_for_new_devices, test_start_and_stop, test_interrupt, test_other_signals, test_stubborn_engine,
         test_ill_engine, test_second_sigterm_hurries, test_one_family, test_lan_noise, test_dhcp_renewal, test_notify)
