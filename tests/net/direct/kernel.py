# SPDX-License-Identifier: MIT
"""Direct flows that the kernel carries: `sluice.direct`."""
import contextlib
import errno
import json
import os
import re
import socket
import threading

from direct import (APP, FAR, FAR6, NEAR, NEAR6, RST, SLUICE, TUN, World, family, lab, noise, read_exactly, reset, sites,
                    tcp, tcp_error, tun_address, udp, works)
from handed import BOTH, echoes, heard, kernel, killed, large, said, tracked, wrap_nft


def device_packets(s, proto):
    return s.seen(lambda q: q.proto == proto and q.dst in BOTH)


def test_only_the_first_packet(l):
    """Of a flow the device sees one packet, whatever it carries; and everything is put back."""
    w = World(l)
    echoes(w)
    acct = "net.netfilter.nf_conntrack_acct"
    w.app.run("nft list ruleset")
    before = w.app.system()
    with kernel(w) as p:
        p.wait_line("IPv4 flows are carried by the kernel", again=True)
        p.wait_line("IPv6 flows are carried by the kernel", again=True)
        assert w.app.run(f"sysctl -n {acct}").strip() == "1"
        with lab.Sniffer(w.app, TUN) as s:
            for address in BOTH:
                with tcp(w.app, address, 7) as c:
                    data = noise(3 << 20)
                    threading.Thread(target=c.sendall, args=(data,), daemon=True).start()
                    assert read_exactly(c, len(data)) == data
                with udp(w.app, address, seconds=5) as u:
                    for i in range(20):
                        heard(u, b"%d" % i, (address, 7))
            assert len(device_packets(s, 6)) == 2, device_packets(s, 6)
            assert len(device_packets(s, 17)) == 2, device_packets(s, 17)
        for address in BOTH:
            w.app.run(f"ping -n -c 1 -W 5 {address}")
        for proto in ("tcp", "udp", "icmp", "icmpv6"):
            assert tracked(w, rf"\b{proto} .*zone-orig=7371"), f"{proto} in {tracked(w, '')}"
        # The kernel tells of the end and of what it carried: at the latest when its ports are used again.
        for n in (100000, 1):
            with w.app.socket(socket.AF_INET, socket.SOCK_STREAM) as c:
                c.settimeout(5)
                c.bind(("", 20000))
                c.connect((NEAR, 7))
                said(c, noise(n))
                reset(c)
        up = int(p.wait_line(r"tcp .*:20000 .*no rule, direct \(kernel\), up (\d+) down \d+, .*: reset")[1])
        assert up > 100000, up
    lab.equal(w.app.system(), before, "after the end")
    assert w.app.run(f"sysctl -n {acct}").strip() == "0"
    assert not tracked(w, "zone-orig=7371"), tracked(w, "")


NEWS = ("acct", "events")


def news(w):
    return [w.app.run(f"sysctl -n net.netfilter.nf_conntrack_{x}").strip() for x in NEWS]


def test_told_of_ends(l):
    """Where connection tracking tells nobody of ends, it is made to, until no engine wants to know."""
    w = World(l)
    echoes(w)
    w.app.run("nft add table ip other")
    w.app.run("nft add chain ip other in { type filter hook input priority 0 ; }")
    w.app.run("nft add rule ip other in ct state established accept")
    w.app.sysctl("net.netfilter.nf_conntrack_events", 0)
    assert news(w) == ["0", "0"], news(w)
    p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"}))
    assert news(w) == ["1", "1"], news(w)
    for what in NEWS * 2:
        w.app.sysctl(f"net.netfilter.nf_conntrack_{what}", 0)
        p.wait_line("somebody took the news.*they are put back")
        lab.until(lambda: news(w) == ["1", "1"], "the settings to be put back")
    for word in (b"one", b"two"):
        with w.app.socket(socket.AF_INET, socket.SOCK_STREAM) as c:
            c.settimeout(5)
            c.bind(("", 20000))
            c.connect((NEAR, 7))
            said(c, word)
            reset(c)
    p.wait_line(r"tcp .*:20000 .*no rule, direct \(kernel\), .*: reset")
    # The same machine, by the stack; it has other settings then, and they are nobody's any more.
    w.config([], first="direct", sluice={"geoip": w.database(), "direct": "stack"})
    killed(w, p)
    lab.until(lambda: news(w) == ["0", "0"], "the settings to be put back")
    w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"})
    w.app.sysctl("net.netfilter.nf_conntrack_events", 1)
    killed(w, p)
    assert news(w) == ["1", "1"], news(w)
    assert p.stop() == 0 and "Sanitizer" not in p.text, p.text
    assert news(w) == ["0", "1"], news(w)


def test_never_beside_the_tunnel(l):
    """Ports that a direct flow had are a tunnelled flow's now: nothing of it leaves outside, at the next rule set
    and amid traffic."""
    w = World(l)
    echoes(w)
    w.start_v2ray()
    p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"}))
    flows = {}
    for address in BOTH:
        tun = tun_address(w, ":" in address)
        flows[address] = tcp(w.app, address, 7), udp(w.app, address, seconds=1)
        said(flows[address][0], b"direct")
        flows[address][1].bind((tun, 20001))
        heard(flows[address][1], b"direct", (address, 7))
        with w.app.socket(family(address), socket.SOCK_STREAM) as s:
            s.settimeout(5)
            s.bind((tun, 20000))
            s.connect((address, 7))
            said(s, b"direct")
            reset(s)
    # The same machine with other rules.
    w.config([], first="proxy", sluice={"geoip": w.database(), "direct": "kernel"})
    killed(w, p)
    with lab.Sniffer(w.app, "eth0") as out:
        for address in BOTH:
            tun = tun_address(w, ":" in address)
            # Those from before end; none goes on outside.
            stream, datagrams = flows[address]
            try:
                said(stream, b"tunnel")
                raise lab.Failed("a connection that belongs to nobody goes on")
            except ConnectionResetError:
                pass
            heard(datagrams, b"tunnel", (address, 7))
            with w.app.socket(family(address), socket.SOCK_STREAM) as s:
                s.settimeout(5)
                s.bind((tun, 20000))
                s.connect((address, 7))
                said(s, b"tunnel")
        # But that the old one's server hears of its end.
        beside = out.seen(lambda q: q.outgoing and q.dst in BOTH and not (q.proto == 6 and q.payload[13] & RST))
        assert not beside, beside
    assert p.stop() == 0 and "Sanitizer" not in p.text, p.text


def test_larger_device(l):
    """A device with a larger MTU than the link has: what is too large for it is cut or told of."""
    w = World(l)
    sites(w)
    echoes(w)
    w.router.run("ip link set app mtu 1400")
    w.app.run("ip link set eth0 mtu 1400")
    path = w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"})
    with open(path) as f:
        text = json.load(f)
    text["inbounds"][0]["settings"]["mtu"] = 9000
    with open(path, "w") as f:
        json.dump(text, f)
    p = w.start(path)
    for address in BOTH:
        large(w, address)
        with udp(w.app, address, seconds=1) as u:
            for n in (100, 3000, 8000):
                heard(u, noise(n), (address, 7))
    w.stop(p)


# As if there were 131,072 flows.
SMALL = """text=$(printf '%s' "$text" | sed 's/size 131072/size 4/')"""


def test_full(l):
    """The set is full: packets go by the engine, and all the same outside."""
    w = World(l)
    sites(w)
    echoes(w)
    wrap_nft(w, SMALL)
    with kernel(w), contextlib.ExitStack() as stack:
        for address in BOTH:
            for _ in range(5):
                said(stack.enter_context(tcp(w.app, address, 7)), b"one of those that fill it")
            with lab.Sniffer(w.app, TUN) as s, tcp(w.app, address, 7) as c:
                data = noise(300000)
                threading.Thread(target=c.sendall, args=(data,), daemon=True).start()
                assert read_exactly(c, len(data)) == data
                lab.until(lambda: len(s.seen(lambda q: q.proto == 6)) > 2, "the engine to send it on")
            with udp(w.app, address, seconds=5) as u:
                for i in range(5):
                    heard(u, b"%d" % i, (address, 7))
            works(w, address)


def has_ended(s):
    try:
        said(s, b"after")
    except (ConnectionAbortedError, ConnectionResetError):      # the keeper's, or to what came before that
        return True
    return False


def test_lost_network(l):
    """The link goes and comes back with another address: an open connection has ended, new ones work."""
    w = World(l)
    sites(w)
    echoes(w)
    with kernel(w):
        ones = [tcp(w.app, address, 7) for address in BOTH]
        for s in ones:
            said(s, b"before")
        w.app.run("ip link set eth0 down")
        w.app.run(f"ip addr del {APP}/24 dev eth0")
        w.app.run("ip addr flush dev eth0")
        w.app.run("ip addr add 198.18.0.9/24 dev eth0")
        w.app.run("ip -6 addr add 2001:db8:f::9/64 dev eth0 nodad")
        w.app.run("ip link set eth0 up")
        w.app.route("default via 198.18.0.1")
        w.app.run("ip -6 route replace default via 2001:db8:f::1")
        # The kernel forgets what left by the old address in a moment of its own; until then it goes on.
        for s in ones:
            lab.until(lambda: has_ended(s), "a connection of a lost network to end")
        for address in BOTH:
            works(w, address)


BOX, BOX6 = "203.0.113.130", "2001:db8:c::130"


def begun(space, address, how, port):
    """A flow from this port, and the one that the server sees."""
    s = space.socket(family(address), how)
    s.settimeout(10)
    s.bind(("", port))
    s.connect((address, 9))
    s.send(b"word")
    seen = int(s.recv(100))
    return s, seen


def tells_ports(l, w):
    def serve(connection, peer):
        while connection.recv(100):
            connection.sendall(b"%d" % peer[1])

    for address in BOTH:
        l.server(w.near, address, 9, serve)
        l.server(w.near, address, 9, lambda _data, peer: b"%d" % peer[1], socket.SOCK_DGRAM)


def test_others(l):
    """A container behind a bridge that masquerades is relayed: its connections and the machine's own do not meet, also
    where both have the same ends, as the device sees them; and the rules hold for it."""
    w = World(l)
    sites(w)
    echoes(w)
    tells_ports(l, w)
    box = l.space("box")
    l.link(box, "eth0", f"{BOX}/25 {BOX6}/64", w.app, "veth0", "")
    w.app.ip("link add docker0 type bridge", "link set veth0 master docker0", "addr add 203.0.113.129/25 dev docker0",
             "addr add 2001:db8:c::1/64 dev docker0 nodad", "link set docker0 up")
    w.start_v2ray()
    for address in (FAR, FAR6):
        l.server(w.far, address, 7, lab.echo)
        l.server(w.far, address, 7, lab.echo_datagram, socket.SOCK_DGRAM)
    box.route("default via 203.0.113.129")
    box.route("default via 2001:db8:c::1")
    w.app.forward()
    for word, inside in (("ip", "203.0.113.128/25"), ("ip6", "2001:db8:c::/64")):
        w.app.run(f"nft add table {word} other")
        w.app.run(f"nft add chain {word} other post {{ type nat hook postrouting priority srcnat ; }}")
        w.app.run(f"nft add rule {word} other post {word} saddr {inside} masquerade")
    port = 20000
    with kernel(w, [{"ip": [FAR, FAR6], "outboundTag": "proxy"}]), lab.Sniffer(w.app, "eth0") as out:
        for address in (FAR, FAR6):
            for space in (w.app, box):
                with tcp(space, address, 7) as c, udp(space, address, seconds=5) as u:
                    said(c, b"x" * 5000)
                    heard(u, b"datagram", (address, 7))
        beside = out.seen(lambda q: {q.src, q.dst} & {FAR, FAR6})
        assert not beside, beside
        for address in BOTH:
            host = f"[{address}]" if ":" in address else address
            for space in (w.app, box):
                assert "asked by" in space.run(f"curl -sS -m 10 http://{host}/")
                with tcp(space, address, 7) as c:
                    said(c, b"x" * 5000)
                with udp(space, address, seconds=5) as u:
                    heard(u, b"datagram", (address, 7))
                space.run(f"ping -n -c 1 -W 5 {address}")
            for how in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                for first, second in ((w.app, box), (box, w.app)):
                    port += 1
                    ones = [begun(space, address, how, port) for space in (first, second)]
                    assert len({seen for _, seen in ones}) == 2, ones
                    for one, seen in ones:
                        for _ in range(3):
                            one.send(b"word")
                            lab.equal(int(one.recv(100)), seen, "the port that the server sees")
                    for one, _ in ones:
                        one.close()


FIREWALL = """
table inet other {
	chain input { type filter hook input priority 0; policy drop; iifname lo accept; ct state established,related accept
		meta l4proto ipv6-icmp accept; }
	chain forward { type filter hook forward priority 0; policy drop; }
	chain output { type filter hook output priority 0; policy drop; ct state new,established,related accept
		meta l4proto ipv6-icmp accept; }
}
"""


def tried(what):
    """The error that it ends with, or what it gives."""
    try:
        return what()
    except OSError as e:
        return e.errno


def test_firewalls(l):
    """Beside a firewall that forwards nothing and lets in answers only. One that marks what it should not ends what is
    there. What begins takes the stack: by IPv6; by IPv4 the kernel forgets whose a packet is that gets another mark, so
    that the engine's own is led into the device as well: it is refused instead of going in a circle."""
    w = World(l)
    sites(w)
    echoes(w)
    w.app.run("nft -f -", input=FIREWALL.encode())
    with kernel(w, [{"port": "80", "protocol": ["http"], "outboundTag": "direct"}]):
        for address in BOTH:
            works(w, address)                               # by the stack, which needs the bytes
            with tcp(w.app, address, 7) as s, udp(w.app, address, seconds=5) as u:
                said(s, b"word")
                heard(u, b"word", (address, 7))
            w.app.run(f"ping -n -c 1 -W 5 {address}")
        w.app.run("nft add chain inet other again { type route hook output priority mangle + 20 ; }")
        ones, others = [[how(w.app, address) for address in BOTH]
                        for how in (lambda *to: tcp(*to, 7), lambda *to: udp(*to, seconds=5))]
        for s, u, address in zip(ones, others, BOTH):
            said(s, b"word")
            for word in (b"1", b"2", b"3"):
                heard(u, word, (address, 7))
        for word in ("ip daddr 192.0.2.0/24", "ip6 daddr 2001:db8:a::/64"):
            w.app.run(f"nft add rule inet other again {word} meta mark set 1")
        with lab.Sniffer(w.app, TUN) as into, lab.Sniffer(w.app, "eth0") as out:
            for s, u, address in zip(ones, others, BOTH):
                s.sendall(b"more")
                assert tried(lambda s=s: s.recv(100)) in (errno.ECONNABORTED, errno.ECONNRESET)
                lab.equal(tried(lambda u=u, to=address: u.sendto(b"more", (to, 7))), errno.EPERM, "a datagram")
                lab.equal(tcp_error(w.app, address, 7)[0], 0 if address == NEAR6 else errno.ECONNREFUSED, address)
            assert len(into.seen(lambda q: q.proto == 6)) <= 12, into.packets
            own = NEAR, tun_address(w), tun_address(w, True)
            beside = out.seen(lambda q: q.outgoing and {q.src, q.dst} & set(own) and q.proto in (6, 17))
            assert not beside, beside
        w.app.run("nft flush chain inet other again")
        for u, address in zip(others, BOTH):
            heard(u, b"after", (address, 7))
            with tcp(w.app, address, 7) as s:
                said(s, b"word")


def initial(n):
    """What a QUIC client begins with, by its looks (RFC 9000 17.2.2)."""
    return b"\xc3\0\0\0\1\x08" + noise(n - 6)


def device_datagrams(s, port):
    return len(s.seen(lambda q: q.proto == 17 and q.outgoing and q.dport == port))


def test_auto_keeps_ports(l):
    """By "auto" a socket has one port for all whom it talks to, and anybody may send to that; QUIC to port 443 is the
    kernel's, unless the socket has a port of the stack's."""
    w = World(l)
    peers = {}
    for space, addresses in ((w.near, BOTH), (w.far, (FAR, FAR6))):
        for address in addresses:
            for port in (7, 443):
                seen = peers[address, port] = []
                l.server(space, address, port, lambda data, peer, seen=seen: seen.append(peer[:2]) or data,
                         socket.SOCK_DGRAM)
    with kernel(w, way="auto"), lab.Sniffer(w.app, TUN) as s:
        by_device = 0
        for near, far in ((NEAR, FAR), (NEAR6, FAR6)):
            with udp(w.app, near, seconds=5) as u:
                for to in ((near, 7), (far, 7), (far, 443), (near, 7)):
                    heard(u, b"binding", to)
                heard(u, initial(1200), (near, 443))
                seen = {x for at in ((near, 7), (far, 7), (far, 443), (near, 443)) for x in peers[at]}
                assert len(seen) == 1, seen
                with udp(w.far, far, bind=(far, 9999)) as stranger:
                    stranger.sendto(b"a stranger", seen.pop())
                    assert u.recvfrom(100)[0] == b"a stranger"
            by_device += 2
            for first in (initial(1199), b"\x43" + noise(1300), b"\xc3\0\0\0\0" + noise(1300)):
                with udp(w.app, near, seconds=5) as u:
                    for word in (first, b"more", b"more"):
                        heard(u, word, (near, 443))
            by_device += 9
            lab.until(lambda: device_datagrams(s, 443) >= by_device, "what is not QUIC in the device")
            with udp(w.app, near, seconds=5) as u:
                for word in (initial(1200), *[b"\x43more"] * 20):
                    heard(u, word, (near, 443))
            by_device += 1
            lab.until(lambda: device_datagrams(s, 443) >= by_device, "the first packet of QUIC in the device")
            assert device_datagrams(s, 443) == by_device, "the kernel does not carry QUIC"


# As a kernel that lacks what the words in the table of that name need.
LACKS = """
case "$text" in *"table %s"*)
	case "$text" in *"%s"*) echo "Error: Could not process rule: No such file or directory" >&2; exit 1;; esac
esac
"""
# What can be done a moment later; and a program that is killed.
ONCE = """
case "$text" in *"%s"*) [ -e %s ] || { touch %s; echo "Error: Device or resource busy" >&2; exit 1; };; esac
"""
DIES = """
case "$text" in *"%s"*) kill -9 $$;; esac
"""
PIECES = (
    ("", "nf_tables"),
    ("zone set", "connection tracking with zones"),
    ("flags dynamic", "sets that rules fill"),
    ("ct timeout", "timeouts of connection tracking"),
    ("masquerade", "address translation"),
    ("reject with", "answers of the firewall"),
    ("maxseg", "changes of the segment size"),
)


def test_missing(l):
    """A kernel without the pieces: `kernel` says which one, `auto` takes the stack and says so, for that family."""
    w = World(l)
    sites(w)
    for n, (word, what) in enumerate(PIECES):
        number, table = ((4, "ip"), (6, "ip6"))[n % 2]
        wrap_nft(w, LACKS % (table + " ", word))
        p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"}), wait=False)
        assert p.wait() == 1, p.text
        assert re.search(f"this system lacks {what} .*for IPv{number}", p.text), p.text
        assert "sluice" not in w.app.run("nft list tables")
        if n not in (1, 2):
            continue
        p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "auto"}))
        p.wait_line(f"IPv{number} flows are carried by sluice itself: .*{what}", again=True)
        status = json.loads(w.app.run([SLUICE, "status", "--json", "--state", w.app.state]))["direct"]
        assert status[f"ipv{number}"] == "stack" and what in status[f"ipv{number}_why"], status
        assert (status[f"ipv{10 - number}"], status[f"ipv{10 - number}_why"]) == ("auto", None), status
        for address in BOTH:
            works(w, address)
        w.stop(p)


def test_missing_firewall(l):
    """Without the pieces of the firewall, which the stack needs as well, nothing starts, and the error names them; but
    for its reports, which are only missed. What fails for another reason lacks nothing."""
    w = World(l)
    sites(w)
    for word, what in (("fib daddr", "lookups of routes"), ("ct mark", "connection tracking"),
                       ("flags dynamic", "sets that rules fill"), ("type route", "chains that choose routes")):
        wrap_nft(w, LACKS % ("inet ", word))
        p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "auto"}), wait=False)
        assert p.wait() == 1 and f"this system lacks {what}" in p.text, p.text
    wrap_nft(w, LACKS % ("inet ", "log group"))
    with kernel(w) as p:
        p.wait_line("this kernel's firewall cannot tell of packets", again=True)
        for address in BOTH:
            works(w, address)
    wrap_nft(w, ONCE % (("create table inet sluice",) + (os.path.join(l.dir, "refused"),) * 2))
    with kernel(w) as p:
        assert os.path.exists(os.path.join(l.dir, "refused")) and "cannot tell of packets" not in p.text, p.text
        assert "log group" in w.app.run("nft list table inet sluice")
    wrap_nft(w, DIES % "table ip ")
    p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"}), wait=False)
    assert p.wait() == 1 and "was ended by signal 9" in p.text and "lacks" not in p.text, p.text
    wrap_nft(w, LACKS % ("", ""))
    p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "auto"}), wait=False)
    assert p.wait() == 1 and "Could not process rule" in p.text and "lacks" not in p.text, p.text


lab.main(test_only_the_first_packet, test_told_of_ends, test_never_beside_the_tunnel, test_larger_device, test_full,
         test_lost_network, test_others, test_firewalls, test_auto_keeps_ports, test_missing,
         test_missing_firewall)
