# SPDX-License-Identifier: MIT
"""Applications whose TCP means no good, played by hand: each costs little memory, gets its right bytes, and harms no
other."""
import hashlib
import random
import struct
import threading

from direct import (ACK, FIN, NEAR, NEAR6, PSH, RST, SYN, TUN, Injector, World, count_exactly, engine_of, ip4, ip6, lab,
                    noise, private, pseudo, checksum, read_all, running, segment, sites, tcp, works)

MB = 1 << 20
NEEDS_CSUM, TCPV4, UDP, TCPV6, UDP_L4 = 1, 1, 3, 4, 5      # of struct virtio_net_hdr


class Hands:
    """Applications on a host that does not exist: nobody's kernel answers in their place."""

    def __init__(self, w, p):
        self.w, self.p, self.engine = w, p, engine_of(p)
        self.injector = Injector(w)
        self.tun = lab.Sniffer(w.app, TUN)
        self.other = tcp(w.app, NEAR, 7)
        self.before = private(p)

    def others_live(self):
        works(self.w)
        self.other.sendall(b"still here")
        assert self.other.recv(10) == b"still here"

    def bounded(self, most, what):
        self.injector.drain()
        grown = private(self.p) - self.before
        assert grown < most, f"{what}: {grown / MB:.1f} MB more"
        return grown

    def end(self):
        self.injector.drain()
        self.others_live()
        self.other.close()
        self.injector.close()
        self.tun.__exit__()
        assert engine_of(self.p) == self.engine, "the engine is another one"


class Hand:
    """One connection of such an application."""

    def __init__(self, hands, to, port, number, six=False):
        self.hands, self.to, self.port, self.me = hands, to, port, 20000 + number
        self.host = "2001:db8:77::7" if six else "198.18.77.7"
        self.snd, self.rcv, self.at = number * 0x1234567 & 0xffffffff, 0, hands.tun.count()
        self.got, self.acked, self.window = bytearray(), self.snd, 65535

    def packet(self, flags, payload=b"", seq=None, options=b"", wrong=0):
        t = segment(self.host, self.to, self.me, self.port, flags, seq=(self.snd if seq is None else seq) & 0xffffffff,
                    ack=self.rcv if flags & ACK else 0, payload=payload, options=options, window=self.window,
                    wrong=wrong)
        return (ip6 if ":" in self.host else ip4)(self.host, self.to, 6, t)

    def say(self, flags, payload=b"", seq=None, options=b"", wrong=0):
        self.hands.injector.send(self.packet(flags, payload, seq, options, wrong))

    def news(self):
        """What has come since the last time: (flags, seq, ack, body)."""
        since, self.at = self.at, self.hands.tun.count()
        return [(q.payload[13], *struct.unpack("!II", q.payload[4:12]), q.body)
                for q in self.hands.tun.packets[since:self.at]
                if q.dst == self.host and q.proto == 6 and q.dport == self.me]

    def open(self, payload=b""):
        # An MSS of 1,460 and no scale.
        self.say(SYN, payload, options=bytes((2, 4, 5, 180)))
        flags, seq, ack, _ = lab.until(self.news, "the answer to a SYN")[0]
        assert flags == SYN | ACK and ack == (self.snd + 1) & 0xffffffff, (flags, ack, self.snd)
        self.snd, self.acked, self.rcv = ack, ack, seq + 1 & 0xffffffff
        self.say(ACK)
        return self

    def take(self, acknowledge=None):
        """Takes what has come in its order; `acknowledge` is called with how much each segment brought."""
        for flags, seq, ack, body in self.news():
            self.acked = ack
            known = self.rcv - seq & 0xffffffff         # of it, such as the byte of a probe
            if known > len(body):
                continue
            new = body[known:]
            self.got += new
            if acknowledge:
                acknowledge(len(new))
            else:
                self.rcv = self.rcv + len(new) + (flags & FIN) & 0xffffffff
                if body or flags & FIN:
                    self.say(ACK)
        return self

    def probes(self):
        """Answers the questions whether its window has opened: no, it has not."""
        if any(body for _, _, _, body in self.news()):
            self.say(ACK)


def source(content, sent):
    """For Lab.server: sends the content; sent[0] is how much of all together."""
    lock = threading.Lock()

    def serve(connection, _peer):
        for at in range(0, len(content), 16384):
            connection.sendall(content[at:at + 16384])
            with lock:
                sent[0] += 16384
        connection.shutdown(1)
        read_all(connection)
    return serve


def sink(digests):
    def serve(connection, _peer):
        digests.append(hashlib.sha256(read_all(connection)).digest())
    return serve


def begin(l):
    w = World(l)
    sites(w)
    for address in (NEAR, NEAR6):
        l.server(w.near, address, 7, lab.echo)
    return w


def test_window_closed_for_ever(l):
    """Their windows are closed from the first byte on: the servers stop; when they open, all of it comes."""
    w = begin(l)
    content, sent = noise(2 * MB), [0]
    l.server(w.near, NEAR, 4000, source(content, sent))
    with running(w) as p:
        h = Hands(w, p)
        ones = []
        for i in range(30):
            one = Hand(h, NEAR, 4000, i)
            one.window = 0
            ones.append(one.open())

        def stopped():
            n = sent[0]
            h.others_live()
            for one in ones:
                one.probes()
            return n > 0 and sent[0] == n

        lab.until(stopped, "the servers to be stopped")
        grown = h.bounded(16 * MB, "30 closed windows")
        print(f"        {grown / 30 / 1024:.0f} KB for each closed window", flush=True)
        for one in ones[:3]:
            one.window = 65535
            one.say(ACK)
            lab.until(lambda one=one: len(one.take().got) >= len(content), "all of it", seconds=40)
            assert one.got == content, f"{len(one.got)} other bytes"
        h.end()


def test_acknowledged_by_the_byte(l):
    """It acknowledges byte by byte, each in a packet of its own; and one that does not exist, and one twice."""
    w = begin(l)
    content = noise(20000)
    l.server(w.near, NEAR, 4000, source(content, [0]))
    with running(w) as p:
        h = Hands(w, p)
        one = Hand(h, NEAR, 4000, 1).open()

        def creep(n):
            for _ in range(n):
                one.rcv = one.rcv + 1 & 0xffffffff
                one.say(ACK)
            honest, one.rcv = one.rcv, one.rcv + 100000 & 0xffffffff
            one.say(ACK)
            one.rcv = honest
            one.say(ACK)

        lab.until(lambda: len(one.take(creep).got) >= len(content), "all of it")
        assert one.got == content
        h.bounded(4 * MB, "acknowledgements by the byte")
        h.end()


def test_syn_with_data(l):
    """What comes with a SYN is not taken, and comes again: it is not there twice."""
    w = begin(l)
    with running(w) as p:
        h = Hands(w, p)
        for i, six in enumerate((False, True)):
            one = Hand(h, NEAR6 if six else NEAR, 7, i, six).open(b"hello" * 200)
            one.say(PSH | ACK, b"hello" * 200)
            one.snd += 1000
            one.say(PSH | ACK, b" and more")
            lab.until(lambda one=one: len(one.take().got) >= 1009, "the echo")
            assert one.got == b"hello" * 200 + b" and more", one.got[-30:]
        # Thousands of them, each with as much as fits.
        for i in range(3000):
            one = Hand(h, NEAR, 81, 100 + i)
            one.say(SYN, bytes(1400), options=bytes((2, 4, 5, 180)))
        h.bounded(16 * MB, "SYNs with data")
        h.end()


def test_out_of_order_flood(l):
    """Everything but the first segment, backwards, twice and overlapping; then the first one, and what was dropped."""
    w = begin(l)
    content, digests = noise(60000), []
    l.server(w.near, NEAR, 4001, sink(digests))
    r = random.Random(7)
    with running(w) as p:
        h = Hands(w, p)
        ones = [Hand(h, NEAR, 4001, i).open() for i in range(40)]
        for one in ones:
            for at in range(15000, 0, -37):
                n = r.choice((1, 37, 100, 1400))
                one.say(ACK, content[at:at + n], seq=one.snd + at)
            for at in range(0, 15000, 1400):
                one.say(ACK, content[at + 1:at + 1400], seq=one.snd + at + 1)
                one.say(ACK, content[at + 1:at + 1400], seq=one.snd + at + 90000)     # beyond its window
        grown = h.bounded(16 * MB, "40 floods out of order")
        print(f"        {grown / 40 / 1024:.0f} KB for each flood", flush=True)
        h.others_live()
        for one in ones:
            first = one.snd

            def on(one=one, first=first):
                one.take()
                done = one.acked - first & 0xffffffff
                if done >= len(content):
                    return True
                for at in range(done, min(done + 8000, len(content)), 1400):
                    one.say(ACK, content[at:at + 1400], seq=first + at)
                h.injector.drain()
                return False

            lab.until(on, "all of it to be acknowledged")
            one.say(FIN | ACK, seq=first + len(content))
        lab.until(lambda: len(digests) == len(ones), "the servers to have it all")
        assert set(digests) == {hashlib.sha256(content).digest()}, "other bytes"
        h.end()


def partial(packet, start, at):
    """The packet as a kernel leaves it to its device: the sum of the pseudo header stands for the checksum."""
    src, dst = lab.Packet(packet, True).src, lab.Packet(packet, True).dst
    half = ~checksum(pseudo(src, dst, packet[9] if start == 20 else packet[6], len(packet) - start)) & 0xffff
    return packet[:start + at] + struct.pack("!H", half) + packet[start + at + 2:]


def test_largest_segments(l):
    """Super-segments up to the last byte that an IP packet can have, from beyond and up to the window."""
    w = begin(l)
    digests = []
    l.server(w.near, NEAR, 4001, sink(digests))
    l.server(w.near, NEAR6, 4001, sink(digests))
    content = noise(MB)
    with running(w) as p:
        h = Hands(w, p)
        for i, six in enumerate((False, True)):
            one = Hand(h, NEAR6 if six else NEAR, 4001, i, six).open()
            start, first = 40 if six else 20, one.snd
            largest = 65535 - 20 - (0 if six else 20)
            sizes = [largest, largest - 1, largest - 20, 65535 - 40 - 20, 64000, 32768, 1461]

            def on(one=one, first=first, start=start, sizes=sizes, six=six):
                one.take()
                done = one.acked - first & 0xffffffff
                if done >= len(content):
                    return True
                n = sizes[0]
                sizes.append(sizes.pop(0))
                whole = one.packet(PSH | ACK, content[done:done + n], seq=first + done)
                h.injector.send_headed(partial(whole, start, 16), NEEDS_CSUM, TCPV6 if six else TCPV4, start + 20, 1400,
                                       start, 16)
                h.injector.drain()
                return False

            lab.until(on, "all of it to be acknowledged")
            one.say(FIN | ACK, seq=first + len(content))
            lab.until(lambda i=i: len(digests) == i + 1, "the server to have it")
        assert set(digests) == {hashlib.sha256(content).digest()}, "other bytes"
        h.end()
    assert "malformed 0," in p.text, "none of them was wrong"


def test_wrong_sums(l):
    """What nobody vouches for, and what a wrong sum condemns, is not there: neither bytes nor ends nor resets."""
    w = begin(l)
    with running(w) as p:
        h = Hands(w, p)
        ones = [Hand(h, NEAR6 if six else NEAR, 7, i, six).open() for i, six in enumerate((False, True))]
        for one in ones:
            for wrong in (1, 0x100, 0x8000, 0xffff):
                for flags, what in ((PSH | ACK, b"wrong"), (ACK, b""), (FIN | ACK, b""), (RST | ACK, b""), (SYN, b"")):
                    one.say(flags, what, wrong=wrong)
            one.say(PSH | ACK, b"right")
            lab.until(lambda one=one: len(one.take().got) >= 5, "the echo")
            assert one.got == b"right", one.got
        h.end()
    assert "malformed 40," in p.text, p.lines[-1]


def test_lying_headers(l):
    """What the header of the device says of a packet, and is not so: nothing of it gets through as something else."""
    w = begin(l)
    heard = []
    l.server(w.near, NEAR, 9000, lambda data, peer: heard.append(data), 2)
    r = random.Random(5)
    with running(w) as p:
        h = Hands(w, p)
        one, six = Hand(h, NEAR, 7, 1).open(), Hand(h, NEAR6, 7, 2, six=True).open()
        passed = 0
        for i in range(3000):
            by = r.choice((one, six))
            start = 40 if by is six else 20
            # Bytes that are behind the window: whatever is taken of them would be seen in the echo.
            whole = by.packet(PSH | ACK, bytes(r.choice((1, 100, 1400, 9000, 65000))), seq=by.snd + 200000)
            passed += h.injector.send_headed(
                partial(whole, start, 16) if r.random() < 0.7 else whole, r.choice((0, NEEDS_CSUM, NEEDS_CSUM, 2, 3, 255)),
                r.choice((0, TCPV4, TCPV6, UDP, UDP_L4, 0x80 | TCPV4, 7)), r.choice((0, 14, start, start + 20, 60, 9999)),
                r.choice((0, 1, 8, 536, 1400, 65535)), r.choice((0, 1, start, start, start, start + 4, 100, 65535)),
                r.choice((0, 6, 16, 16, 17, 65535)))
        assert passed > 500, f"the kernel let only {passed} pass"
        h.bounded(8 * MB, "headers that lie")
        for by in (one, six):
            by.say(PSH | ACK, b"the truth")
            lab.until(lambda by=by: len(by.take().got) >= 9, "the echo")
            assert by.got == b"the truth", by.got
        assert not heard, heard[:3]
        h.end()


count_exactly()
lab.main(test_window_closed_for_ever, test_acknowledged_by_the_byte, test_syn_with_data, test_out_of_order_flood,
         test_largest_segments, test_wrong_sums, test_lying_headers)
