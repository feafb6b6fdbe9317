# SPDX-License-Identifier: MIT
"""Beside rule sets of others that change what ours depend on: flows that go directly take one way or the other."""
from direct import World, lab, tcp
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


lab.main(test_marks_restored)
