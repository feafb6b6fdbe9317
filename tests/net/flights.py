# SPDX-License-Identifier: MIT
"""How many round trips a connection takes before its first byte, over a cable of 100 ms: the servers, and the
measure. For tests/bench/roundtrips and tests/interop/flights."""
import json
import os
import pathlib
import shutil
import socket
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "interop" / "transports"))

import lab                                                              # noqa: E402
from servers import NAME, Front, certificates, server_tls               # noqa: E402
from world import FAR, ID, SERVER, World                                # noqa: E402

RTT = 0.1
SYN = 2           # TCP's flag, RFC 9293 section 3.1
HANDSHAKES = {"plain": 0, "TLS 1.2": 2, "TLS 1.2 resumed": 1, "TLS 1.3": 1, "TLS 1.3 resumed": 1}
UPGRADES = {"raw": 0, "raw, fast open": -1, "ws": 1, "ws, fast open": 0, "ws, early data": 0, "httpupgrade": 1, "httpupgrade, early data": 0}
FAST = {"sockopt": {"tcpFastOpen": True}}
STREAMS = {
    "raw": {"network": "raw"},
    "raw, fast open": {"network": "raw", **FAST},
    "ws": {"network": "ws", "wsSettings": {"path": "/v2"}},
    "ws, fast open": {"network": "ws", "wsSettings": {"path": "/v2"}, **FAST},
    "ws, early data": {"network": "ws", "wsSettings": {"path": "/ws?ed=2048"}},
    "httpupgrade": {"network": "httpupgrade", "httpupgradeSettings": {"path": "/upgrade"}},
    "httpupgrade, early data": {"network": "httpupgrade", "httpupgradeSettings": {
        "path": "/upgrade", "maxEarlyData": 2048, "earlyDataHeaderName": "X-Early"}},
}


WARM = ", warm"     # behind a transport: with a connection that was made before


def needed(transport, handshake):
    """What the protocols need at least: TCP's handshake, what comes on top, the request and its answer. With TCP
    Fast Open its handshake is none, once the server is known; with a connection that is there nothing is but the
    last."""
    return 1 if transport.endswith(WARM) else 1 + HANDSHAKES[handshake] + UPGRADES[transport] + 1


class Servers:
    """v2ray for what Debian's speaks, and before it a front for what is newer; each with TLS and without. `program`:
    Xray, which speaks all but the early data of V2Ray 5 by itself."""

    def __init__(self, l, program=None):
        self.world = w = World(l, far_off={"delay": RTT * 500})
        l.server(w.far, FAR, 7, lab.echo)
        authority, *pair = certificates(w.server.dir)
        shutil.copy(authority, os.path.join(w.app.dir, "ca.pem"))
        tls = {"security": "tls", "tlsSettings": {"certificates": [{"certificateFile": pair[0],
                                                                    "keyFile": pair[1]}]}}
        w.server.sysctl("net.ipv4.tcp_fastopen", 3)
        streams = [("raw", FAST), ("ws", {"network": "ws", "wsSettings": {"path": "/v2"}, **FAST})]
        if program:
            streams += [(kind, STREAMS[kind]) for kind in ("ws, early data", "httpupgrade")]
        places = [(kind, secured, s) for kind, s in streams for secured in (False, True)]
        self.ports = {(kind, secured): 1001 + i for i, (kind, secured, _) in enumerate(places)}
        inbounds = [{"port": self.ports[kind, secured], "protocol": "vmess",
                     "settings": {"clients": [{"id": ID, "alterId": 0}]},
                     "streamSettings": {**s, **(tls if secured else {})}} for kind, secured, s in places]
        path = os.path.join(w.server.dir, "server.json")
        with open(path, "w") as f:
            json.dump({"inbounds": inbounds, "outbounds": [{"protocol": "freedom"}]}, f)
        w.server.start([program, "run", "-c", path] if program else ["v2ray", "-config", path])
        w.wait_listening(w.server, max(self.ports.values()))
        self.front = {on: w.server.inside(Front, self.ports["raw", False], server_tls(pair) if on else None, SERVER)
                      for on in (False, True)}

    def port(self, transport, secured):
        transport = transport.removesuffix(", fast open")
        return self.ports.get((transport, secured)) or self.front[secured].port

    def get_known(self, transport, resumed):
        """The connection before the one that is counted, where that one resumes a session, has a cookie, or finds
        a third."""
        if resumed or transport.endswith(("fast open", WARM)):
            self.ask().close()

    def start(self, transport, library=None, resumed=False):
        """sluice, ready, with an outbound of this kind. `library` None: no TLS."""
        w, self.warm = self.world, transport.endswith(WARM)
        transport = transport.removesuffix(WARM)
        path = w.config(port=self.port(transport, library is not None))
        with open(path) as f:
            text = json.load(f)
        stream = dict(STREAMS[transport])
        if library:
            stream["security"] = "tls"
            stream["tlsSettings"] = {
                "serverName": NAME, "disableSystemRoot": True, "enableSessionResumption": resumed,
                "certificates": [{"usage": "verify", "certificateFile": "ca.pem"}]}
            text["sluice"]["tls"] = library
        if self.warm:
            text["sluice"]["warm"] = 1
            text["log"]["loglevel"] = "debug"
        text["outbounds"][0]["streamSettings"] = stream
        with open(path, "w") as f:
            json.dump(text, f)
        self.program = w.start(path)
        return self.program

    def ask(self):
        """An application's connection, when the first byte of the answer to what it says has come."""
        s = self.world.app.socket()
        s.settimeout(30)
        s.connect((FAR, 7))
        s.sendall(b"hello")
        if s.recv(100) != b"hello":
            raise lab.Failed("something else came back")
        return s

    def round_trips(self):
        """How often until then the cable was silent until the server had answered: whatever the time of this
        machine's own work, a request that could have left earlier is one more. And the seconds."""
        if self.warm:
            self.program.wait_line("a connection is ready")
        with lab.Sniffer(self.world.app, "eth0") as wire:
            began = time.monotonic()
            s = self.ask()
            took = time.monotonic() - began
            mark = self.world.app.socket(socket.AF_INET, socket.SOCK_DGRAM)
            mark.sendto(b"mark", ("198.18.0.1", 9))
            wire.wait(lambda p: p.body == b"mark", "the datagram behind all else")
            said = wire.seen(lambda p: SERVER in (p.src, p.dst) and p.proto == 6 and (p.body or p.payload[13] & SYN))
            if self.warm:       # another one is made meanwhile
                new = {p.sport for p in said if p.outgoing and p.payload[13] & SYN}
                said = [p for p in said if not {p.sport, p.dport} & new]
            s.close()
            mark.close()
        return sum(a.outgoing and not b.outgoing for a, b in zip(said, said[1:])), took
