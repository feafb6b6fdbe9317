# SPDX-License-Identifier: MIT
"""Servers of WebSocket, HTTPUpgrade and TLS that are hostile, beneath the device: that flow is reset, all
others go on, memory stays, the log says what came, and the end how often."""
import base64
import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import socket
import ssl
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "net" / "vmess")]

from servers import MAGIC, NAME, certificates, head_read               # noqa: E402
from vmess import (FAR, FAR6, MB, NEAR, SERVER, Other, World, ask, engine_of, flow_line, lab,    # noqa: E402
                   noise, reset_after, running, vmess)

FIRST, TIMES = 3000, 3          # the port of the first kind's target and server; flows of each kind
POUR = 64 * MB                  # more than anybody may take
GROWTH = 48 * MB                # of all flows together; the sanitizer keeps freed memory for a while


# What a server says, once the client's request or hello is there.

swallowed = []          # pieces of which a client took all that was poured


def pour(c, piece):
    """Sends it again and again; the client must end that."""
    with contextlib.suppress(OSError):
        for _ in range(POUR // len(piece)):
            c.sendall(piece)
        swallowed.append(piece[:20])


def leave(c, words=b""):
    """Says it, and ends in order: what came is read, so that the end is no reset."""
    with contextlib.suppress(OSError):
        c.sendall(words)
        c.shutdown(socket.SHUT_WR)
        while c.recv(65536):
            pass


def saying(words):
    def serve(c):
        c.sendall(words)
        while c.recv(65536):
            pass
    return serve


def agreed(c):
    """Takes the request, and is a server for it as far as that."""
    _, fields = head_read(c)
    key = fields.get("sec-websocket-key", "").encode()
    accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode()
    return (f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n").encode()


def upgraded(then):
    """A server that goes wrong only behind its 101."""
    def serve(c):
        c.sendall(agreed(c))
        then(c)
    return serve


def asked(then):
    def serve(c):
        head_read(c)
        then(c)
    return serve


# name, what the server does, what the log says of the flow, whether it broke the protocol
ENDLESS = ("endless", asked(lambda c: pour(c, b"HTTP/1.1 101 x\r\n" + b"A: " + b"b" * 65536)),
           "the head of the server's answer has more than", True)
PAGE = ("page", asked(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")), "the server answered 200", True)
NOISE = ("noise", asked(saying(b"\0" * 300)), "the server does not answer in HTTP", True)
NO_ANSWER = ("no answer", asked(leave), "the server closed the connection instead of answering", True)
HALF_HEAD = ("half a head", asked(lambda c: leave(c, b"HTTP/1.1 101 x\r\nUpgra")), "the server closed in the middle", True)
AT_ONCE = ("at once", lambda c: leave(c), "the server closed the connection instead of answering", True)
THEN_CLOSES = ("then closes", upgraded(leave), "the VMess server closed without an answer", False)

WEBSOCKET = [
    ENDLESS, PAGE, NOISE, NO_ANSWER, HALF_HEAD, AT_ONCE, THEN_CLOSES,
    ("accept", asked(saying(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            b"Sec-WebSocket-Accept: AAAA\r\n\r\n")), "the server's 101 has a wrong", True),
    ("masked", upgraded(saying(b"\x82\x85abcdhello")), "the server masks its WebSocket frames", True),
    ("length", upgraded(saying(b"\x82\x7f" + struct.pack(">Q", 1 << 63))), "a WebSocket frame of 2\\^63 bytes", True),
    ("great", upgraded(lambda c: pour(c, b"\x82\x7f" + struct.pack(">Q", (1 << 63) - 1) + bytes(65536))),
     "what the server answers is not VMess", True),
    ("pings", upgraded(lambda c: pour(c, b"\x89\0" * 65536)), "floods us with WebSocket control frames", True),
    ("empty", upgraded(lambda c: pour(c, b"\x82\0" * 65536)), "floods us with WebSocket control frames", True),
    ("half a header", upgraded(lambda c: leave(c, b"\x82\x7f\0\0")), "the server closed inside a WebSocket", True),
    ("half a frame", upgraded(lambda c: leave(c, b"\x82\x64abc")), "the server closed inside a WebSocket", True),
]

UPGRADE = [
    ENDLESS, PAGE, NOISE, NO_ANSWER, HALF_HEAD, AT_ONCE, THEN_CLOSES,
    ("other 101", asked(saying(b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")),
     "the server's 101 does not say \"Upgrade", True),
    ("not VMess", upgraded(lambda c: pour(c, noise(65536))), "what the server answers is not VMess", True),
]


# TLS. What stands in records here is sent in clear, before and behind a handshake.

def greeted(then):
    """A client's hello is there."""
    def serve(c):
        c.recv(4096)
        then(c)
    return serve


class Secured:
    """A server's TLS by hand, so that what is no TLS can be said in the middle of it."""

    def __init__(self, c, context):
        self.c, self.inside, self.outside = c, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.inside, self.outside, server_side=True)

    def step(self, call, *args):
        """One call; what it says is sent, and what it lacks is read."""
        while True:
            try:
                answer = call(*args)
                self.c.sendall(self.outside.read())
                return answer
            except ssl.SSLWantReadError:
                self.c.sendall(self.outside.read())
                piece = self.c.recv(65536)
                if not piece:
                    raise OSError("cut short") from None
                self.inside.write(piece)

    def recv(self, size):
        return self.step(self.tls.read, size)

    def sendall(self, p):
        self.step(self.tls.write, p)

    def shutdown(self, how):
        self.c.shutdown(how)


def secured(context, then):
    """Behind a good handshake."""
    def serve(c):
        s = Secured(c, context)
        s.step(s.tls.do_handshake)
        then(s)
    return serve


def shaken(context, then):
    """Goes wrong behind a good handshake, with the client's first bytes there."""
    def serve(s):
        s.recv(1)
        then(s)
    return secured(context, serve)


def tls_kinds(context):
    wrong = "(what the server sends is no TLS|floods with empty records|a record of the server was changed)"
    return [
        ("HTTP", greeted(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")), "does not speak TLS, but HTTP", True),
        ("noise", greeted(lambda c: pour(c, noise(65536))), "does not speak TLS", True),
        ("too long", greeted(lambda c: pour(c, b"\x16\x03\x03\xff\xff" + bytes(65535))), "TLS", True),
        ("empty records", greeted(lambda c: pour(c, b"\x16\x03\x03\0\0" * 10000)), wrong, True),
        ("alerts", greeted(lambda c: pour(c, b"\x15\x03\x03\0\x02\x01\x5a" * 10000)), wrong, True),
        ("no answer", greeted(leave), "the server closed in the handshake, without a word", False),
        ("half a record", greeted(lambda c: leave(c, b"\x16\x03\x03\0\x64\x02")), "the server closed in the middle", False),
        ("changed", shaken(context, lambda s: pour(s.c, b"\x17\x03\x03\x40\0" + bytes(16384))), wrong, True),
        ("clear", shaken(context, lambda s: pour(s.c, b"\x14\x03\x03\0\x01\x01" * 10000)), wrong, True),
        ("cut", shaken(context, lambda s: leave(s.c, b"\x17\x03\x03\x40\0" + bytes(100))),
         "the connection was cut in the middle of a record", True),
        ("then closes", shaken(context, lambda s: leave(s.c)), "the VMess server closed without an answer", False),
        ("not VMess", shaken(context, lambda s: pour(s, noise(65536))), "what the server answers is not VMess", True),
    ]


def resident(p):
    with open(f"/proc/{engine_of(p)}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read())[1]) << 10


def patient(serve):
    """For Lab.server."""
    def there(c, _peer):
        c.settimeout(30)
        serve(c)
    return there


def suffer(l, kinds, stream, library="auto"):
    """Flows by each of the kinds, beside one that must not notice."""
    w = World(l)
    w.start_v2ray()
    for address in (FAR, FAR6):
        l.server(w.far, address, 7, lab.echo)
    if callable(kinds):
        authority, chain, key = certificates(w.server.dir)
        shutil.copy(authority, os.path.join(w.app.dir, "ca.pem"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        kinds = kinds(context)
    also, rules = [], []
    for i, (name, serve, _, _) in enumerate(kinds):
        l.server(w.server, SERVER, FIRST + i, patient(serve))
        also.append({**vmess(name, port=FIRST + i), "streamSettings": stream})
        rules.append({"port": FIRST + i, "outboundTag": name})
    with running(w, also=also, rules=rules, sluice={"geoip": w.database(), "tls": library}) as p:
        other, before = Other(w), None
        for i, (name, _, how, _) in enumerate(kinds):
            for _ in range(TIMES):
                hurt(w, FIRST + i, other)
                flow_line(p, "tcp", (NEAR, FIRST + i), name, f"(not opened|far side): .*{how}", rule=f"rule {i}")
            before = before or resident(p)
        other.goes_on()
        grown = resident(p) - before
        assert grown < GROWTH, f"{grown >> 20} MB more than after the first kind"
        other.close()
    assert not swallowed, swallowed
    broken = int(p.wait_line(r"counted: .*, broken by servers (\d+)", again=True)[1])
    assert broken == TIMES * sum(counts for _, _, _, counts in kinds), broken


def hurt(w, port, other):
    """A flow by a hostile server; it is refused or reset."""
    with contextlib.suppress(ConnectionRefusedError, ConnectionResetError), ask(w, port, b"hello") as s:
        assert reset_after(s, other) == b""
    other.goes_on()


def test_websocket(l):
    suffer(l, WEBSOCKET, {"network": "ws", "wsSettings": {"path": "/p"}})


def test_httpupgrade(l):
    suffer(l, UPGRADE, {"network": "httpupgrade", "httpupgradeSettings": {"path": "/p"}})


TLS = {"security": "tls", "tlsSettings": {
    "serverName": NAME, "disableSystemRoot": True,
    "certificates": [{"usage": "verify", "certificateFile": "ca.pem"}]}}


def test_tls(l):
    suffer(l, tls_kinds, TLS)


def test_tls_by_bearssl(l):
    suffer(l, tls_kinds, TLS, "bearssl")


def test_websocket_in_tls(l):
    def kinds(context):
        return [(name, secured(context, serve), how, counts) for name, serve, how, counts in WEBSOCKET]
    suffer(l, kinds, {**TLS, "network": "ws", "wsSettings": {"path": "/p"}})


lab.main(test_websocket, test_websocket_in_tls, test_httpupgrade, test_tls, test_tls_by_bearssl)
