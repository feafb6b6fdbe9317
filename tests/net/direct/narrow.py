# SPDX-License-Identifier: MIT
"""A link whose MTU is below the device's, and flows of the kernel's of which packets come by the engine again."""
import errno
import socket

from direct import FAR, NEAR, SITES, World, lab, noise, tcp, udp
from handed import BOTH, echoes, exchanged, kernel, said, wrap_nft

LINK = 1400
IP_MTU_DISCOVER, IP_MTU, IPV6_MTU_DISCOVER, IPV6_MTU, DO, DONT = 10, 14, 23, 24, 2, 0
UDP_SEGMENT = 103


def narrow(l):
    w = World(l)
    echoes(w)
    w.router.run(f"ip link set app mtu {LINK}")
    w.app.run(f"ip link set eth0 mtu {LINK}")
    return w


def forget(w, address):
    """The next packet finds no entry, as when it ran out."""
    w.app.run(f"nft flush set {'ip6' if ':' in address else 'ip'} sluice_direct flows")


def test_uploads_go_on(l):
    """Segments that are too long for the link, in an idle flow and amid an upload."""
    w = narrow(l)
    with kernel(w, way="auto"):
        for address in BOTH:
            with tcp(w.app, address, 7) as c:
                said(c, b"word")
                forget(w, address)
                exchanged(c, 1 << 20)
                forget(w, address)
                exchanged(c, 1 << 20)


def segment_size(syn):
    """What it says that its sender takes (RFC 9293 3.2), or None."""
    options = syn.payload[20:(syn.payload[12] >> 4) * 4]
    while options and options[0] != 0:
        n = 1 if options[0] == 1 else options[1]
        if options[0] == 2:
            return int.from_bytes(options[2:4], "big")
        options = options[n:]
    return None


def test_servers_are_told(l):
    """The segments that a SYN asks for fit the link, whatever the device's MTU is, and the device."""
    w = narrow(l)
    for mtu in (1500, 9000, 1280):
        with kernel(w, mtu=mtu), lab.Sniffer(w.app, "eth0") as out:
            for address, head in zip(BOTH, (40, 60)):
                with tcp(w.app, address, 7) as c:
                    said(c, b"word")
                syn = out.wait(lambda q, a=address: q.outgoing and q.dst == a and q.proto == 6 and q.payload[13] & 2)[0]
                lab.equal(segment_size(syn), min(LINK, mtu) - head, f"{address}, device of {mtu}")


# Nothing is found in it.
BLIND = """text=$(printf '%s' "$text" | sed '/@flows goto zone/d')"""


def test_the_set_is_of_no_use(l):
    """All packets of a flow come by the engine."""
    w = narrow(l)
    wrap_nft(w, BLIND)
    with kernel(w, way="auto"):
        for address in BOTH:
            with lab.Sniffer(w.app, "tun7") as s, tcp(w.app, address, 7) as c:
                exchanged(c, 1 << 20)
                by_engine = s.seen(lambda q: q.proto == 6 and q.dst == address)
            assert sum(len(q.data) for q in by_engine) >= 1 << 20, len(by_engine)


def quic(w, address):
    """A socket as QUIC has them."""
    u = udp(w.app, address)
    if u.family == socket.AF_INET6:
        u.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, DO)
    else:
        u.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, DO)
    u.connect((address, 443))
    return u


def mtu_of(u):
    if u.family == socket.AF_INET6:
        return u.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
    return u.getsockopt(socket.IPPROTO_IP, IP_MTU)


def asked(u, what):
    """The port that the server sees."""
    u.send(what)
    return int(u.recv(100))


def too_long(u, count):
    """Datagrams that the device alone lets pass, several as one packet; the error that they get."""
    n = 1452 if u.family == socket.AF_INET6 else 1472
    if count > 1:
        u.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, n)
    u.send(bytes(n * count))
    u.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)
    try:
        return u.recv(100)
    except OSError as e:
        return e.errno


def test_datagrams_are_told(l):
    """Of a datagram that is too long the application learns how long it may be, and its server sees one port."""
    w = narrow(l)
    for address, name in SITES:
        w.lab.server(getattr(w, name), address, 443, lambda data, peer: b"%d" % peer[1], socket.SOCK_DGRAM)
    with kernel(w, way="auto"):
        for address, name in SITES:
            with quic(w, address) as u:
                port = asked(u, b"\xc3\0\0\0\1" + noise(1195))
                assert asked(u, b"short") == port
                forget(w, address)
                lab.equal(too_long(u, 1 if name == "near" else 3), errno.EMSGSIZE, address)
                assert mtu_of(u) == LINK, mtu_of(u)
                for _ in range(3):
                    assert asked(u, b"short") == port
                    forget(w, address)


def test_datagrams_are_cut(l):
    """A datagram of IPv4 that may be cut arrives whole, and its server sees one port."""
    w = narrow(l)
    heard = []
    for address, name in SITES:
        w.lab.server(getattr(w, name), address, 7, lambda data, peer: heard.append(data) or b"%d" % peer[1],
                     socket.SOCK_DGRAM)
    with kernel(w):
        for address in (NEAR, FAR):
            with udp(w.app, address) as u:
                u.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, DONT)
                u.connect((address, 7))
                port = asked(u, b"short")
                for n, count in ((1472, 1), (1373, 1), (1472, 3)):
                    forget(w, address)
                    heard.clear()
                    words = [noise(n, seed) for seed in range(count)]
                    u.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, n if count > 1 else 0)
                    u.send(b"".join(words))
                    for _ in words:
                        lab.equal(int(u.recv(100)), port, f"{count} of {n} bytes")
                    lab.equal(heard, words, f"{count} of {n} bytes")


lab.main(test_uploads_go_on, test_servers_are_told, test_the_set_is_of_no_use, test_datagrams_are_told, test_datagrams_are_cut)
