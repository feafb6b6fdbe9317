# SPDX-License-Identifier: MIT
"""Packets that no sound host sends, straight into the device: the program lives, and goes on working."""
import random
import socket
import struct

from direct import (ACK, FAR, FIN, NEAR, NEAR6, PSH, RST, SYN, TUN, URG, Injector, World, checksum, datagram, engine_of, ip4,
                    ip6, lab, read_exactly, running, segment, sites, tcp, tun_address, works)


def begin(w):
    sites(w)
    heard = []
    for address in (NEAR, NEAR6):
        w.lab.server(w.near, address, 9000, lambda data, peer: heard.append(data), socket.SOCK_DGRAM)
    return heard


class Same:
    """The engine is the same one at the end, and still works; nothing went out that should not."""

    def __init__(self, w, p):
        self.w, self.p, self.engine = w, p, engine_of(p)
        self.injector = Injector(w)
        self.mine, self.mine6 = tun_address(w), tun_address(w, True)
        self.link = lab.Sniffer(w.app, "eth0")

    def send(self, *packets):
        for p in packets:
            self.injector.send(p)

    def end(self):
        self.injector.drain()
        self.injector.close()
        assert engine_of(self.p) == self.engine, "the engine is another one"
        for address in (NEAR, NEAR6):
            works(self.w, address)
        self.link.__exit__()
        return self.link


def icmp(kind, code, rest, payload=b"", wrong=0):
    head = struct.pack("!BBH", kind, code, 0) + rest + payload
    return head[:2] + struct.pack("!H", checksum(head) ^ wrong) + head[4:]


def test_cut_and_lying(l):
    """Every length of a sound packet, and every length that it could claim."""
    w = World(l)
    begin(w)
    with running(w) as p:
        s = Same(w, p)
        four = ip4(s.mine, NEAR, 6, segment(s.mine, NEAR, 5000, 81, SYN, options=bytes((2, 4, 5, 180))))
        six = ip6(s.mine6, NEAR6, 6, segment(s.mine6, NEAR6, 5000, 81, SYN))
        dgram = ip4(s.mine, NEAR, 17, datagram(s.mine, NEAR, 5000, 9000, b"payload"))
        for whole in (four, six, dgram):
            for n in range(1, len(whole)):
                s.send(whole[:n])
        for length in list(range(0, 70)) + [1500, 65535]:
            syn = segment(s.mine, NEAR, 5001, 81, SYN)
            s.send(ip4(s.mine, NEAR, 6, syn, length=length))
            s.send(ip6(s.mine6, NEAR6, 6, segment(s.mine6, NEAR6, 5001, 81, SYN), length=length))
            s.send(ip4(s.mine, NEAR, 17, datagram(s.mine, NEAR, 5001, 9000, b"lies", length=length)))
        for offset in range(16):
            s.send(ip4(s.mine, NEAR, 6, segment(s.mine, NEAR, 5002, 81, SYN, offset=offset)))
        for version in range(16):
            s.send(ip4(s.mine, NEAR, 6, segment(s.mine, NEAR, 5003, 81, SYN), version=version))
        s.end()


def test_checksums(l):
    """What is damaged does not pass, and the same undamaged does."""
    w = World(l)
    heard = begin(w)
    with running(w) as p:
        s = Same(w, p)
        good = ip4(s.mine, NEAR, 17, datagram(s.mine, NEAR, 5000, 9000, b"good"))
        bad = ip4(s.mine, NEAR, 17, datagram(s.mine, NEAR, 5000, 9000, b"bad", wrong=0x1234))
        header = ip4(s.mine, NEAR, 17, datagram(s.mine, NEAR, 5000, 9000, b"bad header"))
        header = header[:10] + bytes((header[10] ^ 1,)) + header[11:]
        bad6 = ip6(s.mine6, NEAR6, 17, datagram(s.mine6, NEAR6, 5000, 9000, b"bad 6", wrong=1))
        none6 = bytearray(ip6(s.mine6, NEAR6, 17, datagram(s.mine6, NEAR6, 5000, 9000, b"none 6")))
        none6[46:48] = b"\0\0"          # IPv6 has no datagram without a checksum (RFC 8200, 8.1)
        none4 = bytearray(ip4(s.mine, NEAR, 17, datagram(s.mine, NEAR, 5000, 9000, b"none 4")))
        none4[26:28] = b"\0\0"          # and IPv4 has
        s.send(bad, header, bad6, bytes(none6), bytes(none4), good)
        lab.until(lambda: b"good" in heard, "the good one")
        assert sorted(heard) == [b"good", b"none 4"], heard
        # A SYN that is damaged is no SYN.
        for wrong in (1, 0x8000, 0xffff):
            s.send(ip4(s.mine, NEAR, 6, segment(s.mine, NEAR, 5001, 80, SYN, wrong=wrong)))
        link = s.end()
        assert len(link.seen(lambda q: q.dst == NEAR and q.dport == 80 and q.proto == 6 and q.payload[13] == SYN)) == 1, \
            "only curl's"


def test_options(l):
    w = World(l)
    heard = begin(w)
    options = {"end": bytes(4), "no operation": bytes((1, 1, 1, 0)), "record route": bytes((7, 7, 4, 0, 0, 0, 0, 0)),
               "timestamp": bytes((68, 8, 5, 0, 0, 0, 0, 0)), "router alert": bytes((148, 4, 0, 0)),
               "loose source route": bytes((131, 7, 4)) + socket.inet_aton(FAR) + b"\0",
               "strict source route": bytes((137, 7, 4)) + socket.inet_aton(FAR) + b"\0",
               "length 0": bytes((7, 0, 0, 0)), "length 1": bytes((7, 1, 0, 0)), "too long": bytes((7, 40, 4, 0)),
               "unknown": bytes((200, 4, 1, 2)), "all of 40": bytes((7, 39, 4)) + bytes(37)}
    with running(w) as p:
        s = Same(w, p)
        for name, o in options.items():
            s.send(ip4(s.mine, NEAR, 17, datagram(s.mine, NEAR, 5000, 9000, name.encode()), options=o),
                   ip4(s.mine, NEAR, 6, segment(s.mine, NEAR, 5000, 81, SYN), options=o))
        # Options of TCP, too.
        for o in (bytes((2, 4, 0, 0)), bytes((2, 4, 0, 1)), bytes((2, 0, 0, 0)), bytes((2, 200, 0, 0)), bytes((3, 3, 255, 0)),
                  bytes((255, 255, 255, 255)), bytes((8, 10)) + bytes(10), bytes((5, 34)) + bytes(38), bytes((254, 1, 0, 0))):
            for flags in (SYN, ACK, SYN | ACK):
                s.send(ip4(s.mine, NEAR, 6, segment(s.mine, NEAR, 5001, 80, flags, options=o)))
        # Extension headers: hop by hop, destination, routing, in odd numbers and orders; none; themselves.
        end = datagram(s.mine6, NEAR6, 5000, 9000, b"behind")
        for chain in ((0,), (60,), (43,), (0, 60), (60, 0), (0,) * 20, (60,) * 100, (43, 43), (51,), (50,), (59,), (135,)):
            body, following = end, 17
            for kind in reversed(chain):
                body, following = bytes((following, 0)) + bytes(6) + body, kind
            s.send(ip6(s.mine6, NEAR6, following, body))
            for lie in (1, 5, 255):
                s.send(ip6(s.mine6, NEAR6, following, body[:1] + bytes((lie,)) + body[2:]))
        s.end()
        # None has been sent where a source route would have it.
        assert not [x for x in heard if b"route" in x and b"record" not in x], heard


def test_fragments(l):
    w = World(l)
    heard = begin(w)
    more = 0x2000
    with running(w) as p:
        s = Same(w, p)
        whole = datagram(s.mine, NEAR, 5000, 9000, bytes(range(200)) * 10)
        wholes = datagram(s.mine6, NEAR6, 5000, 9000, bytes(range(100, 250)) * 10)

        def four(ident, at, end, flag=None, body=whole):
            flag = (more if end < len(body) else 0) if flag is None else flag
            return ip4(s.mine, NEAR, 17, body[at:end], ident=ident, fragment=flag | at // 8)

        def six(ident, at, end, flag=None, body=wholes):
            flag = (1 if end < len(body) else 0) if flag is None else flag
            return ip6(s.mine6, NEAR6, 44, struct.pack("!BBHI", 17, 0, at | flag, ident) + body[at:end])

        n, m = len(whole), len(wholes)
        # Sound ones, backwards and twice.
        s.send(four(1, 1600, n), four(1, 800, 1600), four(1, 800, 1600), four(1, 0, 800))
        s.send(six(1, 800, m), six(1, 0, 800))
        lab.until(lambda: len(heard) == 2, "both datagrams")
        assert sorted(heard) == sorted([whole[8:], wholes[8:]])
        # Overlaps, holes, ends that move, ends that never come, beyond 65,535, empty, not in eights, tiny.
        s.send(four(2, 0, 800), four(2, 400, 1200), four(2, 1200, n))
        s.send(six(2, 0, 800), six(2, 400, m))
        s.send(four(3, 0, 800), four(3, 800, 1600, 0), four(3, 800, n))
        s.send(four(4, 1600, n), four(4, 1600, 1800, 0), four(4, 0, 800), four(4, 800, 1600))
        for i in range(200):
            s.send(four(100 + i, 0, 800), six(100 + i, 0, 800))
        for at in (65528, 65000, 64800):
            s.send(ip4(s.mine, NEAR, 17, bytes(1000), ident=5, fragment=at // 8),
                   ip6(s.mine6, NEAR6, 44, struct.pack("!BBHI", 17, 0, at & 0xfff8, 5) + bytes(1000)))
        s.send(four(6, 800, 800, more), four(6, 0, 801, more), four(6, 0, 8), four(6, 0, 8, more), four(6, 8, 16, more))
        s.send(ip6(s.mine6, NEAR6, 44, b"\x11"), ip6(s.mine6, NEAR6, 44, struct.pack("!BBHI", 44, 0, 1, 9) + bytes(800)))
        # A TCP header in two halves.
        syn = segment(s.mine, NEAR, 5001, 81, SYN)
        s.send(ip4(s.mine, NEAR, 6, syn[:8], ident=7, fragment=more), ip4(s.mine, NEAR, 6, syn[8:], ident=7, fragment=1))
        s.end()
        assert len(heard) == 2, f"{len(heard) - 2} more datagrams than were sent whole"


def test_flags(l):
    """Every combination of flags, to a closed port, an open one, and into a connection that lives on."""
    w = World(l)
    begin(w)
    l.server(w.near, NEAR, 7, lab.echo)
    with running(w) as p:
        s = Same(w, p)
        with tcp(w.app, NEAR, 7) as living:
            living.sendall(b"before")
            assert living.recv(100) == b"before"
            mine = living.getsockname()
            for flags in range(256):
                for port in (80, 81):
                    s.send(ip4(s.mine, NEAR, 6, segment(s.mine, NEAR, 5000 + flags, port, flags, payload=b"x" * (flags & 3))))
                # Wrong numbers: whoever guesses a port must not end what is there (RFC 5961).
                s.send(ip4(mine[0], NEAR, 6, segment(mine[0], NEAR, mine[1], 7, flags, seq=7, ack=flags << 20)))
            s.injector.drain()
            living.sendall(b"after")
            assert living.recv(100) == b"after"
        s.end()


def test_addresses_and_protocols(l):
    w = World(l)
    begin(w)
    with running(w) as p:
        s = Same(w, p)
        odd = ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", s.mine, "198.18.0.2", "0.1.2.3")
        odd6 = ("::", "::1", "ff02::1", "fe80::1", "::ffff:192.0.2.80", "::192.0.2.80", s.mine6, "2001:db8:f::2")
        for a in odd:
            for b in odd + (NEAR,):
                s.send(ip4(a, b, 6, segment(a, b, 5000, 80, SYN)), ip4(a, b, 17, datagram(a, b, 5000, 9000, b"odd")),
                       ip4(a, b, 1, icmp(8, 0, b"\0\1\0\1", b"odd")))
        for a in odd6:
            for b in odd6 + (NEAR6,):
                s.send(ip6(a, b, 6, segment(a, b, 5000, 80, SYN)), ip6(a, b, 17, datagram(a, b, 5000, 9000, b"odd")))
        for port in (0, 65535):
            s.send(ip4(s.mine, NEAR, 6, segment(s.mine, NEAR, port, 0, SYN)),
                   ip4(s.mine, NEAR, 17, datagram(s.mine, NEAR, 0, port, b"odd")))
        for proto in range(256):
            s.send(ip4(s.mine, NEAR, proto, bytes(40)), ip6(s.mine6, NEAR6, proto, bytes(40)), ip4(s.mine, NEAR, proto, b""))
        for kind in range(256):
            s.send(ip4(s.mine, NEAR, 1, icmp(kind, 0, bytes(4), bytes(28))), ip6(s.mine6, NEAR6, 58, icmp(kind, 0, bytes(4), bytes(48))))
        # Nothing of it is believed by the host itself: no address of it was spoken to from outside.
        link = s.end()
        strange = link.seen(lambda q: q.outgoing and q.src not in ("198.18.0.2", "2001:db8:f::2") and not q.src.startswith("fe80")
                            and q.src != "::")
        assert not strange, strange[:10]


def test_lost_end(l):
    """The packet with the FIN is lost.  What acknowledges the answer meanwhile has the number behind the FIN, as it must,
    and the FIN that comes again is still one."""
    w = World(l)
    begin(w)
    ended = []

    def serve(connection, _peer):
        connection.sendall(read_exactly(connection, 5))
        ended.append(connection.recv(10))

    l.server(w.near, NEAR, 7, serve)
    # An address that is not the host's: its kernel does not answer in our place.
    me, port, first = "198.18.77.7", 4000, 0xfffffffa       # and the numbers wrap amid it
    with running(w) as p, lab.Sniffer(w.app, TUN) as tun:
        s = Same(w, p)

        def say(flags, seq, ack, payload=b""):
            s.send(ip4(me, NEAR, 6, segment(me, NEAR, port, 7, flags, seq=seq & 0xffffffff, ack=ack & 0xffffffff,
                                            payload=payload)))

        def heard(flags, body=b""):
            found = tun.wait(lambda q: q.dst == me and q.proto == 6 and q.payload[13] & ~PSH == flags and q.body == body)
            return struct.unpack("!I", found[0].payload[4:8])[0]

        say(SYN, first, 0)
        theirs = heard(SYN | ACK) + 1
        say(ACK, first + 1, theirs)
        say(PSH | ACK, first + 1, theirs, b"hello")
        heard(ACK, b"hello")
        say(ACK, first + 7, theirs + 5)                     # behind the FIN at first + 6, which was lost
        say(FIN | ACK, first + 6, theirs + 5)
        lab.until(lambda: ended, "the server to see the end")
        assert ended == [b""], ended
        s.end()


def test_mutations(l):
    """5,000 packets with a few bytes changed, the same ones each time."""
    w = World(l)
    begin(w)
    with running(w) as p:
        s = Same(w, p)
        r = random.Random(20)
        seeds = [ip4(s.mine, NEAR, 6, segment(s.mine, NEAR, 5000, 80, SYN, options=bytes((2, 4, 5, 180, 3, 3, 7, 0)))),
                 ip4(s.mine, NEAR, 6, segment(s.mine, NEAR, 5000, 80, PSH | ACK, payload=bytes(50))),
                 ip4(s.mine, NEAR, 6, segment(s.mine, NEAR, 5000, 80, FIN | ACK)),
                 ip4(s.mine, NEAR, 6, segment(s.mine, NEAR, 5000, 80, RST | URG)),
                 ip4(s.mine, NEAR, 17, datagram(s.mine, NEAR, 5000, 9000, bytes(60))),
                 ip4(s.mine, NEAR, 1, icmp(8, 0, b"\0\1\0\1", bytes(50))),
                 ip6(s.mine6, NEAR6, 6, segment(s.mine6, NEAR6, 5000, 80, SYN)),
                 ip6(s.mine6, NEAR6, 17, datagram(s.mine6, NEAR6, 5000, 9000, bytes(60))),
                 ip6(s.mine6, NEAR6, 44, struct.pack("!BBHI", 17, 0, 1, 9) + bytes(64))]
        for _ in range(5000):
            packet = bytearray(r.choice(seeds))
            for _ in range(r.choice((1, 1, 2, 5))):
                packet[r.randrange(len(packet))] = r.randrange(256)
            if r.random() < 0.3:
                del packet[r.randrange(1, len(packet)):]
            if packet[0] >> 4 == 4 and len(packet) >= 20 and packet[0] & 15 == 5:
                packet[10:12] = b"\0\0"         # a right header checksum, so that it gets further
                packet[10:12] = struct.pack("!H", checksum(bytes(packet[:20])))
            s.send(bytes(packet))
        s.end()


lab.main(test_cut_and_lying, test_checksums, test_options, test_fragments, test_flags, test_addresses_and_protocols,
         test_lost_end, test_mutations)
