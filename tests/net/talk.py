# SPDX-License-Identifier: MIT
"""What the tests' applications and sites do with sockets."""
import functools
import random
import socket
import struct
import threading
import time

import lab
from cost import children


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp(space, address, port, seconds=30):
    """A connection from the space."""
    s = space.socket(family(address), socket.SOCK_STREAM)
    s.settimeout(seconds)
    try:
        s.connect((address, port))
    except BaseException:
        s.close()
        raise
    return s


def udp(space, address, seconds=10, bind=None):
    """A datagram socket of the address's family."""
    s = space.socket(family(address), socket.SOCK_DGRAM)
    s.settimeout(seconds)
    if bind:
        s.bind(bind)
    return s


def read_exactly(s, size):
    """The next `size` bytes as one; fails where the stream ends before."""
    whole = bytearray()
    while len(whole) < size:
        piece = s.recv(min(size - len(whole), 1 << 18))
        if not piece:
            raise lab.Failed(f"the end came after {len(whole)} of {size} bytes")
        whole += piece
    return bytes(whole)


def read_all(s):
    whole = bytearray()
    while piece := s.recv(1 << 18):
        whole += piece
    return bytes(whole)


def reset(s):
    """Closes with a reset instead of an end."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


@functools.lru_cache(8)
def noise(size, seed=0):
    """Bytes that no cipher and no shortcut makes smaller; the same for the same seed."""
    return random.Random(seed).randbytes(size)


def at_once(jobs, seconds=200):
    """Runs all functions in threads of their own; the first failure is raised, and where one is not done in time."""
    errors, end = [], time.monotonic() + seconds

    def work(job):
        try:
            job()
        except BaseException as e:                              # raised again below
            errors.append(e)

    threads = [threading.Thread(target=work, args=(job,), daemon=True) for job in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join(max(0, end - time.monotonic()))
        if t.is_alive():
            errors.append(lab.Failed(f"not all was done in {seconds} s"))
            break
    if errors:
        raise errors[0]


def engine_of(p):
    """The process that the keeper `p` has forked; None: there is none now."""
    return next(iter(children(p.pid)), None)


def nothing_twice(p):
    """sluice has ended, and sent no segment again to an application beside it, on whose way nothing is lost."""
    p.wait_line(r"counted: .*, retransmitted 0,", again=True)
