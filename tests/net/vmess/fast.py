# SPDX-License-Identifier: MIT
"""TCP Fast Open to a VMess server: the SYN takes the first bytes along, and whatever then goes wrong looks as it
does without, and reaches one server alone."""
import json
import threading

from vmess import FAR, SERVER, SERVER6, VMESS_PORT, World, flow_line, lab, noise, read_exactly, reset_comes, tcp
from world import ID

FAST = {"sockopt": {"tcpFastOpen": True}}
SECOND_PORT = VMESS_PORT + 1


def fast_world(l, server=3, **more):
    """V2Ray with the option, on a system with this net.ipv4.tcp_fastopen."""
    w = World(l)
    w.server.sysctl("net.ipv4.tcp_fastopen", server)
    w.start_v2ray(stream=FAST, **more)
    l.server(w.far, FAR, 7, lab.echo)
    return w


def start(w, ports=(VMESS_PORT,), address=SERVER, **more):
    """sluice with tcpFastOpen, to servers at these ports."""
    path = w.config(address=address, policy={"levels": {"0": {"handshake": 3}}}, **more)
    with open(path) as f:
        text = json.load(f)
    proxy = text["outbounds"][0]
    proxy["streamSettings"] = FAST
    proxy["settings"] = {"vnext": [{"address": address, "port": port, "users": [{"id": ID, "level": 0}]}
                                   for port in ports]}
    with open(path, "w") as f:
        json.dump(text, f)
    return w.start(path)


def talk(w, seed=0, size=500):
    """An echo through the server."""
    with tcp(w.app, FAR, 7) as s:
        word = noise(size, seed=seed)
        s.sendall(word)
        assert read_exactly(s, size) == word


def syns(sniffer, port=VMESS_PORT):
    """What the SYNs to the server have carried, in bytes."""
    seen = sniffer.seen(lambda p: p.outgoing and p.proto == 6 and p.dport == port and p.payload[13] & 0x12 == 2)
    return [len(p.body) for p in seen]


def test_bytes_with_the_syn(l):
    """From the second connection on, over both families; also more bytes than fit into a SYN."""
    w = fast_world(l)
    w.start_v2ray(port=SECOND_PORT, listen="::", stream=FAST)
    for address, port in ((SERVER, VMESS_PORT), (SERVER6, SECOND_PORT)):
        with lab.Sniffer(w.app, "eth0") as s:
            p = start(w, (port,), address)
            for seed, size in enumerate((500, 500, 200000)):
                talk(w, seed, size)
            w.stop(p)
            first, *others = syns(s, port)
            # On a busy machine the first bytes may come too late for the header.
            assert first == 0 and len(others) == 2 and min(others) > 0, (first, others)


def test_server_speaks_first(l):
    """The header alone leaves with the SYN, after its 10 ms."""
    w = fast_world(l)

    def greet(connection, _peer):
        connection.sendall(b"SSH-2.0-here\r\n")
        connection.recv(1)

    l.server(w.far, FAR, 22, greet)
    with lab.Sniffer(w.app, "eth0") as s:
        p = start(w)
        for _ in range(2):
            with tcp(w.app, FAR, 22) as c:
                assert read_exactly(c, 14) == b"SSH-2.0-here\r\n"
        w.stop(p)
        first, second = syns(s)
        assert first == 0 and second > 0, (first, second)


def without(w):
    """What sluice said in a world where it has no effect, and nothing is lost."""
    with lab.Sniffer(w.app, "eth0") as s:
        p = start(w)
        for seed in range(3):
            talk(w, seed)
        w.stop(p)
        assert syns(s) == [0, 0, 0], syns(s)
    return p.lines


def test_server_without(l):
    """The server gives no cookie."""
    without(fast_world(l, server=1))


def test_system_without(l):
    """Said once; connections open in the ordinary way."""
    w = fast_world(l)
    w.app.sysctl("net.ipv4.tcp_fastopen", 0)
    said = [line for line in without(w) if "tcpFastOpen has no effect" in line]
    assert len(said) == 1 and "net.ipv4.tcp_fastopen" in said[0], said


def test_way_that_swallows(l):
    """A middlebox drops SYNs with bytes: the flows live, by the kernel's second SYN, and after two of them none has
    any. One alone may have been lost as any packet may."""
    w = fast_world(l)
    p = start(w)
    talk(w)
    box = ("add table ip box; add chain ip box forward { type filter hook forward priority 0; }; "
           "add rule ip box forward tcp flags & (syn | ack) == syn ip length > 100 counter drop")
    w.router.run(["nft", box])
    with lab.Sniffer(w.app, "eth0") as s:
        talk(w, 1)
        w.router.run("nft delete table ip box")
        talk(w, 2)
        with_bytes, again, next_one = syns(s)
        assert with_bytes > 0 and again == 0 and next_one > 0, syns(s)
    w.router.run(["nft", box])
    with lab.Sniffer(w.app, "eth0") as s:
        talk(w, 3)
        assert "SYNs with bytes were lost" not in p.text, p.text
        talk(w, 4)
        p.wait_line(r"203\.0\.113\.10:10086: two SYNs with bytes were lost")
        talk(w, 5)
        first, again, second, last, plain = syns(s)
        assert first > 0 and second > 0 and (again, last, plain) == (0, 0, 0), syns(s)
    assert "packets 2 " in w.router.run("nft list table ip box")
    w.stop(p)


def fails(w, p, words):
    """An application's connection ends with a reset, and the log with these words."""
    with tcp(w.app, FAR, 7) as s:
        s.sendall(b"hello")
        assert reset_comes(s) == b""
    flow_line(p, "tcp", (FAR, 7), "proxy", f"far side: {words}")


def refused(w, p, words):
    """The next one asks first, and is refused as ever."""
    try:
        tcp(w.app, FAR, 7).close()
    except OSError:
        p.wait_line(rf"{FAR}:7, .* not opened: {words}")
        return
    raise lab.Failed("a connection was let in that cannot go anywhere")


def test_nobody_there(l):
    """Refused, unreachable, silent: each in the words that it has without TCP Fast Open."""
    w = fast_world(l)
    p = start(w)
    at = r"203\.0\.113\.10:10086"
    rule = "add rule ip box forward tcp dport 10086"
    for verdict, words in (("reject with tcp reset", f"connect to {at}: connection refused"),
                           ("reject with icmp type host-unreachable", f"connect to {at}: no route to this host"),
                           ("drop", "the server did not come up in time")):
        talk(w)
        w.router.run(["nft", "add table ip box; add chain ip box forward { type filter hook forward priority 0; }; "
                      f"{rule} {verdict}"])
        with lab.Sniffer(w.app, "eth0") as s:
            fails(w, p, words)
            lab.until(lambda: max(syns(s), default=0) > 0, "a SYN with bytes")
        refused(w, p, words)
        w.router.run("nft delete table ip box")
    talk(w)
    w.stop(p)


def test_doubt(l):
    """A server that has been silent for a second, which is when the kernel repeats its SYN, is asked first by those
    who come then; also when it answers after all."""
    w = fast_world(l)
    p = start(w)
    talk(w)
    w.router.run(["nft", "add table ip box; add chain ip box forward { type filter hook forward priority 0; }; "
                  "add rule ip box forward tcp dport 10086 drop"])
    with lab.Sniffer(w.app, "eth0") as s, tcp(w.app, FAR, 7) as early:
        early.sendall(b"hello")
        lab.until(lambda: len(syns(s)) > 1, "the second SYN")
        w.router.run("nft delete table ip box")
        talk(w, 1)
        first, *others = syns(s)
        assert first > 0 and len(others) > 1 and max(others) == 0, syns(s)
        assert read_exactly(early, 5) == b"hello"
        w.stop(p)


def test_own_firewall(l):
    """What the machine itself says while the SYN leaves is heard."""
    w = fast_world(l)
    p = start(w)
    talk(w)
    w.app.run(["nft", "add table ip box; add chain ip box output { type filter hook output priority 0; }; "
               "add rule ip box output tcp dport 10086 reject with icmp type host-unreachable"])
    fails(w, p, r"connect to 203\.0\.113\.10:10086: no route to this host")
    w.stop(p)


def test_bytes_go_to_one_server(l):
    """Of two servers one is gone: a connection whose SYN had its bytes fails, and is not tried at the other; what is
    asked after that finds the other. No target hears anything twice."""
    w = fast_world(l)
    heard, lock = [], threading.Lock()

    def note(connection, _peer):
        word = read_exactly(connection, 8)
        with lock:
            heard.append(word)
        connection.sendall(word)

    l.server(w.far, FAR, 9, note)
    second = w.v2ray
    w.start_v2ray(port=SECOND_PORT, stream=FAST)
    p = start(w, (VMESS_PORT, SECOND_PORT))

    def ask(i):
        with tcp(w.app, FAR, 9) as s:
            try:
                s.sendall(b"word%04d" % i)
                return s.recv(8) == b"word%04d" % i
            except ConnectionResetError:
                return False

    assert all(ask(i) for i in range(4))
    second.stop()
    answers = [ask(i) for i in range(4, 10)]
    assert answers.count(False) == 1 and all(answers[2:]), answers
    assert len(heard) == len(set(heard)) == 9, heard
    p.wait_line(r"203\.0\.113\.10:10086\) cannot be reached, others are used: connect to .* connection refused")
    w.stop(p)


lab.main(test_bytes_with_the_syn, test_server_speaks_first, test_server_without, test_system_without,
         test_way_that_swallows, test_nobody_there, test_doubt, test_own_firewall, test_bytes_go_to_one_server)
