# SPDX-License-Identifier: MIT
"""The VMess servers behind the clients of tests/bench/run, and how a client is told of them."""
import os
import pathlib
import shutil
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "interop" / "transports"))

import sinks                                            # noqa: E402
from servers import NAME, certificates                  # noqa: E402
from world import ID, SERVER, VMESS_PORT                # noqa: E402

DISCARD, CHARGEN = 9, 19                    # where the C sink is the target itself
SINK_CHUNK = 1966                           # as much in a chunk as v2ray has
MARK = 8                                    # of what Xray and v2ray send directly, past the device


class Server:
    def __init__(self, label, port, secured=False):
        self.label, self.port, self.secured = label, port, secured


RAW = Server("to v2ray", VMESS_PORT)
SINK = Server("to a C sink", 10087)
SECURE = Server("in TLS + WebSocket to v2ray", 10088, secured=True)


class Servers:
    """All of them, started; `authority` is the certificate that the clients trust."""

    def __init__(self, w, sharing):
        """`sharing` C sinks have one port together, each its part of the connections."""
        self.world = w
        self.raw = w.start_v2ray()
        for _ in range(sharing):
            sinks.start(w, SINK.port, SINK_CHUNK)
        authority, certificate, key = certificates(w.server.dir)
        self.authority = shutil.copy(authority, os.path.join(w.app.dir, "ca.pem"))
        pair = {"certificateFile": certificate, "keyFile": key}
        w.start_v2ray(SECURE.port, stream={"network": "ws", "security": "tls", "tlsSettings": {"certificates": [pair]}})

    def renew(self):
        """Another v2ray: one takes a new header for a repeated one ever more often, and is silent then."""
        self.raw.kill()
        self.raw = self.world.start_v2ray()

    def stream(self, server):
        """streamSettings of sluice, Xray and v2ray."""
        if not server.secured:
            return {"network": "tcp"}
        trusted = {"usage": "verify", "certificateFile": self.authority}
        return {"network": "ws", "security": "tls", "tlsSettings": {
            "serverName": NAME, "disableSystemRoot": True, "certificates": [trusted]}}

    def outbound(self, server, security):
        """An outbound of Xray and v2ray; no server is directly."""
        if server is None:
            return {"protocol": "freedom", "streamSettings": {"sockopt": {"mark": MARK}}}
        user = {"id": ID, "security": security}
        return {"protocol": "vmess", "streamSettings": self.stream(server),
                "settings": {"vnext": [{"address": SERVER, "port": server.port, "users": [user]}]}}

    def sing_box(self, server, security):
        """An outbound of sing-box."""
        if server is None:
            return {"type": "direct", "bind_interface": "eth0"}
        out = {"type": "vmess", "server": SERVER, "server_port": server.port, "uuid": ID, "security": security}
        if server.secured:
            out["transport"] = {"type": "ws"}
            out["tls"] = {"enabled": True, "server_name": NAME, "certificate_path": self.authority}
        return out
