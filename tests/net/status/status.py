# SPDX-License-Identifier: MIT
"""`sluice status`: what it says of a running sluice is so, and whoever asks, however, it goes on."""
import contextlib
import json
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import lab  # noqa: E402
from world import DEAD, FAR, FAR6, NEAR, SLUICE, World  # noqa: E402

PORT = 4000
RUNNING, NOT_SO, NOT_THERE = 0, 1, 3    # exit statuses


class Machine(World):
    """All direct but what goes to `near`, which a server takes that is not there."""

    def __init__(self, l, **more):
        super().__init__(l)
        for address in (FAR, FAR6):
            l.server(self.far, address, PORT, lab.echo)
        l.server(self.far, FAR, PORT, lab.echo_datagram, socket.SOCK_DGRAM)
        rules = [{"ip": [f"{NEAR}/32"], "outboundTag": "proxy"}]
        self.path = self.config(rules, first="direct", **more)

    def status(self, *words, want=RUNNING):
        """What it prints, and for --json the object."""
        code, out = self.app.call([SLUICE, "status", "--state", self.app.state, *words])
        if code != want:
            raise lab.Failed(f"sluice status ended with {code}, not {want}:\n{out}")
        return out

    def told(self, want=RUNNING):
        return json.loads(self.status("--json", want=want))

    def connect(self, address, port=PORT):
        s = self.app.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        s.settimeout(10)
        s.connect((address, port))
        return s


def sums_agree(t):
    for way in ("up_bytes", "down_bytes"):
        assert t["totals"][way] == sum(o[way] for o in t["outbounds"]), t


def there_and_back(s, n):
    s.sendall(b"x" * n)
    while n > 0:
        n -= len(s.recv(65536))


def outbound(told, tag):
    return next(o for o in told["outbounds"] if o["tag"] == tag)


def test_counts(l):
    """Flows and bytes are those that there were, for each outbound; failures have their reason."""
    m = Machine(l)
    assert "does not run" in m.status(want=NOT_THERE)
    p = m.start(m.path)
    t = m.told()
    assert t["state"] == "running" and t["engine"]["restarts"] == 0 and t["engine"]["last_end"] is None, t
    assert t["keeper"]["pid"] == p.pid and os.path.exists(f"/proc/{t['engine']['pid']}"), t
    assert t["device"] == {"name": "tun7", "mtu": 1500, "ipv4": True, "ipv6": True, "dns": True,
                           "firewall_lost": False, "routes_lost": False, "mended": 0, "mended_ago_ms": None,
                           "led_back": 0, "led_back_ago_ms": None, "led_back_mark": None,
                           "ipv4_past": None, "ipv6_past": None}, t
    assert t["direct"] == {"ipv4": "stack", "ipv4_why": None, "ipv6": "stack", "ipv6_why": None}, t
    limits = {"kernel_counted": 0, "tcp_limit": t["flows"]["tcp_limit"], "udp_limit": t["flows"]["udp_limit"]}
    assert limits["tcp_limit"] >= 700 and limits["udp_limit"] >= 200, t
    assert t["flows"] == {"tcp": 0, "udp": 0, "kernel": 0, "held": 0, **limits}, t
    idle = t["memory"]["used_bytes"]
    assert t["memory"]["limit_bytes"] == 256 << 20 and idle < 1 << 20, t

    flows = [m.connect(FAR), m.connect(FAR), m.connect(FAR6)]
    for i, s in enumerate(flows):
        there_and_back(s, 100000 + i)
    u = m.app.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.settimeout(10)
    u.sendto(b"y" * 1000, (FAR, PORT))
    assert len(u.recv(2000)) == 1000
    waiting = m.app.socket(socket.AF_INET)
    waiting.setblocking(False)
    waiting.connect_ex((DEAD, PORT))
    t = lab.until(lambda: (t := m.told())["flows"]["held"] == 1 and t, "the SYN to be held")
    assert t["flows"] == {"tcp": 4, "udp": 1, "kernel": 0, "held": 1, **limits}, t
    assert idle < t["memory"]["used_bytes"] < 4 << 20, t
    assert t["totals"]["up_bytes"] == t["totals"]["down_bytes"] == 301003, t
    direct, proxy = outbound(t, "direct"), outbound(t, "proxy")
    assert direct["up_bytes"] == direct["down_bytes"] == 301003 and direct["flows"] == 5, direct
    m.app.run(["ping", "-c", "1", "-W", "5", "-s", "1000", FAR])
    t = m.told()
    assert t["totals"]["up_bytes"] == t["totals"]["down_bytes"] == 302003, t
    sums_agree(t)
    assert direct["answered_ago_ms"] < 20000 and direct["failure"] is None and direct["server"] is None, direct
    assert proxy["flows"] == 0 and proxy["protocol"] == "vmess", proxy
    assert proxy["server"] == "203.0.113.10:10086 (TCP)" and proxy["answered_ago_ms"] is None, proxy

    try:
        m.connect(NEAR)
    except ConnectionError:
        pass
    for s in (*flows, waiting):
        s.close()
    t = lab.until(lambda: (t := m.told())["flows"]["tcp"] == 0 and t, "the flows to end")
    proxy = outbound(t, "proxy")
    assert proxy["failed_ago_ms"] is not None and "refused" in proxy["failure"], proxy
    assert t["totals"]["tcp"] == 5 and t["totals"]["udp"] == 1 and t["totals"]["refused"] >= 1, t
    text = m.status()
    for words in ("running", "tun7, MTU 1500", "IPv4 by sluice", "5 TCP, 1 UDP", "302.0 kB up, 302.0 kB down",
                  "direct: freedom", "proxy: vmess to 203.0.113.10:10086 (TCP)", "refused"):
        assert words in text, f"{words!r} is not in\n{text}"

    asked = m.app.run([SLUICE, "status", "--help"])
    for name, value in t.items():
        for key in (name, *(value if isinstance(value, dict) else value[0] if isinstance(value, list) else ())):
            assert key in asked, f"--help does not speak of {key}"
    u.close()
    m.stop(p)
    assert "does not run" in m.status(want=NOT_THERE)
    # Before the line for people, which a program does not read.
    asked = m.status("--json", want=NOT_THERE)
    assert json.loads(asked[asked.index("{"):asked.index("}") + 1])["state"] == "not running", asked


def test_mends(l):
    """What was put back is counted, be it the firewall's or a routing rule."""
    m = Machine(l)
    p = m.start(m.path)
    for n, words in enumerate(("nft delete table inet sluice", "nft delete table inet sluice", "ip rule del pref 7373"), 1):
        m.app.run(words)
        p.wait_line("they are put back")
        lab.until(lambda: m.told()["device"]["mended"] == n, words)
    assert "put back: 3 times" in m.status(), m.status()
    assert p.stop() == 0, p.text


def test_deaths(l):
    """The engine killed, hanging, and not coming back."""
    m = Machine(l)
    p = m.start(m.path)
    first = m.told()["engine"]["pid"]

    os.kill(first, signal.SIGSTOP)
    began = time.monotonic()
    t = m.told(want=NOT_SO)
    assert time.monotonic() - began < 10
    assert t["state"] == "not answering" and t["engine"]["pid"] == first and "flows" not in t, t
    os.kill(first, signal.SIGCONT)
    assert m.told()["state"] == "running"

    os.kill(first, signal.SIGKILL)
    p.wait_line(r"signal 9")
    p.wait_line(r"\bready\b")
    t = m.told()
    assert t["engine"]["restarts"] == 1 and t["engine"]["pid"] != first, t
    assert t["engine"]["last_end"] == "was ended by signal 9" and t["engine"]["last_end_ago_ms"] < 60000, t
    assert t["totals"]["tcp"] == 0, t

    # It cannot come back for a while.
    os.rename(m.path, m.path + ".away")
    os.kill(t["engine"]["pid"], signal.SIGKILL)
    p.wait_line(r"ended with status 1")
    t = m.told(want=NOT_SO)
    assert t["state"] == "restarting" and t["device"]["name"] == "tun7", t
    assert "started again" in m.status(want=NOT_SO)
    os.rename(m.path + ".away", m.path)
    p.wait_line(r"\bready\b")
    t = m.told()
    assert t["state"] == "running" and t["engine"]["restarts"] >= 3, t
    assert t["engine"]["last_end"] == "ended with status 1", t
    assert p.stop() == 0, p.text


def test_kills(l):
    """The keeper killed: nobody answers, and what it left is in nobody's way."""
    m = Machine(l)
    p = m.start(m.path)
    t = m.told()
    p.send(signal.SIGKILL)
    p.wait()
    lab.until(lambda: not os.path.exists(f"/proc/{t['engine']['pid']}"), "the engine to end, too")
    assert os.path.exists(f"{m.app.state}/status")
    for words in ((), ("--json",)):
        asked = m.status(*words, want=NOT_THERE)
        assert "does not run" in asked and "was killed" in asked and "sluice recover" in asked, asked
    assert "sluice recover" in json.loads(asked[asked.index("{"):asked.index("}") + 1])["why"], asked
    # The same of what is seen without a journal.
    elsewhere = m.app.call([SLUICE, "status", "--state", m.app.dir + "/elsewhere"])
    assert elsewhere[0] == NOT_THERE and "sluice recover" in elsewhere[1], elsewhere
    # The next start is not kept off by what lies there, nor does anything of it stay.
    p = m.start(m.path)
    assert m.told()["engine"]["restarts"] == 0
    elsewhere = m.app.call([SLUICE, "status", "--state", m.app.dir + "/elsewhere"])
    assert elsewhere[0] == NOT_THERE and "sluice runs (device" in elsewhere[1], elsewhere
    p.send(signal.SIGKILL)
    p.wait()
    m.app.run([SLUICE, "recover", "--state", m.app.state])
    assert os.listdir(m.app.state) == ["lock"]
    assert "was killed" not in m.status(want=NOT_THERE)


def test_askers(l):
    """Many at once, some that never read, and one who may not."""
    m = Machine(l)
    p = m.start(m.path)
    place = f"{m.app.state}/status"
    assert os.stat(place).st_mode & 0o7777 == 0o600

    def ask():
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(place)
        with contextlib.suppress(BrokenPipeError):      # all is said already
            s.send(b"nobody reads this")
        return s
    deaf = [ask() for _ in range(200)]
    flow = m.connect(FAR)
    there_and_back(flow, 1000)
    asking = [m.app.start([SLUICE, "status", "--json", "--state", m.app.state]) for _ in range(8)]
    for a in asking:
        assert a.wait() == RUNNING, a.text
        assert json.loads(a.text)["flows"]["tcp"] == 1, a.text
    # Nothing is kept of them.
    t = m.told()
    for pid in (t["keeper"]["pid"], t["engine"]["pid"]):
        assert len(os.listdir(f"/proc/{pid}/fd")) < 64
    # The engine hangs, and many ask: that has an end, and it is none the worse for it.
    os.kill(t["engine"]["pid"], signal.SIGSTOP)
    deaf += [ask() for _ in range(300)]
    os.kill(t["engine"]["pid"], signal.SIGCONT)
    assert m.told()["state"] == "running"
    there_and_back(flow, 1000)

    stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    code, out = m.app.call([*stranger, SLUICE, "status", "--state", m.app.state])
    assert code == NOT_SO and "as root" in out, (code, out)
    # Should somebody open the folder: the keeper looks who it is.
    os.chmod(m.app.state, 0o711)
    os.chmod(place, 0o666)
    code, out = m.app.call([*stranger, SLUICE, "status", "--state", m.app.state])
    assert code == NOT_SO and "as root" in out, (code, out)
    for s in deaf:
        s.close()
    flow.close()
    m.stop(p)


def test_kernel(l):
    """Who carries direct flows is told, and why not the kernel where it was to."""
    m = Machine(l, direct="auto")
    p = m.start(m.path)
    t = m.told()
    for family, address in (("ipv4", FAR), ("ipv6", FAR6)):
        if t["direct"][family] != "auto":
            assert t["direct"][family] == "stack" and t["direct"][f"{family}_why"], t
            continue
        before = m.told()["totals"]
        s = m.connect(address)
        there_and_back(s, 200000)
        m.app.run(["ping", "-c", "1", "-W", "5", "-s", "1000", address])
        # Their bytes count while they run.
        t = m.told()
        assert t["flows"]["kernel"] == t["flows"]["kernel_counted"] == 1, t
        assert outbound(t, "direct")["answered_ago_ms"] < 10000, t
        for way in ("up_bytes", "down_bytes"):
            assert 201000 <= t["totals"][way] - before[way] < 230000, (before, t)
        sums_agree(t)
        s.close()
        # One that has ended is not in the kernel, though that still knows it.
        lab.until(lambda: m.told()["flows"]["kernel"] == 0, "the flow to end")
        refused = m.told()["totals"]["refused"]
        with contextlib.suppress(ConnectionRefusedError):
            m.connect(address, PORT + 1)
        p.wait_line(rf"{address}\]?:{PORT + 1}, .*direct \(kernel\), .* 0\.\d* s: refused$")
        assert m.told()["totals"]["refused"] == refused + 1
    m.stop(p)
    ends = [x for x in p.lines if f":{PORT}, " in x and "direct (kernel)" in x]
    assert all(x.endswith(": ended") for x in ends), ends


def test_asked_again(l):
    """A SYN that nobody answers is one connection, however often it is sent; what an engine before this one gave to the
    kernel is there, too."""
    m = Machine(l, direct="kernel")
    p = m.start(m.path)
    waiting = m.app.socket(socket.AF_INET)
    waiting.setblocking(False)
    with lab.Sniffer(m.app, "eth0") as out:
        waiting.connect_ex((DEAD, PORT))
        lab.until(lambda: len(out.seen(lambda q: q.dst == DEAD)) >= 2, "the SYN to be sent again")
    t = m.told()
    assert t["totals"]["tcp"] == t["totals"]["kernel"] == 1 and outbound(t, "direct")["flows"] == 1, t
    waiting.close()
    s = m.connect(FAR)
    there_and_back(s, 1000)
    os.kill(t["engine"]["pid"], signal.SIGKILL)
    p.wait_line(r"signal 9")
    p.wait_line(r"\bready\b")
    f = m.told()["flows"]
    assert f["kernel"] >= f["kernel_counted"] >= 1, f
    there_and_back(s, 1000)
    s.close()
    assert p.stop() == 0, p.text


lab.main(test_counts, test_mends, test_deaths, test_kills, test_askers, test_kernel, test_asked_again)
