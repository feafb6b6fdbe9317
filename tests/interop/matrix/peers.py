# SPDX-License-Identifier: MIT
"""The servers of the matrix: each one process with an inbound for every transport, with and without TLS."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "transports"))

from servers import ID, free_port                                       # noqa: E402

BUILT = os.environ.get("SLUICE_PEERS") or os.path.join(HERE, "..", "..", "..", "build", "peers")
TRANSPORTS = ("raw", "ws", "ws early", "httpupgrade")
PATH = {"ws": "/ws", "ws early": "/early", "httpupgrade": "/upgrade"}
EARLY = {"maxEarlyData": 2048, "earlyDataHeaderName": "Sec-WebSocket-Protocol"}
EARLY_SNAKE = {"max_early_data": 2048, "early_data_header_name": "Sec-WebSocket-Protocol"}


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def comes(condition, seconds):
    """Asks until it holds; false after so long."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Peer:
    """A server program. `port` by transport and whether TLS is in front; `log` is what it says."""

    transports = TRANSPORTS
    early_by_path = False       # Xray's "?ed="; the others have fields for it
    remark = ""                 # for the results

    def __init__(self, name, program, directory, pair):
        self.name, self.program, self.pair = name, program, pair
        self.directory = os.path.join(directory, name.replace(" ", "-"))
        self.log = os.path.join(self.directory, "log")
        self.port = {(t, tls): free_port() for t in self.transports for tls in (False, True)}
        self.process = None

    def there(self):
        return bool(shutil.which(self.program))

    def version(self):
        for word in ("version", "-version", "-v"):
            r = subprocess.run([self.program, word], capture_output=True, text=True)
            if m := re.search(r"\d+\.\d+\.\d+", r.stdout + r.stderr):
                return m[0]
        return "?"

    def configure(self, config, name="config.json"):
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.write(config if isinstance(config, str) else json.dumps(config, indent=1))
        return path

    def command(self, path):
        return [self.program, "run", "-c", path]

    def start(self):
        os.makedirs(self.directory)
        path = self.configure(self.config())
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(self.command(path), stdout=log, stderr=log)

    def wait(self, seconds=30):
        up = lambda: all(map(listens, self.port.values()))      # noqa: E731
        if not comes(lambda: self.process.poll() is not None or up(), seconds) or not up():
            sys.exit(f"{self.name} did not start: {self.said(0)[-1000:]}")

    def said(self, since):
        """What the log has from its byte `since` on."""
        with open(self.log, errors="replace") as f:
            f.seek(since)
            return f.read()

    def says(self, words, since):
        """Whether the log does; it may be a moment behind."""
        return comes(lambda: re.search(words, self.said(since)), 5)

    def raced(self, _transport, _since):
        """Whether it lost a connection, after byte `since` of its log, by an error of its own."""
        return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()


class V4(Peer):
    """The configuration of V2Ray 4 and of Xray."""

    def stream(self, transport, tls):
        path = PATH.get(transport)
        settings = {
            "raw": {"network": "tcp"},
            "ws": {"network": "ws", "wsSettings": {"path": path}},
            "ws early": {"network": "ws", "wsSettings": {"path": path}},
            "httpupgrade": {"network": "httpupgrade", "httpupgradeSettings": {"path": path}},
        }[transport]
        if tls:
            settings = {**settings, "security": "tls", "tlsSettings": {"certificates": [
                {"certificateFile": self.pair[0], "keyFile": self.pair[1]}]}}
        return settings

    def config(self):
        return {
            "log": {"loglevel": "info"},
            "inbounds": [{"listen": "127.0.0.1", "port": port, "protocol": "vmess",
                          "settings": {"clients": [{"id": ID, "alterId": 0}]},
                          "streamSettings": self.stream(transport, tls)}
                         for (transport, tls), port in self.port.items()],
            "outbounds": [{"protocol": "freedom", "settings": {"domainStrategy": "AsIs"}}],
        }


class Xray(V4):
    early_by_path = True


class OldV2ray(V4):
    """Debian's: no HTTPUpgrade, no early data."""

    transports = ("raw", "ws", "ws early")

    def command(self, path):
        return [self.program, "-config", path]

    def refuses_httpupgrade(self):
        """What it says of a configuration with it."""
        config = self.config()
        config["inbounds"][0]["streamSettings"] = self.stream("httpupgrade", False)
        path = self.configure(config, "httpupgrade.json")
        r = subprocess.run([self.program, "-test", "-config", path], capture_output=True, text=True)
        return r.stdout + r.stderr if r.returncode else "it took it"


class NewV2ray(Peer):
    """The configuration of V2Ray 5."""

    def command(self, path):
        return [self.program, "run", "-format", "jsonv5", "-c", path]

    def stream(self, transport, tls):
        path = PATH.get(transport)
        settings = {
            "raw": {"transport": "tcp"},
            "ws": {"transport": "ws", "transportSettings": {"path": path}},
            "ws early": {"transport": "ws", "transportSettings": {"path": path, **EARLY}},
            "httpupgrade": {"transport": "httpupgrade", "transportSettings": {"path": path}},
        }[transport]
        if tls:
            settings = {**settings, "security": "tls", "securitySettings": {"certificate": [
                {"certificateFile": self.pair[0], "keyFile": self.pair[1]}]}}
        return settings

    def config(self):
        return {
            "log": {"error": {"type": "Console", "level": "Info"}},
            "inbounds": [{"listen": "127.0.0.1", "port": port, "protocol": "vmess",
                          "settings": {"users": [ID]}, "streamSettings": self.stream(transport, tls)}
                         for (transport, tls), port in self.port.items()],
            "outbounds": [{"protocol": "freedom"}],
        }


class SingBox(Peer):
    remark = ("Its HTTPUpgrade server sends the answer first and takes the connection over then; what comes in between "
              "is lost. On loopback that meets one connection in 25, and none where the answer takes 5 ms. Where its "
              "log says `bad request`, the connection was made again.")

    def raced(self, transport, since):
        return transport == "httpupgrade" and self.says("bad request", since)

    def inbound(self, transport, tls):
        path = PATH.get(transport)
        inbound = {"type": "vmess", "listen": "127.0.0.1", "listen_port": self.port[transport, tls],
                   "users": [{"uuid": ID, "alterId": 0}]}
        if transport != "raw":
            inbound["transport"] = {
                "ws": {"type": "ws", "path": path},
                "ws early": {"type": "ws", "path": path, **EARLY_SNAKE},
                "httpupgrade": {"type": "httpupgrade", "path": path},
            }[transport]
        if tls:
            inbound["tls"] = {"enabled": True, "certificate_path": self.pair[0], "key_path": self.pair[1]}
        return inbound

    def config(self):
        return {"log": {"level": "info"}, "outbounds": [{"type": "direct"}],
                "inbounds": [self.inbound(transport, tls) for transport, tls in self.port]}


class Nginx(Peer):
    """In front of `behind`, whose inbounds without TLS it leads to. Debian's own nginx.conf, with a site."""

    protocols = None

    def __init__(self, name, program, directory, pair, behind):
        super().__init__(name, program, directory, pair)
        self.behind = behind
        plain, tls = free_port(), free_port()
        self.port = {(t, s): tls if s else plain for t in TRANSPORTS for s in (False, True)}
        self.early_by_path = behind.early_by_path

    def there(self):
        return super().there() and self.behind.there()

    def command(self, path):
        return [self.program, "-e", self.log, "-c", path, "-g", "daemon off;"]

    def site(self):
        """As nginx's page on WebSocket proxying has it."""
        places = "".join(f"""
	location {PATH[t]} {{
		proxy_pass http://127.0.0.1:{self.behind.port[t, False]};
		proxy_http_version 1.1;
		proxy_set_header Upgrade $http_upgrade;
		proxy_set_header Connection "upgrade";
		proxy_set_header Host $host;
	}}""" for t in PATH)
        return f"""server {{
	listen 127.0.0.1:{self.port["raw", False]};
	listen 127.0.0.1:{self.port["raw", True]} ssl;
	ssl_certificate {self.pair[0]};
	ssl_certificate_key {self.pair[1]};{places}
}}
"""

    def config(self):
        site = self.configure(self.site(), "site")
        with open("/etc/nginx/nginx.conf") as f:
            text = f.read()
        for was, now in ((r"(?m)^pid .*;", f"pid {self.directory}/pid;"),
                         (r"(?m)^error_log .*;\n", ""),
                         (r"access_log .*;", "access_log off;"),
                         (r"include /etc/nginx/conf\.d/\*\.conf;", ""),
                         (r"include /etc/nginx/sites-enabled/\*;", f"include {site};")):
            text = re.sub(was, now, text)
        if self.protocols:
            text, n = re.subn(r"ssl_protocols [^;]*;", f"ssl_protocols {self.protocols};", text)
            assert n == 1, "nginx.conf has no ssl_protocols"
        return text


class Nginx13(Nginx):
    protocols = "TLSv1.3"


def all_peers(directory, pair):
    """By name, in the order of the table."""
    built = lambda name: os.path.join(BUILT, name)      # noqa: E731
    peers = [
        OldV2ray("V2Ray 4.34", "v2ray", directory, pair),
        Xray("Xray 1.8.24", built("xray-1.8.24"), directory, pair),
        Xray("Xray 1.260327.0", built("xray-1.260327.0"), directory, pair),
        SingBox("sing-box 1.14.1", built("sing-box-1.14.1"), directory, pair),
        NewV2ray("V2Ray 5.52.0", built("v2ray-5.52.0"), directory, pair),
    ]
    for kind, name in ((Nginx, "nginx"), (Nginx13, "nginx, TLS 1.3 alone")):
        peers.append(kind(name, "nginx", directory, pair, peers[2]))
    return {p.name: p for p in peers}
