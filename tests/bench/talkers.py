# SPDX-License-Identifier: MIT
"""Few words between many bytes: how long an echo takes while bulk flows run."""
import contextlib
import json
import os

from bench import Row
from world import NEAR


WORDS = 1000                             # a p99 is of at least so many
FIRST = ("chrt", "-f", "10")             # who speaks and who echoes are not what is measured: they wait for nobody


@contextlib.contextmanager
def ahead(pid):
    os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(10))
    try:
        yield
    finally:
        os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))


def talk(w, tool, target, flows, seconds, every, first=()):
    """What tests/bench/latency.c says of so many people, who speak every so many milliseconds."""
    return json.loads(w.app.run([*first, tool, target, "7", str(flows), str(seconds), str(every)], seconds=120))


def beside(w, streams, way, speak, seconds, target, first=()):
    """The same, by `speak`, while bulk flows run."""
    server = w.near.start([*first, "iperf3", "-s", "-1", "-B", NEAR, "--forceflush"])
    server.wait_line("Server listening")
    words = f"iperf3 -c {target} -P {streams} -t {seconds + 5} --forceflush -i 1 {way}"
    bulk = w.app.start([*first, *words.split()])
    try:
        bulk.wait_line("sec .*bits/sec")
        return speak()
    finally:
        bulk.kill()
        server.kill()


def row(name, flows, every, streams=0, way=""):
    def take(bench, client):
        seconds = max(bench.seconds, WORDS * every // (flows * 1000))

        def speak():
            with ahead(bench.echo.pid):
                return talk(bench.world, bench.tool("latency"), client.target, flows, seconds, every, FIRST)
        got = beside(bench.world, streams, way, speak, seconds, client.target) if streams else speak()
        return {"p50_ms": got["p50_ms"], "p99_ms": got["p99_ms"], "echoes_s": got["rate"], "least": got["least"]}
    return Row(name, take)


WAYS = (("up", ""), ("down", "-R"))
ROWS = [row("an echo, alone", 1, 5), *(row(f"an echo, 8 bulk flows {way}", 1, 5, 8, flag) for way, flag in WAYS),
        row("100 people", 100, 10), *(row(f"100 people, 1 bulk flow {way}", 100, 10, 1, flag) for way, flag in WAYS)]
