#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Transports x TLS libraries x ciphers x servers, through `sluice connect` on loopback.

usage: matrix.py SLUICE [--all] [--only WORDS] [--results FILE]

A cell passes when 10 MB went both ways at once and came back the same, and when a request whose sender has
shut its side got its late answer.  A cell that cannot be (`absences` has the reasons) must fail with
the words that belong to its reason.  Without --all: a choice in which every two values meet twice.  --results
writes the table as Markdown.

tools/peers builds the servers; those that are not there are reported as absent, and fail the
test where CI=true says that nothing may be.  Needs no root.
"""

import argparse
import collections
import concurrent.futures
import datetime
import itertools
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import time

from pairs import choose
from peers import EARLY, PATH, TRANSPORTS, Nginx, Nginx13, OldV2ray, all_peers
from servers import ID, NAME, certificates, echo, late, listener

SIZE = 10 * 1000 * 1000
LIBRARIES = ("plain", "BearSSL", "OpenSSL")
SECURITIES = ("aes-128-gcm", "chacha20-poly1305", "none", "zero")
AT_ONCE = 3
RACES = 6
Cell = collections.namedtuple("Cell", "transport library security peer")
Absence = collections.namedtuple("Absence", "reason holds shows")


def absences(peers):
    """Why a cell cannot be: the footnote, for which cells, and what sluice then says, or the server's log."""
    kind = lambda cell: peers[cell.peer]                # noqa: E731
    return [
        Absence("V2Ray 4.34 has no HTTPUpgrade: it refuses the configuration.",
                lambda c: isinstance(kind(c), OldV2ray) and c.transport == "httpupgrade", None),
        Absence("V2Ray 4.34 has no early data: it drops what the request brings, and takes the payload for a header "
                "that it does not know.",
                lambda c: isinstance(kind(c), OldV2ray) and c.transport == "ws early", "invalid user"),
        Absence("BearSSL has no TLS 1.3, which this server wants; sluice says so.",
                lambda c: isinstance(kind(c), Nginx13) and c.library == "BearSSL", "wants TLS 1.3"),
        Absence("nginx as a proxy of HTTP takes no other protocol; sluice says that this is no VMess.",
                lambda c: isinstance(kind(c), Nginx) and c.transport == "raw", "not VMess with this id"),
    ]


def stream(cell, peer, authority):
    """streamSettings of sluice's outbound."""
    path = {"path": PATH.get(cell.transport)}
    if cell.transport == "ws early":
        path = {"path": f"{path['path']}?ed=2048"} if peer.early_by_path else {**path, **EARLY}
    settings = {
        "raw": {"network": "raw"},
        "ws": {"network": "ws", "wsSettings": path},
        "ws early": {"network": "ws", "wsSettings": path},
        "httpupgrade": {"network": "httpupgrade", "httpupgradeSettings": path},
    }[cell.transport]
    if cell.library == "plain":
        return settings
    return {**settings, "security": "tls", "tlsSettings": {
        "serverName": NAME, "disableSystemRoot": True,
        "certificates": [{"usage": "verify", "certificateFile": authority}]}}


class Matrix:
    def __init__(self, sluice, directory):
        self.sluice, self.directory = sluice, directory
        self.authority, *pair = certificates(directory)
        self.peers = all_peers(directory, pair)
        self.echo, self.late = listener(echo), listener(late)
        self.numbers = itertools.count()
        self.absences = absences(self.peers)
        self.failed = 0

    def absence(self, cell):
        """The number of the reason for which it cannot be, or None."""
        return next((i for i, a in enumerate(self.absences) if a.holds(cell)), None)

    def config(self, cell):
        peer = self.peers[cell.peer]
        port = peer.port[cell.transport, cell.library != "plain"]
        path = os.path.join(self.directory, f"client-{next(self.numbers)}.json")
        with open(path, "w") as f:
            json.dump({
                "outbounds": [{"protocol": "vmess", "settings": {"vnext": [
                    {"address": "127.0.0.1", "port": port,
                     "users": [{"id": ID, "security": cell.security}]}]},
                    "streamSettings": stream(cell, peer, self.authority)}],
                "sluice": {"tls": "auto" if cell.library == "plain" else cell.library.lower()},
            }, f)
        return path

    def connect(self, config, port, request):
        return subprocess.run([self.sluice, "connect", "-c", config, f"127.0.0.1:{port}"],
                              input=request, capture_output=True, timeout=120)

    def ask(self, cell, port, request):
        """Connects, and again where the server's own race took the first bytes."""
        config, peer = self.config(cell), self.peers[cell.peer]
        for _ in range(RACES):
            log = os.path.getsize(peer.log)
            r = self.connect(config, port, request)
            if r.returncode == 0 or r.stdout or not peer.raced(cell.transport, log):
                break
        return r

    def carries(self, cell):
        """What went wrong, or nothing."""
        body, request = os.urandom(SIZE), os.urandom(16)
        with concurrent.futures.ThreadPoolExecutor(1) as other:
            shut = other.submit(self.ask, cell, self.late, request)
            r = self.ask(cell, self.echo, struct.pack(">Q", SIZE) + body)
            shut = shut.result()
        if r.returncode != 0 or r.stdout != body:
            same = len(os.path.commonprefix([r.stdout, body]))
            return f"10 MB both ways: status {r.returncode}, {len(r.stdout)} bytes, the first {same} right: {said(r)}"
        if shut.returncode != 0 or shut.stdout != request * 1000:
            return f"a late answer: status {shut.returncode}, {len(shut.stdout)} bytes of 16000: {said(shut)}"
        return ""

    def cannot(self, cell, absence, log):
        """What went wrong, or nothing: it fails, as it should."""
        if absence.shows is None:
            words = self.peers[cell.peer].refuses_httpupgrade()
            return "" if "unknown transport protocol: httpupgrade" in words else f"the server: {words}"
        r = self.connect(self.config(cell), self.echo, bytes(1000 * 1000))
        shown = re.search(absence.shows, r.stderr.decode()) or self.peers[cell.peer].says(absence.shows, log)
        if r.returncode == 1 and shown:
            return ""
        return f"status {r.returncode} without {absence.shows!r}: {said(r)}"

    def judge(self, cell):
        """Runs one; the word for the table."""
        peer, number = self.peers[cell.peer], self.absence(cell)
        began, log = time.monotonic(), os.path.getsize(peer.log)
        try:
            wrong = self.carries(cell) if number is None else self.cannot(cell, self.absences[number], log)
        except subprocess.TimeoutExpired:
            wrong = "no end in 120 s"
        word = "FAIL" if wrong else "pass" if number is None else f"n/a [{number + 1}]"
        line = f"{word:8} {', '.join(cell)} ({time.monotonic() - began:.1f} s)"
        if wrong:
            line += f": {wrong}; the server's log: {' | '.join(peer.said(log).splitlines()[-6:])}"
        print(line, flush=True)
        return word

    def has_openssl(self):
        path = self.config(Cell("raw", "OpenSSL", "none", next(iter(self.peers))))
        return subprocess.run([self.sluice, "check", "-c", path], capture_output=True).returncode == 0


def said(r):
    return " | ".join(r.stderr.decode(errors="replace").splitlines()[-4:])


def chosen(matrix, cells, everything):
    """The cells to run. Of those that cannot be, one for each reason and server."""
    if everything:
        return cells
    can = [c for c in cells if matrix.absence(c) is None]
    firsts = {}
    for c in cells:
        if matrix.absence(c) is not None:
            firsts.setdefault((matrix.absence(c), c.peer), c)
    return list(firsts.values()) + choose(can, 2)


def lost(matrix, there, libraries):
    """Reports what is not there; true where that must not be."""
    absent = [name for name in matrix.peers if name not in there]
    absent += [x for x in LIBRARIES if x not in libraries]
    for name in absent:
        print(f"absent: {name}")
    return os.environ.get("CI") == "true" and any(name in matrix.peers for name in absent)


def commit():
    """Which sluice this is, as far as its checkout tells."""
    words = ["git", "-C", os.path.dirname(os.path.abspath(__file__)), "describe", "--always", "--dirty"]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip() or "without a commit"


def table(matrix, words, versions, command):
    """The results as Markdown."""
    lines = ["# Interoperability: the latest results", "",
             f"{datetime.date.today():%d %B %Y}, sluice {commit()}; {', '.join(f'{n} ({v})' for n, v in versions.items())}. "
             "To repeat: `tools/peers`, and then", "", f"    {command}", "",
             "`pass`: 10 MB both ways at once, compared, and the late answer to a request whose sender has shut its "
             "side. The nginx columns stand before Xray 1.260327.0; their configuration is Debian's, with a site.", ""]
    for peer in versions:
        lines += [f"## {peer}", "", f"| | {' | '.join(SECURITIES)} |", "|---|" + "---|" * len(SECURITIES)]
        for transport, library in itertools.product(TRANSPORTS, LIBRARIES):
            row = [words.get(Cell(transport, library, s, peer), "-") for s in SECURITIES]
            lines.append(f"| {transport}, {library} | {' | '.join(row)} |")
        lines += ["", matrix.peers[peer].remark, ""] if matrix.peers[peer].remark else [""]
    lines += [f"[{i + 1}] {a.reason}\n" for i, a in enumerate(matrix.absences)]
    return "\n".join(lines).rstrip() + "\n"


def run(matrix, a):
    there = [name for name, p in matrix.peers.items() if p.there()]
    libraries = [x for x in LIBRARIES if x != "OpenSSL" or matrix.has_openssl()]
    missed = lost(matrix, there, libraries)
    cells = [Cell(*c) for c in itertools.product(TRANSPORTS, libraries, SECURITIES, there)]
    cells = [c for c in chosen(matrix, cells, a.all) if all(w in " ".join(c) for w in a.only.split())]
    started = [matrix.peers[name] for name in there]
    try:
        for p in started:
            p.start()
        for p in started:
            p.wait()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            words = dict(zip(cells, pool.map(matrix.judge, cells)))
    finally:
        for p in started:
            p.stop()
    counts = collections.Counter(word.split()[0] for word in words.values())
    print(", ".join(f"{n} {word}" for word, n in sorted(counts.items())))
    if a.results:
        versions = {name: matrix.peers[name].version() for name in there}
        with open(a.results, "w") as f:
            f.write(table(matrix, words, versions, "tests/interop/matrix/matrix.py build/release/sluice --all"))
    return 1 if missed or counts["FAIL"] or not counts["pass"] else 0


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("sluice")
    p.add_argument("--all", action="store_true", help="every cell")
    p.add_argument("--only", default="", metavar="WORDS", help="only cells that have all of these words")
    p.add_argument("--results", metavar="FILE", help="write the table there")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        return run(Matrix(a.sluice, directory), a)


if __name__ == "__main__":
    sys.exit(main())
