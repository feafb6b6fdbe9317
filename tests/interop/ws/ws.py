#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The transport layers by themselves against real servers on loopback.

usage: ws.py DIAL

DIAL is the program built from dial.c.  A V2Ray `dokodemo-door` behind WebSocket, or behind
the HTTP head of raw TCP, leads to an echo server, without VMess in between.  V2Ray 4 has no
HTTPUpgrade and no early data: for these a server of ours stands in, which sends its first
bytes in one segment with its answer.  Exit status 77: there is no `v2ray` here.
"""

import base64
import contextlib
import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from loopback import free_port, listener, v2ray_start  # noqa: E402

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def echo(c, first=b""):
    with c, contextlib.suppress(OSError):
        c.sendall(first)
        while p := c.recv(1 << 16):
            c.sendall(p)


def head_read(c):
    """The request head and what came behind it."""
    p = b""
    while b"\r\n\r\n" not in p:
        more = c.recv(65536)
        if not more:
            raise OSError("closed in the head")
        p += more
    return p.split(b"\r\n\r\n", 1)


def field(head, name):
    m = re.search(rb"(?im)^" + name + rb": *(.*?)\r?$", head)
    return m[1] if m else b""


def early(head):
    text = field(head, b"X-Early")
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def httpupgrade(c):
    with contextlib.suppress(OSError):
        head, behind = head_read(c)
        assert not behind and b"Sec-WebSocket" not in head
        answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        echo(c, answer + early(head))


def frame(p):
    if len(p) < 126:
        return struct.pack("!BB", 0x82, len(p)) + p
    return struct.pack("!BBH", 0x82, 126, len(p)) + p


def exactly(f, n):
    p = f.read(n)
    if len(p) != n:
        raise OSError("cut")
    return p


def websocket(c):
    with c, contextlib.suppress(OSError):
        head, behind = head_read(c)
        assert not behind
        key = base64.b64encode(hashlib.sha1(field(head, b"Sec-WebSocket-Key") + GUID).digest())
        answer = (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nSec-WebSocket-Accept: " + key + b"\r\n\r\n"
        )
        first = early(head)
        c.sendall(answer + (frame(first) if first else b""))
        f = c.makefile("rb")
        while True:
            opcode, n = exactly(f, 2)
            n &= 127
            if n == 126:
                (n,) = struct.unpack("!H", exactly(f, 2))
            mask = exactly(f, 4)
            p = int.from_bytes(exactly(f, n), "big")
            p ^= int.from_bytes((mask * (n // 4 + 1))[:n], "big")
            if opcode == 0x88:
                c.sendall(b"\x88\x02\x03\xe8")
                return
            if opcode == 0x82:
                c.sendall(frame(p.to_bytes(n, "big")) + b"\x89\x04ping")
            else:
                assert opcode == 0x8A and p.to_bytes(n, "big") == b"ping"


def inbound(port, to, settings):
    return {
        "listen": "127.0.0.1",
        "port": port,
        "protocol": "dokodemo-door",
        "settings": {"address": "127.0.0.1", "port": to, "network": "tcp"},
        "streamSettings": settings,
    }


@contextlib.contextmanager
def v2ray(inbounds):
    with tempfile.TemporaryDirectory() as directory:
        process = v2ray_start(directory, {"inbounds": inbounds, "outbounds": [{"protocol": "freedom"}]})
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def main():
    if not shutil.which("v2ray"):
        print("absent: v2ray")
        return 77
    failed = 0

    def run(label, layer, port, path, early, size, conns, says="^ok:"):
        nonlocal failed
        arguments = [sys.argv[1], layer, f"127.0.0.1:{port}", path, early, size, conns]
        r = subprocess.run(
            list(map(str, arguments)), capture_output=True, text=True, timeout=120
        )
        both = r.stdout + r.stderr
        good = bool(re.search(says, both, re.M)) and (r.returncode == 0) == (says == "^ok:")
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {label}: {both.strip()}", flush=True)

    to = listener(echo)
    ws, head = free_port(), free_port()
    inbounds = [
        inbound(ws, to, {"network": "ws", "wsSettings": {"path": "/way"}}),
        inbound(head, to, {"network": "tcp", "tcpSettings": {"header": {"type": "http"}}}),
    ]
    with v2ray(inbounds):
        for size, conns in ((1, 1), (125, 1), (126, 1), (70000, 50), (20000000, 1)):
            run(f"v2ray ws, {size}", "ws", ws, "/way", "0", size, conns)
            run(f"v2ray header http, {size}", "httphead", head, "/", "0", size, conns)
        run("v2ray ws, query", "ws", ws, "/way?a=b", "0", 1000, 1)
        run("v2ray ws, wrong path", "ws", ws, "/other", "0", 1000, 1, "404: the path may be wrong")
        run("v2ray ws, plain port", "ws", to, "/way", "0", 1000, 1, "not answer in HTTP")
    own_ws, own_upgrade = listener(websocket), listener(httpupgrade)
    for size, conns in ((1, 1), (2048, 1), (2049, 1), (70000, 20), (5000000, 1)):
        run(f"own ws, {size}", "ws", own_ws, "/", "0", size, conns)
        run(f"own ws early, {size}", "ws", own_ws, "/", "2048:X-Early", size, conns)
        run(f"own httpupgrade, {size}", "httpupgrade", own_upgrade, "/", "0", size, conns)
        run(
            f"own httpupgrade early, {size}",
            "httpupgrade", own_upgrade, "/", "2048:X-Early", size, conns,
        )  # fmt: skip
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
