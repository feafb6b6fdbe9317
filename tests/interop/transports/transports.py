#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Carries bytes through every transport that sluice speaks to a real V2Ray on loopback.

usage: transports.py SLUICE [--full]

Each cell of the table is `sluice connect` with so many bytes both ways, compared, while its
standard input has ended.  Needs no root.  Exit status 77: there is no `v2ray` here.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

from servers import (ID, NAME, OLD_ID, Front, V2ray, certificates, echo, free_port, late,
                     listener, server_tls)

SECURITIES = ("aes-128-gcm", "chacha20-poly1305", "none")
HTTP = {"tcpSettings": {"header": {"type": "http", "request": {
    "path": ["/b"], "headers": {"Host": ["www.example.com"]}}}}}


def stream(kind):
    """streamSettings without TLS."""
    return {
        "raw": {"network": "raw"},
        "http": {"network": "tcp", **HTTP},
        "ws": {"network": "ws", "wsSettings": {"path": "/v2", "headers": {"Host": NAME}}},
        "ws, ?ed": {"network": "ws", "wsSettings": {"path": "/ws?ed=2048"}},
        "ws, early": {"network": "ws", "wsSettings": {
            "path": "/ws", "maxEarlyData": 64, "earlyDataHeaderName": "X-Early"}},
        "httpupgrade": {"network": "httpupgrade", "httpupgradeSettings": {
            "path": "/upgrade", "host": NAME}},
        "httpupgrade, early": {"network": "httpupgrade", "httpupgradeSettings": {
            "path": "/upgrade", "maxEarlyData": 2048, "earlyDataHeaderName": "X-Early"}},
    }[kind]


class Bench:
    def __init__(self, sluice, directory, size):
        self.sluice = sluice
        self.directory = directory
        self.size = size
        self.failed = 0
        self.authority, *pair = certificates(directory)
        self.v2ray = V2ray(directory, pair)
        raw = self.v2ray.port["raw", False]
        self.front = {False: Front(raw), True: Front(raw, server_tls(pair))}
        self.echo = listener(echo)
        self.late = listener(late)

    def port(self, kind, tls):
        if kind in ("raw", "http", "ws"):
            return self.v2ray.port[kind, tls]
        return self.front[tls].port

    def tls(self, **more):
        return {"security": "tls", "tlsSettings": {
            "serverName": NAME, "disableSystemRoot": True,
            "certificates": [{"usage": "verify", "certificateFile": self.authority}], **more}}

    def config(self, servers, user, settings, library="auto"):
        vnext = [{"address": "127.0.0.1", "port": p, "users": [user]} for p in servers]
        path = os.path.join(self.directory, "client.json")
        with open(path, "w") as f:
            json.dump({
                "outbounds": [{"protocol": "vmess", "settings": {"vnext": vnext},
                               "streamSettings": settings}],
                "sluice": {"tls": library},
            }, f)
        return path

    def connect(self, config, port, request):
        return subprocess.run([self.sluice, "connect", "-c", config, f"127.0.0.1:{port}"],
                              input=request, capture_output=True, timeout=120)

    def judge(self, label, good, said):
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {label}")
        if not good:
            print(said.decode(errors="replace")[-2000:])
        sys.stdout.flush()

    def carries(self, label, config):
        body = os.urandom(self.size)
        r = self.connect(config, self.echo, struct.pack(">Q", len(body)) + body)
        self.judge(label, r.returncode == 0 and r.stdout == body, r.stderr)

    def answers_late(self, label, config):
        """The server would give up a connection whose client has ended: sluice's has not."""
        request = os.urandom(16)
        r = self.connect(config, self.late, request)
        self.judge(label, r.returncode == 0 and r.stdout == request * 1000, r.stderr)

    def fails(self, label, config, says):
        r = self.connect(config, self.echo, struct.pack(">Q", 1) + b"x")
        said = r.stderr
        self.judge(label, r.returncode == 1 and re.search(says, said.decode()), said)


def table(b, libraries):
    for kind in ("raw", "http", "ws", "ws, ?ed", "ws, early", "httpupgrade",
                 "httpupgrade, early"):
        for library in (None, *libraries):
            tls = library is not None
            settings = {**stream(kind), **(b.tls() if tls else {})}
            for security in SECURITIES:
                label = f"{kind}, {library or 'plain'}, {security}"
                c = b.config([b.port(kind, tls)], {"id": ID, "security": security}, settings,
                             library or "auto")
                b.carries(label, c)
            before = b.front[tls].early
            b.answers_late(f"{kind}, {library or 'plain'}, a late answer", c)
            early = b.front[tls].early > before
            b.judge("  its early data", early == (", " in kind), b"none, or some unasked")


def users(b):
    raw = [b.port("raw", False)]
    for security in SECURITIES:
        user = {"id": OLD_ID, "alterId": 4, "security": security}
        b.carries(f"old header, {security}", b.config(raw, user, stream("raw")))
        b.answers_late(f"old header, {security}, a late answer",
                       b.config(raw, user, stream("raw")))
    zero = b.config(raw, {"id": ID, "security": "zero"}, stream("raw"))
    b.carries("zero", zero)
    b.answers_late("zero, a late answer", zero)
    quiet = {"id": ID, "security": "aes-128-gcm", "experiments": "NoTerminationSignal"}
    b.carries("NoTerminationSignal", b.config(raw, quiet, stream("raw")))


def failures(b, libraries):
    user = {"id": ID, "security": "aes-128-gcm"}
    two = b.config([free_port(), b.port("ws", False)], user, stream("ws"))
    b.carries("the second server", two)
    wrong = {"network": "ws", "wsSettings": {"path": "/other"}}
    b.fails("wrong path", b.config([b.port("ws", False)], user, wrong), "404")
    for library in libraries:
        port = [b.port("raw", True)]
        b.fails(f"wrong name, {library}",
                b.config(port, user, b.tls(serverName="other.test"), library), NAME)
        b.fails(f"unknown issuer, {library}",
                b.config(port, user, {"security": "tls", "tlsSettings": {"serverName": NAME}},
                         library), "issuer|authority|trust")
        b.carries(f"any certificate, {library}",
                  b.config(port, user, {"security": "tls", "tlsSettings": {
                      "allowInsecure": True}}, library))
        b.fails(f"no TLS there, {library}",
                b.config([b.port("raw", False)], user, b.tls(), library), "TLS|time")


def has_openssl(b):
    path = b.config([1], {"id": ID}, stream("raw"), "openssl")
    return subprocess.run([b.sluice, "check", "-c", path], capture_output=True).returncode == 0


def main():
    if not shutil.which("v2ray") or not shutil.which("openssl"):
        print("absent: v2ray or openssl")
        return 77
    size = (10 if "--full" in sys.argv else 1) * 1000 * 1000
    with tempfile.TemporaryDirectory() as directory:
        b = Bench(sys.argv[1], directory, size)
        try:
            libraries = ["bearssl"]
            if has_openssl(b):
                libraries.append("openssl")
            else:
                print("absent: OpenSSL in this build")
            table(b, libraries)
            users(b)
            failures(b, libraries)
        finally:
            b.v2ray.stop()
    print(f"{b.failed} failed")
    return 1 if b.failed else 0


if __name__ == "__main__":
    sys.exit(main())
