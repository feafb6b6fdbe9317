# SPDX-License-Identifier: MIT
"""What programs cost: their processor time, their private memory, and how often they wake."""
import os

TICK = os.sysconf("SC_CLK_TCK")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(x) for x in f.read().split()]


def processor_time(pid):
    """Seconds of all of its threads."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def total(path, *starts):
    """The sum of the numbers in the lines that begin so."""
    with open(path) as f:
        return sum(int(x.split()[1]) for x in f if x.startswith(starts))


def private(pid):
    """Its memory that is nobody else's, KB."""
    return total(f"/proc/{pid}/smaps_rollup", "Private_Clean", "Private_Dirty")


class Family:
    """Programs and what they have forked, together."""

    def __init__(self, *pids):
        self.pids = [x for pid in pids for x in (pid, *children(pid))]

    def seconds(self):
        return sum(processor_time(pid) for pid in self.pids)

    def memory(self):
        """Private, KB."""
        return sum(private(pid) for pid in self.pids)

    def switches(self):
        """How often their threads have begun to wait."""
        tasks = [f"/proc/{pid}/task/{task}/status" for pid in self.pids for task in os.listdir(f"/proc/{pid}/task")]
        return sum(total(path, "voluntary_ctxt") for path in tasks)
