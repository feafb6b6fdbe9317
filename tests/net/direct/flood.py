# SPDX-License-Identifier: MIT
"""A flood of SYNs costs a little memory for a while, and is given back."""
import resource
import socket

from direct import (APP, DEAD, DEAD6, NEAR, NEAR6, SYN, Injector, World, count_exactly, ip4, ip6, lab, private, running,
                    segment, sites, tun_address, vmess_servers, works)
from handed import told

SYNS = 20000
MB = 1 << 20
GROWTH = 12 * MB        # while it lasts: half-open connections have a maximum
LEFT = 8 * MB           # afterwards: what allocators keep, and AddressSanitizer's more so
AGAIN = 4 * MB          # what a second flood leaves beyond the first: a leak would show


def flood(w, p, target, source, port):
    """SYNs from 20,000 endpoints; the memory at its highest."""
    injector, most = Injector(w), 0
    for i in range(SYNS):
        tcp = segment(source, target, 1024 + i, port, SYN, seq=i * 77)
        injector.send((ip6 if ":" in source else ip4)(source, target, 6, tcp))
        if i % 1000 == 999:
            injector.drain()
            most = max(most, private(p))
    injector.drain()
    lost = injector.dropped()
    assert lost < SYNS / 10, f"{lost} SYNs did not reach the device"
    injector.close()
    return max(most, private(p))


def forgotten(w, p, name, target, port, own, six=False, others=(NEAR, NEAR6)):
    """Of `others` exchanges pass before, with and after it."""
    sites(w)
    for address in others:
        works(w, address)
    # From the application's own address it answers what comes back with a reset; from others it says nothing.
    source = tun_address(w, six) if own else ("2001:db8:77::7" if six else "198.18.77.7")
    before = private(p)
    most = flood(w, p, target, source, port)
    assert most - before < GROWTH, f"{name}: {(most - before) / MB:.1f} MB more"
    works(w)            # also now
    settled(w)
    first = private(p)
    assert first - before < LEFT, f"{name}: {(first - before) / MB:.1f} MB are kept"
    flood(w, p, target, source, port)
    settled(w)
    second = private(p)
    assert second - first < AGAIN, f"{name}: {(second - first) / MB:.1f} MB more with each flood"
    for address in others:
        works(w, address)
    print(f"        {name}: {before / MB:.1f} MB, {(most - before) / MB:+.1f} in the flood, {(first - before) / MB:+.1f} "
          f"after it, {(second - first) / MB:+.1f} after another", flush=True)


def settled(w):
    """No socket towards the outside is left of it."""
    lab.until(lambda: not w.app.run("ss -Htan state syn-sent").strip(), "the sockets to be closed", seconds=40)


def test_nobody_there(l):
    w = World(l)
    with running(w) as p:
        forgotten(w, p, "an address that is silent", DEAD, 80, own=True)


def test_nobody_there_6(l):
    w = World(l)
    with running(w) as p:
        forgotten(w, p, "an IPv6 address that is silent", DEAD6, 80, own=True, six=True)


def test_closed(l):
    w = World(l)
    with running(w) as p:
        forgotten(w, p, "a closed port", NEAR, 81, own=True)


def test_open(l):
    w = World(l)
    with running(w) as p:
        forgotten(w, p, "an open port, and the application resets", NEAR, 80, own=True)


def test_open_and_silent(l):
    w = World(l)
    with running(w) as p:
        forgotten(w, p, "an open port, and the application is silent", NEAR, 80, own=False)


BY_VMESS = {"first": "proxy", "rules": [{"network": "udp", "outboundTag": "direct"}]}      # (the injector's)


def test_open_by_vmess(l):
    w = World(l)
    vmess_servers(w)
    with running(w, **BY_VMESS) as p:
        forgotten(w, p, "VMess, and the application resets", NEAR, 80, own=True, others=(NEAR,))


def test_silent_by_vmess(l):
    w = World(l)
    vmess_servers(w)
    with running(w, **BY_VMESS) as p:
        forgotten(w, p, "VMess, and the application is silent", NEAR, 80, own=False, others=(NEAR,))


def scan(l, **how):
    """All 65,535 ports of a host, with others at work meanwhile."""
    w = World(l)
    sites(w)
    vmess_servers(w)
    with running(w, **how) as p:
        works(w)
        before = most = private(p)
        injector, source = Injector(w, every=500), tun_address(w)
        for port in range(1, 65536):
            injector.send(ip4(source, NEAR, 6, segment(source, NEAR, 1024 + port % 50000, port, SYN, seq=port)))
            if port % 8000 == 0:
                injector.drain()
                most = max(most, private(p))
                works(w)
        injector.drain()
        lost = injector.dropped()
        assert lost < 6000, f"{lost} SYNs did not reach the device"
        injector.close()
        settled(w)
        works(w)
        print(f"        {(most - before) / MB:+.1f} MB in the scan, {(private(p) - before) / MB:+.1f} after it", flush=True)
        assert most - before < GROWTH and private(p) - before < LEFT


def test_scan(l):
    scan(l)


def test_scan_by_vmess(l):
    scan(l, **BY_VMESS)


ASKING = 1200
DIALLED = 896           # of them: seven eighths of 1,024


def asking_for(w, address, n):
    """So many sockets of an application that wait for a host, each of whose SYNs its kernel repeats."""
    def ask():
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((address, 80))
        return s
    return [w.app.inside(ask) for _ in range(n)]


def answered(w):
    """SYNs that are held, or were dropped."""
    d = told(w)
    return d["flows"]["held"] + d["totals"]["over_limits"]


def test_few_are_dialled(l):
    """Of many that ask for a silent host few are dialled at a time, and whoever goes elsewhere need not wait for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 10000)), hard))
    w = World(l)
    sites(w)
    with running(w):
        asking = asking_for(w, DEAD, ASKING)
        lab.until(lambda: answered(w) >= ASKING, "an answer to all of them")
        dialled = w.app.run(f"ss -Htan state syn-sent src {APP} dst {DEAD}").count("\n")
        assert DIALLED * 3 // 4 < dialled <= DIALLED, f"{dialled} of {ASKING} are dialled"
        works(w)
        for s in asking:
            s.close()


count_exactly()
lab.main(test_nobody_there, test_nobody_there_6, test_closed, test_open, test_open_and_silent,
         test_open_by_vmess, test_silent_by_vmess, test_scan, test_scan_by_vmess, test_few_are_dialled)
