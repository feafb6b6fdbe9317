# SPDX-License-Identifier: MIT
"""What tests/bench/run measures with 64 bytes at a time: round trips, connections, their ends."""
from bench import MANY, SPARE, Row

AT_ONCE = 50
STEPS = (50, 100, 200, 500, 1000, 2000, 5000)


def round_trips(bench, client, flows):
    """As many flows as the client may have descriptors for."""
    flows = min(flows, (bench.descriptors - 2 * SPARE) // client.descriptors)
    r = bench.ask("load", "pingpong", client.target, 7, flows, bench.seconds)
    return {"rate": r["rate"], "flows": flows}


def connections(bench, client):
    r = bench.ask("load", "connect", client.target, 7, 1000 if bench.quick else 4000, AT_ONCE, 5)
    return {k: r[k] for k in ("rate", "p50_ms", "p99_ms", "failed")}


def in_turn(bench, client):
    """To one address from one, one after another; a peer for so long that it has had some thousands."""
    r = bench.ask("load", "connect", client.target, 7, 1000 if bench.quick else 100000, 1, 10 if client.peer else 130)
    return {"rate": r["rate"], "answered": r["done"], "unanswered": r["failed"], "p99_ms": r["p99_ms"]}


def end_waited_for(bench, client):
    """What `ab` does: the server ends, and the client waits for that."""
    r = bench.ask("load", "fetch", client.target, 81, 500 if bench.quick else 2000, 10, 4)
    return {k: r[k] for k in ("rate", "p50_ms", "end_p50_ms", "end_p99_ms", "failed")}


def offered(bench, client, rate):
    r = bench.ask("load", "offer", client.target, 7, rate, bench.seconds)
    return {"offered": rate, "p50_ms": r["p50_ms"], "p99_ms": r["p99_ms"], "failed": r["failed"]}


def equal_rate(bench, clients):
    """A rate that is below 70 % of what any of these clients has had."""
    names = {c.name for c in clients}
    had = {}
    for r in bench.results:
        if r["measure"] == CONNECTIONS.name and r["client"] in names and "rate" in r:
            had[r["client"]] = max(r["rate"], had.get(r["client"], 0))
    return max((s for s in STEPS if s <= 0.7 * min(had.values(), default=1500)), default=STEPS[0])


CONNECTIONS = Row("connections/s, 50 at once", connections)
IN_TURN = Row("connections in turn", in_turn)
END = Row("the server's end, waited for", end_waited_for)


def trips_rows(quick):
    return [Row(f"round trips/s, {n} flows", lambda b, c, n=n: round_trips(b, c, n))
            for n in ((100, 1000) if quick else (100, 1000, MANY))]


def offered_row(bench, way, clients):
    rate = equal_rate(bench, clients)
    return Row(f"equal rate offered, {way}", lambda b, c: offered(b, c, rate))
