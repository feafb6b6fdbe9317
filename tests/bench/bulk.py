# SPDX-License-Identifier: MIT
"""What tests/bench/run measures with streams of bytes."""
import json
import time

from bench import Row
from upstream import CHARGEN, DISCARD, SINK
from world import NEAR


def to_the_sink(client, bench, way):
    """The C sink takes and makes the bytes itself: a server behind it would have most of the other core."""
    r = bench.ask("bulk", way, client.target, DISCARD if way == "up" else CHARGEN, bench.seconds)
    return r["bytes"], r["gbit_s"]


def by_iperf3(client, bench, streams, way):
    """What it has to say of its end."""
    w = bench.world
    server = w.near.start(f"iperf3 -s -1 -B {NEAR} --forceflush")
    try:
        server.wait_line("Server listening")
        out = w.app.run(f"iperf3 -c {client.target} -P {streams} -t {bench.seconds} -J {'-R' * (way == 'down')}",
                        seconds=bench.seconds + 20)
    finally:
        server.kill()
    got = json.loads(out)["end"]["sum_received"]
    return got["bytes"], got["bits_per_second"] / 1e9


def bulk(bench, client, streams, way):
    used, began = client.family.seconds(), time.monotonic()
    if client.server is SINK:
        count, rate = to_the_sink(client, bench, way)
    else:
        count, rate = by_iperf3(client, bench, streams, way)
    used, took = client.family.seconds() - used, time.monotonic() - began
    return {"gbit_s": rate, "cpu_s_GB": used / (count / 1e9), "busy": used / took}


def rows(*many):
    """Both ways with each number of streams."""
    return [Row(f"{way}, {n} stream{'s' * (n > 1)}", lambda b, c, n=n, way=way: bulk(b, c, n, way))
            for n in many for way in ("up", "down")]
