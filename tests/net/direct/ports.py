# SPDX-License-Identifier: MIT
"""Who connects often to one address runs out of ports no sooner than without a TUN: the kernel uses one that is in TIME_WAIT
again after a second, where both sides have spoken of timestamps."""
import errno

from direct import NEAR, NEAR6, World, lab, read_exactly, running, tcp

PORTS = 10
TIMES = 3


def spoken(w, address):
    """A connection and its end, by the application; False where there is no port for it."""
    try:
        with tcp(w.app, address, 7) as s:
            s.sendall(b"word")
            assert read_exactly(s, 4) == b"word"
    except OSError as e:
        if e.errno != errno.EADDRNOTAVAIL:
            raise
        return False
    return True


def test_used_again(l):
    w = World(l)
    w.app.sysctl("net.ipv4.tcp_tw_reuse", 1)
    w.app.sysctl("net.ipv4.ip_local_port_range", f"40000 {40000 + PORTS - 1}")
    for address in (NEAR, NEAR6):
        l.server(w.near, address, 7, lab.echo)
    with running(w):
        for address in (NEAR, NEAR6):
            for i in range(PORTS * TIMES):
                lab.until(lambda: spoken(w, address), f"a port for connection {i} to {address}")


lab.main(test_used_again)
