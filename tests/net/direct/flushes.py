# SPDX-License-Identifier: MIT
"""Direct flows that the kernel carries, when the engine, the sets or all rule sets are taken away."""
import contextlib
import re
import socket
import struct
import threading

from direct import NEAR, World, lab, noise, read_exactly, sites, tcp, tun_address, works
from handed import BOTH, echoes, kernel, killed, said


def test_deaths_and_losses(l):
    """Killed amid traffic, forgotten, all rule sets flushed, under each rp_filter: what runs goes on, what is new
    works, and nothing has another address than the link's."""
    w = World(l)
    sites(w)
    echoes(w)
    for value in (2, 1, 0):
        for dev in ("all", "default", "eth0"):
            w.app.sysctl(f"net.ipv4.conf.{dev}.rp_filter", value)
        p = w.start(w.config([], first="direct", sluice={"geoip": w.database(), "direct": "kernel"}))
        with lab.Sniffer(w.app, "eth0") as out:
            ones = [tcp(w.app, address, 7) for address in BOTH]
            for s in ones:
                said(s, b"before")
            # What runs meanwhile comes through whole.
            results, data, under_way = [], noise(8 << 20), threading.Semaphore(0)

            def run(address=NEAR):
                with tcp(w.app, address, 7) as s:
                    threading.Thread(target=s.sendall, args=(data,), daemon=True).start()
                    first = read_exactly(s, 4096)
                    under_way.release()
                    results.append(first + read_exactly(s, len(data) - len(first)) == data)

            runs = [threading.Thread(target=run, args=(address,), daemon=True) for address in BOTH]
            for t in runs:
                t.start()
            for t in runs:
                assert under_way.acquire(timeout=10)
            killed(w, p)
            for word in ("ip", "ip6"):
                w.app.run(f"nft flush set {word} sluice_direct flows")
            for s in ones:
                said(s, b"forgotten")
            tun = {tun_address(w), tun_address(w, True)}

            def strange(since=0):
                return out.seen(lambda q: q.src in tun or q.dst in tun, since)

            assert not strange(), strange()
            for t in runs:
                t.join()
            assert results == [True, True], results
            w.app.run("nft flush ruleset")
            p.wait_line("they are put back")
            since = out.count()
            tables = w.app.run("nft list tables")
            assert all(f"table {x}" in tables for x in ("inet sluice", "ip sluice_direct", "ip6 sluice_direct"))
            for s in ones:
                said(s, b"flushed")
                s.close()
            for address in BOTH:
                works(w, address)
            assert not strange(since), strange(since)
        assert p.stop() == 0, p.text
        assert not [x for x in p.lines if "error" in x and "signal 9" not in x], p.text
        assert "sluice" not in w.app.run("nft list ruleset")


def ours(w):
    """Our rule sets without what comes and goes in them; nothing where one is not there."""
    said = [w.app.call(f"nft list table {x}") for x in ("inet sluice", "ip sluice_direct", "ip6 sluice_direct")]
    text = "".join(out for _, out in said) if not any(status for status, _ in said) else ""
    return re.sub(r"elements = \{[^}]*\}", "", text)


def test_flushed_again(l):
    """Somebody flushes all rule sets, and again while ours are being put back: in the end they are all there."""
    w = World(l)
    sites(w)
    with kernel(w):
        whole = ours(w)
        assert whole
        for _ in range(3):
            w.app.run(["sh", "-c", "for i in 1 2 3 4; do nft flush ruleset; done"])
            lab.until(lambda: ours(w) == whole, "all our tables to be back")
        for address in BOTH:
            works(w, address)


CHANGES = (
    "add table inet sluice { flags dormant ; }",
    "add table ip sluice_direct { flags dormant ; }",
    "add table ip6 sluice_direct { flags dormant ; }",
    "insert rule inet sluice output accept",
    "add rule ip6 sluice_direct kept drop",
    "flush chain ip sluice_direct left",
    "add chain ip6 sluice_direct strange { type filter hook output priority 0 ; policy drop ; }",
    "add set inet sluice strange { type inet_service ; }",
    # By which a flow would leave of which no rule has been asked.
    "add element ip sluice_direct flows { 198.18.0.9 . 192.0.2.80 . tcp . 40000 . 7 }",
    "add element inet sluice inbound4 { tcp . 198.18.0.9 . 40000 . 192.0.2.80 . 7 }",
)


def test_changed(l):
    """Somebody changes our rule sets, which are what they were a moment later; the log says so."""
    w = World(l)
    sites(w)
    echoes(w)
    with kernel(w) as p:
        whole = ours(w)
        for what in CHANGES:
            w.app.run(["nft", what])
            p.wait_line("somebody changed our firewall rules.*they are put back")
            lab.until(lambda: ours(w) == whole, f"{what} to be undone")
        assert "40000" not in w.app.run("nft list ruleset")
        # What it undid itself it did not take for somebody's.
        assert len([x for x in p.lines if "put back" in x]) == len(CHANGES), p.text
        for address in BOTH:
            works(w, address)
            with tcp(w.app, address, 7) as s:
                said(s, b"word")


NETLINK_NETFILTER = 12
NFTABLES_NEWS, NEWTABLE, DELTABLE, NEWGEN = 1 << 6, 10 << 8, 10 << 8 | 2, 10 << 8 | 15


def transactions(news):
    """The tables that each one has made and taken away, in turn, as (family, name), of what a socket has got."""
    made, gone = set(), set()
    with contextlib.suppress(BlockingIOError):
        while data := news.recv(1 << 17, socket.MSG_DONTWAIT):
            while data:
                n, kind = struct.unpack("=IH", data[:6])
                if kind in (NEWTABLE, DELTABLE):
                    name = data[24:20 + struct.unpack("=H", data[20:22])[0]]
                    (made if kind == NEWTABLE else gone).add((data[16], name.rstrip(b"\0").decode()))
                elif kind == NEWGEN:
                    yield made, gone
                    made, gone = set(), set()
                data = data[(n + 3) & ~3:]


def test_mended_at_once(l):
    """What is put back takes the place of what is there: no packet finds nothing between."""
    w = World(l)
    ours_all = {(1, "sluice"), (2, "sluice_direct"), (10, "sluice_direct")}
    with kernel(w) as p, w.app.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as news:
        news.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        news.bind((0, NFTABLES_NEWS))
        w.app.run("nft insert rule inet sluice output accept")
        p.wait_line("somebody changed our firewall rules.*they are put back")
        mended = [(made, gone) for made, gone in transactions(news) if made or gone]
        assert set().union(*(made for made, _ in mended)) == ours_all, mended
        assert all(made == gone for made, gone in mended), mended


def pour(connection, _peer):
    while True:
        connection.sendall(bytes(65536))


def swallow(connection, _peer):
    while connection.recv(65536):
        pass


class Transfer:
    """Runs until its end, in a thread; `done` are its bytes."""

    def __init__(self, w, address, port):
        self.done = 0
        self.socket = tcp(w.app, address, port)
        self.thread = threading.Thread(target=self.work, args=(self.pull if port == 9 else self.push,), daemon=True)
        self.thread.start()

    def work(self, step):
        with contextlib.suppress(OSError):
            while n := step():
                self.done += n

    def pull(self):
        return len(self.socket.recv(65536))

    def push(self):
        return self.socket.send(bytes(65536))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


def test_flushed_amid(l):
    """What is under way when somebody flushes all rule sets, in either direction, goes on."""
    w = World(l)
    for address in BOTH:
        l.server(w.near, address, 9, pour)
        l.server(w.near, address, 10, swallow)
    with kernel(w) as p, contextlib.ExitStack() as stack:
        ones = [stack.enter_context(Transfer(w, address, port)) for address in BOTH for port in (9, 10)]
        for _ in range(2):
            before = [x.done for x in ones]
            # More than all buffers hold.
            lab.until(lambda: all(x.done > n + (16 << 20) for x, n in zip(ones, before)), "all to go on")
            w.app.run("nft flush ruleset")
            p.wait_line("they are put back")
        before = [x.done for x in ones]
        lab.until(lambda: all(x.done > n + (16 << 20) for x, n in zip(ones, before)), "all to go on")


REMOVALS = (
    "ip rule flush; ip rule add pref 32766 lookup main; ip rule add pref 32767 lookup default",
    "ip -6 rule flush; ip -6 rule add pref 32766 lookup main",
    "ip route flush table 7370; ip -6 route flush table 7370",
    "ip link set tun7 down; ip link set tun7 up",
)


def test_routes_amid(l):
    """What is under way when somebody removes our rules and routes goes on, and never with the device's address."""
    w = World(l)
    for address in BOTH:
        l.server(w.near, address, 9, pour)
        l.server(w.near, address, 10, swallow)
    with kernel(w) as p, lab.Sniffer(w.app, "eth0", keep=64) as out, contextlib.ExitStack() as stack:
        tun = {tun_address(w), tun_address(w, True)}
        ones = [stack.enter_context(Transfer(w, address, port)) for address in BOTH for port in (9, 10)]
        for what in REMOVALS:
            before = [x.done for x in ones]
            lab.until(lambda: all(x.done > n + (4 << 20) for x, n in zip(ones, before)), "all to go on")
            w.app.run(["sh", "-c", what])
            p.wait_line("routing rules, or took them away; they are put back")
        before = [x.done for x in ones]
        lab.until(lambda: all(x.done > n + (16 << 20) for x, n in zip(ones, before)), "all to go on")
        strange = out.seen(lambda q: q.src in tun or q.dst in tun)
        assert not strange, strange[:5]


lab.main(test_deaths_and_losses, test_flushed_again, test_changed, test_mended_at_once, test_flushed_amid, test_routes_amid)
