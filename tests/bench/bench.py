# SPDX-License-Identifier: MIT
"""The namespaces in which tests/bench/run measures, its programs, and what has been measured."""
import atexit
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import tempfile

import lab
import table
from upstream import Servers
from world import NEAR, World

HERE = pathlib.Path(__file__).resolve().parent
DESCRIPTORS = 65536
PORTS = "10000 65000"
MANY = 10000                                # flows at a time
SPARE = 200                                 # descriptors that are none of a flow's
FAILURES = (lab.Failed, subprocess.SubprocessError, OSError, ValueError, KeyError, ArithmeticError)


def wide(space):
    """As the head of the output says."""
    space.sysctl("net.ipv4.tcp_tw_reuse", 1)
    space.sysctl("net.ipv4.ip_local_port_range", PORTS)
    space.sysctl("net.core.somaxconn", 16384)
    space.sysctl("net.ipv4.tcp_max_syn_backlog", 16384)


def descriptors():
    """How many a process may have from now on: as many as are allowed here, and more where that may be raised."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for number in (max(most, DESCRIPTORS), most):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))
            break
        except (ValueError, OSError):       # not allowed to raise it
            continue
    return number


class Row:
    """A row of the table: `take(bench, client)` gives its values."""

    def __init__(self, name, take):
        self.name, self.take = name, take


class Bench:
    def __init__(self, l, quick, rounds, seconds, results):
        self.lab, self.quick, self.results, self.failed = l, quick, results, set()
        self.most_rounds = 1 if quick else rounds
        self.measure = None             # the name of the one that is being taken
        self.seconds = 1 if quick else seconds
        self.many = 1000 if quick else MANY
        cores = sorted(os.sched_getaffinity(0))
        self.cores = (cores[0], cores[-1])
        os.sched_setaffinity(0, {self.cores[1]})
        self.descriptors = descriptors()
        self.world = World(l)
        for space in l.spaces.values():
            wide(space)
        self.world.app.state = self.volatile()
        self.servers = Servers(self.world, self.processes(2 * self.many))
        self.echo = self.serve("load", "serve", 7)
        for words in (("load", "answer", 81), ("dgram", "serve", 7), ("dgram", "echo", 9), ("dgram", "names", 53)):
            self.serve(*words)

    def volatile(self):
        """A folder in memory, as /run is, where sluice has its state by default."""
        path = tempfile.mkdtemp(prefix="sluice-bench", dir="/dev/shm")
        atexit.register(shutil.rmtree, path, ignore_errors=True)
        return path

    def rounds(self, wanted):
        return range(min(wanted, self.most_rounds))

    def serve(self, tool, how, port):
        p = self.world.near.start([self.tool(tool), how, NEAR, str(port)])
        p.wait_line("ready")
        return p

    def processes(self, needed):
        """How many must share so many descriptors."""
        return -(-needed // (self.descriptors - SPARE))

    def tool(self, name):
        """tests/bench/NAME.c, compiled once."""
        return self.lab.program(name, [HERE / f"{name}.c"])

    def own(self, program):
        """A copy of it: what a client shared with a server's process would not be counted as its own memory."""
        out = os.path.join(self.lab.dir, os.path.basename(program))
        return out if os.path.exists(out) else shutil.copy(shutil.which(program), out)

    def ask(self, tool, *words):
        """The line of JSON that this run of a tool ends with."""
        out = self.world.app.run([self.tool(tool), *map(str, words)], seconds=170)
        return json.loads(out.splitlines()[-1])

    def note(self, measure, client, **values):
        self.results.append({"measure": measure, "client": client.name, **values})
        print(f"  {measure:36} {client.name:54} " + "  ".join(f"{k} {table.brief(v)}" for k, v in values.items()),
              flush=True)

    def fail(self, measure, client, why):
        """What failed once with a peer, and took its time, would do so in the next round."""
        why = " ".join(re.sub(r"^\[.*?\] in \w+: ", "", str(why)).split())[-300:]     # its argv says no more
        self.results.append({"measure": measure, "client": client.name, "failed_with": why})
        print(f"  {measure:36} {client.name:54} -  {why}", flush=True)
        if client.peer:
            self.failed.add((measure, client.name))

    def sent_again(self, client, count, dropped):
        """By lwIP, in one run of sluice; and what its device has had no room for, of which that may come."""
        where = {"during": self.measure} if count else {}
        self.note("lwIP retransmissions", client, segments=count, dropped_by_device=dropped, **where)

    def try_row(self, row, client):
        """Takes one, of a client that is started by it. False: it has failed."""
        if (row.name, client.name) in self.failed:
            return False
        try:
            self.note(row.name, client, **row.take(self, client))
            return True
        except FAILURES as e:
            self.fail(row.name, client, e)
            return False

    def turn(self, client, rows):
        """Takes these of one client; one that fails loses that row, and begins anew for the others."""
        left = [row for row in rows if (row.name, client.name) not in self.failed]
        while left:
            row = None
            try:
                with client:
                    while left:
                        row = left.pop(0)
                        self.note(row.name, client, **row.take(self, client))
            except FAILURES as e:
                for lost in [row] if row else left:
                    self.fail(lost.name, client, e)
                if row is None:
                    return
