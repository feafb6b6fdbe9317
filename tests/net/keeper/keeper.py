# SPDX-License-Identifier: MIT
"""What the tests of the keeper have in common: a machine, a router, and a host far away.

    far (203.0.113.9) -- 203.0.113.0/24 -- router -- 192.0.2.0/24 -- box (192.0.2.2)

`far` is not directly connected to `box`, so that its packets have no route of their own there."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import lab  # noqa: E402

ENGINE = os.environ["ENGINE"]
RESOLV = "# theirs\nnameserver 192.0.2.1\nnameserver 2001:db8:1::1\nsearch example.org example.net\noptions ndots:2\n"
CONFIG = """\
name tun7
mtu 1400
addr 198.18.0.1/15
addr 2001:db8:7::1/64
resolvers
tun
routes 46
resolver 198.18.0.53
"""


class World:
    def __init__(self, l, rp_filter=0):
        self.lab = l
        if not os.path.exists("/dev/net/tun"):
            lab.absent("TUN")
        self.box, self.router, self.far = l.space("box"), l.space("router", forward=True), l.space("far")
        l.link(self.box, "eth0", "192.0.2.2/24 2001:db8:1::2/64", self.router, "r0", "192.0.2.1/24 2001:db8:1::1/64")
        l.link(self.far, "eth0", "203.0.113.9/24 2001:db8:2::9/64", self.router, "r1", "203.0.113.1/24 2001:db8:2::1/64")
        for space, v4, v6 in ((self.box, "192.0.2.1", "2001:db8:1::1"), (self.far, "203.0.113.1", "2001:db8:2::1")):
            space.route(f"default via {v4}")
            space.route(f"default via {v6}")
        for name in ("all", "default", "eth0"):
            self.box.sysctl(f"net.ipv4.conf.{name}.rp_filter", rp_filter)
        self.box.resolv(RESOLV)
        self.config = os.path.join(self.box.dir, "config")
        # Neighbours and what the kernel sends by itself have settled when this has been answered.
        for to in ("203.0.113.9", "2001:db8:2::9"):
            self.box.run(["ping", "-c", "1", "-W", "5", to])

    def start(self, config=CONFIG + "ready\n", ready=True, state=None, env=None):
        with open(self.config, "w") as f:
            f.write(config)
        p = self.box.start([ENGINE, "run", self.config, state or self.box.state], env=env)
        if ready:
            p.engine = int(p.wait_line(r"engine: ready, process (\d+)")[1])
        return p

    def recover(self):
        return self.box.call([ENGINE, "recover", self.box.state])
