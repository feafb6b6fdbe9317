# SPDX-License-Identifier: MIT
"""What the tests of the direct path share."""
import contextlib
import os
import pathlib
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

import lab                                                              # noqa: E402
import sinks                                                            # noqa: E402
import world                                                            # noqa: E402
from cost import total                                                  # noqa: E402
from talk import at_once, engine_of, family, noise, nothing_twice, read_all, read_exactly, reset, tcp, udp    # noqa: E402,F401
from world import (APP, APP6, DEAD, DEAD6, FAR, FAR6, GONE, GONE6, NEAR, NEAR6,  # noqa: E402,F401
                   SLUICE, World, web)

SITES = ((NEAR, "near"), (NEAR6, "near"), (FAR, "far"), (FAR6, "far"))
TUN = "tun7"


def sites(w):
    """A web server on each site and family."""
    for address, name in SITES:
        w.lab.server(getattr(w, name), address, 80, web(name))


def vmess_servers(w):
    """For first="proxy": two C sinks on one port, each with descriptors enough for its half of 10,000 flows; to IPv4
    alone."""
    w.server.sysctl("net.ipv4.tcp_max_syn_backlog", 4096)
    w.server.sysctl("net.core.somaxconn", 4096)
    for _ in range(2):
        sinks.start(w, world.VMESS_PORT, 1966)


def fetch(w, address, how=""):
    """curl's (status, output)."""
    host = f"[{address}]" if ":" in address else address
    return w.app.call(f"curl -sS -m 10 {how} http://{host}/")


def works(w, address=NEAR):
    """A whole exchange passes; sites(w) has been called."""
    status, out = fetch(w, address)
    assert status == 0 and "asked by" in out, (status, out)


@contextlib.contextmanager
def running(w, rules=(), first="direct", env=None, **more):
    """sluice with everything going directly but for the rules; at the end nothing may have been wrong."""
    p = w.start(w.config(rules, first=first, **more), env=env)
    try:
        yield p
    except BaseException:
        p.stop(seconds=30)
        raise
    w.stop(p)


def tcp_error(space, address, port, seconds=20):
    """(errno of connect, seconds that it took); 0 where it succeeds, None where nothing came in time."""
    began = time.monotonic()
    try:
        tcp(space, address, port, seconds).close()
        number = 0
    except TimeoutError as e:
        number = e.errno        # None: ours, else the kernel's
    except OSError as e:
        number = e.errno
    return number, time.monotonic() - began


def count_exactly():
    """For tests that measure memory, before the start: what AddressSanitizer keeps of freed memory is not ours."""
    os.environ["ASAN_OPTIONS"] = ":".join((os.environ.get("ASAN_OPTIONS", ""), "quarantine_size_mb=0",
                                           "thread_local_quarantine_size_kb=0", "allocator_release_to_os_interval_ms=100"))


def private(p):
    """Bytes that keeper and engine have written, each for itself: their code may be another process's, too."""
    return sum(total(f"/proc/{pid}/smaps_rollup", "Private_Dirty:", "Swap:") for pid in (p.pid, engine_of(p))) << 10


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def ip4(src, dst, proto, payload, ident=1, fragment=0, options=b"", ttl=64, version=4, length=None):
    """An IPv4 packet; `fragment` is the flags and offset field."""
    ihl = 5 + len(options) // 4
    total = ihl * 4 + len(payload) if length is None else length
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, 0, total, ident, fragment, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst)) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(src, dst, proto, payload, length=None):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload) if length is None else length, proto, 64,
                       socket.inet_pton(socket.AF_INET6, src), socket.inet_pton(socket.AF_INET6, dst)) + payload


def pseudo(src, dst, proto, n):
    f = family(src)
    both = socket.inet_pton(f, src) + socket.inet_pton(f, dst)
    return both + (struct.pack("!BBH", 0, proto, n) if f == socket.AF_INET else struct.pack("!II", n, proto))


def segment(src, dst, sport, dport, flags, seq=1000, ack=0, payload=b"", options=b"", offset=None, wrong=0, window=64240):
    """A TCP segment with a right checksum (but for `wrong`)."""
    offset = 5 + len(options) // 4 if offset is None else offset
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, offset << 4, flags, window, 0, 0) + options
    c = checksum(pseudo(src, dst, 6, len(head) + len(payload)) + head + payload) ^ wrong
    return head[:16] + struct.pack("!H", c) + head[18:] + payload


def datagram(src, dst, sport, dport, payload, length=None, wrong=0):
    n = 8 + len(payload)
    head = struct.pack("!HHHH", sport, dport, n if length is None else length, 0)
    c = (checksum(pseudo(src, dst, 17, n) + head + payload) or 0xffff) ^ wrong
    return head[:6] + struct.pack("!H", c) + payload


FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32


class Restless:
    """An application that has a turn every `pace` seconds beside the test; its sockets are closed at the end."""

    def __init__(self, w, pace):
        self.w, self.pace, self.over, self.sockets = w, pace, threading.Event(), []
        self.thread = threading.Thread(target=w.app.inside, args=(self._run,), daemon=True)

    def turn(self):
        raise NotImplementedError

    def _run(self):
        while not self.over.wait(self.pace):
            self.turn()

    def stop(self):
        self.over.set()
        self.thread.join()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()
        for s in self.sockets:
            s.close()


class Injector:
    """Puts packets, whatever they are, into the device as an application's host would."""

    def __init__(self, w, dev=TUN, every=100):
        def open_there():
            return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)

        def open_headed():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            s.setsockopt(263, 15, 1)            # SOL_PACKET, PACKET_VNET_HDR
            return s

        self.w, self.dev, self.every = w, dev, every
        self.socket, self.headed = w.app.inside(open_there), w.app.inside(open_headed)
        self.sent = self.turns = 0
        self.echo = w.lab.server(w.near, NEAR, 7777, lab.echo_datagram, socket.SOCK_DGRAM)
        self.probe = udp(w.app, NEAR, seconds=1)
        self.before = self._dropped()

    def _dropped(self):
        def read():
            with open("/proc/thread-self/net/dev") as f:
                line = next(x for x in f if x.strip().startswith(self.dev + ":"))
            return int(line.split(":")[1].split()[11])
        return self.w.app.inside(read)

    def send(self, packet):
        self._send(self.socket, b"", packet)

    def send_headed(self, packet, flags=0, gso=0, hdr_len=0, gso_size=0, start=0, offset=0):
        """With what a kernel tells of a packet that it has not summed or cut (struct virtio_net_hdr). False: it does
        not let this pass itself."""
        try:
            self._send(self.headed, struct.pack("=BBHHHH", flags, gso, hdr_len, gso_size, start, offset), packet)
        except OSError:
            return False
        return True

    def _send(self, by, head, packet):
        kind = 0x86dd if packet[:1] and packet[0] >> 4 == 6 else 0x0800
        by.sendto(head + packet, (self.dev, kind))
        self.sent += 1
        if self.sent % self.every == 0:
            self.drain()

    def drain(self):
        """Until the engine has read everything so far: it has answered what came after it."""
        self.turns += 1
        word = b"%d" % self.turns

        def answered():
            self.probe.sendto(word, (NEAR, 7777))
            try:
                while self.probe.recv(100) != word:
                    pass
            except TimeoutError:
                return False
            return True

        lab.until(answered, "the engine to go on")

    def dropped(self):
        """Packets that the device was too full for."""
        return self._dropped() - self.before

    def close(self):
        self.socket.close()
        self.headed.close()
        self.probe.close()
        self.echo.close()


def tun_address(w, six=False):
    """The device's own address."""
    out = w.app.run(f"ip -{6 if six else 4} -o addr show dev {TUN} scope global")
    return out.split()[3].split("/")[0]
