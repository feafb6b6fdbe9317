# SPDX-License-Identifier: MIT
"""Beside rule sets of others that change what ours depend on: flows that go directly take one way or the other."""
import contextlib
import errno
import os
import socket

from direct import APP, APP6, NEAR, NEAR6, SLUICE, TUN, World, family, lab, tcp, tcp_error, udp
from handed import BOTH, as_user, direct_of, echoed, echoes, exchanged, heard, kernel, said, told

OUTPUT = "type route hook output priority mangle"
PREROUTING = "type filter hook prerouting priority mangle"
POSTROUTING = "type filter hook postrouting priority mangle"


def table(w, *chains):
    """A table of somebody else's; each chain is its hook and its rule."""
    text = "\n".join(f"chain c{i} {{\n{hook};\n{rule}\n}}" for i, (hook, rule) in enumerate(chains))
    w.app.run("nft -f -", input=f"table inet other {{\n{text}\n}}\n".encode())


def words(w):
    """A few words each way, with both families."""
    for address in BOTH:
        with tcp(w.app, address, 7) as s:
            for _ in range(3):
                said(s, b"word")


def test_marks_restored(l):
    """The mark of a connection is put on its packets, and kept there, as for the choice among several links."""
    restore, save = "meta mark set ct mark", "ct state new ct mark set meta mark"
    either = ((OUTPUT, restore),), ((PREROUTING, restore),), \
        tuple((hook, "ct mark != 0 " + restore) for hook in (OUTPUT, PREROUTING)) + ((POSTROUTING, save),)
    w = World(l)
    echoes(w)
    for chains in either:
        table(w, *chains)                       # there before ours, which is asked later
        with kernel(w):
            words(w)
            w.app.run("nft delete table inet other")
            table(w, *chains)                   # made after ours, and asked earlier all the same
            words(w)
        w.app.run("nft delete table inet other")


def test_way_back(l):
    """A firewall asks for the route back before connections are tracked, as for IPv6 it does."""
    neighbours = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept\n"
    w = World(l)
    echoes(w)
    for own in (APP, APP6):
        l.server(w.app, own, 22, lab.echo)
    table(w, ("type filter hook prerouting priority raw", neighbours + "fib saddr . mark . iif oif missing drop"))
    for way in ("kernel", "stack"):
        with kernel(w, way=way):
            words(w)
            for address, own in zip(BOTH, (APP, APP6)):
                w.app.run(f"ping -n -c 1 -W 5 {address}")
                with tcp(w.near, own, 22) as s:
                    said(s, b"from outside")


LATER = OUTPUT + " + 20"        # behind all of ours
MARK = "meta mark set 0x99"
WHY = "answers to them are kept from connection tracking (notrack) by a rule of somebody else's"


@contextlib.contextmanager
def ruled(w, *chains):
    table(w, *chains)
    yield
    w.app.run("nft delete table inet other")


def ended(s):
    """The connection ends, and not by silence."""
    try:
        s.sendall(b"more")
        return s.recv(100) == b"" and "closed"
    except (ConnectionAbortedError, ConnectionResetError):
        return "reset"


def answered(w, address):
    """What becomes of a connected datagram socket: the answer, or the error."""
    with w.app.socket(family(address), socket.SOCK_DGRAM) as u:
        u.settimeout(5)
        u.connect((address, 7))
        try:
            u.send(b"datagram")
            return u.recv(100)
        except TimeoutError:
            return None
        except OSError as e:
            return e.errno


def is_led_back(w, p):
    """IPv4, where the kernel forgets whose a packet is that gets another mark, is refused at once; IPv6 has the stack;
    and the user is told."""
    lab.equal(tcp_error(w.app, NEAR, 7)[0], errno.ECONNREFUSED, "TCP by IPv4")
    lab.equal(answered(w, NEAR), errno.EHOSTUNREACH, "UDP by IPv4: administratively prohibited")
    with tcp(w.app, NEAR6, 7) as s:
        said(s, b"word")
    lab.equal(answered(w, NEAR6), b"datagram", "UDP by IPv6")
    p.wait_line(f"IPv4 packets that have to leave are led back into {TUN}, .*the mark 0x99", again=True)
    d = told(w)["device"]
    assert d["led_back"] > 0 and d["led_back_ago_ms"] < 60000 and d["led_back_mark"] == 0x99, d
    text = w.app.run([SLUICE, "status", "--state", w.app.state])
    assert "led back" in text and "0x99" in text, text


def test_remarked(l):
    """A chain behind ours gives what leaves another mark, which leads it into the device: what there is ends, what
    begins is refused or takes the stack, and nothing meets silence; before the start and amid, by either way."""
    w = World(l)
    echoes(w)
    for way in ("kernel", "stack"):
        for rule in (MARK, MARK + " ct mark set meta mark", MARK + " ct mark set 0"):
            with ruled(w, (LATER, rule)), kernel(w, way=way) as p, lab.Sniffer(w.app, TUN) as into:
                is_led_back(w, p)
                circles = into.seen(lambda q: q.outgoing and q.src == APP)
                assert not circles, circles
        with kernel(w, way=way) as p:
            ones = [tcp(w.app, address, 7) for address in BOTH]
            for s, address in zip(ones, BOTH):
                said(s, b"word")
                with udp(w.app, address, seconds=1) as u:
                    heard(u, b"word", (address, 7))
            with ruled(w, (LATER, MARK)):
                lab.equal(ended(ones[0]), "reset", "one by IPv4")
                if way == "kernel":
                    lab.equal(ended(ones[1]), "reset", "one by IPv6")
                else:
                    said(ones[1], b"word")
                is_led_back(w, p)
            words(w)                # and when it has gone, as before


def lacking(l, what):
    """The environment of a kernel that lacks something."""
    program = l.program("lacking.so", [os.path.join(os.path.dirname(__file__), "lacking.c")], "-shared", "-fPIC")
    return {"LD_PRELOAD": program, "KERNEL_LACKS": what,
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def test_unasked(l):
    """A kernel that cannot be asked for what it tracks is named as what it lacks, and the stack carries."""
    w = World(l)
    echoes(w)
    with kernel(w, way="auto", env=lacking(l, "tracking")) as p:
        for n in (4, 6):
            p.wait_line(f"IPv{n} flows are carried by sluice itself: .*lacks .*nf_conntrack_netlink", again=True)
        words(w)


def test_remarked_without_ends(l):
    """Where the kernel cannot end connections of others, none is said to be ended."""
    w = World(l)
    echoes(w)
    for lacks in ("ends", "lists"):
        with kernel(w, way="stack", env=lacking(l, lacks)) as p, ruled(w, (LATER, MARK)), contextlib.ExitStack() as stack:
            p.wait_line("this kernel ends no connection of others", again=True)
            s = stack.enter_context(w.app.socket(socket.AF_INET, socket.SOCK_STREAM))
            s.setblocking(False)
            s.connect_ex((NEAR, 7))
            p.wait_line("IPv4 packets that have to leave are led back into .*connections .* wait in vain")


def test_remarked_with_none(l):
    """The same with no mark at all, or for one protocol: by the stack all of it works."""
    w = World(l)
    echoes(w)
    with kernel(w):
        for rule in ("meta mark set 0", "meta skuid 0 meta skgid != 0 " + MARK, "meta l4proto udp meta mark set 0"):
            with ruled(w, (LATER, rule)):
                words(w)
                for address in BOTH:
                    lab.equal(answered(w, address), b"datagram", rule)


def test_remarked_user(l):
    """The same for one user's packets: his flows go by the engine, and those of others by the kernel."""
    w = World(l)
    echoes(w)
    with kernel(w) as p, ruled(w, (LATER, "meta skuid 1000 " + MARK)), lab.Sniffer(w.app, TUN) as into:
        for address in BOTH:
            with as_user(w, 1000, family(address), socket.SOCK_STREAM) as c:
                c.connect((address, 7))
                said(c, b"word")
                exchanged(c)
            with as_user(w, 1000, family(address), socket.SOCK_DGRAM) as u:
                u.settimeout(1)
                u.connect((address, 7))
                lab.until(lambda u=u: all(echoed(u) for _ in range(20)), "20 datagrams, one after another")
            with tcp(w.app, address, 7) as c:
                port = c.getsockname()[1]
                exchanged(c)
            own = into.seen(lambda q, a=address, n=port: q.proto == 6 and q.outgoing and q.dst == a and q.sport == n)
            assert len(own) < 4, own        # its SYN, and what is sent again where the machine stands still
        p.wait_line("packets that have to leave are led back", again=True)


def test_marked_as_usual(l):
    """Who marks what leaves, and what comes in, where all do, comes before us, whoever was there first."""
    w = World(l)
    echoes(w)
    w.app.sysctl("net.ipv4.conf.all.rp_filter", 1)
    chains = (OUTPUT, MARK), (PREROUTING, MARK)
    for way in ("kernel", "stack"):
        with ruled(w, *chains), kernel(w, way=way):
            words(w)
        with kernel(w, way=way), ruled(w, *chains):
            words(w)


def test_marked_to_be_let_in(l):
    """A firewall lets in from outside what it has marked itself."""
    w = World(l)
    for own in (APP, APP6):
        l.server(w.app, own, 22, lab.echo)
    chains = (PREROUTING, "tcp dport 22 " + MARK), \
        ("type filter hook input priority filter", "tcp dport 22 meta mark != 0x99 drop")

    def let_in():
        for own in (APP, APP6):
            with tcp(w.near, own, 22) as s:
                said(s, b"from outside")

    for way in ("kernel", "stack"):
        with ruled(w, *chains), kernel(w, way=way):
            let_in()
        with kernel(w, way=way), ruled(w, *chains):
            let_in()


def test_marked_late(l):
    """What comes in is marked behind us, where the way back is looked up strictly."""
    w = World(l)
    echoes(w)
    w.app.sysctl("net.ipv4.conf.eth0.rp_filter", 1)
    filtering = "type filter hook prerouting priority "
    for way in ("kernel", "stack"):
        with kernel(w, way=way):
            for where, rule in (("mangle + 20", MARK), ("0", MARK + " ct mark set meta mark")):
                with ruled(w, (filtering + where, rule)):
                    words(w)
                    for address in BOTH:
                        lab.equal(answered(w, address), b"datagram", address)


def test_translated(l):
    """A rule sends what is for one address to another, as those for services of a cluster do: with either way."""
    services = "192.0.2.77", "2001:db8:a::77"
    rules = "\n".join(f"meta l4proto {{ tcp, udp }} {ip} daddr {a} th dport 77 dnat {ip} to {to}:7"
                      for ip, a, to in zip(("ip", "ip6"), services, (NEAR, f"[{NEAR6}]")))
    w = World(l)
    echoes(w)
    with ruled(w, ("type nat hook output priority -100", rules)):
        for way in ("stack", "auto", "kernel"):
            with kernel(w, way=way):
                for address in services:
                    with tcp(w.app, address, 77) as s:
                        said(s, b"word")
                        exchanged(s)
                    with udp(w.app, address, seconds=1) as u:
                        for word in (b"1", b"2", b"3"):
                            heard(u, word, (address, 77))
                words(w)


def test_untracked(l):
    """What leaves is kept from connection tracking: either way has its answers, also where the way back is looked up
    strictly."""
    w = World(l)
    echoes(w)
    w.app.sysctl("net.ipv4.conf.all.rp_filter", 1)
    untracked = "type filter hook output priority raw", "meta l4proto { tcp, udp } th dport 7 notrack"
    for way in ("kernel", "stack"):
        with kernel(w, way=way), ruled(w, untracked):
            words(w)
            for address in BOTH:
                lab.equal(answered(w, address), b"datagram", address)


def test_unseen(l):
    """Answers are kept from connection tracking: who meets that is carried by sluice, the second time he asks, and all
    after him; what the kernel carried ends; and that is said. Also where the way back is looked up strictly."""
    w = World(l)
    echoes(w)
    w.app.sysctl("net.ipv4.conf.all.rp_filter", 1)
    untracked = "type filter hook prerouting priority raw", \
        "iifname eth0 meta l4proto { tcp, udp } th sport 7 notrack"
    with ruled(w, untracked), kernel(w) as p:
        words(w)
        for n in (4, 6):
            p.wait_line(f"direct IPv{n} flows are carried by sluice itself from now on: .*notrack", again=True)
        lab.equal(direct_of(w), {("stack", WHY)}, "who carries")
        for address in BOTH:
            lab.equal(answered(w, address), b"datagram", address)
    with kernel(w) as p:
        ones, others = [tcp(w.app, address, 7) for address in BOTH], [udp(w.app, address, seconds=1) for address in BOTH]
        for s, u, address in zip(ones, others, BOTH):
            said(s, b"word")
            for word in (b"1", b"2", b"3"):
                heard(u, word, (address, 7))
        with ruled(w, untracked):
            for s, u, address in zip(ones, others, BOTH):
                lab.equal(ended(s), "reset", address)
                heard(u, b"after", (address, 7))
            words(w)
            lab.equal(direct_of(w), {("stack", WHY)}, "who carries")
    # A new start is a new try, and a family is no matter of the other's.
    with kernel(w) as p:
        words(w)
        lab.equal(direct_of(w), {("kernel", None)}, "who carries")
        with tcp(w.app, NEAR6, 7) as other, ruled(w, (untracked[0], "meta nfproto ipv4 " + untracked[1])):
            said(other, b"word")
            words(w)
            lab.equal(direct_of(w), {("stack", WHY), ("kernel", None)}, "who carries")
            said(other, b"word")


lab.main(test_marks_restored, test_way_back, test_unasked, test_remarked, test_remarked_without_ends,
         test_remarked_with_none, test_remarked_user, test_marked_as_usual, test_marked_to_be_let_in, test_marked_late, test_translated, test_untracked, test_unseen)
