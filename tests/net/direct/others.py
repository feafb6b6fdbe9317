# SPDX-License-Identifier: MIT
"""Beside rule sets of others that change what ours depend on: flows that go directly take one way or the other."""
from direct import APP, APP6, World, lab, tcp
from handed import BOTH, echoes, kernel, said

OUTPUT = "type route hook output priority mangle"
PREROUTING = "type filter hook prerouting priority mangle"
POSTROUTING = "type filter hook postrouting priority mangle"


def table(w, *chains):
    """A table of somebody else's; each chain is its hook and its rule."""
    text = "\n".join(f"chain c{i} {{\n{hook};\n{rule}\n}}" for i, (hook, rule) in enumerate(chains))
    w.app.run("nft -f -", input=f"table inet other {{\n{text}\n}}\n".encode())


def words(w):
    """A few words each way, with both families."""
    for address in BOTH:
        with tcp(w.app, address, 7) as s:
            for _ in range(3):
                said(s, b"word")


def test_marks_restored(l):
    """The mark of a connection is put on its packets, and kept there, as for the choice among several links."""
    restore, save = "meta mark set ct mark", "ct state new ct mark set meta mark"
    either = ((OUTPUT, restore),), ((PREROUTING, restore),), \
        tuple((hook, "ct mark != 0 " + restore) for hook in (OUTPUT, PREROUTING)) + ((POSTROUTING, save),)
    w = World(l)
    echoes(w)
    for chains in either:
        table(w, *chains)                       # before ours, at the same priority
        with kernel(w):
            words(w)
            w.app.run("nft delete table inet other")
            table(w, *chains)                   # behind ours
            words(w)
        w.app.run("nft delete table inet other")


def test_way_back(l):
    """A firewall asks for the route back before connections are tracked, as for IPv6 it does."""
    neighbours = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept\n"
    w = World(l)
    echoes(w)
    for own in (APP, APP6):
        l.server(w.app, own, 22, lab.echo)
    table(w, ("type filter hook prerouting priority raw", neighbours + "fib saddr . mark . iif oif missing drop"))
    for way in ("kernel", "stack"):
        with kernel(w, way=way):
            words(w)
            for address, own in zip(BOTH, (APP, APP6)):
                w.app.run(f"ping -n -c 1 -W 5 {address}")
                with tcp(w.near, own, 22) as s:
                    said(s, b"from outside")


lab.main(test_marks_restored, test_way_back)
