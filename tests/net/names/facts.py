# SPDX-License-Identifier: MIT
"""What rules and servers learn of names: from answers that passed by, and from the first bytes."""
import contextlib
import socket
import ssl
import struct
import threading

from names import (A, AAAA, FAR, FAR6, NEAR, NEAR6, SERVER, SERVER6, APP, APP6, Resolver, World, addresses, ask, lab,
                   query, running)

ZONE = {"direct.example.test": [NEAR, NEAR6], "deep.below.direct.example.test": [FAR, FAR6],
        "other.example.test": ["192.0.2.81", "2001:db8:a::81"], "shared.example.test": ["192.0.2.81"]}
NOWHERE = "nobody.example.test"
ONLY_THERE = "only-there.example.test"  # in the hosts file of the VMess server's host


class Site:
    """Tells whoever connects, of any kind, who that is."""

    def __init__(self, l, space, address, port):
        self.asked = []
        l.server(space, address, port, self.serve)

    def serve(self, connection, peer):
        self.asked.append(peer[0])
        connection.sendall(f"you are {peer[0]}\n".encode())
        connection.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            connection.recv(4096)


def world(l):
    w = World(l)
    with open(f"{w.server.etc}/hosts", "w") as f:
        f.write(f"127.0.0.1 localhost\n{FAR} {ONLY_THERE}\n")
    w.start_v2ray()
    w.near.run("ip addr add 192.0.2.81/24 dev eth0")
    w.near.run("ip addr add 2001:db8:a::81/64 dev eth0 nodad")
    w.resolver = Resolver(l, w.near, NEAR, ZONE)
    w.app.resolv(f"nameserver {NEAR}\n")
    return w


def who_asks(w, address, port=4000):
    """As whom the site sees a plain connection of the application."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with w.app.socket(family) as s:
        s.settimeout(10)
        s.connect((address, port))
        return s.recv(100).decode().split()[2]


def test_names_seen(l):
    """A rule on a name takes a plain connection to the address that the name was answered with."""
    w = world(l)
    for space, address in ((w.near, NEAR), (w.near, NEAR6), (w.far, FAR), (w.far, FAR6),
                           (w.near, "192.0.2.81"), (w.near, "2001:db8:a::81")):
        Site(l, space, address, 4000)
    rules = [{"domain": ["domain:direct.example.test"], "outboundTag": "direct"}]
    with running(w, rules=rules, dns={"servers": [NEAR]}) as p:
        assert who_asks(w, NEAR) == SERVER, "nobody has asked for a name so far"
        for name in ("direct.example.test", "deep.below.direct.example.test"):
            found = addresses(w.app, name)
            assert found == set(ZONE[name]), found
            for address in found:
                assert who_asks(w, address) in (APP, APP6), (name, address)
                shown = f"[{address}]" if ":" in address else address
                p.wait_line(rf"-> {shown.replace('[', '.').replace(']', '.')}:4000 \({name}\), rule 0, direct, ",
                            again=True)
        for address in addresses(w.app, "other.example.test"):
            assert who_asks(w, address) in (SERVER, SERVER6), address
    p.wait_line(r"-> 192.0.2.81:4000 \(other.example.test\), no rule, proxy, ", again=True)


def test_names_seen_over_tcp(l):
    """The answer may have come over TCP, or straight from another resolver."""
    w = world(l)
    Site(l, w.near, NEAR, 4000)
    Site(l, w.near, NEAR6, 4000)
    rules = [{"domain": ["full:direct.example.test"], "outboundTag": "direct"}]
    with running(w, rules=rules, dns={"servers": [NEAR]}):
        assert ask(w.app, "direct.example.test", A, tcp=True).addresses == [NEAR]
        assert who_asks(w, NEAR) == APP
        assert ask(w.app, "direct.example.test", AAAA, at=NEAR).addresses == [NEAR6]
        assert who_asks(w, NEAR6) == APP6


def forged(number, name, address):
    """An answer that says so."""
    q = query(name, A, number)
    return (q[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0) + q[12:] + b"\xc0\x0c"
            + struct.pack("!2HIH", A, 1, 300, 4) + socket.inet_aton(address))


def test_strangers_teach_nothing(l):
    """Who is spoken to by an application learns where an answer would come in; it is let in, and not believed."""
    w = world(l)
    Site(l, w.far, FAR, 4000)
    heard = []
    l.server(w.near, "192.0.2.81", 9000, lambda data, peer: heard.append(peer), socket.SOCK_DGRAM)
    stranger = w.near.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.bind(("192.0.2.81", 53))
    rules = [{"domain": ["full:direct.example.test"], "outboundTag": "direct"},
             {"network": "udp", "outboundTag": "direct"}]
    with running(w, rules=rules, dns={"servers": [NEAR]}), w.app.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.sendto(b"here I am", ("192.0.2.81", 9000))
        lab.until(lambda: heard, "the datagram to arrive")
        stranger.sendto(forged(7, "direct.example.test", FAR), heard[0])
        assert s.recvfrom(2000)[1] == ("192.0.2.81", 53)
        assert who_asks(w, FAR) == SERVER, "an answer that nobody asked for was believed"
        # The one who was asked, about something else.
        s.sendto(query("other.example.test", A, 7), ("192.0.2.81", 53))
        stranger.settimeout(10)
        peer = stranger.recvfrom(2000)[1]
        stranger.sendto(forged(7, "direct.example.test", FAR), peer)
        assert s.recvfrom(2000)[1] == ("192.0.2.81", 53)
        assert who_asks(w, FAR) == SERVER, "the answer to another question was believed"
    stranger.close()


def test_last_name_wins(l):
    """Two names of one address: the one that was asked for last is meant."""
    w = world(l)
    Site(l, w.near, "192.0.2.81", 4000)
    rules = [{"domain": ["full:shared.example.test"], "outboundTag": "direct"}]
    with running(w, rules=rules, dns={"servers": [NEAR]}):
        assert ask(w.app, "other.example.test").addresses
        assert who_asks(w, "192.0.2.81") == SERVER
        assert ask(w.app, "shared.example.test").addresses
        assert who_asks(w, "192.0.2.81") == APP
        assert ask(w.app, "other.example.test").addresses
        assert who_asks(w, "192.0.2.81") == SERVER


def http(w, name, address, port=80):
    """Whom an HTTP site sees."""
    host = f"[{address}]" if ":" in address else address
    status, out = w.app.call(["curl", "-sS", "-m", "5", "--http0.9", "-H", f"Host: {name}", f"http://{host}:{port}/"])
    return out.split()[2] if status == 0 else None


def tls(w, name, address, port=443):
    """Whether anybody answered a TLS hello for this name; it is not TLS, and does not matter."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with w.app.socket(family) as s:
        s.settimeout(5)
        s.connect((address, port))
        try:
            context.wrap_socket(s, server_hostname=name)
        except ssl.SSLError as e:
            return "WRONG_VERSION" in str(e) or "RECORD_LAYER" in str(e)
        except (ConnectionResetError, TimeoutError):
            return False


def test_sniffing_for_rules(l):
    """Host and SNI are names for the rules; with routeOnly the address stays the application's."""
    w = world(l)
    sites = {(a, port): Site(l, w.near, a, port) for a in (NEAR, NEAR6) for port in (80, 443)}
    rules = [{"domain": ["domain:direct.example.test"], "outboundTag": "direct"},
             {"domain": ["full:blocked.example.test"], "outboundTag": "block"}]
    for route_only in (True, False):
        sniffing = {"enabled": True, "destOverride": ["http", "tls"], "routeOnly": route_only}
        with running(w, rules=rules, sniffing=sniffing) as p:
            for address, mine, servers in ((NEAR, APP, SERVER), (NEAR6, APP6, SERVER6)):
                assert http(w, "www.direct.example.test", address) == mine
                assert http(w, "blocked.example.test", address) is None
                assert tls(w, "www.direct.example.test", address)
                assert not tls(w, "blocked.example.test", address)
                assert sites[address, 443].asked[-1] == mine
                if route_only:
                    # Another name goes to the server, and to the address: its name means nothing there.
                    assert http(w, NOWHERE, address) == servers
                    assert tls(w, NOWHERE, address) and sites[address, 443].asked[-1] == servers
            p.wait_line(r"tcp \S+ -> 192.0.2.80:443 \(www.direct.example.test\), rule 0, direct", again=True)
            p.wait_line(r"tcp \S+ -> 192.0.2.80:80 \(blocked.example.test\), rule 1, block", again=True)


def test_override(l):
    """The VMess server gets the name instead of the address, unless routeOnly, an exclusion, or another
    kind of protocol says otherwise."""
    w = world(l)
    for port in (80, 443):
        Site(l, w.far, FAR, port)
    full = {"enabled": True, "destOverride": ["http", "tls"]}
    cases = [
        # sniffing, whether the server finds http's, and tls's name
        (full, True, True),
        ({**full, "destOverride": ["tls"]}, False, True),
        ({**full, "destOverride": ["http"]}, True, False),
        ({**full, "routeOnly": True}, False, False),
        ({**full, "enabled": False}, False, False),
        ({**full, "domainsExcluded": [ONLY_THERE]}, False, False),
        ({**full, "domainsExcluded": ["other.example.test"]}, True, True),
        ({**full, "domainsExcluded": ["regexp:^only-"]}, False, False),
        (None, False, False),
    ]
    results = []
    for sniffing, by_http, by_tls in cases:
        with running(w, sniffing=sniffing):
            box = {}
            # Nobody listens at the address: only the name leads further.
            threads = [threading.Thread(target=lambda k=k, f=f: box.update({k: f(w, ONLY_THERE, NEAR)}))
                       for k, f in (("http", http), ("tls", tls))]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            results.append((sniffing, box["http"] == SERVER, box["tls"]))
    assert results == cases, "\n".join(f"{r} != {c}" for r, c in zip(results, cases) if r != c)


def test_direct_keeps_the_address(l):
    """A direct connection goes where the application wanted, whatever name is in its first bytes."""
    w = world(l)
    Site(l, w.near, NEAR, 80)
    Site(l, w.far, FAR, 80)
    sniffing = {"enabled": True, "destOverride": ["http", "tls"]}
    with running(w, first="direct", sniffing=sniffing):
        assert http(w, "deep.below.direct.example.test", NEAR) == APP
        assert http(w, NOWHERE, FAR) == APP
    assert not w.resolver.asked, "a name was asked for that nobody needs"


lab.main(test_names_seen, test_names_seen_over_tcp, test_strangers_teach_nothing,
         test_last_name_wins, test_sniffing_for_rules, test_override,
         test_direct_keeps_the_address)
