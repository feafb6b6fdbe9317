# SPDX-License-Identifier: MIT
"""What tests/bench/run measures: programs that bytes to the benchmark's server go through."""
import json
import os
import re

import lab
from cost import Family
from upstream import RAW
from world import NEAR

DOOR = "198.18.0.2"                         # where those without a TUN take connections
PORTS = (7, 81, 5201)                       # echo, echo and end, iperf3


def dropped_by(pid, device):
    """Packets that it had no room for, as the namespace of this process sees it."""
    with open(f"/proc/{pid}/net/dev") as f:
        return next((int(x.split(":")[1].split()[11]) for x in f if x.strip().startswith(f"{device}:")), 0)


class Client:
    """One of them: `server` is a VMess server, or None for direct. Has the first core alone."""

    peer = False
    descriptors = 1             # that one of its processes has for a flow

    def __init__(self, bench, label, server=None, security=None, target=NEAR):
        self.bench, self.server, self.security, self.target = bench, server, security, target
        self.name = f"{label} vmess {security} {server.label}" if server else label
        self.processes, self.family = [], None

    def prepare(self):
        """What runs before, and is no part of its start."""

    def launch(self):
        """Starts it."""
        raise NotImplementedError

    def attach(self):
        """Waits until it takes bytes."""

    def end(self):
        for p in self.processes:
            p.kill()
        self.processes = []

    def start(self, *argv):
        p = self.bench.world.app.start(["taskset", "-c", str(self.bench.cores[0]), *argv])
        self.processes.append(p)
        return p

    def write(self, name, text):
        path = os.path.join(self.bench.world.app.dir, name)
        with open(path, "w") as f:
            f.write(text if isinstance(text, str) else json.dumps(text, indent=1))
        return path

    def __enter__(self):
        try:
            self.prepare()
            self.launch()
            self.attach()
            self.family = Family(*(p.pid for p in self.processes))
        except (lab.Failed, OSError) as e:
            said = " ".join(p.text[-300:] for p in self.processes)
            self.end()
            raise lab.Failed(f"{e}: {said}") from None
        return self

    def __exit__(self, *_):
        self.end()


class Relay(Client):
    """The yardstick: tests/bench/relay.c."""

    def __init__(self, bench):
        super().__init__(bench, "relay", target=DOOR)

    def launch(self):
        sharing = self.bench.processes(2 * self.bench.many)
        for port in PORTS:
            for _ in range(sharing if port == PORTS[0] else 1):
                self.start(self.bench.tool("relay"), str(port), NEAR, str(port))

    def attach(self):
        for p in self.processes:
            p.wait_line("ready")


class Door(Client):
    """The protocol without a TUN: a v2ray or Xray that takes connections itself."""

    def __init__(self, bench, label, command, server, security):
        super().__init__(bench, f"{label} without a TUN,", server, security, DOOR)
        self.command = command
        self.peer = True

    def launch(self):
        doors = [{"listen": DOOR, "port": port, "protocol": "dokodemo-door",
                  "settings": {"address": NEAR, "port": port, "network": "tcp"}} for port in PORTS]
        config = {"log": {"loglevel": "warning"}, "inbounds": doors,
                  "outbounds": [self.bench.servers.outbound(self.server, self.security)]}
        self.start(*self.command, self.write("door.json", config))

    def attach(self):
        for port in PORTS:
            self.bench.world.wait_listening(self.bench.world.app, port)


class Sluice(Client):
    """`words` go to its command line, `config` to its configuration."""

    def __init__(self, bench, label="sluice", server=None, security="auto", words=(), **config):
        super().__init__(bench, label, server, security)
        self.words, self.config = words, config

    def configuration(self):
        w = self.bench.world
        path = w.config(first="proxy" if self.server else "direct", security=self.security,
                        port=(self.server or RAW).port, **self.config)
        if self.server:
            with open(path) as f:
                text = json.load(f)
            text["outbounds"][0]["streamSettings"] = self.bench.servers.stream(self.server)
            self.write("config.json", text)
        return path

    def prepare(self):
        self.path = self.configuration()

    def launch(self):
        p = self.bench.world.start(self.path, *self.words, wait=False)
        os.sched_setaffinity(p.pid, {self.bench.cores[0]})      # before it forks
        self.processes = [p]

    def attach(self):
        self.processes[0].wait_line(r"\bready\b")

    def end(self):
        """Also says what lwIP has sent again, where nothing is ever lost."""
        p, self.processes = self.processes[0], []
        try:
            dropped = dropped_by(p.pid, "tun7")
            text = self.bench.world.stop(p).text
        except (lab.Failed, OSError):
            p.kill()
            raise
        counted = re.search(r"counted: .*retransmitted (\d+)", text)
        if not counted:
            raise lab.Failed(f"it has not said what it sent again: {text[-300:]}")
        self.bench.sent_again(self, int(counted.group(1)), dropped)
