# SPDX-License-Identifier: MIT
"""What another host sends through this one, with sums that it has computed and without: every byte is the same, and
what was spoilt on the way does not pass."""
import errno
import hashlib
import socket

from transfers import (BEHIND, BEHIND6, NEAR, NEAR6, World, at_once, behind, both_ways, echo, lab, noise, passes,
                       read_all, running, tcp, udp)
from direct import datagram, ip4, ip6

BOTH = (NEAR, NEAR6)


def set_offload(on, *ends):
    """Of the interfaces: who computes sums, who cuts, who joins."""
    for space, dev in ends:
        what = " ".join(f"{x} {'on' if on else 'off'}" for x in ("rx", "tx", "sg", "tso", "gso", "gro"))
        space.run(f"ethtool -K {dev} {what}")
        said = space.run(f"ethtool -k {dev}")
        assert f"tx-checksumming: {'on' if on else 'off'}" in said and f"tcp-segmentation-offload: {'on' if on else 'off'}" in said


def learnt(b, address):
    """The device is narrower than the link, or the link than the device: of what is lost the sender is told, be it the
    host or the stack."""
    with udp(b, address, seconds=0.5) as s:
        s.connect((address, 4001))

        def pass_both_ways(size):
            try:
                s.send(bytes(size))
                return len(s.recv(65535)) == size
            except TimeoutError:
                return False
            except OSError as e:
                assert e.errno == errno.EMSGSIZE
                return False

        for size in (1440, 3000):
            lab.until(lambda: pass_both_ways(size), f"{size} bytes to {address} and back")


def spoilt(l, w, b, heard):
    """Of datagrams that arrive with a sum those pass that are whole."""
    def inject(*packets):
        mac = b.run("ip neigh show 203.0.113.129").split("lladdr ")[1].split()[0]
        s = b.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
        for p in packets:
            kind = 0x86dd if p[0] >> 4 == 6 else 0x0800
            s.sendto(p, ("eth0", kind, 0, 0, bytes.fromhex(mac.replace(":", ""))))
        s.close()

    heard.clear()
    four = [ip4(BEHIND, NEAR, 17, datagram(BEHIND, NEAR, 5000, 9000, word, wrong=wrong))
            for word, wrong in ((b"bad", 1), (b"bad", 0xffff), (b"bad", 0x8000), (b"good 4", 0))]
    six = [ip6(BEHIND6, NEAR6, 17, datagram(BEHIND6, NEAR6, 5000, 9000, word, wrong=wrong))
           for word, wrong in ((b"bad", 1), (b"bad", 0x1234), (b"good 6", 0))]
    inject(*four, *six)
    lab.until(lambda: {b"good 4", b"good 6"} <= set(heard), "the whole ones")
    assert sorted(heard) == [b"good 4", b"good 6"], heard


def test_forwarded(l):
    w = World(l)
    b = behind(l, w)
    content, heard = noise(3 << 20), []
    want = content, hashlib.sha256(content).hexdigest()
    for address in BOTH:
        l.server(w.near, address, 4000, lab.store(content))
        l.server(w.near, address, 9000, lambda data, _: heard.append(data), socket.SOCK_DGRAM)
        echo(w, address, 4001)
    for summed in (False, True):
        set_offload(not summed, (b, "eth0"), (w.app, "lan"))
        for offload, mtu in ((True, 1500), (False, 1500), (True, 65535), (True, 1280)):
            where = (summed, offload, mtu)
            with running(w, offload=offload, mtu=mtu) as p:
                answers = []
                at_once([lambda a=a: answers.append(both_ways(b, a, content)) for a in BOTH])
                assert answers == [want] * 2, where
                for address in BOTH:
                    learnt(b, address)
                    passes(b, address, 4001, min(mtu, 1500), (*where, address))
                assert "malformed" not in p.text
                spoilt(l, w, b, heard)
            assert "malformed 5," in p.text, (where, p.lines[-1])


def test_narrow_behind(l):
    """The way to the host behind is narrower than its own link says: what is too long for it comes in shorter segments,
    on connections that were open before that was known, and at once on later ones."""
    w = World(l)
    b = behind(l, w)
    w.app.run(f"ip route add {BEHIND}/32 dev lan mtu lock 1400")
    w.app.run(f"ip -6 route add {BEHIND6}/128 dev lan mtu 1400")
    content = noise(1 << 20)
    for address in BOTH:
        l.server(w.near, address, 4000, lab.store(content))
    for offload in (True, False):
        with running(w, offload=offload):
            for address in BOTH:
                before = tcp(b, address, 4000)
                for s in tcp(b, address, 4000), before, tcp(b, address, 4000):
                    s.sendall(b"G")
                    assert read_all(s) == content, (offload, address)
                    s.close()


lab.main(test_forwarded, test_narrow_behind)
