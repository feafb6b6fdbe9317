# SPDX-License-Identifier: MIT
"""Other TUN clients for tests/bench/run: what tools/peers has built, and hev-socks5-tunnel where $HEV names its
program.

Each has its own device, to which only the route to the benchmark's server leads; a direct connection leaves by the
interface's name.  They run on the core of the client under test, at the MTU that their documentation or default
has, and at 1500.
"""
import json
import os
import shutil

import lab
from world import ID, NEAR, SERVER, TOP, VMESS_PORT

BUILT = os.environ.get("SLUICE_PEERS") or str(TOP / "build/peers")
HEV = os.environ.get("HEV", "")
DEVICE, ADDRESS, SOCKS = "tun8", "198.18.7.1/30", 1080
TICK = os.sysconf("SC_CLK_TCK")


def built(name):
    return os.path.join(BUILT, name)


class Peer:
    """One of them: `mtu`, and the VMess cipher and the port of the server, or none of both for direct."""

    programs = ()
    label = ""

    def __init__(self, bench, mtu, security=None, port=VMESS_PORT, place=""):
        self.bench, self.mtu, self.security, self.port = bench, mtu, security, port
        way = f"vmess {security}{place}" if security else "direct"
        self.name, self.target = f"{self.label}, MTU {mtu}, {way}", NEAR
        self.processes = []

    @classmethod
    def there(cls):
        return all(shutil.which(p) for p in cls.programs)

    def write(self, name, text):
        path = os.path.join(self.bench.world.app.dir, name)
        with open(path, "w") as f:
            f.write(text if isinstance(text, str) else json.dumps(text, indent=1))
        return path

    def start(self, *argv):
        p = self.bench.world.app.start(["taskset", "-c", str(self.bench.cores[0]), *argv])
        self.processes.append(p)
        return p

    def __enter__(self):
        app = self.bench.world.app
        try:
            self.launch()
            lab.until(lambda: app.call(["ip", "link", "show", DEVICE])[0] == 0, f"the device of {self.name}")
            if ADDRESS not in app.run(["ip", "addr", "show", DEVICE]):
                app.run(["ip", "addr", "add", ADDRESS, "dev", DEVICE])
            app.run(["ip", "link", "set", DEVICE, "up"])
            app.route(f"{NEAR}/32 dev {DEVICE}")
        except lab.Failed as e:
            self.__exit__()
            raise lab.Failed(f"{e}: {' '.join(p.text[-300:] for p in self.processes)}") from None
        return self

    def __exit__(self, *_):
        for p in self.processes:
            p.kill()
        self.processes = []
        app = self.bench.world.app
        app.call(["ip", "link", "del", DEVICE])
        lab.until(lambda: app.call(["ip", "link", "show", DEVICE])[0] != 0, f"{DEVICE} to be gone")

    def seconds(self):
        """Processor time that all of its threads have used."""
        total = 0
        for p in self.processes:
            with open(f"/proc/{p.pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def memory(self):
        """Private memory, KB."""
        total = 0
        for p in self.processes:
            with open(f"/proc/{p.pid}/smaps_rollup") as f:
                total += sum(int(x.split()[1]) for x in f if x.startswith(("Private_Clean", "Private_Dirty")))
        return total

    def switches(self):
        """How often its threads have begun to wait."""
        total = 0
        for p in self.processes:
            for task in os.listdir(f"/proc/{p.pid}/task"):
                with open(f"/proc/{p.pid}/task/{task}/status") as f:
                    total += sum(int(x.split()[1]) for x in f if x.startswith("voluntary_ctxt"))
        return total


class SingBox(Peer):
    programs = (built("sing-box-1.14.1"),)
    stack = "mixed"

    def outbound(self):
        if not self.security:
            return {"type": "direct", "bind_interface": "eth0"}
        return {"type": "vmess", "server": SERVER, "server_port": self.port, "uuid": ID, "security": self.security}

    def launch(self):
        tun = {"type": "tun", "interface_name": DEVICE, "address": [ADDRESS], "mtu": self.mtu, "stack": self.stack,
               "dns_mode": "disabled", "auto_route": False}
        config = {"log": {"level": "warn"}, "inbounds": [tun], "outbounds": [self.outbound()]}
        self.start(self.programs[0], "run", "-c", self.write("sing-box.json", config))


class SingBoxMixed(SingBox):
    label = "sing-box mixed"


class SingBoxSystem(SingBox):
    label, stack = "sing-box system", "system"


class SingBoxGvisor(SingBox):
    label, stack = "sing-box gvisor", "gvisor"


class Xray(Peer):
    label = "Xray"
    programs = (built("xray-1.260327.0"),)

    def outbound(self):
        if not self.security:
            return {"protocol": "freedom", "streamSettings": {"sockopt": {"interface": "eth0"}}}
        return {"protocol": "vmess", "settings": {"vnext": [
            {"address": SERVER, "port": self.port, "users": [{"id": ID, "security": self.security}]}]}}

    def run_xray(self, inbound):
        config = {"log": {"loglevel": "warning"}, "inbounds": [inbound], "outbounds": [self.outbound()]}
        return self.start(built("xray-1.260327.0"), "run", "-c", self.write("xray.json", config))

    def launch(self):
        self.run_xray({"port": 0, "protocol": "tun", "settings": {"name": DEVICE, "MTU": self.mtu}})


class Hev(Xray):
    """hev-socks5-tunnel before the SOCKS of Xray, and the cost of both."""

    label = "hev + Xray"
    programs = (HEV, built("xray-1.260327.0"))

    def launch(self):
        self.run_xray({"listen": "127.0.0.1", "port": SOCKS, "protocol": "socks", "settings": {"udp": True}})
        self.bench.world.wait_listening(self.bench.world.app, SOCKS)
        config = (f"tunnel:\n  name: {DEVICE}\n  mtu: {self.mtu}\n  ipv4: {ADDRESS.split('/')[0]}\n"
                  f"socks5:\n  address: 127.0.0.1\n  port: {SOCKS}\n  udp: udp\n")
        self.start(HEV, self.write("hev.yml", config))


# Each with the MTU of its documentation or default.
KINDS = ((SingBoxMixed, 65535), (SingBoxSystem, 65535), (SingBoxGvisor, 65535), (Xray, 1492), (Hev, 8500))
FEW = (SingBoxMixed, Xray, Hev)


def absent():
    """The labels of those that are not there."""
    return [kind.label for kind, _ in KINDS if not kind.there()]


def versions():
    """Where they come from, for the head of the results."""
    return [os.path.basename(p) for p in sorted({p for kind, _ in KINDS if kind.there() for p in kind.programs})]


def clients(bench, sink_port, quick):
    """(all for the bulk measures, those for the slower ones)."""
    bulk, few = [], []
    for kind, mtu in KINDS:
        if not kind.there():
            continue
        for m in (mtu,) if quick else (mtu, 1500):
            bulk += [kind(bench, m), kind(bench, m, "aes-128-gcm", sink_port, " to a C sink")]
        if kind in FEW:
            few += [kind(bench, mtu), kind(bench, mtu, "aes-128-gcm", sink_port, " to a C sink")]
            bulk += [kind(bench, mtu, "aes-128-gcm"),
                     kind(bench, mtu, "chacha20-poly1305", sink_port, " to a C sink")]
    return bulk, few
