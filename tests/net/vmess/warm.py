# SPDX-License-Identifier: MIT
"""Connections that are made before they are needed (sluice.warm): whatever becomes of them, no flow notices."""
from vmess import FAR, VMESS_PORT, World, config, lab, noise, read_exactly, tcp, vmess
from world import SLUICE

WARM = 2
READY = r"debug engine: a connection is ready \(proxy, 203\.0\.113\.10:10086\)"


def warm_world(l, **policy):
    w = World(l)
    w.start_v2ray(policy=policy)
    l.server(w.far, FAR, 7, lab.echo)
    return w


def start(w, warm=WARM):
    """sluice, when as many are ready."""
    p = w.start(w.config(sluice={"warm": warm}, log={"loglevel": "debug"}))
    talk(w)
    wait_ready(p, warm)
    return p


def wait_ready(p, n):
    for _ in range(n):
        p.wait_line(READY)


def talk(w, seed=0):
    with tcp(w.app, FAR, 7) as s:
        word = noise(2000, seed=seed)
        s.sendall(word)
        assert read_exactly(s, len(word)) == word


def unused(w):
    """The connections to the server that have carried nothing yet, by their ports here."""
    out = w.app.run(f"ss -HtniO state established dport = :{VMESS_PORT}")
    return {line.split()[2].rsplit(":", 1)[1] for line in out.splitlines() if "bytes_sent" not in line}


def test_used_and_replaced(l):
    """The header leaves on a connection that is there, and another one takes its place."""
    w = warm_world(l)
    p = start(w)
    assert len(unused(w)) == WARM, unused(w)
    with lab.Sniffer(w.app, "eth0") as s:
        for seed in range(3):
            before = unused(w)
            since = s.count()
            talk(w, seed)
            said = s.wait(lambda q: q.proto == 6 and q.dport == VMESS_PORT and q.body, since=since)
            assert {str(q.sport) for q in said} <= before, (said, before)
            wait_ready(p, 1)
            assert len(unused(w)) == WARM, unused(w)
    # They hold the outbound, and are gone in the end.
    w.stop(p)


def test_server_that_is_strict(l):
    """It waits 2 s for a header. That is learnt when it was seen twice; no flow meets its end, and a machine that rests has none left."""
    w = warm_world(l, handshake=2)
    p = start(w)
    lab.until(lambda: not unused(w), "them to be closed by the server")
    talk(w, 4)
    wait_ready(p, WARM)
    said = p.wait_line(r"\(proxy, .*\) closes connections without a header early: they are kept ready for (\d+) ms")
    assert 1000 < int(said[1]) < 1600, said[0]
    assert not unused(w), unused(w)
    with lab.Sniffer(w.app, "eth0") as s:
        talk(w, 1)
        wait_ready(p, WARM)
        talk(w, 2)
        since = s.count()
        lab.until(lambda: not unused(w), "them to be closed")
        ends = s.wait(lambda q: q.proto == 6 and q.dport == VMESS_PORT and q.payload[13] & 1, "our ends", since=since)
        assert ends
    talk(w, 3)
    w.stop(p)


def test_server_that_restarts(l):
    """Those that it had are dead, however young, and the next flow gets a new one, as do those after it."""
    w = warm_world(l)
    p = start(w)
    for seed in (1, 2):
        w.v2ray.stop()
        lab.until(lambda: not unused(w), "the server's ends")
        w.start_v2ray()
        talk(w, seed)
        wait_ready(p, WARM)
        assert len(unused(w)) == WARM, unused(w)
    assert "without a header" not in p.text, p.text
    w.stop(p)


def test_address_that_changes(l):
    """A connection from an address that the machine has no more is not used, though nothing has said that it is dead."""
    w = warm_world(l)
    p = start(w)
    assert len(unused(w)) == WARM, unused(w)
    w.app.run("ip addr del 198.18.0.2/24 dev eth0")
    w.app.run("ip addr add 198.18.0.3/24 dev eth0")
    w.app.route("default via 198.18.0.1")
    talk(w, 1)
    w.stop(p)


def start_limited(w, servers, *limit):
    """sluice with so many VMess outbounds of 16 each; what it has said when it is ready."""
    path = config(w, [vmess(f"proxy{i}") for i in range(1, servers)], sluice={"warm": 16})
    p = w.app.start([*limit, SLUICE, "run", "-c", path, "--state", w.app.state])
    p.wait_line(r"\bready\b")
    w.stop(p)
    return p.text


def test_descriptors_of_many(l):
    """They never have most of them; and root gets enough for them, too, and not a word of a limit."""
    w = World(l)
    drop = ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource")
    text = start_limited(w, 20, "prlimit", "--nofile=400:400", *drop)
    assert "the limit of 400 descriptors allows 222 connections and 74 UDP" in text, text
    assert "2 connections of each VMess outbound are kept ready, and not 16" in text, text
    many = 30000
    if w.app.call(["prlimit", f"--nofile={many}:{many}", "true"])[0] == 0:
        text = start_limited(w, 4)
        assert "descriptors" not in text, text


lab.main(test_used_and_replaced, test_server_that_is_strict, test_server_that_restarts, test_address_that_changes,
         test_descriptors_of_many)
