# SPDX-License-Identifier: MIT
"""The servers of transports.py: V2Ray, what stands before it, and a target behind it."""

import base64
import contextlib
import hashlib
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from loopback import free_port, listener, on_thread, v2ray_start  # noqa: E402

ID = "b831381d-6324-4d53-ad4f-8cda48b30811"
OLD_ID = "b831381d-6324-4d53-ad4f-8cda48b30812"
NAME = "server.test"
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def certificates(directory):
    """An authority, and a server's certificate by it with its key; the paths."""

    def at(name):
        return os.path.join(directory, name)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *curve, "-days", "2", "-subj", "/CN=Test Authority",
            "-keyout", at("ca.key"), "-out", at("ca.pem"))
    openssl("req", *curve, "-subj", f"/CN={NAME}", "-keyout", at("key.pem"),
            "-out", at("server.csr"))
    with open(at("ext"), "w") as f:
        f.write(f"subjectAltName=DNS:{NAME},IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", at("server.csr"), "-CA", at("ca.pem"), "-CAkey", at("ca.key"),
            "-CAcreateserial", "-days", "2", "-extfile", at("ext"), "-out", at("server.pem"))
    return at("ca.pem"), at("server.pem"), at("key.pem")


def receive(c, n):
    p = bytearray()
    while len(p) < n:
        more = c.recv(n - len(p))
        if not more:
            raise OSError("cut short")
        p += more
    return bytes(p)


def echo(c):
    """Echoes as many bytes as the first eight say, and then ends."""
    with c, contextlib.suppress(OSError):
        left = struct.unpack(">Q", receive(c, 8))[0]
        while left:
            p = c.recv(min(left, 1 << 16))
            if not p:
                return
            c.sendall(p)
            left -= len(p)


def late(c):
    """Answers long after the request, whose sender has shut its side by then."""
    with c, contextlib.suppress(OSError):
        p = receive(c, 16)
        threading.Event().wait(1.5)
        c.sendall(p * 1000)


def join(a, b):
    """Bytes both ways until one side ends."""

    def one_way(source, sink):
        with contextlib.suppress(OSError):
            while p := source.recv(1 << 16):
                sink.sendall(p)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    on_thread(one_way, b, a)
    one_way(a, b)


def head_read(c):
    """A request's head, and its fields in lower case."""
    p = b""
    while not p.endswith(b"\r\n\r\n"):
        p += receive(c, 1)
    lines = p.decode().split("\r\n")
    return lines[0], {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:-2])}


class Framed:
    """A WebSocket server's connection as a socket."""

    def __init__(self, c):
        self.c = c
        self.lock = threading.Lock()

    def recv(self, _):
        while True:
            kind, length = receive(self.c, 2)
            length &= 127
            if length == 126:
                length = struct.unpack(">H", receive(self.c, 2))[0]
            elif length == 127:
                length = struct.unpack(">Q", receive(self.c, 8))[0]
            mask = receive(self.c, 4)
            body = receive(self.c, length)
            key = int.from_bytes(mask * (length // 4 + 1), "big") >> 8 * (4 - length % 4)
            body = (int.from_bytes(body, "big") ^ key).to_bytes(length, "big")
            if kind & 15 == 8:
                return b""
            if kind & 15 in (0, 1, 2) and body:
                return body

    def send_frame(self, kind, p):
        n = len(p)
        size = bytes([n]) if n < 126 else struct.pack(">BH", 126, n)
        with self.lock:
            self.c.sendall(bytes([0x80 | kind]) + size + p)

    def sendall(self, p):
        for at in range(0, len(p), 60000):
            self.send_frame(2, p[at:at + 60000])

    def shutdown(self, _):
        self.send_frame(8, struct.pack(">H", 1000))


class Front:
    """
    Takes WebSocket and HTTPUpgrade off, as servers do that are newer than Debian's V2Ray,
    and joins what is inside to a raw inbound.  Counts early data.
    """

    def __init__(self, inner, tls=None, host="127.0.0.1"):
        self.inner = inner
        self.tls = tls
        self.early = 0
        self.port = listener(self.serve, host)

    def serve(self, c):
        # Else an answer behind the 101 waits until that is acknowledged.
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            self.upgrade(self.tls.wrap_socket(c, server_side=True) if self.tls else c)
        c.close()

    def upgrade(self, c):
        first, fields = head_read(c)
        path = first.split(" ")[1]
        early = fields.get("sec-websocket-protocol") or fields.get("x-early") or ""
        early = base64.urlsafe_b64decode(early + "=" * (-len(early) % 4))
        if path not in ("/ws", "/upgrade") or fields["upgrade"] != "websocket":
            c.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        self.early += len(early)
        answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        if path == "/ws":
            key = fields["sec-websocket-key"].encode()
            accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode()
            answer += f"Sec-WebSocket-Accept: {accept}\r\n"
            if "sec-websocket-protocol" in fields:
                answer += f"Sec-WebSocket-Protocol: {fields['sec-websocket-protocol']}\r\n"
        c.sendall((answer + "\r\n").encode())
        with socket.create_connection(("127.0.0.1", self.inner)) as inner:
            inner.sendall(early)
            join(Framed(c) if path == "/ws" else c, inner)


def server_tls(pair):
    t = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    t.load_cert_chain(*pair)
    return t


class V2ray:
    """The v2ray program; `port` by the name of a transport, with and without TLS."""

    def __init__(self, directory, pair):
        streams = {
            "raw": {"network": "tcp"},
            "http": {"network": "tcp", "tcpSettings": {"header": {
                "type": "http", "request": {"path": ["/a", "/b"]}}}},
            "ws": {"network": "ws", "wsSettings": {"path": "/v2"}},
        }
        tls = {"security": "tls", "tlsSettings": {"certificates": [
            {"certificateFile": pair[0], "keyFile": pair[1]}]}}
        self.port = {(n, s): free_port() for n in streams for s in (False, True)}
        users = [{"id": ID, "alterId": 0}, {"id": OLD_ID, "alterId": 4}]
        config = {
            "log": {"loglevel": "warning"},
            "inbounds": [
                {"listen": "127.0.0.1", "port": self.port[n, s], "protocol": "vmess",
                 "settings": {"clients": users},
                 "streamSettings": {**streams[n], **(tls if s else {})}}
                for n, s in self.port
            ],
            "outbounds": [{"protocol": "freedom"}],
        }
        self.process = v2ray_start(directory, config)

    def stop(self):
        self.process.terminate()
        self.process.wait()
