# SPDX-License-Identifier: MIT
"""The results of tests/bench/run as medians, and these as a table."""
import statistics

ROUNDS = "rounds"
YARDSTICKS = ("relay", "tunfwd", "kernel")
# Of these the sum says more than the median.
COUNTS = ("unanswered", "failed", "late", "segments", "dropped_by_device", ROUNDS)
APART = ("gbit_s", "mbit_s", "rate", "cpu_s_GB", ROUNDS)
HEAD = "| measure | client | rate | of the yardstick's | CPU s/GB | of the yardstick's | other | rounds |"


def medians(results):
    """{measure: {client: {value: median}}}, and of how many rounds; `failed_with` says why some are missing."""
    table = {}
    for r in results:
        values = table.setdefault(r["measure"], {}).setdefault(r["client"], {})
        values.setdefault(ROUNDS, []).append("failed_with" not in r)
        for k, v in r.items():
            if k not in ("measure", "client"):
                values.setdefault(k, []).append(v)
    return {m: {c: {k: joined(k, v) for k, v in vs.items()} for c, vs in cs.items()} for m, cs in table.items()}


def brief(value):
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def joined(name, values):
    if isinstance(values[0], str):
        return ", ".join(dict.fromkeys(values))
    return sum(values) if name in COUNTS else statistics.median(values)


def rate_of(values):
    """(number, unit), or None."""
    units = {"gbit_s": " Gbit/s", "mbit_s": " Mbit/s", "rate": "/s"}
    return next(((values[k], unit) for k, unit in units.items() if k in values), None)


def cells(values, base):
    """Rate, its share, CPU seconds, their share, all other, rounds."""
    rate, of_base = rate_of(values), rate_of(base)
    failed = not values[ROUNDS]
    yield "-" if failed else f"{rate[0]:.{'3g' if rate[0] < 1000 else '0f'}}{rate[1]}" if rate else ""
    yield f"{rate[0] / of_base[0]:.0%}" if rate and of_base else ""
    cpu, of_base = values.get("cpu_s_GB"), base.get("cpu_s_GB")
    yield f"{cpu:.2f}" if cpu is not None else ""
    yield f"{cpu / of_base:.1f} x" if cpu is not None and of_base else ""
    more = (f"{k} {brief(x)}" for k, x in values.items() if k not in APART)
    yield ", ".join(more).replace("|", "/")
    yield str(values[ROUNDS])


def show(table):
    """In Markdown."""
    print(f"\n{HEAD}\n|{'---|' * 8}")
    for measure, clients in table.items():
        base = next((clients[c] for c in YARDSTICKS if c in clients), {})
        for client, values in clients.items():
            print(f"| {measure} | {client} | {' | '.join(cells(values, base))} |")
