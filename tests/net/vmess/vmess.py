# SPDX-License-Identifier: MIT
"""What the tests of the VMess path share: sites that check what reaches them, and connections to them."""
import contextlib
import hashlib
import json
import pathlib
import re
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import lab                                                              # noqa: E402
import world                                                            # noqa: E402
from talk import at_once, engine_of, noise, nothing_twice, read_all, read_exactly, reset, tcp, udp    # noqa: E402,F401
from world import (APP, APP6, FAR, FAR6, ID, NEAR, NEAR6, SERVER, SERVER6,      # noqa: E402,F401
                   VMESS_PORT, World, web)

SECURITIES = ("aes-128-gcm", "chacha20-poly1305", "none")
MARKER = b"in-clear-words-0123456789"           # what no packet on the outer link may contain
MB = 1 << 20


def mill(connection, _peer):
    """For Lab.server: `up down` in 16 bytes, then that much comes, its digest goes, and noise of that
    much follows."""
    up, down = struct.unpack("!QQ", read_exactly(connection, 16))
    digest = hashlib.sha256()
    while up:
        data = connection.recv(min(up, 1 << 18))
        if not data:
            return
        digest.update(data)
        up -= len(data)
    connection.sendall(digest.digest())
    connection.sendall(noise(down))


def grind(space, address, port, size, seconds=60):
    """Sends and receives `size` bytes by a mill, and compares both."""
    with tcp(space, address, port, seconds) as s:
        s.sendall(struct.pack("!QQ", size, size))
        s.sendall(noise(size, seed=1))
        want = hashlib.sha256(noise(size, seed=1)).digest()
        assert read_exactly(s, 32) == want, f"other bytes reached {address}"
        got = hashlib.sha256()
        count = 0
        while data := s.recv(1 << 18):
            got.update(data)
            count += len(data)
        assert count == size and got.digest() == hashlib.sha256(noise(size)).digest(), \
            f"other bytes came from {address}: {count} of {size}"


def vmess(tag, address=SERVER, port=VMESS_PORT, user=ID, security="auto"):
    """One more outbound."""
    return {"tag": tag, "protocol": "vmess",
            "settings": {"address": address, "port": port, "id": user, "security": security}}


def config(w, also=(), **more):
    """World.config with further outbounds."""
    path = w.config(**more)
    with open(path) as f:
        text = json.load(f)
    text["outbounds"] += list(also)
    with open(path, "w") as f:
        json.dump(text, f, indent=1)
    return path


@contextlib.contextmanager
def running(w, **more):
    """sluice, while the `with` lasts; ended in order, and complained about if it was not."""
    p = w.start(config(w, **more))
    try:
        yield p
    except BaseException:
        print("\n".join(p.lines[-30:]), flush=True)
        raise
    w.stop(p)


class Other:
    """A connection that goes its own way, by another outbound, and must not notice anything."""

    def __init__(self, w, port=7):
        self.sockets = [tcp(w.app, address, port) for address in (FAR, FAR6)]

    def goes_on(self):
        for i, s in enumerate(self.sockets):
            word = noise(5000, seed=i)
            s.sendall(word)
            assert read_exactly(s, len(word)) == word

    def close(self):
        for s in self.sockets:
            s.close()


def reset_after(s, other):
    """What came before the reset; the others are busy meanwhile."""
    got = bytearray()
    s.settimeout(0.3)
    for _ in range(100):
        try:
            piece = s.recv(1 << 18)
        except TimeoutError:
            other.goes_on()
            continue
        except ConnectionResetError:
            return bytes(got)
        if not piece:
            raise lab.Failed(f"an end came where a reset was due, after {len(got)} bytes")
        got += piece
    raise lab.Failed(f"no reset came after {len(got)} bytes")


def ask(w, port, data, address=NEAR):
    """A connection to the site behind the wrong server that has sent `data`."""
    s = tcp(w.app, address, port)
    s.sendall(data)
    return s


def in_server(w, serve):
    """Connections that `serve` makes are made on the server's host."""
    def there(connection, peer):
        w.server.inside(serve, connection, peer)
    return there


def reset_comes(s):
    """Whether reading ends in a reset, and not in an end; what came before it."""
    got = bytearray()
    try:
        while piece := s.recv(1 << 18):
            got += piece
    except ConnectionResetError:
        return bytes(got)
    raise lab.Failed(f"an end came where a reset was due, after {len(got)} bytes")


def flow_line(p, network, target, outbound, how, name=None, rule="no rule", seconds=lab.SECONDS):
    """The bytes (up, down) that the log tells of a flow."""
    host, port = target
    shown = re.escape(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    named = rf" \({re.escape(name)}\)" if name else ""
    m = p.wait_line(rf"info engine: {network} \S+:\d+ -> {shown}{named}, {rule}, {outbound}, "
                    rf"up (\d+) down (\d+), \d+\.\d\d\d s: {how}", seconds, again=True)
    return int(m[1]), int(m[2])


def outside(packet):
    """Whether this packet on the outer link is anything but VMess's own and neighbours'."""
    server = (packet.src, packet.dst) in ((APP, SERVER), (SERVER, APP), (APP6, SERVER6), (SERVER6, APP6))
    if server and packet.proto == 6 and VMESS_PORT in (packet.sport, packet.dport):
        return False
    noise_on_links = packet.proto in (0, 58) and packet.version == 6 and (
        packet.dst.startswith("ff02:") or packet.payload[:1] in (b"\x87", b"\x88"))
    return not noise_on_links or MARKER in packet.data


def stay_inside(sniffer, since=0):
    """Fails if a packet passed that tells the link what the application does."""
    bad = sniffer.seen(lambda p: outside(p) or MARKER in p.data, since)
    if bad:
        raise lab.Failed(f"{len(bad)} packets on the outer link, such as {bad[:5]}")


