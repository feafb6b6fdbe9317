# SPDX-License-Identifier: MIT
"""Sudden deaths: of the engine, of the keeper, of both; and what leaves the machine meanwhile."""
import os
import signal
import socket
import threading

from keeper import CONFIG, ENGINE, RESOLV, World, lab


class Prober:
    """An application that sends datagrams all the time, from a socket of its own each, and one that it keeps."""

    def __init__(self, space):
        self.space, self.n, self._end = space, 0, threading.Event()
        self.kept = space.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.thread = threading.Thread(target=space.inside, args=(self._send,), daemon=True)
        self.thread.start()

    def _send(self):
        while not self._end.wait(0.002):
            self.n += 1
            for s, to in ((self.kept, "203.0.113.9"), (None, "203.0.113.9"), (None, "2001:db8:2::9")):
                own = s or socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM)
                try:
                    own.sendto(b"probe", (to, 4242))
                except OSError:
                    pass            # "unreachable" is a good answer here
                if own is not s:
                    own.close()

    def more(self, n=50):
        want = self.n + n
        lab.until(lambda: self.n > want, f"{n} more probes")

    def stop(self):
        self._end.set()
        self.thread.join()
        self.kept.close()


def is_probe(q):
    return q.dport == 4242 and b"probe" in q.data


def test_engine_dies(l):
    """It comes back, the device and everything else stays, and nothing leaves beside it."""
    w = World(l)
    before = w.box.system()
    with lab.Sniffer(w.router, "r0") as s:
        prober = Prober(w.box)
        s.wait(is_probe, "a probe before the start")
        p = w.start()
        prober.more()
        during = w.box.system()
        index = w.box.run("cat /sys/class/net/tun7/ifindex")
        since = s.count()
        for _ in range(3):
            os.kill(p.engine, signal.SIGKILL)
            p.wait_line("was ended by signal 9")
            # Dead, and not yet there again.
            prober.more(20)
            p.engine = int(p.wait_line(r"engine: ready, process (\d+)")[1])
            p.wait_line(r"engine: \d+ packets")
        assert "tun tun7" in p.lines[[i for i, x in enumerate(p.lines) if "signal 9" in x][-1] + 4] or \
            p.text.count("engine: tun tun7") == 4, p.text
        assert w.box.run("cat /sys/class/net/tun7/ifindex") == index
        lab.equal(w.box.system(), during, "after the restarts")
        assert not s.seen(is_probe, since), s.seen(is_probe, since)[:5]
        assert p.stop() == 0
        s.wait(is_probe, "a probe after the stop", since=since)
        prober.stop()
    lab.equal(w.box.system(), before, "after SIGTERM")


def test_engine_stops_reading(l):
    """A stopped engine holds packets back as well."""
    w = World(l)
    with lab.Sniffer(w.router, "r0") as s:
        prober = Prober(w.box)
        p = w.start()
        prober.more(10)
        since = s.count()
        os.kill(p.engine, signal.SIGSTOP)
        prober.more(600)            # more than the device's queue
        os.kill(p.engine, signal.SIGCONT)
        prober.more(10)
        assert not s.seen(is_probe, since), s.seen(is_probe, since)[:5]
        assert p.stop() == 0
        prober.stop()


def gone(pid):
    return not os.path.exists(f"/proc/{pid}") or open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] == "Z"


def after_a_kill(l, kill, heal):
    w = World(l)
    before = w.box.system()
    with lab.Sniffer(w.router, "r0") as s:
        prober = Prober(w.box)
        p = w.start()
        prober.more(10)
        since = s.count()
        kill(p)
        p.wait()
        lab.until(lambda: gone(p.engine), "the engine to end with its keeper")
        prober.more()
        assert not s.seen(is_probe, since), s.seen(is_probe, since)[:5]
        heal(w)
        lab.equal(w.box.system(), before, "after the kill and what heals it")
        s.wait(is_probe, "a probe afterwards", since=since)
        prober.stop()


def recover(w):
    status, out = w.recover()
    assert status == 0 and "undone" in out, out
    assert os.listdir(w.box.state) == ["lock"]
    status, out = w.recover()
    assert status == 0 and "0 undone" in out, out


def start_again(w):
    p = w.start()
    assert "an earlier instance was killed" in p.text, p.text
    assert p.stop() == 0


def kill_keeper(p):
    p.send(signal.SIGKILL)


def kill_both(p):
    os.kill(p.engine, signal.SIGKILL)
    p.send(signal.SIGKILL)


def test_keeper_dies_recover(l):
    after_a_kill(l, kill_keeper, recover)


def test_keeper_dies_start(l):
    after_a_kill(l, kill_keeper, start_again)


def test_both_die_recover(l):
    after_a_kill(l, kill_both, recover)


def test_both_die_start(l):
    after_a_kill(l, kill_both, start_again)


def test_killed_at_any_moment(l):
    """The keeper is killed after 0, 1, 2 ... changes on its way up, and everything is undone each time."""
    w = World(l)
    before = w.box.system()
    journal = os.path.join(w.box.state, "journal")
    reached = 0
    for entries in range(1, 9):
        p = w.start(ready=False)

        def lines():
            try:
                with open(journal) as f:
                    return f.read().count("\n") - 1
            except FileNotFoundError:
                return 0

        # No sleep: the moment between an entry and its change is what is looked for.
        while lines() < entries and p.alive() and "ready" not in p.text:
            pass
        reached = max(reached, lines())
        p.send(signal.SIGKILL)
        p.wait()
        status, out = w.recover()
        assert status == 0, out
        lab.equal(w.box.system(), before, f"killed at {entries} entries")
    assert reached >= 5, reached


def test_recover_without_journal(l):
    """With another state folder what is known by its name is removed, and nothing is made."""
    w = World(l)
    before = w.box.system()
    other = w.box.dir + "/other"
    recover_other = [ENGINE, "recover", other]
    assert w.box.call(recover_other) == (0, "recover: 0 undone\n") and not os.path.exists(other)
    p = w.start()
    kill_both(p)
    p.wait()
    lab.until(lambda: "tun7" not in w.box.run("ip -o link"), "the device to go")
    status, out = w.box.call(recover_other)
    assert status == 0 and "3 undone" in out and "with that --state" in out, out
    assert w.box.resolv_text() == RESOLV    # which is a mount there: its old lines stand in it
    assert not os.path.exists(other)
    assert "sluice" not in w.box.run("nft list ruleset") and "737" not in w.box.run("ip rule") + w.box.run("ip -6 rule")
    assert "0 undone" in w.box.call(recover_other)[1]
    status, out = w.recover()       # the rest, and what is gone already does no harm
    assert status == 0, out
    lab.equal(w.box.system(), before, "after both")


def test_dead_resolver(l):
    """Ours, and nothing of the old one: it is no resolver of the machine's."""
    w = World(l)
    w.box.resolv("# Written by sluice\nnameserver 198.18.0.53\n")
    p = w.start(ready=False)
    for status, out in ((p.wait(), p.text), w.recover()):
        assert status == 1 and "resolv.conf was written by a sluice that was killed" in out, out
        assert "write your name servers into it" in out, out


def test_table_of_somebody_else(l):
    """Of our name, and not of our making."""
    w = World(l)
    w.box.run("nft add table inet sluice")
    before = w.box.system()
    status, out = w.recover()
    assert status == 0 and "0 undone" in out, out
    p = w.start(ready=False)
    assert p.wait() == 7 and "the nft table `inet sluice` exists already" in p.text, p.text
    lab.equal(w.box.system(), before, "afterwards")


def test_recover_while_it_runs(l):
    w = World(l)
    p = w.start()
    during = w.box.system()
    status, out = w.recover()
    assert status == 1 and "another instance of sluice runs" in out, out
    lab.equal(w.box.system(), during, "after a refused recover")
    assert p.stop() == 0


def test_never_ready(l):
    """What ends before it was ready ends the program with its status, and everything is undone."""
    w = World(l)
    before = w.box.system()
    p = w.start(CONFIG + "nonsense\n", ready=False)
    assert p.wait() == 7, p.text
    lab.equal(w.box.system(), before, "after an engine that was never ready")


if __name__ == "__main__":
    lab.main(test_engine_dies, test_engine_stops_reading, test_keeper_dies_recover, test_keeper_dies_start,
             test_both_die_recover, test_both_die_start, test_killed_at_any_moment, test_recover_without_journal,
             test_dead_resolver, test_table_of_somebody_else, test_recover_while_it_runs, test_never_ready)
