# SPDX-License-Identifier: MIT
"""Without autoSystemRoutingTable the user leads networks into the device by hand: the engine's own way out never
leads there, and everything is undone at the end."""
from direct import FAR, FAR6, NEAR, NEAR6, TUN, World, engine_of, fetch, lab, running, sites, works


def start(w):
    tun = {"tag": "tun", "protocol": "tun", "settings": {
        "name": TUN, "mtu": 1500, "gateway": ["198.19.0.1/30", "2001:db8:e::1/126"], "autoSystemRoutingTable": []}}
    return running(w, inbounds=[tun])


def flows(w, p):
    """Sockets of the engine that are connected, or want to be."""
    lines = w.app.run("ss -Hntup state established state syn-sent").splitlines()
    return sum(f"pid={engine_of(p)}," in line for line in lines)


def led(l, *routes):
    w = World(l)
    sites(w)
    before = w.app.system()
    with start(w) as p:
        assert TUN not in w.app.run(f"ip route get {NEAR}")
        works(w, NEAR), works(w, NEAR6)
        for route in routes:
            w.app.route(f"{route} dev {TUN}")
        assert TUN in w.app.run(f"ip route get {NEAR}") and TUN in w.app.run(f"ip -6 route get {NEAR6}")
        with lab.Sniffer(w.app, TUN) as s:
            for address in (NEAR, NEAR6):
                works(w, address)
                w.app.run(f"ping -n -c 1 -W 5 {address}")
            mine = s.seen(lambda q: q.dst in (NEAR, NEAR6) and q.proto == 6 and q.payload[13] & 0x3f == 2)
            assert len(mine) == 2, f"{len(mine)} SYNs went into the device for two connections: {mine}"
        works(w, FAR), works(w, FAR6)
        lab.until(lambda: flows(w, p) == 0, "the engine's sockets to be closed")
    lab.equal(w.app.system(), before, "after the end")


def test_hosts(l):
    led(l, f"{NEAR}/32", f"{NEAR6}/128")


def test_everything(l):
    led(l, "0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1")


def test_before_the_machine_s_default(l):
    """A default route with a better metric, as a VPN client would set it."""
    w = World(l)
    sites(w)
    w.app.run("ip route del default")
    w.app.route("default via 198.18.0.1 metric 100")
    with start(w):
        w.app.route(f"default dev {TUN}")
        w.app.route(f"::/0 dev {TUN} metric 1")
        works(w, NEAR), works(w, NEAR6)


def test_by_a_rule_before_ours(l):
    """The engine is led into the device by a rule that nothing of ours can precede: refused, not round and round."""
    w = World(l)
    sites(w)
    with start(w) as p:
        w.app.route(f"default dev {TUN} table 100")
        w.app.run(f"ip rule add pref 1 to {NEAR} lookup 100")
        with lab.Sniffer(w.app, TUN) as s:
            assert fetch(w, NEAR, "--connect-timeout 2")[0] != 0
            ports = {q.sport for q in s.seen(lambda q: q.dst == NEAR and q.proto == 6)}
            assert len(ports) == 1, ports
        assert flows(w, p) <= 1
        works(w, NEAR6), works(w, FAR)
        w.app.run("ip rule del pref 1")


lab.main(test_hosts, test_everything, test_before_the_machine_s_default, test_by_a_rule_before_ours)
