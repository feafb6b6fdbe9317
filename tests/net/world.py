# SPDX-License-Identifier: MIT
"""The small world in which sluice is tried: an application's host, a router, a VMess server, and sites
whose addresses a country database puts into two countries.

    app 198.18.0.2 ---- router ---- server 203.0.113.10  (Debian's v2ray, VMess on port 10086)
                          |---- near 192.0.2.80      (XA)
                          '---- far  198.51.100.80   (XB)

Each host has IPv6 too (2001:db8:...).  Used by the net and interop tests, and by tools/quickstart.
"""
import json
import os
import pathlib
import subprocess
import sys

import lab

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
SLUICE = os.environ.get("SLUICE", str(TOP / "build/release/sluice"))
# Who carries direct flows, where a test does not say so itself: most are about the stack. None: sluice's own default.
DIRECT = os.environ.get("SLUICE_DIRECT", "stack")
ID = "b831381d-6324-4d53-ad4f-8cda48b30811"
VMESS_PORT = 10086

APP, APP6 = "198.18.0.2", "2001:db8:f::2"
SERVER, SERVER6 = "203.0.113.10", "2001:db8:5::10"
NEAR, NEAR6 = "192.0.2.80", "2001:db8:a::80"
FAR, FAR6 = "198.51.100.80", "2001:db8:b::80"
DEAD, DEAD6 = "192.0.2.99", "2001:db8:a::99"       # nobody there: the router's link is silent
GONE, GONE6 = "192.88.99.9", "2001:db8:dead::9"    # the router has no route to it


_databases = {}     # what tools/testdb makes, which takes a while: always the same


class World:
    """Hosts and links; `app` is where sluice runs. `far_off` are options of Lab.long_link for its link."""

    def __init__(self, l, far_off=None):
        self.lab, self.cable = l, None
        self.app, self.router = l.space("app"), l.space("router", forward=True)
        self.server, self.near, self.far = l.space("server"), l.space("near"), l.space("far")
        self._join(self.app, "app", "198.18.0", "2001:db8:f::", APP, APP6, far_off)
        self._join(self.server, "server", "203.0.113", "2001:db8:5::", SERVER, SERVER6)
        self._join(self.near, "near", "192.0.2", "2001:db8:a::", NEAR, NEAR6)
        self._join(self.far, "far", "198.51.100", "2001:db8:b::", FAR, FAR6)
        # Unknown neighbours must stay silent, as on a network whose host drops everything.
        self.router.ip(*(f"neigh add {a} lladdr 02:00:00:00:00:99 dev near" for a in (DEAD, DEAD6)))
        self.v2ray = None

    def _join(self, space, dev, v4, v6, address, address6, far_off=None):
        ends = (space, "eth0", f"{address}/24 {address6}/64", self.router, dev, f"{v4}.1/24 {v6}1/64")
        if far_off is None:
            self.lab.link(*ends)
        else:
            self.cable = self.lab.long_link(*ends, **far_off)
        space.ip(f"route add default via {v4}.1", f"route add default via {v6}1")

    def database(self, layout="nested"):
        """A country database for these addresses; its path."""
        path = pathlib.Path(self.lab.dir, f"country-{layout}.mmdb")
        if not path.exists():
            if layout not in _databases:
                subprocess.run([str(TOP / "tools/testdb"), path, layout], check=True)
                _databases[layout] = path.read_bytes()
            path.write_bytes(_databases[layout])
            path.chmod(0o644)
        return str(path)

    def start_v2ray(self, port=VMESS_PORT, listen="0.0.0.0", stream=None, policy=None, **more):
        """Debian's v2ray as the VMess server; `stream`: its streamSettings, `policy`: that of its users."""
        config = {"log": {"loglevel": "warning"},
                  "inbounds": [{"port": port, "listen": listen, "protocol": "vmess",
                                "settings": {"clients": [{"id": ID, "alterId": 0}], **more},
                                "streamSettings": stream or {}}],
                  "outbounds": [{"protocol": "freedom", "settings": {}}],
                  "policy": {"levels": {"0": policy or {}}}}
        path = os.path.join(self.server.dir, f"v2ray-{port}.json")
        with open(path, "w") as f:
            json.dump(config, f)
        self.v2ray = self.server.start(["v2ray", "-config", path])
        self.wait_listening(self.server, port)
        return self.v2ray

    def wait_listening(self, space, port, udp=False):
        lab.until(lambda: f":{port} " in space.run(["ss", "-Hlnu" if udp else "-Hlnt"]),
                  f"port {port} to be open in {space.short}")

    def config(self, rules=(), first="proxy", sniffing=None, security="auto", address=SERVER,
               port=VMESS_PORT, user=ID, direct=DIRECT, sluice=None, mtu=1500, offload=True, **more):
        """A configuration with a VMess outbound `proxy`, `direct` and `block`; its path."""
        own = dict(sluice or {"geoip": self.database()})
        if direct:
            own.setdefault("direct", direct)
        if not offload:
            own["offload"] = False
        proxy = {"tag": "proxy", "protocol": "vmess",
                 "settings": {"address": address, "port": port, "id": user, "security": security}}
        outbounds = [proxy, {"tag": "direct", "protocol": "freedom"},
                     {"tag": "block", "protocol": "blackhole"}]
        outbounds.sort(key=lambda o: o["tag"] != first)
        tun = {"tag": "tun", "protocol": "tun", "settings": {"name": "tun7", "mtu": mtu,
                            "autoSystemRoutingTable": ["0.0.0.0/0", "::/0"]}}
        if sniffing:
            tun["sniffing"] = sniffing
        text = {"log": {"loglevel": "info"}, "inbounds": [tun], "outbounds": outbounds,
                "routing": {"rules": list(rules)}, "sluice": own, **more}
        path = os.path.join(self.app.dir, "config.json")
        with open(path, "w") as f:
            json.dump(text, f, indent=1)
        return path

    def start(self, path, *words, wait=True, env=None):
        """`sluice run` on the application's host, ready for packets."""
        p = self.app.start([SLUICE, "run", "-c", path, "--state", self.app.state, *words], env=env)
        if wait:
            p.wait_line(r"\bready\b")
        return p

    def stop(self, p):
        """Ends it as systemd would, and checks that nothing was wrong inside."""
        status = p.stop(seconds=30)
        wrong = ("Sanitizer", "runtime error", "did not come home", "was ended by signal", "Assertion")
        if status != 0 or any(x in p.text for x in wrong):
            raise lab.Failed(f"sluice ended with {status}:\n{p.text}")
        return p


def web(text):
    """For Lab.server: answers every HTTP request with `text` and the address it was asked from."""
    def serve(connection, peer):
        asked = b""
        while b"\r\n\r\n" not in asked:
            piece = connection.recv(4096)
            if not piece:
                return
            asked += piece
        body = f"{text} asked by {peer[0]}\n".encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                           % (len(body), body))
    return serve


if __name__ == "__main__":
    sys.exit("world.py is used by the tests; it does nothing by itself")
