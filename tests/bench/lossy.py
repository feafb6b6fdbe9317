# SPDX-License-Identifier: MIT
"""Transfers over a long and lossy link, with the TUN and without; for tests/bench/losses and run."""
import json
import re

import lab
from world import NEAR, World

LINKS = [(20, 0.1), (20, 1), (100, 0.1), (100, 1)]
RATE = 300                      # Mbit/s of the link: a machine's own speed shall not be the limit
QUEUE = RATE * 125 * 0.1        # KB: what 100 ms are
CLIENTS = [("kernel", None), ("sluice direct", "direct"), ("sluice vmess", "proxy")]


def transfer(w, way, seconds):
    server = w.near.start(f"iperf3 -s -1 -B {NEAR} --forceflush")
    server.wait_line("Server listening")
    # What the slow start takes is left out of the figure.
    out = w.app.run(f"iperf3 -c {NEAR} -t {seconds} -O 2 -J {way}", seconds=seconds + 60)
    server.kill()
    return json.loads(out)["end"]["sum_received"]["bits_per_second"] / 1e6


def world(l, rtt, loss, seed, control):
    w = World(l, far_off={"delay": rtt / 2, "loss": loss, "seed": seed, "rate": RATE, "queue": QUEUE})
    for space in l.spaces.values():
        # What a sender may have under way is not the limit either.
        space.sysctl("net.ipv4.tcp_wmem", "4096 16384 33554432")
        space.sysctl("net.ipv4.tcp_rmem", "4096 131072 33554432")
        space.sysctl("net.ipv4.tcp_congestion_control", control)
    return w


def once(w, first, flag, seconds):
    """Mbit/s, segments that lwIP sent again, and what the link has to say for itself."""
    if first == "proxy":
        w.start_v2ray()
    p = w.start(w.config(first=first, sluice={"direct": "stack"})) if first else None
    rate = transfer(w, flag, seconds)
    again = int(re.search(r"retransmitted (\d+)", w.stop(p).text).group(1)) if p else 0
    n = w.cable.counts()
    lost, faults = (sum(n[k][x] for k in n for x in what) for what in (("lost",), ("overrun", "unread")))
    return rate, again, f"lost {lost}, late {n['there']['late_us']:.0f} us, {faults} faults"


def measure(rtt, loss, seed, control, seconds):
    """Each client once, on a link of its own with the same losses: {(client, way): (Mbit/s, sent again by lwIP)}."""
    got = {}
    for way, flag in (("up", ""), ("down", "-R")):
        for name, first in CLIENTS:
            with lab.Lab() as l:
                rate, again, link = once(world(l, rtt, loss, seed, control), first, flag, seconds)
            got[name, way] = rate, again
            print(f"  {control} {rtt} ms {loss} % {name:14} {way:4} {rate:7.1f} Mbit/s, {again} sent again; "
                  f"link: {link}", flush=True)
    return got


def results(rounds, seconds, failures):
    """The same as results of tests/bench/run, with bbr; a link with one of these failures loses its rows."""
    for seed in range(rounds):
        for rtt, loss in LINKS:
            link = f"{rtt} ms, {loss} % lost"
            try:
                got = measure(rtt, loss, seed, "bbr", seconds)
            except failures as e:
                print(f"  {link}: - {e}", flush=True)
                yield from ({"measure": f"{link}, {way}", "client": name, "failed_with": str(e)[-300:]}
                            for way in ("up", "down") for name, _ in CLIENTS)
                continue
            for (client, way), (rate, again) in got.items():
                yield {"measure": f"{link}, {way}", "client": client, "mbit_s": rate}
                if client != "kernel":
                    yield {"measure": "lwIP retransmissions", "client": f"{client}, lossy link", "segments": again}
