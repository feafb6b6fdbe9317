#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `sluice test` says of a real V2Ray on loopback: when all is well, and when not.

usage: test_command.py SLUICE

Needs no root.  Exit status 77: there is no `v2ray` here.
"""

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from email.utils import formatdate
from time import time

from servers import ID, MAGIC, NAME, OLD_ID, free_port, head_read, listener, on_thread
from transports import Bench, has_openssl, stream

USER = {"id": ID, "security": "aes-128-gcm"}
OLD = {"id": OLD_ID, "alterId": 4, "security": "aes-128-gcm"}
STRANGER = {"id": "11111111-2222-4333-8444-555555555555", "security": "aes-128-gcm"}
TCP = r"  TCP +\d+ ms  127\.0\.0\.1:\d+\n"
TLS = (r"  TLS +\d+ ms  TLS 1\.[23], \w+, http/1\.1; "
       r"certificate for server\.test and 127\.0\.0\.1, until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n")
WS = r"  WebSocket +\d+ ms  answered 101.*\n"
CUT_OFF = "no answer in 2 s; cut off when more was sent"
WORKS = r"  VMess +\d+ ms  .*knows the id\n  first byte +\d+ ms  http://\S+: HTTP/1\.1 204 None\n"


def page(c):
    """A target of the probe."""
    with c:
        first, _ = head_read(c)
        if first == "GET /a?b HTTP/1.1":
            c.sendall(b"HTTP/1.1 204 None\r\n\r\n")


def silent(c):
    """A target that takes the request, and ends without a byte."""
    with c:
        head_read(c)


def mute(c):
    """A target that reads, and says nothing."""
    with c, contextlib.suppress(OSError):
        while c.recv(1 << 16):
            pass


def steering(c):
    """A target whose answer would steer a terminal."""
    with c:
        head_read(c)
        c.sendall(b"\x1b[2J\x07 not HTTP\r\n")


def other_service(c):
    """What speaks first, and is no VMess."""
    with c, contextlib.suppress(OSError):
        c.sendall(b"SSH-2.0-Example_1.0 of a test\r\n")
        c.recv(1 << 16)


def refusing(status):
    """An HTTP server that has no WebSocket."""

    def serve(c):
        with c, contextlib.suppress(OSError):
            head_read(c)
            c.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    return listener(serve)


def clocked(ago):
    """A WebSocket server whose clock is behind, and that takes no header."""

    def serve(c):
        with c, contextlib.suppress(OSError):
            key = head_read(c)[1]["sec-websocket-key"].encode()
            accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode()
            c.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                       f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
                       f"Date: {formatdate(time() - ago, usegmt=True)}\r\n\r\n").encode())
            c.recv(1 << 16)

    return listener(serve)


class Cases(Bench):
    def write(self, config):
        path = os.path.join(self.directory, "other.json")
        with open(path, "w") as f:
            json.dump(config, f)
        return path

    def says(self, label, config, pattern, status=0, *, probe=None, more=()):
        """All of the report, from its first line to the last."""
        words = [self.sluice, "test", "-c", config, *more]
        words += ["--probe", probe or f"http://127.0.0.1:{self.page}/a?b"]
        r = subprocess.run(words, capture_output=True, timeout=120, text=True)
        good = r.returncode == status and re.fullmatch(pattern, r.stdout)
        good = good and re.fullmatch("(warning: .* asks for the old header.*\n)?", r.stderr)
        self.judge(label, good, f"{r.returncode}\n{r.stdout}{r.stderr}\n{pattern}".encode())


def failed(step, why, advice):
    return rf"  {step} +\d+ ms  FAILED: .*{why}.*\n  what to do: .*{advice}.*\n"


def works(b, libraries):
    head = r"VMess to 127\.0\.0\.1, port \d+"
    raw = b.config([b.port("raw", False)], USER, stream("raw"))
    b.says("raw", raw, head + "\n" + TCP + WORKS)
    b.says("two servers", b.config([b.port("raw", False)] * 2, USER, stream("raw")),
           (head + "\n" + TCP + WORKS) * 2)
    ws = {**stream("ws"), **b.tls()}
    for library in libraries:
        b.says(f"ws in TLS, {library}", b.config([b.port("ws", True)], USER, ws, library),
               head + ", WebSocket in TLS\n" + TCP + TLS + WS + WORKS)
    early = {"network": "ws", "wsSettings": {"path": "/ws?ed=2048"}}
    b.says("early data", b.config([b.port("ws, ?ed", False)], USER, early),
           head + ", WebSocket\n" + TCP + r"  WebSocket .*early data\)\n" + WORKS)
    old = r"VMess with the old header \(alterId 4\) to 127\.0\.0\.1, port \d+\n"
    b.says("both headers", b.config([b.port("raw", False)], OLD, stream("raw")),
           old + TCP + WORKS + head + "\n" + TCP + WORKS +
           "The server takes both headers: alterId may be 0.\n")
    # The other user of this server has no alternative ids.
    b.says("an alterId that the server has not",
           b.config([b.port("raw", False)], {**USER, "alterId": 4}, stream("raw")),
           old + TCP + failed("VMess", CUT_OFF, "alterId above 0.*stranger") +
           head + "\n" + TCP + WORKS +
           "The server takes the header of today alone: set alterId to 0.\n", 1,
           more=["--timeout", "2"])


def own_pin(b):
    with open(f"{b.directory}/server.pem") as f:
        first = f.read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()


def fails(b, libraries):
    head = r"VMess to 127\.0\.0\.1, port \d+.*\n"
    b.says("wrong port", b.config([free_port()], USER, stream("raw")),
           head + failed("TCP", "connection refused", "nothing listens on that port"), 1)
    b.says("wrong id", b.config([b.port("raw", False)], STRANGER, stream("raw")),
           head + TCP + failed("VMess", CUT_OFF, "check the id and this machine.*stranger"),
           1, more=["--timeout", "2"])
    b.says("another service", b.config([listener(other_service)], USER, stream("raw")),
           head + TCP + failed("VMess", "not VMess with this id", "another service answers"), 1)
    b.says("another transport's port", b.config([b.port("ws", True)], USER, stream("raw")),
           head + TCP + failed("VMess", "", "right port, and wants TLS or"), 1,
           more=["--timeout", "5"])
    b.says("TLS left out", b.config([b.port("ws", True)], USER, stream("ws")), head + TCP +
           failed("WebSocket", "400", "check whether the server wants TLS"), 1)
    wrong = {"network": "ws", "wsSettings": {"path": "/other"}}
    b.says("wrong path", b.config([b.port("ws", False)], USER, wrong),
           head + TCP + failed("WebSocket", "404", "check path"), 1)
    early = {"network": "ws", "wsSettings": {"path": "/other?ed=2048"}}
    b.says("wrong path, early data", b.config([b.port("ws, ?ed", False)], USER, early),
           head + TCP + r"  WebSocket .*\(early data\)\n" +
           failed("WebSocket", "404", "check path"), 1)
    b.says("a proxy alone", b.config([refusing("502 Bad Gateway")], USER, stream("ws")),
           head + TCP + failed("WebSocket", "502", "a proxy that does not reach"), 1)
    for library in libraries:
        unknown = {"security": "tls", "tlsSettings": {"serverName": NAME}}
        pin = own_pin(b)
        b.says(f"unknown issuer, {library}",
               b.config([b.port("raw", True)], USER, unknown, library),
               head + TCP + failed("TLS", f"does not trust; the server's pinnedPeerCertSha256 is {pin}",
                                   r"tlsSettings\.certificates.*tlsSettings\.pinnedPeerCertSha256"), 1)
        unknown["tlsSettings"]["pinnedPeerCertSha256"] = pin
        b.says(f"the pin that was shown, {library}",
               b.config([b.port("raw", True)], USER, unknown, library),
               head + TCP + r"  TLS +\d+ ms  TLS 1\..*\n" + WORKS)
        b.says(f"no TLS there, {library}",
               b.config([refusing("400 Bad")], USER, b.tls(), library), head + TCP +
               failed("TLS", "", "that this port speaks TLS"), 1, more=["--timeout", "1"])
    certificates(b, libraries)
    raw = b.config([b.port("raw", False)], USER, stream("raw"))
    b.says("a target without a word", raw, head + TCP + failed(
        "first byte", "no answer in time", "so the id is right.*another --probe"), 1,
        probe=f"127.0.0.1:{listener(mute)}", more=["--timeout", "1"])
    b.says("a target that ends at once", raw, head + TCP + r"(  VMess .*knows the id\n)?" +
           failed("(VMess|first byte)", "(without an answer|reset|without a byte)",
                  "(another --probe|check the id)"), 1, probe=f"127.0.0.1:{listener(silent)}")


def context(b, low, high):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(f"{b.directory}/server.pem", f"{b.directory}/key.pem")
    c.minimum_version, c.maximum_version = low, high
    return c


def shaking(c):
    """A server that shakes hands or refuses to, and waits for the other side's end."""
    def serve(s):
        t = c.wrap_socket(s, server_side=True, do_handshake_on_connect=False)
        with contextlib.suppress(OSError):
            t.do_handshake()
        # Closed with bytes that nobody has read, a socket resets, and the alert is lost.
        with socket.socket(fileno=t.detach()) as rest, contextlib.suppress(OSError):
            while rest.recv(1 << 16):
                pass

    return listener(serve)


def certificates(b, libraries):
    """The advice is about what the handshake failed at, also where that is told late."""
    head = r"VMess to 127\.0\.0\.1, port \d+.*\n" + TCP
    v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    own = b.port("raw", True)
    for library in libraries:
        for label, more, why, advice in (
                ("a pin", {"pinnedPeerCertSha256": "00" * 32}, "pinnedPeerCertSha256 is",
                 "put in the new pin"),
                ("a name", {"serverName": "other.example"}, "not for other", "check serverName")):
            b.says(f"{label}, {library}", b.config([own], USER, b.tls(**more), library),
                   head + failed("TLS", why, advice), 1)
        newest = v12 if library == "bearssl" else v13
        wants = context(b, newest, newest)
        wants.load_verify_locations(b.authority)
        wants.verify_mode = ssl.CERT_REQUIRED
        for kind in ("raw", "ws"):
            b.says(f"a client's certificate, {kind}, {library}",
                   b.config([shaking(wants)], USER, {**stream(kind), **b.tls()}, library),
                   head + r"(  TLS +\d+ ms  TLS 1\.3.*\n)?" + failed("TLS", "", "clients that have a certificate"
                                               if newest == v13 else ""), 1)
    old = b.tls(maxVersion="1.2")
    b.says("TLS 1.3 is too new", b.config([shaking(context(b, v13, v13))], USER, old),
           head + failed("TLS", "", "minVersion and maxVersion"), 1)
    if "openssl" in libraries:
        b.says("TLS 1.3 is for the other library",
               b.config([shaking(context(b, v13, v13))], USER, b.tls(), "bearssl"),
               head + failed("TLS", 'set sluice.tls to "auto"', "sluice.tls"), 1)


def clock(b):
    head = r"VMess to 127\.0\.0\.1, port \d+, WebSocket\n"
    b.says("a clock 10 min ahead", b.config([clocked(600)], USER, stream("ws")),
           head + TCP + WS + failed("VMess", "", r"is (10 min \d|9 min 59) s ahead of"), 1)
    b.says("a clock 5 min behind", b.config([clocked(-300)], USER, stream("ws")),
           head + TCP + WS + failed("VMess", "", r"is (5 min \d|4 min 5\d) s behind the"), 1)
    b.says("the right clock", b.config([clocked(0)], USER, stream("ws")),
           head + TCP + WS + failed("VMess", "", r"the id \(this clock agrees"), 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        with open(b.config([b.port("raw", False)], STRANGER, stream("raw"))) as f:
            config = json.load(f)
        config["outbounds"].append({"tag": "direct", "protocol": "freedom"})
        config.setdefault("routing", {})["rules"] = [{"network": "udp", "outboundTag": "direct"}]
        config["sluice"] = {**config.get("sluice", {}), "sntp": [f"127.0.0.1:{s.getsockname()[1]}"]}
        b.says("a time server that is silent", b.write(config),
               r"VMess to .*\n" + TCP + failed("VMess", CUT_OFF, "no time server of sluice.sntp"), 1,
               more=["--timeout", "2"])
        s.setblocking(False)
        b.judge("it was asked", len(s.recv(100)) == 48, b"no question")


def resolver():
    """No name exists; no such thing as a forwarder needs to be asked."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 53))

    def serve():
        while True:
            p, who = s.recvfrom(2000)
            s.sendto(p[:2] + b"\x81\x83" + p[4:6] + bytes(6) + p[12:], who)

    on_thread(serve)


def names(b):
    """In namespaces of its own, where loopback is all that there is."""
    head = r"VMess to missing\.test, port 1\n"
    user = {"settings": {"address": "missing.test", "port": 1, **USER}}
    config = b.write({"outbounds": [{"protocol": "vmess", **user}]})
    b.says("no resolver", config, head + failed("name", "missing.test", "do not answer"), 1)
    resolver()
    b.says("no such name", config, head + failed("name", "missing.test", "spelling"), 1)
    config = b.write({"outbounds": [{"protocol": "vmess", **user}],
                      "dns": {"hosts": {"missing.test": "127.0.0.1"}}})
    b.says("a name of the configuration", config, head +
           r"  name +\d+ ms  missing\.test is 127\.0\.0\.1\n" +
           failed("TCP", "refused", "port"), 1)


def tunnel(b):
    """In the same namespaces: the target is at the address of a TUN device."""
    made = subprocess.run("ip tuntap add dev tun7 mode tun && ip link set tun7 up && "
                          "ip addr add 198.18.0.1/32 dev tun7", shell=True, capture_output=True)
    b.judge("a TUN device", made.returncode == 0, made.stderr)
    s = socket.create_server(("198.18.0.1", 0))
    to = f"198.18.0.1:{s.getsockname()[1]}"

    def serve():
        while True:
            page(s.accept()[0])

    on_thread(serve)
    warns = r"this connection goes through the device tun7 \(another sluice runs\?\): .*test"
    config = b.write({"outbounds": [{"protocol": "freedom"}]})
    b.says("through a tunnel", config, r"freedom\n  TCP +\d+ ms  198\.18\.0\.1:\d+\n"
           rf"  warning: {warns}\n  first byte +\d+ ms  http://\S+: HTTP/1\.1 204 None\n",
           probe=f"{to}/a?b")
    r = subprocess.run([b.sluice, "connect", "-c", config, to], capture_output=True, timeout=60,
                       input=b"GET /a?b HTTP/1.1\r\n\r\n")
    b.judge("connect through a tunnel", r.returncode == 0 and b" 204 None" in r.stdout and
            re.search(warns, r.stderr.decode()), r.stdout + r.stderr)


def apart(sluice):
    """Runs `names` and `tunnel` of this program, alone. True: it went well."""
    words = ["unshare", "-rnm", "sh", "-c",
             'ip link set lo up && echo "nameserver 127.0.0.1" >"$3/resolv.conf" &&'
             ' mount --bind "$3/resolv.conf" /etc/resolv.conf && exec python3 "$0" "$1" "$2"',
             __file__, sluice, "--names"]
    with tempfile.TemporaryDirectory() as directory:
        if subprocess.run(["unshare", "-rnm", "true"], capture_output=True).returncode:
            print("absent: user namespaces")
            sys.exit(77)
        return subprocess.run([*words, directory]).returncode == 0


def freedom(b):
    config = b.write({"outbounds": [{"protocol": "freedom"},
                                    {"tag": "no", "protocol": "blackhole"}]})
    b.says("freedom", config, r"freedom\n" + TCP +
           r"  first byte +\d+ ms  http://\S+: HTTP/1\.1 204 None\n")
    b.says("freedom, a hostile target", config, r"freedom\n" + TCP +
           r"  first byte +\d+ ms  http://127\.0\.0\.1:\d+: \?\[2J\? not HTTP\n",
           probe=f"127.0.0.1:{listener(steering)}")
    b.says("freedom, a silent target", config, r"freedom\n" + TCP +
           failed("first byte", "ended without a byte", "other side says nothing"), 1,
           probe=f"127.0.0.1:{listener(silent)}")
    for more, status, says in ((["no"], 1, "is a blackhole"), (["other"], 1, 'no tag "other"'),
                               (["--timeout", "0"], 2, "1 to 300"), (["a", "b"], 2, "takes -c"),
                               (["--probe", "https://a.test/"], 2, "only http://"),
                               (["--probe", "http:///"], 2, "no name"),
                               (["--probe", "a.test:0"], 2, "port"),
                               (["-c", config], 2, "only one -c")):
        r = subprocess.run([b.sluice, "test", "-c", config, *more], capture_output=True,
                           timeout=120)
        b.judge(" ".join(more), r.returncode == status and says in r.stderr.decode() and
                not r.stdout, r.stderr)


def main():
    if not shutil.which("v2ray") or not shutil.which("openssl"):
        print("absent: v2ray or openssl")
        return 77
    with tempfile.TemporaryDirectory() as directory:
        b = Cases(sys.argv[1], directory, 0)
        b.page = listener(page)
        try:
            if "--names" in sys.argv:
                names(b)
                tunnel(b)
                return 1 if b.failed else 0
            libraries = ["bearssl"] + (["openssl"] if has_openssl(b) else [])
            works(b, libraries)
            fails(b, libraries)
            clock(b)
            freedom(b)
            b.failed += not apart(sys.argv[1])
        finally:
            b.v2ray.stop()
    print(f"{b.failed} failed")
    return 1 if b.failed else 0


if __name__ == "__main__":
    sys.exit(main())
