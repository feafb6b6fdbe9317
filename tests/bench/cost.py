# SPDX-License-Identifier: MIT
"""What a program costs: its processor time and its private memory."""
import os

TICK = os.sysconf("SC_CLK_TCK")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(x) for x in f.read().split()]


def processor_time(pid):
    """Seconds."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def private_memory(pid):
    """KB."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(x.split()[1]) for x in f if x.startswith(("Private_Clean", "Private_Dirty")))


class Family:
    """A program and what it has forked, together."""

    def __init__(self, pid):
        self.pids = [pid] + children(pid)

    def seconds(self):
        return sum(processor_time(pid) for pid in self.pids)

    def memory(self):
        return sum(private_memory(pid) for pid in self.pids)
