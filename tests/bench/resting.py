# SPDX-License-Identifier: MIT
"""What tests/bench/run measures while nothing happens, and at the very first."""
import contextlib
import re
import time

from bench import Row
from clients import Sluice
from world import NEAR, SERVER


@contextlib.contextmanager
def holding(bench, client, flows):
    """So many flows, each of which has had an answer."""
    holder = bench.world.app.start([bench.tool("load"), "hold", client.target, "7", str(flows)])
    try:
        holder.wait_line("holding", seconds=60)
        yield
    finally:
        holder.kill()


def wakes(bench, client):
    """A second, over a time in which nothing is asked of it."""
    seconds = 1 if bench.quick else 10
    time.sleep(1)               # what was asked before is done
    before = client.family.switches()
    time.sleep(seconds)
    return (client.family.switches() - before) / seconds


def idle(bench, client):
    time.sleep(1)
    private = client.family.memory()
    return {"private_KB": private, "wakes_s": wakes(bench, client)}


def idle_hundred(bench, client):
    with holding(bench, client, 100):
        return {"wakes_s": wakes(bench, client)}


def idle_flows(bench, client):
    """A peer, whose flows are larger, has fewer."""
    flows = 500 if bench.quick else 2000 if client.peer else 10000
    before = client.family.memory()
    with holding(bench, client, flows):
        time.sleep(1)           # what the opening needed is given back
        after = client.family.memory()
    return {"flows": flows, "KB_a_flow": (after - before) / flows, "private_KB": after}


ROWS = [Row("idle", idle), Row("idle, 100 flows", idle_hundred), Row("idle, many flows", idle_flows)]


@contextlib.contextmanager
def only_by_tunnel(bench):
    """No route to the target but by a tunnel: what is answered has come that way."""
    app, net = bench.world.app, f"{SERVER.rsplit('.', 1)[0]}.0/24"
    app.run("ip route del default")
    app.route(f"{net} via 198.18.0.1")
    try:
        yield
    finally:
        app.run(f"ip route del {net}")
        app.route("default via 198.18.0.1")


def first_byte(bench, client):
    """From the start of the program to the first byte of an answer through it."""
    try:
        client.prepare()
        with only_by_tunnel(bench):
            asker = bench.world.app.start([bench.tool("load"), "first", NEAR, "7"])
            asker.wait_line("trying")
            began = time.monotonic()
            client.launch()
            client.attach()
            took = float(asker.wait_line(r"answered ([\d.]+)").group(1)) - began
        said = client.processes[0].text
    finally:
        client.end()
    programs = ("nft", "resolvectl") if isinstance(client, Sluice) else ()
    return {"ms": took * 1e3, **{f"{p}_ms": sum(map(float, re.findall(rf"{p} took (\d+) ms", said))) for p in programs}}


FIRST_BYTE = Row("start to first byte", first_byte)
