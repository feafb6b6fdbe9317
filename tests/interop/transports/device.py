# SPDX-License-Identifier: MIT
"""TLS and WebSocket beneath the device: certificates by the keeper, many flows, UDP, an idle end."""
import json
import os
import pathlib
import shutil
import socket
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "net" / "vmess")]

from servers import NAME, certificates                                  # noqa: E402
from vmess import (FAR, FAR6, ID, MB, SERVER, World, at_once, flow_line, grind, lab, mill,   # noqa: E402
                   noise, read_exactly, tcp, udp)

PORT = 8443


def world(l):
    """V2Ray takes WebSocket in TLS."""
    w = World(l)
    authority, chain, key = certificates(w.server.dir)
    shutil.copy(authority, os.path.join(w.app.dir, "ca.pem"))
    config = {"inbounds": [{"port": PORT, "protocol": "vmess",
                            "settings": {"clients": [{"id": ID, "alterId": 0}]},
                            "streamSettings": {
                                "network": "ws", "wsSettings": {"path": "/p"}, "security": "tls",
                                "tlsSettings": {"certificates": [
                                    {"certificateFile": chain, "keyFile": key}]}}}],
              "outbounds": [{"protocol": "freedom"}]}
    path = os.path.join(w.server.dir, "ws.json")
    with open(path, "w") as f:
        json.dump(config, f)
    w.server.start(["v2ray", "-config", path])
    w.wait_listening(w.server, PORT)
    return w


def start(w, library="auto", servers=((SERVER, PORT),), **more):
    """sluice with an outbound through it; the certificate has no path but its name."""
    path = w.config(**more)
    with open(path) as f:
        text = json.load(f)
    text["outbounds"][0]["settings"] = {"vnext": [
        {"address": a, "port": p, "users": [{"id": ID, "security": "auto"}]} for a, p in servers]}
    text["outbounds"][0]["streamSettings"] = {
        "network": "ws", "wsSettings": {"path": "/p"}, "security": "tls",
        "tlsSettings": {"serverName": NAME, "disableSystemRoot": True,
                        "certificates": [{"usage": "verify", "certificateFile": "ca.pem"}]}}
    text["sluice"]["tls"] = library
    with open(path, "w") as f:
        json.dump(text, f)
    return w.start(path)


def test_both_libraries(l):
    w = world(l)
    for address in (FAR, FAR6):
        l.server(w.far, address, 9, mill)
        l.server(w.far, address, 7, lambda data, peer: data, socket.SOCK_DGRAM)
    for library in ("bearssl", "auto"):
        p = start(w, library)
        for address in (FAR, FAR6):
            grind(w.app, address, 9, 5 * MB)
            flow_line(p, "tcp", (address, 9), "proxy", "ended")
            with udp(w.app, address) as s:
                s.sendto(b"datagram", (address, 7))
                assert s.recv(100) == b"datagram"
        w.stop(p)


def test_100_at_once(l):
    w = world(l)
    l.server(w.far, FAR, 7, lab.echo)
    met = threading.Barrier(100, timeout=60)

    def talk(i):
        mine = noise(32768, seed=i)
        with tcp(w.app, FAR, 7, seconds=60) as s:
            met.wait()
            s.sendall(mine)
            assert read_exactly(s, len(mine)) == mine, f"connection {i}"

    for library in ("bearssl", "auto"):
        p = start(w, library)
        at_once([lambda i=i: talk(i) for i in range(100)])
        w.stop(p)


def test_second_server(l):
    """The first refuses: the flow goes by the second, and the log says so once."""
    w = world(l)
    l.server(w.far, FAR, 9, mill)
    p = start(w, servers=((SERVER, 1), (SERVER, PORT)))
    for _ in range(3):
        grind(w.app, FAR, 9, 1000)
    assert p.text.count("cannot be reached, others are used") == 1, p.text
    w.stop(p)


def test_idle_by_the_level(l):
    """connIdle of the user's level ends a quiet flow."""
    w = world(l)
    l.server(w.far, FAR, 7, lab.echo)
    p = start(w, policy={"levels": {"0": {"connIdle": 2}}})
    with tcp(w.app, FAR, 7) as s:
        s.sendall(b"x")
        assert read_exactly(s, 1) == b"x"
        flow_line(p, "tcp", (FAR, 7), "proxy", "idle for 2 s")
    w.stop(p)


if __name__ == "__main__":
    lab.main(test_both_libraries, test_100_at_once, test_second_server, test_idle_by_the_level)
