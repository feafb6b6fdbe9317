# SPDX-License-Identifier: MIT
"""How long first packets take from the device to the link, by the kernel's own stamps of both."""
import contextlib
import socket
import struct
import sys

SO_TIMESTAMPNS, SO_RCVBUFFORCE, BUFFER = 35, 33, 64 << 20


class Syns:
    """What leaves by an interface, from its making on; nothing of it is read before it is asked for."""

    def __init__(self, space, dev):
        # With a protocol it would hear all links until it is bound to one.
        self.socket = space.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind((dev, 3))
        self.socket.setblocking(False)

    def stamps(self):
        """{sequence number: seconds} of all SYNs; the engine sends on what it got, so that numbers stay."""
        found = {}
        with contextlib.suppress(BlockingIOError):
            while True:
                data, (stamp, *_), _, where = self.socket.recvmsg(128, 64)
                tcp = data[40:] if data[0] >> 4 == 6 else data[(data[0] & 15) * 4:]
                protocol = data[6 if data[0] >> 4 == 6 else 9]
                if where[2] == socket.PACKET_OUTGOING and protocol == 6 and tcp[13] & 0x12 == 2:
                    seconds, nanoseconds = struct.unpack("ll", stamp[2])
                    found.setdefault(tcp[4:8], seconds + nanoseconds / 1e9)
        return found

    def close(self):
        self.socket.close()


@contextlib.contextmanager
def ways(space, device, link):
    """A list, which holds afterwards how many microseconds each SYN took from the device to the link, in order."""
    took, (into, out) = [], (Syns(space, dev) for dev in (device, link))
    with contextlib.closing(into), contextlib.closing(out):
        yield took
        began = into.stamps()
        took += sorted((at - began[number]) * 1e6 for number, at in out.stamps().items() if number in began)
    if not took:
        sys.exit(f"no SYN went from {device} to {link}")
