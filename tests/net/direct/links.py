# SPDX-License-Identifier: MIT
"""Machines with two links: what the kernel carries of a direct flow leaves by the one that its first packet took."""
import contextlib
import json
import re
import socket

from direct import NEAR, NEAR6, SLUICE, TUN, World, lab, sites, tcp, udp
from handed import BOTH, heard, kernel, killed, said

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


BY_USER = "the machine routes by user (ip -%d rule 32000)"


def add_rules(w, verb, selector):
    for v in (4, 6):
        w.app.run(f"ip -{v} rule {verb} {selector} lookup 200")


def direct_of(w):
    d = json.loads(w.app.run([SLUICE, "status", "--json", "--state", w.app.state]))["direct"]
    return [(d[v], d[v + "_why"]) for v in ("ipv4", "ipv6")]


def works_for(w, user):
    for address in (NEAR, NEAR6):
        host = f"[{address}]" if ":" in address else address
        w.app.run(f"setpriv --reuid {user} --clear-groups curl -sS -m 10 http://{host}/")


def test_rules_for_users(l):
    """Somebody routes by user, which the kernel does not know of the engine's packets: sluice carries, and says why."""
    w = World(l)
    two_links(w)
    sites(w)
    for v, gateway in ((4, SECOND), (6, SECOND6)):
        w.app.run(f"ip -{v} route add default via {gateway} dev eth1 table 200")
    stack = [("stack", BY_USER % v) for v in (4, 6)]
    add_rules(w, "add", "pref 32000 uidrange 1234-1234")
    p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"}), wait=False)
    assert p.wait() == 1 and 'sluice.direct: "kernel": ' + BY_USER % 4 in p.text, p.text
    with kernel(w, way="auto") as p:
        for v in (4, 6):
            p.wait_line(re.escape(f"direct IPv{v} flows are carried by sluice itself: " + BY_USER % v), again=True)
        assert direct_of(w) == stack, direct_of(w)
        for user in (1234, 1235, 0):
            works_for(w, user)


def test_rules_that_come(l):
    """The same while sluice runs: what the kernel carries ends, and what is new works; and back. What a rule before
    ours leads elsewhere does not come to sluice at all."""
    w = World(l)
    two_links(w)
    sites(w)
    echoes_at(w, BOTH)
    for v, gateway in ((4, SECOND), (6, SECOND6)):
        w.app.run(f"ip -{v} route add default via {gateway} dev eth1 table 200")
    p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"}))
    add_rules(w, "add", "pref 100 uidrange 1234-1234")
    works_for(w, 1234)
    assert direct_of(w) == [("kernel", None)] * 2, direct_of(w)
    add_rules(w, "del", "pref 100 uidrange 1234-1234")
    ones = [tcp(w.app, address, 7, seconds=5) for address in BOTH]
    for s in ones:
        said(s, b"before")
    others = [(udp(w.app, address, seconds=5), (address, 7)) for address in BOTH]
    for u, to in others:
        for word in (b"1", b"2", b"3"):
            heard(u, word, to)
    add_rules(w, "add", "pref 32000 uidrange 1234-1234")
    for v in (4, 6):
        p.wait_line(re.escape(f"direct IPv{v} flows are carried by sluice itself from now on: " + BY_USER % v), again=True)
    assert direct_of(w) == [("stack", BY_USER % v) for v in (4, 6)], direct_of(w)
    for s in ones:
        try:
            said(s, b"after")
            raise lab.Failed("a connection of the kernel's goes on")
        except (ConnectionAbortedError, ConnectionResetError):
            pass
    with lab.Sniffer(w.app, TUN) as device:
        for u, to in others:
            for i in range(10):
                heard(u, b"%d" % i, to)
        device.wait(lambda q: q.proto == 17 and q.outgoing and q.dst == NEAR6 and q.body == b"9", "the last of them")
        seen = device.seen(lambda q: q.proto == 17 and q.outgoing and q.dst in BOTH)
        assert len(seen) >= 20, seen
    for user in (1234, 0):
        works_for(w, user)
    killed(w, p)
    assert direct_of(w) == [("stack", BY_USER % v) for v in (4, 6)], direct_of(w)
    works_for(w, 1234)
    add_rules(w, "del", "pref 32000 uidrange 1234-1234")
    for v in (4, 6):
        p.wait_line(f"direct IPv{v} flows are carried by the kernel again", again=True)
    assert direct_of(w) == [("kernel", None)] * 2, direct_of(w)
    with carried(w, 4):
        for address in BOTH:
            words(w, address)
    assert p.stop() == 0 and "Sanitizer" not in p.text, p.text


lab.main(test_equal_routes, test_rules_for_ports, test_rules_for_users, test_rules_that_come)
