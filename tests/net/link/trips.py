# SPDX-License-Identifier: MIT
"""No transport takes a round trip more than its protocols need, over a cable of 100 ms."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import lab                                              # noqa: E402
from flights import Servers, needed                # noqa: E402
from world import SLUICE                                # noqa: E402

CELLS = [("raw", "plain"), ("raw, fast open", "plain"), ("raw", "TLS 1.2"), ("ws", "TLS 1.3"),
         ("ws, early data", "TLS 1.2 resumed"), ("ws, early data", "TLS 1.3 resumed"), ("httpupgrade", "plain"),
         ("raw, warm", "plain"), ("ws, warm", "TLS 1.2"), ("ws, early data, warm", "TLS 1.3 resumed")]
LIBRARY = {"plain": None, "TLS 1.2": "bearssl", "TLS 1.3": "openssl"}


def trips(servers, transport, handshake, library):
    """Of up to three connections the least: a machine that stops for a moment may tear what leaves at once."""
    need = needed(transport, handshake)
    p = servers.start(transport, library, handshake.endswith("resumed"))
    servers.get_known(transport, handshake.endswith("resumed"))
    n, _ = servers.round_trips()
    for _ in range(2):
        n = n if n <= need else min(n, servers.round_trips()[0])
    servers.world.stop(p)
    return n


def test_round_trips(l):
    servers = Servers(l)
    has_openssl = "OpenSSL (not built in)" not in servers.world.app.run([SLUICE, "version"])
    for transport, handshake in CELLS:
        library = LIBRARY[handshake.removesuffix(" resumed")]
        if library == "openssl" and not has_openssl:
            continue
        n, need = trips(servers, transport, handshake, library), needed(transport, handshake)
        assert n == need, f"{transport}, {handshake}: {n} round trips instead of {need}"


lab.main(test_round_trips)
