# SPDX-License-Identifier: MIT
"""What tests/bench/run measures with datagrams."""
from bench import Row
from clients import Client
from world import NEAR

HERE_IS, THERE_IS = "198.18.200.1", "198.18.200.2"      # the ends of tunfwd
IDLE, FLOWS = 200, 1000


class Tunfwd(Client):
    """The yardstick for packets: tests/bench/tunfwd.c, a TUN device in either namespace and nothing between them."""

    def __init__(self, bench):
        super().__init__(bench, "tunfwd", target=THERE_IS)

    def launch(self):
        w = self.bench.world
        self.start(self.bench.tool("tunfwd"), w.app.name, "fwd0", w.near.name, "fwd0")

    def attach(self):
        w = self.bench.world
        self.processes[0].wait_line("ready")
        for space, address in ((w.app, HERE_IS), (w.near, THERE_IS)):
            space.run(f"ip addr add {address}/24 dev fwd0")
            space.run("ip link set fwd0 txqueuelen 10000 up")    # as many as sluice's device
        self.server = w.near.start([self.bench.tool("dgram"), "serve", THERE_IS, "7"])
        self.server.wait_line("ready")

    def end(self):
        self.server.kill()
        super().end()


def idle(bench, client):
    before = client.family.memory()
    holder = bench.world.app.start([bench.tool("dgram"), "hold", client.target, "9", str(IDLE)])
    try:
        unanswered = float(holder.wait_line(r"unanswered (\d+)", seconds=60).group(1))
        return {"KB_a_flow": (client.family.memory() - before) / IDLE, "unanswered": unanswered}
    finally:
        holder.kill()


def packets(bench, client):
    """The highest rate that loses less than 0.1 %, by bisection; where each loses more, the most that gets through."""
    used = client.family.seconds()
    r = bench.ask("dgram", "rate", client.target, 7, FLOWS, 1)
    used = client.family.seconds() - used
    got = {"rate": r["rate"], "lost": r["lost"], "cpu_us": used / max(1, r["carried"]) * 1e6}
    return got if r["rate"] else {**got, "through_s": r["through"], "lost": r["missed"]}


def names(bench, client):
    r = bench.ask("dgram", "asks", client.target, 53, 2000 if bench.quick else 10000, 50, 10)
    return {k: r[k] for k in ("rate", "p50_ms", "p99_ms", "late")}


PACKETS = Row("UDP packets/s, 1,000 flows", packets)
NAMES = Row("DNS questions/s, a socket each", names)
IDLE_FLOWS = Row(f"UDP, {IDLE} idle flows", idle)
