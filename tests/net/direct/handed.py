# SPDX-License-Identifier: MIT
"""What the tests of direct flows in the kernel share."""
import contextlib
import os
import socket

from direct import NEAR, NEAR6, engine_of, lab, read_exactly, running

BOTH = (NEAR, NEAR6)


@contextlib.contextmanager
def kernel(w, rules=(), first="direct", way="kernel", **more):
    with running(w, rules, first=first, sluice={"geoip": w.database(), "direct": way}, **more) as p:
        yield p


def echoes(w):
    for address in BOTH:
        w.lab.server(w.near, address, 7, lab.echo)
        w.lab.server(w.near, address, 7, lab.echo_datagram, socket.SOCK_DGRAM)


def said(s, word):
    s.sendall(word)
    assert read_exactly(s, len(word)) == word


def heard(s, word, to):
    """A datagram there and back, tried again as a careful application would."""
    for _ in range(5):
        s.sendto(word, to)
        with contextlib.suppress(TimeoutError):
            if s.recv(65536) == word:
                return
    raise lab.Failed(f"no answer from {to}")


def killed(w, p):
    """kill -9 of the engine; returns when the next one is ready."""
    ready = len([x for x in p.lines if "ready" in x])
    os.kill(engine_of(p), 9)
    lab.until(lambda: len([x for x in p.lines if "ready: device" in x]) > ready, "the next engine")
