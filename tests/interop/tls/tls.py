#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Dials TLS servers on loopback with both libraries: versions, ciphers, certificates, transfers
both ways, half-closes, resumption, and the sentences for what fails.

usage: tls.py DIAL CERTIFICATES.SH [--memory]

DIAL is the program built from dial.c; the servers are Python's ssl module and the openssl program.
--memory prints what an idle and a busy connection cost.  Needs no root.  Exit status 77: there
is no openssl program here.
"""

import contextlib
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
MEGABYTES_20 = str(20 << 20)
CIPHERS = ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-SHA", "AES256-SHA")


class Server:
    """A listener on loopback that gives each connection to `serve`."""

    def __init__(self, serve, context=None):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = str(self.socket.getsockname()[1])
        self.serve, self.context = serve, context
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.one, args=(self.socket.accept()[0],), daemon=True).start()

    def one(self, c):
        with c, contextlib.suppress(OSError):
            if self.context:
                c = self.context.wrap_socket(c, server_side=True)
            self.serve(c)


def echo(c):
    memory = bytearray(1 << 16)
    while n := c.recv_into(memory):
        c.sendall(memoryview(memory)[:n])
    c.unwrap()


def echo_afterwards(c):
    """Reads to the end (our close_notify), and only then answers."""
    whole = bytearray()
    while piece := c.recv(1 << 16):
        whole += piece
    c.sendall(whole)
    c.unwrap()


def two_steps(c):
    """A byte for the first byte, many for the second, and then silence."""
    c.sendall(c.recv(1))
    c.recv(1)
    c.sendall(bytes(30000))
    while c.recv(1 << 16):
        pass


def slam(c):
    """Ends without close_notify, after the echo of all; reads on, so that nothing is reset."""
    memory = bytearray(1 << 16)
    total = 0
    while total < 100000 and (n := c.recv_into(memory)):
        c.sendall(memoryview(memory)[:n])
        total += n
    raw = c.detach()
    with socket.socket(fileno=raw) as s:
        s.shutdown(socket.SHUT_WR)
        while s.recv(1 << 16):
            pass


def leave(c):
    """Ends before it has heard a word; reads on, so that nothing is reset."""
    c.shutdown(socket.SHUT_WR)
    while c.recv(1 << 16):
        pass


def reset(c):
    c.recv(1)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Suite:
    def __init__(self, dial, folder, library):
        self.dial, self.folder, self.library = dial, folder, library
        self.failed = self.passed = 0

    def context(self, key="p256", chain=("server", "middle"), low=V12, high=V13, ciphers=None):
        path = f"{self.folder}/chain-{key}-{'-'.join(chain)}"
        with open(path, "w") as f:
            for name in chain:
                f.write(open(f"{self.folder}/{name}.pem").read())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version, context.maximum_version = low, high
        context.load_cert_chain(path, f"{self.folder}/{key}.key")
        if ciphers:
            context.set_ciphers(ciphers)
        return context

    def run(self, mode, port, *options, name="a.example"):
        if "--trust" not in options and "--system" not in options:
            options += ("--trust", f"{self.folder}/root.pem")
        options = [o for o in options if o != "--system"]
        r = subprocess.run([self.dial, mode, self.library, port, name, *options],
                           capture_output=True, text=True, timeout=120)
        if r.returncode not in (0, 1):
            return f"status {r.returncode}: {r.stdout}{r.stderr}"
        return r.stdout.strip() + r.stderr

    def check(self, label, got, *wanted):
        lines = got.splitlines()
        if len(lines) == len(wanted) and all(w in l for w, l in zip(wanted, lines)):
            self.passed += 1
            return
        self.failed += 1
        print(f"{self.library}: {label}: wanted {wanted}, got {got!r}")

    def versions(self):
        new = self.library == "openssl"
        server = Server(echo, self.context())
        self.check("default", self.run("open", server.port), "ok TLS 1.3" if new else "ok TLS 1.2")
        self.check("at most 1.2", self.run("open", server.port, "--max", "771"), "ok TLS 1.2")
        server = Server(echo, self.context(high=V12))
        self.check("1.2 alone", self.run("open", server.port), "ok TLS 1.2")
        server = Server(echo, self.context(low=V13))
        self.check("1.3 alone", self.run("open", server.port),
                   "ok TLS 1.3" if new else "the server wants TLS 1.3")
        if new:
            self.check("1.3 alone, at most 1.2", self.run("open", server.port, "--max", "771"),
                       "a newer TLS than the configuration allows")

    def ciphers(self):
        for key, chain, kind in (("p256", "server", "ECDSA"), ("rsa", "server-rsa", "RSA")):
            for cipher in CIPHERS:
                context = self.context(key, (chain, "middle"), high=V12, ciphers=f"ECDHE-{kind}-{cipher}")
                got = self.run("echo", Server(echo, context).port, "--bytes", "100000")
                self.check(f"{kind} {cipher}", got, f"ECDHE_{kind}_WITH_")
        context = self.context("rsa", ("server-rsa", "middle"), high=V12, ciphers="AES128-SHA256")
        self.check("none in common", self.run("open", Server(echo, context).port), "no cipher in common")

    def certificates(self):
        for key, chain in (("p256", ("server", "root", "middle")), ("rsa", ("server-rsa", "middle")),
                           ("p384", ("server-p384", "middle")), ("big", ("server-big", "middle", "root")),
                           ("p256", ("server", "stranger", "middle", "crossed", "old-root"))):
            server = Server(echo, self.context(key, chain))
            self.check(" ".join(chain), self.run("open", server.port), "ok")
        server = Server(echo, self.context())
        self.check("an address", self.run("open", server.port, name="192.0.2.1"), "ok")
        self.check("expired", self.run("open", server.port, "--clock", "400000000"),
                   "this machine's clock says 20")
        self.check("not yet", self.run("open", server.port, "--clock", "-4000000"), "valid only from 20")
        self.check("wrong name", self.run("open", server.port, name="b.example"), "not for b.example")
        self.check("the system's trust", self.run("open", server.port, "--system"),
                   "Big Root of Big Roots, which this machine does not trust")
        self.check("insecure", self.run("open", server.port, "--system", "--insecure", "yes", name="b.example"), "ok")

    def transfers(self):
        for high in (V12, V13):
            for bytes_ in ("0", "1", "100000", MEGABYTES_20):
                for mode, serve in (("echo", echo), ("half", echo_afterwards)):
                    server = Server(serve, self.context(high=high))
                    self.check(f"{mode} {bytes_}", self.run(mode, server.port, "--bytes", bytes_), "ok")
            server = Server(slam, self.context(high=high))
            self.check("no close_notify", self.run("echo", server.port, "--bytes", "100000"), "ok")

    def resumption(self):
        for high in (V12, V13):
            server = Server(echo, self.context(high=high))
            got = self.run("echo", server.port, "--bytes", "1000", "--times", "3")
            self.check("resumed", got, "full", "resumed", "resumed")

    def not_tls(self):
        server = Server(leave)
        self.check("closes at once", self.run("open", server.port),
                   "the server closed in the handshake, without a word: it may want another serverName")
        server = Server(reset)
        self.check("resets at the ClientHello", self.run("open", server.port),
                   "the server reset the connection in the handshake")
        server = Server(lambda c: (c.recv(1000), c.close()))
        self.check("closes at the ClientHello", self.run("open", server.port),
                   "the server closed in the handshake, without a word")
        server = Server(lambda c: (c.recv(1000), c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), c.recv(1)))
        self.check("HTTP", self.run("open", server.port), "does not speak TLS, but HTTP")

    def s_server(self):
        """The openssl program, which reverses each line: only its handshake is of interest."""
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = str(s.getsockname()[1])
        p = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet",
                              "-cert", f"{self.folder}/server.pem", "-key", f"{self.folder}/p256.key",
                              "-cert_chain", f"{self.folder}/middle.pem", "-alpn", "http/1.1", "-rev"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port))):
                    break
            self.check("alpn", self.run("open", port, "--alpn", "http/1.1"), " http/1.1 full")
            self.check("no common alpn", self.run("open", port, "--alpn", "h2"), "check alpn")
        finally:
            p.kill()
            p.wait()

    def memory(self):
        for high, version in ((V12, "1.2"), (V13, "1.3")):
            server = Server(two_steps, self.context(high=high))
            print(f"{self.library}, TLS {version}:", self.run("idle", server.port, "--bytes", "1", "--times", "200").replace("\n", ", "))


def main():
    if not shutil.which("openssl"):
        print("absent: the openssl program")
        sys.exit(77)
    dial, maker = sys.argv[1:3]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([maker, folder], check=True)
        for library in ("bearssl", "openssl"):
            s = Suite(dial, folder, library)
            if s.run("open", "1").startswith("status 77"):
                print(f"{library}: not built in")
                continue
            if "--memory" in sys.argv:
                s.memory()
                continue
            for part in (s.versions, s.ciphers, s.certificates, s.transfers, s.resumption, s.not_tls, s.s_server):
                part()
            print(f"{library}: {s.passed} passed, {s.failed} failed")
            failed += s.failed
    sys.exit(failed != 0)


main()
