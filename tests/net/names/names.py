# SPDX-License-Identifier: MIT
"""What the tests of names share: a resolver that remembers who asked, and applications' questions."""
import contextlib
import ipaddress
import pathlib
import random
import socket
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import lab                                                              # noqa: E402
from world import APP, APP6, FAR, FAR6, NEAR, NEAR6, SERVER, SERVER6, World, web        # noqa: E402,F401

A, AAAA, TXT, OPT = 1, 28, 16, 41
ROUTER = "198.18.0.1"                   # on the application's own link
WHO = {APP: "app", APP6: "app", SERVER: "server", SERVER6: "server", "127.0.0.1": "app", "::1": "app"}


def name_write(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def query(name, kind=A, number=None):
    """A query with recursion desired."""
    number = random.randrange(1 << 16) if number is None else number
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + name_write(name) + struct.pack("!2H", kind, 1)


def question_read(message):
    """(name, type, where the question ends)."""
    at, parts = 12, []
    while message[at]:
        parts.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(parts).lower(), struct.unpack("!H", message[at + 1:at + 3])[0], at + 5


class Answer:
    """rcode, truncated, and the addresses in the order of the message."""

    def __init__(self, message):
        flags, _, count = struct.unpack("!3H", message[2:8])
        self.number = struct.unpack("!H", message[:2])[0]
        self.rcode, self.truncated, self.size = flags & 15, bool(flags & 0x0200), len(message)
        self.addresses = []
        at = question_read(message)[2]
        for _ in range(count):
            while message[at] and message[at] < 0xc0:
                at += 1 + message[at]
            at += 2 if message[at] else 1
            kind, _, _, length = struct.unpack("!2HIH", message[at:at + 10])
            at += 10
            if kind in (A, AAAA):
                self.addresses.append(str(ipaddress.ip_address(message[at:at + length])))
            at += length


class Resolver:
    """A DNS server, over UDP and TCP. `zone` is name -> addresses; `asked` is (name, type, who, way)."""

    def __init__(self, l, space, address, zone, port=53, ttl=300):
        self.zone, self.ttl, self.asked, self.silent = zone, ttl, [], False
        self.sockets = [l.server(space, address, port, self.udp, socket.SOCK_DGRAM),
                        l.server(space, address, port, self.tcp)]

    def answer(self, message, peer, way):
        name, kind, end = question_read(message)
        self.asked.append((name, kind, WHO.get(peer[0], peer[0]), way))
        if self.silent:
            return None
        known = self.zone.get(name)
        found = [ipaddress.ip_address(a) for a in known or ()]
        found = [a.packed for a in found if (a.version == 6) == (kind == AAAA) and kind in (A, AAAA)]
        head = message[:2] + struct.pack("!5H", 0x8180 | (3 if known is None else 0), 1, len(found), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack("!2HIH", kind, 1, self.ttl, len(a)) + a for a in found)
        return head + message[12:end] + body

    def udp(self, message, peer):
        whole = self.answer(message, peer, "udp")
        if whole is not None and len(whole) > 1232:
            end = question_read(whole)[2]
            whole = whole[:2] + struct.pack("!5H", 0x8380, 1, 0, 0, 0) + whole[12:end]
        return whole

    def tcp(self, connection, peer):
        while message := message_read(connection):
            whole = self.answer(message, peer, "tcp")
            if whole is None:
                return
            connection.sendall(struct.pack("!H", len(whole)) + whole)

    def who(self, name):
        """Who has asked for this name: {"app"}, {"server"}, or both."""
        return {who for n, _, who, _ in self.asked if n == name}

    def ways(self, name):
        return {way for n, _, _, way in self.asked if n == name}


def message_read(s):
    """The next message of a TCP connection; None at its end."""
    whole = b""
    size = 2
    while len(whole) < size:
        piece = s.recv(size - len(whole))
        if not piece:
            return None
        whole += piece
        if len(whole) == 2:
            size = 2 + struct.unpack("!H", whole)[0]
    return whole[2:]


def nameservers(space):
    """The addresses in its resolv.conf."""
    return [line.split()[1] for line in space.resolv_text().splitlines() if line.startswith("nameserver")]


def ask(space, name, kind=A, at=None, tcp=False, seconds=10):
    """What an application gets that asks its resolver; repeated as such do."""
    at = at or nameservers(space)[0]
    family = socket.AF_INET6 if ":" in at else socket.AF_INET
    message = query(name, kind)
    with space.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as s:
        s.settimeout(seconds if tcp else 1)
        s.connect((at, 53))
        for _ in range(seconds):
            if tcp:
                s.sendall(struct.pack("!H", len(message)) + message)
                answer = Answer(message_read(s))
            else:
                s.send(message)
                try:
                    answer = Answer(s.recv(65535))
                except TimeoutError:
                    continue
            assert answer.number == struct.unpack("!H", message[:2])[0]
            return answer
    raise lab.Failed(f"no answer about {name} from {at}")


def addresses(space, name):
    """What the C library of an application says, both families."""
    status, out = space.call(["getent", "ahosts", name])
    return {line.split()[0] for line in out.splitlines()} if status == 0 else set()


@contextlib.contextmanager
def running(w, **more):
    """sluice, while the `with` lasts; ended in order, and complained about if it was not."""
    p = w.start(w.config(**more))
    try:
        yield p
    except BaseException:
        print("\n".join(p.lines[-30:]), flush=True)
        raise
    w.stop(p)


def outside(sniffer):
    """Packets of DNS on the outer link."""
    return sniffer.seen(lambda p: 53 in (p.sport, p.dport))
