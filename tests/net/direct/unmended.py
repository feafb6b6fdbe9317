# SPDX-License-Identifier: MIT
"""Somebody takes our rule sets away, and they cannot be put back: until they are, nothing is the kernel's."""
import contextlib
import os

from direct import World, lab, sites, tcp, tun_address, udp, works
from handed import BOTH, direct_of, echoes, heard, said, wrap_nft

CHECK = '[ -e %s ] && { echo "Error: nothing can be changed" >&2; exit 1; }'
WHY = "somebody changed our firewall rules, and they cannot be put back"


def has_ended(s):
    with contextlib.suppress(TimeoutError):
        try:
            said(s, b"after")
        except (ConnectionAbortedError, ConnectionResetError):
            return True
    return False


def breakable(l):
    """A sluice that carries in the kernel, and the file that keeps its tables from being put back while it is there."""
    w = World(l)
    sites(w)
    echoes(w)
    flag = os.path.join(l.dir, "broken")
    wrap_nft(w, CHECK % flag)
    p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"}))
    return w, p, flag


def test_unmended(l):
    """What is new works by the stack, what ran ends, nothing leaves untranslated, and status says so; once the
    tables can be put back the kernel carries again."""
    w, p, flag = breakable(l)
    tun = {tun_address(w), tun_address(w, True)}
    assert direct_of(w) == {("kernel", None)}, direct_of(w)
    streams = [tcp(w.app, address, 7, seconds=2) for address in BOTH]
    datagrams = [udp(w.app, address, seconds=1) for address in BOTH]
    for address, s, u in zip(BOTH, streams, datagrams):
        said(s, b"before")
        heard(u, b"before", (address, 7))
    open(flag, "w").close()
    w.app.run("nft flush ruleset")
    p.wait_line("they cannot be put back: .*nothing can be changed")
    assert direct_of(w) == {("stack", WHY)}, direct_of(w)
    with lab.Sniffer(w.app, "eth0") as out:
        for address, s, u in zip(BOTH, streams, datagrams):
            assert has_ended(s), "a connection of the kernel's"
            heard(u, b"after", (address, 7))
            works(w, address)
            with tcp(w.app, address, 7, seconds=5) as new:
                said(new, b"new")
            w.app.run(f"ping -n -c 1 -W 5 {address}")
        strange = out.seen(lambda q: q.src in tun)
        assert not strange, strange
    os.unlink(flag)
    p.wait_line("they are put back")
    assert direct_of(w) == {("kernel", None)}, direct_of(w)
    with lab.Sniffer(w.app, "tun7") as inside:
        for address in BOTH:
            works(w, address)
            with tcp(w.app, address, 7, seconds=5) as new:
                for _ in range(20):
                    said(new, b"word")
        assert len(inside.seen(lambda q: q.proto == 6 and q.dport == 7)) == 2, "the kernel carries nothing"
    assert p.stop() == 0 and "Sanitizer" not in p.text, p.text
    assert "sluice" not in w.app.run("nft list ruleset")
    assert "7371" not in w.app.run("ip rule") and "0x1ccb" not in w.app.run("ip rule")


def test_strictness(l):
    """Connection tracking becomes strict, and the tables cannot follow: that is said, and ends as above."""
    w, p, flag = breakable(l)
    s = tcp(w.app, BOTH[0], 7, seconds=2)
    said(s, b"before")
    open(flag, "w").close()
    loose = w.app.run("sysctl -n net.netfilter.nf_conntrack_tcp_loose").strip()
    w.app.sysctl("net.netfilter.nf_conntrack_tcp_loose", int(loose == "0"))
    p.wait_line("they cannot be put back: .*nothing can be changed")
    assert direct_of(w) == {("stack", WHY)}, direct_of(w)
    assert has_ended(s), "a connection of the kernel's"
    os.unlink(flag)
    p.wait_line("they are put back")
    assert direct_of(w) == {("kernel", None)}, direct_of(w)
    assert p.stop() == 0 and "Sanitizer" not in p.text, p.text


lab.main(test_unmended, test_strictness)
