# SPDX-License-Identifier: MIT
"""Where applications' questions go, and that the answers come back whole."""
from names import (A, AAAA, FAR, FAR6, NEAR, ROUTER, Resolver, World, addresses, ask, lab, nameservers, outside,
                   running)

MANY = [f"192.0.2.{i}" for i in range(1, 120)]
ZONE = {"both.example.test": [FAR, FAR6], "four.example.test": [NEAR], "many.example.test": MANY}
ASIDE = "asked outside of the tunnel"


def check_answers(w):
    """All kinds of questions, as applications ask them."""
    assert ask(w.app, "both.example.test").addresses == [FAR]
    assert ask(w.app, "both.example.test", AAAA).addresses == [FAR6]
    none = ask(w.app, "four.example.test", AAAA)
    assert (none.rcode, none.addresses) == (0, [])
    assert ask(w.app, "nowhere.example.test").rcode == 3
    assert ask(w.app, "both.example.test", A, tcp=True).addresses == [FAR]
    cut = ask(w.app, "many.example.test")
    assert cut.truncated and not cut.addresses
    assert ask(w.app, "many.example.test", tcp=True).addresses == MANY
    assert addresses(w.app, "both.example.test") == {FAR, FAR6}
    assert addresses(w.app, "many.example.test") == set(MANY)
    # By IPv6 too, where the device has an address of ours.
    for at in nameservers(w.app):
        assert ask(w.app, "four.example.test", at=at).addresses == [NEAR], at


def test_by_vmess(l):
    """Servers of the configuration are asked by the rules: here through the tunnel, and unseen."""
    w = World(l)
    w.start_v2ray()
    far = Resolver(l, w.far, FAR, ZONE)
    own = Resolver(l, w.router, ROUTER, {})
    w.app.resolv(f"nameserver {ROUTER}\n")
    with running(w, dns={"servers": [FAR]}) as p, lab.Sniffer(w.app, "eth0") as s:
        check_answers(w)
        assert not outside(s), outside(s)[:5]
    assert {who for _, _, who, _ in far.asked} == {"server"}, far.asked
    assert far.ways("many.example.test") == {"udp", "tcp"}
    assert own.asked == []
    assert ASIDE not in p.text


def test_by_rule(l):
    """A rule sends them out directly, and so they are seen."""
    w = World(l)
    w.start_v2ray()
    far = Resolver(l, w.far, FAR, ZONE)
    w.app.resolv(f"nameserver {ROUTER}\n")
    rules = [{"port": 53, "outboundTag": "direct"}]
    with running(w, dns={"servers": [FAR]}, rules=rules) as p, lab.Sniffer(w.app, "eth0") as s:
        check_answers(w)
        assert all(q.dst == FAR or q.src == FAR for q in outside(s))
        assert outside(s)
    assert {who for _, _, who, _ in far.asked} == {"app"}
    assert ASIDE not in p.text


def test_machine_far(l):
    """Without servers in the configuration the machine's own is asked; one that is not on its own network
    can be asked through the tunnel, and is."""
    w = World(l)
    w.start_v2ray()
    far = Resolver(l, w.far, FAR, ZONE)
    w.app.resolv(f"nameserver {FAR}\n")
    for dns in ({}, {"servers": ["localhost"]}):
        far.asked.clear()
        with running(w, dns=dns) as p, lab.Sniffer(w.app, "eth0") as s:
            check_answers(w)
            assert not outside(s), outside(s)[:5]
        assert {who for _, _, who, _ in far.asked} == {"server"}
        assert ASIDE not in p.text


def test_machine_near(l):
    """The machine's own resolver on its own network cannot be asked through a tunnel. It is asked directly,
    and one line says so, unless a rule was written for it."""
    w = World(l)
    w.start_v2ray()
    own = Resolver(l, w.router, ROUTER, ZONE)
    w.app.resolv(f"nameserver {ROUTER}\n")
    everything = {"network": "tcp,udp", "outboundTag": "proxy"}
    named = {"ip": [ROUTER], "outboundTag": "proxy"}
    cases = [
        # configuration, who asks, lines in the log
        ({}, "app", 1),
        ({"rules": [everything]}, "app", 1),
        ({"rules": [{"port": "0-65535", "outboundTag": "proxy"}]}, "app", 1),
        ({"dns": {"servers": ["localhost"]}}, "app", 1),
        ({"rules": [{"ip": ["geoip:private"], "outboundTag": "direct"}]}, "app", 0),
        ({"first": "direct"}, "app", 0),
        ({"rules": [named]}, "server", 0),
        ({"dns": {"servers": [ROUTER]}}, "server", 0),
    ]
    for config, who, lines in cases:
        own.asked.clear()
        with running(w, **config) as p:
            check_answers(w)
        assert {who for _, _, who, _ in own.asked} == {who}, (config, own.asked)
        said = [x for x in p.lines if ASIDE in x]
        assert len(said) == lines, (config, said)
        assert all(f"warning engine: {w.app.dir}/config.json: " in x and ROUTER in x and "dns.servers" in x
                   for x in said), said


def test_blocked(l):
    """A rule that takes resolvers away holds for the machine's own as well."""
    w = World(l)
    own = Resolver(l, w.router, ROUTER, ZONE)
    w.app.resolv(f"nameserver {ROUTER}\n")
    with running(w, rules=[{"port": 53, "outboundTag": "block"}]):
        try:
            ask(w.app, "both.example.test", seconds=2)
            raise AssertionError("an answer came")
        except (lab.Failed, ConnectionRefusedError):
            pass
    assert own.asked == []


def test_loopback(l):
    """Resolvers on the machine itself, such as dnsmasq, are asked over its loopback."""
    for address in ("127.0.0.1", "127.0.0.53", "127.0.1.1", "::1"):
        w = World(lab_again(l))
        w.start_v2ray()
        own = Resolver(w.lab, w.app, address, ZONE)
        w.app.resolv(f"# here\nnameserver {address}\n")
        for first in ("proxy", "direct"):
            with running(w, first=first) as p, lab.Sniffer(w.app, "eth0") as s:
                check_answers(w)
                assert not outside(s), outside(s)[:5]
            assert (ASIDE in p.text) == (first == "proxy"), p.text
        assert {who for _, _, who, _ in own.asked} == {"app"}, own.asked
        w.lab.close()


def lab_again(l):
    """A laboratory of its own, which goes with the first one."""
    other = lab.Lab()
    l.closers.append(other.close)
    return other


def test_hosts(l):
    """Names of the configuration are answered here; nobody else is asked for them."""
    w = World(l)
    own = Resolver(l, w.router, ROUTER, ZONE)
    w.app.resolv(f"nameserver {ROUTER}\n")
    hosts = {"here.example.test": [NEAR, FAR6], "only4.example.test": NEAR, "alias.example.test": "here.example.test"}
    with running(w, first="direct", dns={"hosts": hosts}):
        for name in ("here.example.test", "alias.example.test"):
            assert ask(w.app, name, A).addresses == [NEAR]
            assert ask(w.app, name, AAAA).addresses == [FAR6]
        none = ask(w.app, "only4.example.test", AAAA)
        assert (none.rcode, none.addresses) == (0, [])
        assert addresses(w.app, "here.example.test") == {NEAR, FAR6}
        assert ask(w.app, "four.example.test").addresses == [NEAR]
    assert {name for name, _, _, _ in own.asked} == {"four.example.test"}, own.asked


def test_second_server(l):
    """A server that says nothing is followed by the next one."""
    w = World(l)
    first, second = Resolver(l, w.near, NEAR, ZONE), Resolver(l, w.far, FAR, ZONE)
    first.silent = True
    w.app.resolv(f"nameserver {ROUTER}\n")
    with running(w, first="direct", dns={"servers": [NEAR, FAR]}):
        assert ask(w.app, "both.example.test").addresses == [FAR]
        count = len(first.asked)
        assert count >= 1
        # From now on the one that answers comes first.
        assert ask(w.app, "four.example.test").addresses == [NEAR]
        assert len(first.asked) == count
        second.silent, first.silent = True, False
        assert ask(w.app, "four.example.test", AAAA).rcode == 0


lab.main(test_by_vmess, test_by_rule, test_machine_far, test_machine_near, test_blocked, test_loopback, test_hosts,
         test_second_server)
