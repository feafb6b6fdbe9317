# SPDX-License-Identifier: MIT
"""Rules and routes of somebody else's that lead past the device: nothing of ours is gone, but it is said."""
from keeper import World, lab

PAST = r"IPv{} traffic does not go into tun7, but leaves past it by eth0: a routing rule of somebody else's"
BACK = r"IPv{} traffic does not leave past tun7 any more"

# What leads past it and what takes that away, by family.
WAYS = (
    (4, "ip rule add pref 50 lookup main", "ip rule del pref 50"),
    (6, "ip -6 rule add pref 50 lookup main", "ip -6 rule del pref 50"),
    (4, "ip route add 128.0.0.0/1 via 192.0.2.1", "ip route del 128.0.0.0/1"),
    (6, "ip -6 route add 2000::/4 via 2001:db8:1::1", "ip -6 route del 2000::/4"),
)


def test_later(l):
    """They come while it runs, and go."""
    w = World(l)
    p = w.start()
    for family, come, go in WAYS:
        w.box.run(come)
        p.wait_line(PAST.format(family))
        w.box.run(go)
        p.wait_line(BACK.format(family))
    assert p.stop() == 0, p.text
    assert len([x for x in p.lines if "leaves past it" in x]) == len(WAYS), p.text


def test_before(l):
    """It was there first; the other family is not concerned."""
    w = World(l)
    w.box.run("ip rule add pref 50 lookup main")
    p = w.start(ready=False)
    p.wait_line(PAST.format(4))
    assert p.stop() == 0, p.text
    assert "IPv6 traffic" not in p.text, p.text


def test_narrow(l):
    """A network of its own is the user's will, as is what only others than applications do."""
    w = World(l)
    p = w.start()
    w.box.run("ip route add 203.0.113.0/24 via 192.0.2.1")
    w.box.run("ip rule add pref 50 fwmark 0x77 lookup main")
    # What was asked before has been heard when this is said.
    w.box.run("ip -6 rule add pref 50 lookup main")
    p.wait_line(PAST.format(6))
    assert p.stop() == 0, p.text
    assert "IPv4 traffic" not in p.text, p.text


if __name__ == "__main__":
    lab.main(test_later, test_before, test_narrow)
