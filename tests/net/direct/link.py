# SPDX-License-Identifier: MIT
"""What stays on the physical link, and which link that is."""
import errno
import socket
import struct

from direct import APP, FAR, NEAR, NEAR6, TUN, World, fetch, lab, running, sites, tcp, tcp_error, works

UDP = socket.SOCK_DGRAM


def say(w, address, port, data, dev=None):
    six = ":" in address
    s = w.app.socket(socket.AF_INET6 if six else socket.AF_INET, UDP)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    scope = w.app.inside(socket.if_nametoindex, dev) if dev else 0
    s.sendto(data, (address, port, 0, scope) if six else (address, port))
    s.close()


NOISE = (("224.0.0.251", 5353), ("224.0.0.1", 9), ("239.255.255.250", 1900), ("239.1.2.3", 9), ("232.1.1.1", 9),
         ("255.255.255.255", 67), ("198.18.0.255", 9), ("169.254.7.7", 9), ("ff02::fb", 5353), ("ff02::1:2", 547),
         ("ff05::c", 1900), ("ff0e::1", 9))


def test_noise_stays_on_the_link(l):
    w = World(l)
    sites(w)
    # A neighbour on the link, with a link-local address.
    local = [x.split()[3].split("/")[0] for x in w.router.run("ip -6 -o addr show dev app scope link").splitlines()][0]
    with running(w), lab.Sniffer(w.app, "eth0") as link, lab.Sniffer(w.app, TUN) as tun:
        for i, (address, port) in enumerate(NOISE):
            say(w, address, port, b"noise %d;" % i, "eth0" if address.startswith("ff02") else None)
        say(w, local, 9, b"noise 90;", "eth0")
        say(w, "198.18.0.1", 9, b"noise 91;")           # the neighbour by its ordinary address
        say(w, NEAR, 9, b"no noise;")
        for i, where in [*enumerate(NOISE), (90, (local, 9)), (91, ("198.18.0.1", 9))]:
            word = b"noise %d;" % i
            if i == 7:      # nobody has 169.254.7.7: the link is asked who does, or the router gets it
                assert not tun.seen(lambda p: word in p.data), where
                continue
            link.wait(lambda p: p.outgoing and p.body == word, f"{where} on the link")
            assert not tun.seen(lambda p: word in p.data), f"{where} went into the device"
        # The control: what belongs into the device was seen there.
        tun.wait(lambda p: b"no noise;" in p.data, "a datagram for a site in the device")
        works(w)


def test_noise_comes_in(l):
    """Multicast and broadcast from the link reach who listens, under a strict reverse path filter too."""
    w = World(l)
    for name in ("all", "default", "eth0"):
        w.app.sysctl(f"net.ipv4.conf.{name}.rp_filter", 1)
    with running(w):
        group, six = w.app.socket(socket.AF_INET, UDP), w.app.socket(socket.AF_INET6, UDP)
        group.settimeout(10), six.settimeout(10)
        group.bind(("", 5353))
        # Without naming an interface, as many programs do: the kernel looks up the route to the group.
        group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + bytes(4))
        assert "224.0.0.251" in w.app.run("ip maddr show dev eth0")
        six.bind(("::", 5354))
        index = w.app.inside(socket.if_nametoindex, "eth0")
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                       socket.inet_pton(socket.AF_INET6, "ff02::fb") + struct.pack("@I", index))
        s = w.router.socket(socket.AF_INET, UDP)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("198.18.0.1"))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.sendto(b"to the group", ("224.0.0.251", 5353))
        assert group.recvfrom(100) == (b"to the group", ("198.18.0.1", s.getsockname()[1]))
        s.sendto(b"to all", ("198.18.0.255", 5353))
        data, peer = group.recvfrom(100)
        assert data == b"to all"
        # And the answer goes back to the neighbour.
        s.settimeout(10)
        group.sendto(b"answer", peer)
        assert s.recv(100) == b"answer"
        s.close()
        s = w.router.socket(socket.AF_INET6, UDP)
        s.sendto(b"to the group", ("ff02::fb", 5354, 0, w.router.inside(socket.if_nametoindex, "app")))
        assert six.recv(100) == b"to the group"
        for x in (s, group, six):
            x.close()


def second_link(w):
    w.lab.link(w.app, "eth1", "198.18.9.2/24 2001:db8:9::2/64", w.router, "app2", "198.18.9.1/24 2001:db8:9::1/64")


def test_a_new_default_route(l):
    """The next connection uses it; so does the one after it has gone."""
    w = World(l)
    sites(w)
    second_link(w)
    with running(w):
        works(w), works(w, NEAR6)
        assert fetch(w, NEAR) == (0, f"near asked by {APP}\n")
        w.app.run("ip route replace default via 198.18.9.1 dev eth1")
        w.app.run("ip -6 route del default")
        w.app.run("ip -6 route add default via 2001:db8:9::1 dev eth1")
        assert fetch(w, NEAR) == (0, "near asked by 198.18.9.2\n"), fetch(w, NEAR)
        assert fetch(w, NEAR6) == (0, "near asked by 2001:db8:9::2\n"), fetch(w, NEAR6)
        # A better metric, as a network manager sets it for a cable beside a radio.
        w.app.run("ip route replace default via 198.18.9.1 dev eth1 metric 600")
        w.app.run("ip route del default via 198.18.9.1 dev eth1 metric 0")
        w.app.run("ip route add default via 198.18.0.1 dev eth0 metric 100")
        assert fetch(w, FAR) == (0, f"far asked by {APP}\n"), fetch(w, FAR)
        w.app.run("ip link set eth0 down")
        assert fetch(w, FAR) == (0, "far asked by 198.18.9.2\n"), fetch(w, FAR)


def test_no_route_and_back(l):
    """Without any network a connection fails at once, as it would without us, and later works again.  What the engine
    sends never comes back by the device."""
    w = World(l)
    sites(w)
    with running(w), lab.Sniffer(w.app, TUN) as s:
        works(w)
        w.app.run("ip route del default")
        w.app.run("ip -6 route del default")
        since = s.count()
        for address in (NEAR, NEAR6):
            number, seconds = tcp_error(w.app, address, 80, seconds=5)
            assert number in (errno.ENETUNREACH, errno.EHOSTUNREACH) and seconds < 1, f"{address}: {number}"
            say(w, address, 9, b"anybody?")
            assert w.app.call(f"ping -n -c 1 -W 1 {address}")[0] == 1
        packets = s.seen(lambda p: p.outgoing and p.dst in (NEAR, NEAR6), since)
        assert len([p for p in packets if p.proto == 6]) == 2, packets
        assert len([p for p in packets if p.proto == 17]) == 2, packets
        assert len([p for p in packets if p.proto in (1, 58)]) == 2, packets
        w.app.route("default via 198.18.0.1")
        w.app.route("default via 2001:db8:f::1")
        works(w), works(w, NEAR6)


def test_rules_of_the_machine(l):
    """A default route that stands in another table, where a rule of the machine's leads, is a way out too."""
    w = World(l)
    sites(w)
    for six, via in (("", "198.18.0.1"), ("-6", "2001:db8:f::1")):
        w.app.run(f"ip {six} route del default")
        w.app.run(f"ip {six} route add default via {via} table 100")
        w.app.run(f"ip {six} rule add from all lookup 100 pref 20000")
    with running(w) as p:
        works(w), works(w, NEAR6)
        p.wait_line(r"198\.19\..*-> 192\.0\.2\.80:80")       # through the device


def test_link_lost_and_found(l):
    """A connection lives through a cable that is out for a moment."""
    w = World(l)
    l.server(w.near, NEAR, 7, lab.echo)
    with running(w), tcp(w.app, NEAR, 7) as s:
        s.sendall(b"before")
        assert s.recv(100) == b"before"
        w.router.run("ip link set app down")
        s.sendall(b"during")
        w.router.run("ip link set app up")
        w.router.call("ip -6 addr add 2001:db8:f::1/64 dev app nodad")
        assert s.recv(100) == b"during"


lab.main(test_noise_stays_on_the_link, test_noise_comes_in, test_a_new_default_route, test_no_route_and_back,
         test_rules_of_the_machine, test_link_lost_and_found)
