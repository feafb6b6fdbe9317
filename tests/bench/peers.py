# SPDX-License-Identifier: MIT
"""Other TUN clients for tests/bench/run: what tools/peers has built, Debian's v2ray, and hev-socks5-tunnel where $HEV
names its program.

Each has its own device, to which only the route to the benchmark's server leads; a direct connection leaves by the
interface's name, or by a mark.  They run on the core of the client under test, at the MTU that their documentation or
default has, and at 1500.
"""
import os
import shutil
import time

import lab
from clients import Client
from upstream import MARK
from world import NEAR, TOP

BUILT = os.environ.get("SLUICE_PEERS") or str(TOP / "build/peers")
HEV = os.environ.get("HEV", "")
DEVICE, ADDRESS, SOCKS = "tun8", "198.18.7.1/30", 1080


def built(name):
    return os.path.join(BUILT, name)


V2RAY = ("v2ray", "-config")
XRAY = (built("xray-1.260327.0"), "run", "-c")
XRAY_OLD = (built("xray-1.8.24"), "run", "-c")
DOORS = (("v2ray", V2RAY), ("Xray 1.260327", XRAY), ("Xray 1.8.24", XRAY_OLD))


def there(*programs):
    return all(shutil.which(p) for p in programs)


class Peer(Client):
    peer = True
    programs = ()
    label = ""

    def __init__(self, bench, mtu, server=None, security=None):
        super().__init__(bench, f"{self.label}, MTU {mtu}," + ("" if server else " direct"), server, security)
        self.mtu = mtu

    def has_device(self):
        """As the program's own namespace sees it: asked often, and without a process."""
        try:
            with open(f"/proc/{self.processes[-1].pid}/net/dev") as f:
                return f"{DEVICE}:" in f.read()
        except OSError:
            raise lab.Failed("it has ended") from None

    def attach(self):
        end = time.monotonic() + lab.SECONDS
        while not self.has_device():
            if time.monotonic() > end:
                raise lab.Failed(f"no device in {lab.SECONDS} s")
            time.sleep(0.001)
        app = self.bench.world.app
        app.call("ip -force -batch -", input=(f"link set {DEVICE} up\nroute add {NEAR}/32 dev {DEVICE}\n"
                                               f"addr add {ADDRESS} dev {DEVICE}\n").encode())
        if DEVICE not in app.run(f"ip route get {NEAR}"):
            raise lab.Failed(f"no route to {DEVICE}")

    def end(self):
        super().end()
        app = self.bench.world.app
        app.call(["ip", "link", "del", DEVICE])
        lab.until(lambda: app.call(["ip", "link", "show", DEVICE])[0] != 0, f"{DEVICE} to be gone")


class SingBox(Peer):
    programs = (built("sing-box-1.14.1"),)
    stack = "mixed"

    def config(self):
        tun = {"type": "tun", "interface_name": DEVICE, "address": [ADDRESS], "mtu": self.mtu, "stack": self.stack,
               "dns_mode": "disabled", "auto_route": False}
        return {"log": {"level": "warn"}, "inbounds": [tun],
                "outbounds": [{"tag": "out", **self.bench.servers.sing_box(self.server, self.security)}]}

    def launch(self):
        self.start(self.programs[0], "run", "-c", self.write("sing-box.json", self.config()))


class SingBoxMixed(SingBox):
    label = "sing-box mixed"


class SingBoxSystem(SingBox):
    label, stack = "sing-box system", "system"


class SingBoxGvisor(SingBox):
    label, stack = "sing-box gvisor", "gvisor"


class SingBoxNames(SingBox):
    """It answers questions for names itself, and asks the same server."""

    label = "sing-box mixed with its DNS"

    def config(self):
        server = {"tag": "names", "type": "udp", "server": NEAR}
        server |= {"detour": "out"} if self.server else {"bind_interface": "eth0"}
        return {**super().config(), "dns": {"servers": [server], "strategy": "ipv4_only"},
                "route": {"rules": [{"port": 53, "action": "hijack-dns"}]}}


class Marked(Peer):
    """Its direct connections have a mark, by which they find the way past the device."""

    def prepare(self):
        app = self.bench.world.app
        app.route(f"default via 198.18.0.1 table {MARK}")
        app.run(f"ip rule add fwmark {MARK} table {MARK}")

    def run_xray(self, command, inbound):
        config = {"log": {"loglevel": "warning"}, "inbounds": [inbound],
                  "outbounds": [self.bench.servers.outbound(self.server, self.security)]}
        return self.start(self.bench.own(command[0]), *command[1:], self.write("xray.json", config))

    def end(self):
        super().end()
        app = self.bench.world.app
        app.call(f"ip rule del fwmark {MARK}")
        app.call(f"ip route flush table {MARK}")


class Xray(Marked):
    label = "Xray 1.260327"
    programs = XRAY[:1]

    def launch(self):
        self.run_xray(XRAY, {"port": 0, "protocol": "tun", "settings": {"name": DEVICE, "MTU": self.mtu}})


class Hev(Marked):
    """hev-socks5-tunnel before the SOCKS of v2ray, and the cost of both."""

    label, socks = "hev + v2ray", V2RAY
    descriptors = 2
    programs = (HEV, V2RAY[0])

    def prepare(self):
        super().prepare()
        self.run_xray(self.socks, {"listen": "127.0.0.1", "port": SOCKS, "protocol": "socks",
                                   "settings": {"udp": True, "ip": "127.0.0.1"}})
        self.bench.world.wait_listening(self.bench.world.app, SOCKS)

    def launch(self):
        config = (f"tunnel:\n  name: {DEVICE}\n  mtu: {self.mtu}\n  ipv4: {ADDRESS.split('/')[0]}\n"
                  f"socks5:\n  address: 127.0.0.1\n  port: {SOCKS}\n  udp: udp\n")
        self.start(HEV, self.write("hev.yml", config))


class HevXray(Hev):
    label, socks = "hev + Xray 1.260327", XRAY
    programs = (HEV, XRAY[0])


class HevXrayOld(Hev):
    """Xray 1.8.24 has no TUN of its own."""

    label, socks = "hev + Xray 1.8.24", XRAY_OLD
    programs = (HEV, XRAY_OLD[0])


# Each with the MTU of its documentation or default; which of them take every way, and which what takes longer.
KINDS = ((SingBoxMixed, 65535), (SingBoxSystem, 65535), (SingBoxGvisor, 65535), (Xray, 1492), (Hev, 8500),
         (HevXray, 8500), (HevXrayOld, 8500))
EVERY_WAY = (SingBoxMixed, SingBoxSystem, Xray, Hev)
AT_1500 = (SingBoxMixed, SingBoxSystem, SingBoxGvisor, Xray, Hev)
FEW = (SingBoxMixed, Xray, Hev)


def absent():
    """The labels of those that are not there."""
    return [kind.label for kind, _ in KINDS if not there(*kind.programs)]


def versions():
    """Where they come from, for the head of the results."""
    programs = {p for kind, _ in KINDS if there(*kind.programs) for p in kind.programs}
    return sorted(os.path.basename(p) for p in programs)
