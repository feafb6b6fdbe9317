# SPDX-License-Identifier: MIT
"""What passes on an interface of a space."""
import contextlib
import os
import select
import socket
import struct
import threading
import time

from waiting import SECONDS, until


class Packet:
    """An IP packet that was seen: version, src, dst (text), proto, sport, dport (0 without), data."""

    def __init__(self, data, outgoing):
        self.data, self.outgoing, self.at = data, outgoing, time.monotonic()
        self.version = data[0] >> 4 if data else 0
        self.src = self.dst = ""
        self.proto, self.sport, self.dport, self.payload = -1, 0, 0, b""
        if self.version == 4 and len(data) >= 20:
            self.proto, head = data[9], (data[0] & 15) * 4
            self.src, self.dst = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
        elif self.version == 6 and len(data) >= 40:
            self.proto, head = data[6], 40
            self.src = socket.inet_ntop(socket.AF_INET6, data[8:24])
            self.dst = socket.inet_ntop(socket.AF_INET6, data[24:40])
        else:
            return
        self.payload = data[head:]
        if self.proto in (6, 17) and len(self.payload) >= 8:
            self.sport, self.dport = struct.unpack("!HH", self.payload[:4])

    @property
    def body(self):
        """What TCP or UDP carries."""
        if self.proto == 6 and len(self.payload) >= 20:
            return self.payload[(self.payload[12] >> 4) * 4:]
        return self.payload[8:] if self.proto == 17 else self.payload

    def __repr__(self):
        way = ">" if self.outgoing else "<"
        return f"{way} {self.src}:{self.sport} {self.dst}:{self.dport} proto {self.proto} {len(self.data)} bytes"


class Sniffer:
    """Records the IP packets on an interface in a space, from `with` on, the first `keep` bytes of each.  Whoever asks
    hears of all that passed before."""
    QUEUE = 8 << 20                     # bytes, of which the kernel makes twice as many
    MOST = 2 * QUEUE // 512             # packets in it: the kernel counts more for the least

    def __init__(self, space, dev, keep=65535):
        self.packets, self._keep = [], keep
        self._lock = threading.Lock()

        def open_there():
            # With a protocol it would hear all links until it is bound to one.
            s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.QUEUE)
            s.setblocking(False)
            s.bind((dev, 3))
            return s

        self._socket = space.inside(open_there)
        self._end, self._ended = os.pipe()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        """Keeps the socket from running over."""
        while self._end not in select.select([self._socket, self._end], [], [])[0]:
            with self._lock:
                self._record()

    def _record(self):
        """All that was there at the call; the lock is held."""
        if self._socket.fileno() < 0:
            return
        with contextlib.suppress(BlockingIOError):
            for _ in range(self.MOST):
                data, where = self._socket.recvfrom(self._keep)
                if where[1] in (0x0800, 0x86DD):
                    self.packets.append(Packet(data, where[2] == socket.PACKET_OUTGOING))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._ended)
        self._thread.join()
        with self._lock:
            self._record()
            self._socket.close()
        os.close(self._end)

    def count(self):
        with self._lock:
            self._record()
            return len(self.packets)

    def seen(self, matches, since=0):
        """The packets for which matches(packet) holds, from number `since` on."""
        with self._lock:
            self._record()
            return [p for p in self.packets[since:] if matches(p)]

    def wait(self, matches, what="a packet", seconds=SECONDS, since=0):
        return until(lambda: self.seen(matches, since), what, seconds)
