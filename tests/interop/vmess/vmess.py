#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Dials through a real V2Ray server on loopback, in every way that sluice speaks.

usage: vmess.py DIAL [--full]

DIAL is the program built from dial.c.  --full sends 100 MB each way instead of 20.
Needs no root.  Exit status 77: there is no `v2ray` here.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from loopback import free_port, listener, on_thread, v2ray_start  # noqa: E402

ID = "b831381d-6324-4d53-ad4f-8cda48b30811"
WRONG_ID = "b831381d-6324-4d53-ad4f-8cda48b30812"
SECURITIES = ("gcm", "chacha", "none")
GREETING = b"220 a server that speaks first\r\n"


def loopback(family):
    return "127.0.0.1" if family == socket.AF_INET else "::1"


def text(address):
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listening(family, serve):
    """A TCP server on loopback; returns its address."""
    return text((loopback(family), listener(serve, loopback(family))))


def echo(c):
    memory = bytearray(1 << 18)
    with c, contextlib.suppress(OSError):
        while n := c.recv_into(memory):
            c.sendall(memoryview(memory)[:n])


def greet(c):
    with c:
        c.sendall(GREETING)


def garbage(c):
    with c, contextlib.suppress(OSError):
        c.recv(4096)
        c.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 4)
        c.recv(4096)


def slam(c):
    with c, contextlib.suppress(OSError):
        c.recv(4096)


def udp_echo(family):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((loopback(family), 0))

    def serve():
        while True:
            p, sender = s.recvfrom(65536)
            s.sendto(p, sender)

    on_thread(serve)
    return text(s.getsockname())


class Server:
    """The v2ray program with one VMess inbound."""

    def __init__(self, directory):
        self.port = free_port()
        config = {
            "log": {"loglevel": "warning"},
            "inbounds": [
                {
                    "listen": "127.0.0.1",
                    "port": self.port,
                    "protocol": "vmess",
                    "settings": {"clients": [{"id": ID, "alterId": 0}]},
                }
            ],
            "outbounds": [{"protocol": "freedom"}],
        }
        self.process = v2ray_start(directory, config)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def __str__(self):
        return f"127.0.0.1:{self.port}"


class Run:
    def __init__(self, dial):
        self.dial = dial
        self.failed = 0

    def __call__(self, label, *args, says=None, silent_about=None, once=False):
        r = subprocess.run(
            [self.dial, *map(str, args)], capture_output=True, text=True, timeout=120
        )
        both = r.stdout + r.stderr
        good = r.returncode == 0
        if says and (not re.search(says, both) or (once and len(re.findall(says, both)) != 1)):
            good = False
        if silent_about and re.search(silent_about, both):
            good = False
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {label}: {r.stdout.strip().splitlines()[-1:]}")
        if not good:
            print(both)
        sys.stdout.flush()


def main():
    if not shutil.which("v2ray"):
        print("absent: v2ray")
        return 77
    full = "--full" in sys.argv
    size = (100 if full else 20) * 1000 * 1000
    run = Run(sys.argv[1])
    families = [socket.AF_INET]
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        families.append(socket.AF_INET6)
    except OSError:
        print("absent: IPv6")
    with tempfile.TemporaryDirectory() as directory:
        server = Server(directory)
        try:
            everything(run, server, families, size, full)
        finally:
            server.stop()
    print(f"{run.failed} failed")
    return 1 if run.failed else 0


def everything(run, server, families, size, full):
    silence = "answers nothing"
    for family in families:
        tcp = listening(family, echo)
        first = listening(family, greet)
        udp = udp_echo(family)
        for security in SECURITIES:
            label = f"{security}, {tcp}"
            run(f"tcp {label}", "echo", security, ID, server, tcp, size, silent_about=silence)
            run(f"one byte {label}", "echo", security, ID, server, tcp, 1)
            run(f"speaks first {label}", "listen", security, ID, server, first)
            run(f"udp {label}", "datagram", security, ID, server, udp)
    tcp = listening(socket.AF_INET, echo)
    by_name = "localhost:" + tcp.rsplit(":", 1)[1]
    run("by name", "echo", "gcm", ID, server, by_name, 100000)
    run("mapped id is another", "wrong", "gcm", "example", server, tcp, 8000)
    for security in SECURITIES:
        run(f"parallel {security}", "echo", security, ID, server, tcp, 500000, 200 if full else 50)
    run("directly", "echo", "freedom", "-", "-", tcp, size)
    run("wrong id", "wrong", "gcm", WRONG_ID, server, tcp, 8000, 5,
        says="answers nothing.*wrong id.*clock.*120 s", once=True)
    run("closes", "wrong", "gcm", ID, listening(socket.AF_INET, slam), tcp, 100, 3,
        says="answers nothing")
    run("garbage", "wrong", "gcm", ID, listening(socket.AF_INET, garbage), tcp, 100, 3,
        says="not VMess with this id", once=False)
    run("nobody listens", "wrong", "gcm", ID, f"127.0.0.1:{free_port()}", tcp, 100,
        says="connect to 127.0.0.1:[0-9]+: connection refused")
    run("target refuses", "wrong", "gcm", ID, server, f"127.0.0.1:{free_port()}", 100,
        silent_about=silence)


if __name__ == "__main__":
    sys.exit(main())
