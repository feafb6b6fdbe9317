# SPDX-License-Identifier: MIT
"""Names of servers are asked for before the tunnel is there, and never through it."""
import os
import signal

from names import A, AAAA, FAR, FAR6, NEAR, ROUTER, SERVER, SERVER6, Resolver, World, ask, lab, running, web
from talk import engine_of

NAME = "vmess.example.test"
MANY = [SERVER] + [f"203.0.113.{i}" for i in range(100, 199)]


def world(l, addresses, at=NEAR):
    """The outbound's server has a name; the machine's resolver is beyond the router."""
    w = World(l)
    w.start_v2ray(listen="::")
    l.server(w.far, FAR, 80, web("far"))
    l.server(w.far, FAR6, 80, web("far"))
    w.resolver = Resolver(l, w.router if at == ROUTER else w.near, at, {NAME: addresses, "site.example.test": [FAR]})
    w.app.resolv(f"nameserver {at}\n")
    return w


def fetch(w, address=FAR):
    return w.app.call(f"curl -sS -m 10 http://{address if ':' not in address else '[' + address + ']'}/")


def test_never_through_the_tunnel(l):
    """The machine itself asks for the server's name, while applications' questions go through the tunnel."""
    w = world(l, [SERVER])
    with running(w, address=NAME, dns={"servers": [NEAR]}):
        for address in (FAR, FAR6):
            status, out = fetch(w, address)
            assert status == 0 and "asked by" in out, (status, out)
        assert ask(w.app, "site.example.test").addresses == [FAR]
        # An application may ask for it too, as for any other name.
        assert ask(w.app, NAME).addresses == [SERVER]
    by = {who for name, _, who, _ in w.resolver.asked if name == "site.example.test"}
    assert by == {"server"}, by
    first = [x for x in w.resolver.asked if x[0] == NAME]
    assert first[0][2] == "app" and {x[1] for x in first if x[2] == "app"} == {A, AAAA}, first
    assert len([x for x in first if x[2] == "app"]) == 2, "what was known was asked for again"


def test_only_a_family(l):
    """A server with one family of addresses."""
    for addresses in ([SERVER], [SERVER6]):
        with lab.Lab() as other:
            w = world(other, addresses)
            with running(w, address=NAME):
                assert fetch(w)[0] == 0, addresses


def test_cut_answer(l):
    """An answer that is too large for a datagram comes by TCP."""
    w = world(l, MANY)
    with running(w, address=NAME):
        assert fetch(w)[0] == 0
    assert ("tcp", "app") in {(way, who) for _, _, who, way in w.resolver.asked}


def test_hosts(l):
    """The configuration may know the server's address by itself: nobody is asked."""
    w = world(l, ["192.0.2.1"])
    with running(w, address=NAME, dns={"hosts": {NAME: SERVER}}):
        assert fetch(w)[0] == 0
    assert w.resolver.asked == []


def test_no_answer_at_first(l):
    """A resolver that does not know, or says nothing, costs the connections of that time, and no later ones."""
    w = world(l, None)
    del w.resolver.zone[NAME]
    with running(w, address=NAME) as p:
        status, out = fetch(w)
        assert status == 7, (status, out)
        p.wait_line(rf"not opened: .*{NAME}")
        w.resolver.zone[NAME] = [SERVER]
        lab.until(lambda: fetch(w)[0] == 0, "the name to be asked for again")


def test_after_the_engine_died(l):
    """The new engine asks the machine's resolver, and not the one that applications are told to ask."""
    w = world(l, [SERVER])
    p = w.start(w.config(address=NAME))
    assert fetch(w)[0] == 0
    w.resolver.asked.clear()
    engine = engine_of(p)
    os.kill(engine, signal.SIGKILL)
    p.wait_line(rf"process {engine}\) was ended by signal 9")
    p.wait_line("engine: ready")
    assert fetch(w)[0] == 0
    assert {x[2] for x in w.resolver.asked if x[0] == NAME} == {"app"}, w.resolver.asked
    assert p.stop() == 0, p.text


lab.main(test_never_through_the_tunnel, test_only_a_family, test_cut_answer, test_hosts, test_no_answer_at_first,
         test_after_the_engine_died)
