# SPDX-License-Identifier: MIT
"""Sockets that are bound to the device hear nothing that comes in elsewhere: they are never the kernel's."""
import itertools
import socket
import struct

from direct import NEAR, TUN, World, family, lab, tcp
from handed import BOTH, echoes, exchanged, heard, kernel, said

BINDTODEVICE = 25
PORT = 4107
TTL = {socket.AF_INET: (socket.IPPROTO_IP, 2), socket.AF_INET6: (socket.IPPROTO_IPV6, 16)}
UNICAST_IF = {socket.AF_INET: (socket.IPPROTO_IP, 50), socket.AF_INET6: (socket.IPPROTO_IPV6, 76)}


def to_device(w, s):
    s.setsockopt(socket.SOL_SOCKET, BINDTODEVICE, TUN.encode() + b"\0")


def by_device(w, s):
    """It hears all links, and may be the kernel's; only what it sends leaves by this one."""
    s.setsockopt(*UNICAST_IF[s.family], struct.pack("!I", w.app.inside(lambda: socket.if_nametoindex(TUN))))


def bound(w, address, kind, how=to_device, ttl=None):
    s = w.app.socket(family(address), kind)
    s.settimeout(10 if kind == socket.SOCK_STREAM else 1)
    how(w, s)
    if ttl is not None:
        s.setsockopt(*TTL[s.family], ttl)
    return s


def works(w, how=to_device):
    for address, ttl in itertools.product(BOTH, (None, 64)):
        with bound(w, address, socket.SOCK_STREAM, how, ttl) as s:
            s.connect((address, 7))
            said(s, b"word")
            exchanged(s)
        with bound(w, address, socket.SOCK_DGRAM, how, ttl) as u:
            for word in (b"1", b"2", b"3"):
                heard(u, word, (address, 7))
        for more in ("", "-t 2", "-t 64"):
            w.app.run(f"ping -n -c 1 -W 5 -I {TUN} {more} {address}")


def flows(w, word):
    return w.app.run(f"nft list set {word} sluice_direct flows")


def test_bound(l):
    """TCP, datagrams and pings, with a hop limit of their own or without; others are the kernel's meanwhile."""
    w = World(l)
    echoes(w)
    for way in ("auto", "kernel"):
        with kernel(w, way=way):
            works(w)
            assert NEAR not in flows(w, "ip"), flows(w, "ip")
            works(w, by_device)
            with tcp(w.app, NEAR, 7) as s:
                said(s, b"word")
                assert f" {s.getsockname()[1]} " in flows(w, "ip"), flows(w, "ip")


def test_same_port(l):
    """From a port that the kernel carries datagrams of."""
    w = World(l)
    echoes(w)
    with kernel(w):
        for address in BOTH:
            with w.app.socket(family(address), socket.SOCK_DGRAM) as u:
                u.settimeout(1)
                u.bind(("", PORT))
                for word in (b"1", b"2", b"3"):
                    heard(u, word, (address, 7))
            assert f" {PORT} " in flows(w, "ip6" if ":" in address else "ip")
            with bound(w, address, socket.SOCK_DGRAM) as u:
                u.bind(("", PORT))
                heard(u, b"bound", (address, 7))


def test_by_hand(l):
    """Where no route leads into the device but by its name."""
    tun = {"tag": "tun", "protocol": "tun", "settings": {
        "name": TUN, "mtu": 1500, "gateway": ["198.19.0.1/30", "2001:db8:e::1/126"], "autoSystemRoutingTable": []}}
    w = World(l)
    echoes(w)
    before = w.app.system()
    with kernel(w, way="auto", inbounds=[tun]):
        works(w)
    lab.equal(w.app.system(), before, "after the end")


lab.main(test_bound, test_same_port, test_by_hand)
