# SPDX-License-Identifier: MIT
"""Machines with two links: what the kernel carries of a direct flow leaves by the one that its first packet took."""
import contextlib
import socket

from direct import TUN, World, lab, tcp, udp
from handed import BOTH, heard, kernel, said

SECOND, SECOND6 = "198.18.1.1", "2001:db8:f1::1"        # the router, by eth1
MANY = [a for i in range(100, 108) for a in (f"192.0.2.{i}", f"2001:db8:a::{i}")]


def two_links(w):
    w.lab.link(w.app, "eth1", f"198.18.1.2/24 2001:db8:f1::2/64", w.router, "app1", f"{SECOND}/24 {SECOND6}/64")
    for dev in ("all", "eth0", "eth1"):
        w.app.sysctl(f"net.ipv4.conf.{dev}.rp_filter", 2)


def echoes_at(w, addresses):
    for address in addresses:
        if address not in BOTH:
            w.near.ip(f"addr add {address}/{64 if ':' in address else 24} dev eth0" + " nodad" * (":" in address))
        w.lab.server(w.near, address, 7, lab.echo)
        w.lab.server(w.near, address, 7, lab.echo_datagram, socket.SOCK_DGRAM)


@contextlib.contextmanager
def carried(w, flows):
    """What is done within is so many flows, of each the device sees one packet; gives how often each link began one."""
    began = {}
    with lab.Sniffer(w.app, TUN) as device, lab.Sniffer(w.app, "eth0") as first, lab.Sniffer(w.app, "eth1") as second:
        yield began
    for name, s in (("eth0", first), ("eth1", second)):
        ends = {(q.proto, q.src, q.sport, q.dst) for q in s.seen(lambda q: q.outgoing and q.dport == 7)}
        began[name] = len(ends)
    assert sum(began.values()) == flows, began
    seen = device.seen(lambda q: q.dport == 7)
    assert len(seen) == flows, seen


def words(w, address):
    """One connection, and one socket's datagrams."""
    with tcp(w.app, address, 7, seconds=5) as s:
        for _ in range(3):
            said(s, b"word")
    with udp(w.app, address, seconds=5) as u:
        for i in range(3):
            heard(u, b"%d" % i, (address, 7))


def test_equal_routes(l):
    """Two default routes of the same worth, chosen between by addresses or by ports as well."""
    w = World(l)
    two_links(w)
    echoes_at(w, MANY)
    w.app.run(f"ip route replace default nexthop via 198.18.0.1 dev eth0 nexthop via {SECOND} dev eth1")
    w.app.run("ip -6 route del default")
    w.app.run(f"ip -6 route add default nexthop via 2001:db8:f::1 dev eth0 nexthop via {SECOND6} dev eth1")
    with kernel(w):
        for policy in (0, 1):
            for family in ("ipv4", "ipv6"):
                w.app.sysctl(f"net.{family}.fib_multipath_hash_policy", policy)
            with carried(w, 2 * len(MANY)) as began:
                for address in MANY:
                    words(w, address)
            assert began["eth0"] and began["eth1"], began


def test_rules_for_ports(l):
    """Somebody routes by ports and protocols: what is asked for by the kernel's own flows, too."""
    w = World(l)
    two_links(w)
    echoes_at(w, BOTH)
    for v, gateway in ((4, SECOND), (6, SECOND6)):
        w.app.run(f"ip -{v} route add default via {gateway} dev eth1 table 200")
    with kernel(w):
        for selector in ("dport 7", "ipproto tcp dport 7", "ipproto udp", "sport 1024-65534"):
            for v in (4, 6):
                w.app.run(f"ip -{v} rule add pref 32000 {selector} lookup 200")
            with carried(w, 4) as began:
                for address in BOTH:
                    words(w, address)
            assert began["eth1"] == (4 if "ip" not in selector else 2), (selector, began)
            for v in (4, 6):
                w.app.run(f"ip -{v} rule del pref 32000")


lab.main(test_equal_routes, test_rules_for_ports)
