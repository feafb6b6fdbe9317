# SPDX-License-Identifier: MIT
"""What tests/bench/run measures with streams of bytes."""
import json
import time

from bench import Row
from world import NEAR


def transfer(client, bench, streams, flag):
    """What iperf3 has to say of its end."""
    w = bench.world
    server = w.near.start(f"iperf3 -s -1 -B {NEAR} --forceflush")
    try:
        server.wait_line("Server listening")
        out = w.app.run(f"iperf3 -c {client.target} -P {streams} -t {bench.seconds} -J {flag}",
                        seconds=bench.seconds + 20)
    finally:
        server.kill()
    return json.loads(out)["end"]["sum_received"]


def bulk(bench, client, streams, flag):
    used, began = client.family.seconds(), time.monotonic()
    got = transfer(client, bench, streams, flag)
    used, took = client.family.seconds() - used, time.monotonic() - began
    return {"gbit_s": got["bits_per_second"] / 1e9, "cpu_s_GB": used / (got["bytes"] / 1e9), "busy": used / took}


def rows(*many):
    """Both ways with each number of streams."""
    return [Row(f"{way}, {n} stream{'s' * (n > 1)}", lambda b, c, n=n, flag=flag: bulk(b, c, n, flag))
            for n in many for way, flag in (("up", ""), ("down", "-R"))]
