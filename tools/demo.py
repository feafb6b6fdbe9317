#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows sluice at its main job on real traffic, in network namespaces; called by tools/quickstart.

An application's host with sluice, a router, a real VMess server (Debian's v2ray), and two web sites
whose addresses the country database puts into two countries.  A rule sends the first country directly,
everything else goes through the server.  Prints a table of what happened; all of it is measured: the
country and the rule come from `sluice explain`, the bytes from sluice's own log line of the flow (with
the kernel's count where the kernel carried it), the time from curl, and "seen from" is the address that
the web site was asked from.
"""
import json
import os
import pathlib
import re
import socket
import struct
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests/net"))
sys.dont_write_bytecode = True
os.environ.setdefault("SLUICE", str(TOP / "build/release/sluice"))

import lab  # noqa: E402
import world  # noqa: E402

RULES = [{"ip": ["geoip:xa"], "outboundTag": "direct", "ruleTag": "own country"}]
SITES = (("near", world.NEAR), ("far", world.FAR), ("near", f"[{world.NEAR6}]"), ("far", f"[{world.FAR6}]"))
KEPT = 7371                                     # the mark of connections that the kernel carries for sluice
HEAD = ("destination", "country", "rule", "outbound", "bytes up/down", "first byte", "seen from")


def explain(w, path, where):
    """(country, rule) by `sluice explain`."""
    said = json.loads(w.app.run([world.SLUICE, "explain", "-c", path, "--json", where]))
    if said["rule"] < 0:
        return said["country"] or "-", "none (first outbound)"
    return said["country"] or "-", said["rules"][-1]["ruleTag"] or f"rule {said['rule']}"


def forget(w):
    """The kernel tells what a flow carried when it forgets it, minutes later; here it is made to at once, by netlink."""
    request = struct.pack("=IHHIIBBH", 36, 1 << 8 | 2, 5, 1, 0, 0, 0, 0)          # IPCTNL_MSG_CT_DELETE, acknowledged
    request += struct.pack("=HHIHHI", 8, 8, socket.htonl(KEPT), 8, 21, 2 ** 32 - 1)  # CTA_MARK, CTA_MARK_MASK
    with w.app.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
        s.send(request)
        s.recv(4096)


def fetch(w, p, host, by_kernel):
    """One page by curl through sluice: (bytes, outbound, time to first byte, source that the site saw)."""
    out = w.app.run(["curl", "-sS", "-m", "10", "-w", "%{time_starttransfer}", f"http://{host}/"])
    if by_kernel:
        forget(w)
    seen = re.search(r"asked by (\S+)\n([\d.]+)$", out)
    line = p.wait_line(re.escape(f"{host}:80") + r".*, ([\w ()]+), up (\d+) down (\d+)")
    return f"{line[2]} / {line[3]}", line[1], f"{float(seen[2]) * 1000:.1f} ms", seen[1]


def kernel_carries(p, host):
    return f"direct IPv{6 if ':' in host else 4} flows are carried by the kernel" in p.text


def show(rows):
    widths = [max(len(str(r[i])) for r in [HEAD, *rows]) for i in range(len(HEAD))]
    for row in [HEAD, ["-" * n for n in widths], *rows]:
        print("  " + "  ".join(str(c).ljust(n) for c, n in zip(row, widths)).rstrip())


def demonstrate(w):
    w.start_v2ray()
    for space, addresses in ((w.near, (world.NEAR, world.NEAR6)), (w.far, (world.FAR, world.FAR6))):
        for address in addresses:
            w.lab.server(space, address, 80, world.web(f"hello from {space.short}"))
    path = w.config(RULES, direct=None)
    p = w.start(path)
    print("\n  application -- TUN -- sluice --+-- direct ------------------> site in XA"
          "\n                                 '-- VMess -- v2ray server ---> site in XB\n")
    rows = []
    for _, host in SITES:
        country, rule = explain(w, path, f"{host}:80")
        size, outbound, first, seen = fetch(w, p, host, country == "XA" and kernel_carries(p, host))
        rows.append((f"{host}:80", country, rule, outbound, size, first, seen))
    w.stop(p)
    show(rows)
    if any("(kernel)" in r[3] for r in rows):
        print("\n  (kernel): sluice decided by the first packet, the kernel carried the rest and counted, headers included.")
    wrong = [r for r in rows if (r[1] == "XA") != r[3].startswith("direct")
             or r[3].startswith("direct") != (r[6] in (world.APP, world.APP6))]
    if wrong:
        raise lab.Failed(f"not as the rules say: {wrong}")


def main():
    try:
        with lab.Lab() as l:
            demonstrate(world.World(l))
    except (lab.Failed, lab.Absent) as e:
        sys.exit(f"quickstart: {e}")
    print("\n  Two went out directly, two through the VMess server; everything is put back.")


main()
