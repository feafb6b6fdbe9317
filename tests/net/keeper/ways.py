# SPDX-License-Identifier: MIT
"""The engine's own sockets leave by the physical link, and the engine has nothing of root's."""
import os
import socket

from keeper import CONFIG, World, lab

OWN = """\
connect 203.0.113.9:80
connect 203.0.113.9:81
connect [2001:db8:2::9]:80
udp 203.0.113.9:53
udp [2001:db8:2::9]:53
udp 203.0.113.9:54
udp [2001:db8:2::9]:54
ping 203.0.113.9
ping 2001:db8:2::9
ping 203.0.113.77
wayout 203.0.113.9
wayout 2001:db8:2::9
connect 203.0.113.9:80
ready
"""


def ways(l, rp_filter):
    w = World(l, rp_filter)
    for address in ("203.0.113.9", "2001:db8:2::9"):
        l.server(w.far, address, 80, lab.echo)
        l.server(w.far, address, 53, lab.echo_datagram, socket.SOCK_DGRAM)
    # Nobody has 203.0.113.77, and the router says so.
    w.router.route("unreachable 203.0.113.77/32")
    before = w.box.system()
    p = w.start(CONFIG + OWN)
    for line in (r"connect 203.0.113.9:80: from 192\.0\.2\.2:",
                 r"connect 203.0.113.9:81: Connection refused",
                 r"connect \[2001:db8:2::9\]:80: from \[2001:db8:1::2\]:",
                 r"udp 203.0.113.9:53: 5 bytes from 203.0.113.9:53",
                 r"udp \[2001:db8:2::9\]:53: 5 bytes from \[2001:db8:2::9\]:53",
                 r"udp 203.0.113.9:54: error about 203.0.113.9:54: Connection refused",
                 r"udp \[2001:db8:2::9\]:54: error about \[2001:db8:2::9\]:54: Connection refused",
                 r"ping 203.0.113.9: 8 bytes seq 77 from 203.0.113.9",
                 r"ping 2001:db8:2::9: 8 bytes seq 77 from 2001:db8:2::9",
                 r"ping 203.0.113.77: seq 77: No route to host",
                 r"wayout 203.0.113.9: eth0 from 192.0.2.2",
                 r"wayout 2001:db8:2::9: eth0 from 2001:db8:1::2"):
        p.wait_line("engine: " + line, again=True)
    # An application's way is the device.
    assert "dev tun7" in w.box.run("ip route get 203.0.113.9"), "the application's route"
    assert p.stop() == 0
    lab.equal(w.box.system(), before, "after all that")


def test_rp_filter_0(l):
    ways(l, 0)


def test_rp_filter_1(l):
    ways(l, 1)


def test_rp_filter_2(l):
    ways(l, 2)


def test_strict_by_name(l):
    """A strict reverse path filter is seen on interfaces whose names have dots, as those of VLANs."""
    w = World(l)
    w.box.run("ip link add eth0.100 type veth peer name other")
    for strict in (0, 1):
        w.box.run(f"sysctl -q -w net.ipv4.conf.eth0/100.rp_filter={strict}")
        p = w.start()
        assert ("chain routing" in w.box.run("nft list table inet sluice")) == (strict == 1), strict
        assert p.stop() == 0


def test_nothing_of_roots(l):
    w = World(l)
    p = w.start(CONFIG + "status\nready\n")
    said = p.text
    uid = p.wait_line(r"engine: Uid:\t(\d+)\t\1\t\1\t\1", again=True)[1]
    assert 61184 <= int(uid) <= 65519 or "sluice" in open("/etc/passwd").read(), uid
    p.wait_line(rf"engine: Gid:\t(\d+)\t\1\t\1\t\1", again=True)
    p.wait_line(r"engine: Groups:\t\s*$", again=True)
    for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"):
        assert f"engine: Cap{kind}:\t0000000000000000" in said, said
    assert "engine: NoNewPrivs:\t1" in said, said
    assert "engine: memory file opens again" in said, said
    # The lock, the socket to the keeper, the device; and what a sanitizer might have.
    assert said.count("engine: descriptor") == 3, said
    assert p.stop() == 0


def test_two_spaces_have_two_uids(l):
    """Each instance has a uid of its own, whatever namespace it is in: rules tell engines by it."""
    if "sluice" in open("/etc/passwd").read():
        lab.absent("a machine without the account")
    w = World(l)
    p = w.start(CONFIG + "status\nready\n")
    with open(os.path.join(w.far.dir, "config"), "w") as f:
        f.write(CONFIG.replace("resolvers\n", "") + "status\nready\n")
    from keeper import ENGINE
    q = w.far.start([ENGINE, "run", os.path.join(w.far.dir, "config"), w.far.state])
    q.wait_line("engine: ready")
    uid = [x.wait_line(r"engine: Uid:\t(\d+)", again=True)[1] for x in (p, q)]
    assert uid[0] != uid[1], uid
    assert p.stop() == 0 and q.stop() == 0


lab.main(test_rp_filter_0, test_rp_filter_1, test_rp_filter_2, test_strict_by_name, test_nothing_of_roots, test_two_spaces_have_two_uids)
