# SPDX-License-Identifier: MIT
"""The machine's resolver is taken over while sluice runs, and put back byte for byte however it ends."""
import os
import signal

from names import FAR, NEAR, ROUTER, Resolver, World, addresses, lab, nameservers, running
from talk import engine_of
from world import SLUICE

# Odd on purpose: comments, options, no newline at the end.
THEIRS = f"# made by hand\n\nsearch example.test\toffice.example.test\nnameserver {ROUTER}\noptions ndots:2 timeout:3\n; end"
ZONE = {"site.example.test": [FAR]}


def world(l):
    w = World(l)
    w.resolver = Resolver(l, w.router, ROUTER, ZONE)
    w.app.resolv(THEIRS)
    assert addresses(w.app, "site.example.test") == {FAR}
    return w


def check_taken(w):
    """Applications ask into the device, and what else stood in the file still holds."""
    found = nameservers(w.app)
    assert found and ROUTER not in found, w.app.resolv_text()
    for at in found:
        assert "tun7" in w.app.run(f"ip route get {at}"), at
    w.resolver.asked.clear()
    assert addresses(w.app, "site.example.test") == {FAR}
    # "site" alone is found by the suffix.
    assert addresses(w.app, "site") == {FAR}, w.app.resolv_text()
    assert w.resolver.asked


def check_back(w, before):
    lab.equal(w.app.resolv_text(), THEIRS, "resolv.conf")
    lab.equal(w.app.system(), before, "the system")
    assert addresses(w.app, "site.example.test") == {FAR}


def test_stop(l):
    """After an end in order, and again after a second run."""
    w = world(l)
    before = w.app.system()
    for _ in range(2):
        with running(w, first="direct"):
            check_taken(w)
        check_back(w, before)


def test_engine_killed(l):
    """A new engine takes it over again, and still knows whom to ask."""
    w = world(l)
    before = w.app.system()
    p = w.start(w.config(first="direct"))
    for _ in range(2):
        check_taken(w)
        engine = engine_of(p)
        os.kill(engine, signal.SIGKILL)
        p.wait_line(rf"process {engine}\) was ended by signal 9")
        p.wait_line("engine: ready")
    check_taken(w)
    assert p.stop() == 0, p.text
    check_back(w, before)


def test_both_killed(l):
    """Nothing is lost when nobody could tidy up: `recover` does, and so does the next start."""
    w = world(l)
    before = w.app.system()
    for next_one in ("recover", "run"):
        p = w.start(w.config(first="direct"))
        check_taken(w)
        both = [p.pid, engine_of(p)]
        for pid in both:
            os.kill(pid, signal.SIGKILL)
        p.wait()
        lab.until(lambda: not os.path.exists(f"/proc/{both[1]}"))
        assert ROUTER not in nameservers(w.app)
        if next_one == "recover":
            w.app.run([SLUICE, "recover", "--state", w.app.state])
        else:
            with running(w, first="direct"):
                check_taken(w)
        check_back(w, before)


def test_others_write(l):
    """What somebody else has written meanwhile, such as a DHCP client, is what is put back; until then it is ours."""
    w = world(l)
    with running(w, first="direct") as p:
        check_taken(w)
        for i in (1, 2):
            new = f"# by DHCP, {i}\nnameserver {ROUTER}\nsearch example.test\n"
            w.app.resolv(new)
            p.wait_line("somebody wrote over sluice's resolv.conf; it has taken its place again")
            check_taken(w)
    lab.equal(w.app.resolv_text(), new, "resolv.conf")


def test_left_alone(l):
    """No routes, no resolver: who asks for a bare device gets one."""
    w = world(l)
    path = w.config(first="direct")
    with open(path) as f:
        text = f.read()
    at = text.index('"autoSystemRoutingTable": [')
    end = text.index("]", at) + 1
    with open(path, "w") as f:
        f.write(text[:at] + '"autoSystemRoutingTable": []' + text[end:])
    p = w.start(path)
    assert w.app.resolv_text() == THEIRS
    w.stop(p)
    assert w.app.resolv_text() == THEIRS


lab.main(test_stop, test_engine_killed, test_both_killed, test_others_write, test_left_alone)
