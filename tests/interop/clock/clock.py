# SPDX-License-Identifier: MIT
"""A machine whose clock is wrong, before a real V2Ray: what is said, and that "auto" gets through.

The clock of sluice's own process is moved by a preloaded library (SHIFT); nobody else's is.
"""
import email.utils
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../net"), os.path.join(HERE, "../transports")]
import lab      # noqa: E402
from servers import NAME, certificates      # noqa: E402
from world import FAR, ID, NEAR, SERVER, SLUICE, VMESS_PORT, World, web     # noqa: E402

OTHER_ID = "11111111-2222-4333-8444-555555555555"
FRONT_PORT, SNTP_PORT = 8080, 123
AHEAD = r"(9 min 59|10 min \d) s ahead of "
WS = {"network": "ws", "wsSettings": {"path": "/v2"}}
UPGRADE = {"network": "httpupgrade", "httpupgradeSettings": {"path": "/up"}}
DAYS = 86400
TIME_SERVER = [{"ip": [NEAR], "port": "123", "network": "udp", "outboundTag": "direct"}]


def shifted(seconds):
    """The environment of a program whose clock is ahead by so much."""
    return {"LD_PRELOAD": os.environ["SHIFT"], "CLOCK_SHIFT": str(seconds),
            "ASAN_OPTIONS": "verify_asan_link_order=0"}


def start_v2ray(w, old=0, **stream):
    """Debian's, which gives up soon on whom it does not know."""
    config = {"log": {"loglevel": "warning"}, "policy": {"levels": {"0": {"handshake": 1}}},
              "inbounds": [{"port": VMESS_PORT, "protocol": "vmess", "streamSettings": stream,
                            "settings": {"clients": [{"id": ID, "alterId": old}]}}],
              "outbounds": [{"protocol": "freedom"}]}
    path = os.path.join(w.server.dir, "v2ray.json")
    with open(path, "w") as f:
        json.dump(config, f)
    w.server.start(["v2ray", "-config", path])
    w.wait_listening(w.server, VMESS_PORT)


def world(l, **stream):
    w = World(l)
    start_v2ray(w, **stream)
    l.server(w.far, FAR, 80, web("far"))
    return w


def head_read(c):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = c.recv(1)
        if not piece:
            raise OSError("cut short")
        head += piece
    return head


def date_line():
    return f"Date: {email.utils.formatdate(usegmt=True)}\r\n".encode()


def upgrade_with_date(inner, head):
    """V2Ray's own answer, with the time."""
    inner.sendall(head)
    return head_read(inner)[:-2] + date_line() + b"\r\n"


def httpupgrade(date):
    """An HTTPUpgrade server, behind which V2Ray takes raw TCP; with the time or, like Xray, without."""
    return lambda _inner, _head: (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                  b"Connection: Upgrade\r\n" + (date_line() if date else b"") + b"\r\n")


def front(l, w, answer=upgrade_with_date):
    """An HTTP server before V2Ray: answer(connection to V2Ray, head of the request) is what it answers."""
    def copy(a, b):
        try:
            while p := a.recv(65536):
                b.sendall(p)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve(c, _):
        with w.server.socket() as inner:
            inner.connect((SERVER, VMESS_PORT))
            c.sendall(answer(inner, head_read(c)))
            t = threading.Thread(target=copy, args=(c, inner), daemon=True)
            t.start()
            copy(inner, c)
            t.join(5)

    l.server(w.server, SERVER, FRONT_PORT, serve)


def sntp(request, _peer):
    """For Lab.server: the right time."""
    seconds = int(time.time()) + 2208988800
    return (struct.pack(">BBbb", 0x24, 1, 6, -20) + bytes(8) + b"TEST" + bytes(8) + request[40:48] +
            struct.pack(">IIII", seconds, 0, seconds, 0))


def configuration(w, stream=None, user=None, rules=(), port=VMESS_PORT, **own):
    """Its path. The VMess outbound's stream and the keys of `sluice` are ours."""
    path = w.config(rules, port=port)
    with open(path) as f:
        c = json.load(f)
    proxy = next(o for o in c["outbounds"] if o["tag"] == "proxy")
    proxy["streamSettings"] = stream or {}
    proxy["settings"].update(user or {})
    c["sluice"].update(own)
    with open(path, "w") as f:
        json.dump(c, f)
    return path


def start(w, path, shift=600):
    p = w.app.start([SLUICE, "run", "-c", path, "--state", w.app.state], env=shifted(shift))
    p.wait_line(r"\bready\b")
    return p


def fetch(w):
    """Whether a page comes from behind the server."""
    status, said = w.app.call(f"curl -s -m 8 http://{FAR}/")
    return status == 0 and f"asked by {SERVER}" in said


def gets_through(w, path, who):
    """At the first try, and says whose time it has."""
    p = start(w, path)
    assert fetch(w), p.text
    p.wait_line(f"this clock is {AHEAD}{who}: headers .* have the right time instead")
    assert fetch(w), p.text
    w.stop(p)
    assert "answers nothing" not in p.text, p.text


def test_http_auto(l):
    """By the Date of the server's own answer."""
    w = world(l, **WS)
    front(l, w)
    gets_through(w, configuration(w, WS, port=FRONT_PORT, clock="auto"), "the server's HTTP answer")


def test_http_old_header(l):
    """The same with the header from before AEAD."""
    w = world(l, old=4, **WS)
    front(l, w)
    gets_through(w, configuration(w, WS, {"alterId": 4}, port=FRONT_PORT, clock="auto"),
                 "the server's HTTP answer")


def test_http_system(l):
    """Without it nothing gets through, and the reason is said once."""
    w = world(l, **WS)
    front(l, w)
    p = start(w, configuration(w, WS, port=FRONT_PORT))
    for _ in range(2):
        assert not fetch(w)
    p.wait_line(rf"\({re.escape(f'proxy, {SERVER}:{FRONT_PORT}')}\) answers nothing\. This clock is {AHEAD}"
                r"the server's HTTP answer, and VMess allows 2 min: set it, or sluice.clock")
    w.stop(p)
    assert p.text.count("10 min") + p.text.count("9 min 59") == 1, p.text


def test_http_wrong_id(l):
    """A clock that is right leaves the id."""
    w = world(l, **WS)
    front(l, w)
    p = start(w, configuration(w, WS, {"id": OTHER_ID}, port=FRONT_PORT, clock="auto"), 0)
    for _ in range(2):
        assert not fetch(w)
    p.wait_line("agrees with the server's HTTP answer: the id or the server's own clock is wrong")
    w.stop(p)


def test_http_refusal(l):
    """V2Ray puts no Date into its 101: it is asked for one that refuses. One connection pays for it."""
    w = world(l, **WS)
    p = start(w, configuration(w, WS, clock="auto"))
    assert not fetch(w)
    assert fetch(w), p.text
    p.wait_line(f"this clock is {AHEAD}the server's HTTP answer: headers .* have the right time instead")
    w.stop(p)
    p = start(w, configuration(w, WS))
    for _ in range(2):
        assert not fetch(w)
    p.wait_line(rf"This clock is {AHEAD}the server's HTTP answer, and VMess allows 2 min")
    w.stop(p)
    got, said = w.app.call([SLUICE, "connect", "-c", configuration(w, WS), f"{FAR}:80"], env=shifted(-600),
                           input=b"GET / HTTP/1.0\r\n\r\n")
    assert got == 1 and re.search(r"this clock is .* s behind the server's HTTP answer\n", said), said


def test_httpupgrade(l):
    """By the Date of an HTTPUpgrade answer."""
    w = world(l)
    front(l, w, httpupgrade(date=True))
    gets_through(w, configuration(w, UPGRADE, port=FRONT_PORT, clock="auto"), "the server's HTTP answer")


def test_httpupgrade_without_date(l):
    """Such a server cannot be asked: that is said, and a time server helps."""
    w = world(l)
    front(l, w, httpupgrade(date=False))
    p = start(w, configuration(w, UPGRADE, port=FRONT_PORT, clock="auto"))
    for _ in range(2):
        assert not fetch(w)
    p.wait_line(r"answers nothing: .*sluice\.sntp names time servers, which tell; the server's HTTP answer has "
                r"no Date\)")
    w.stop(p)
    l.server(w.near, NEAR, SNTP_PORT, sntp, socket.SOCK_DGRAM)
    gets_through(w, configuration(w, UPGRADE, rules=TIME_SERVER, port=FRONT_PORT, clock="auto", sntp=[NEAR]),
                 rf"{NEAR} \(SNTP\)")


def tls_world(l, **stream):
    """V2Ray in TLS, with a certificate of two days from now on."""
    w = World(l)
    _, chain, key = certificates(w.server.dir)
    start_v2ray(w, security="tls", tlsSettings={"certificates": [{"certificateFile": chain, "keyFile": key}]},
                **stream)
    l.server(w.far, FAR, 80, web("far"))
    return w, {"security": "tls", "tlsSettings": {"serverName": NAME, "allowInsecure": True}, **stream}


def test_tls_refusal(l):
    """The question for the time goes in TLS, too."""
    w, stream = tls_world(l, **WS)
    p = start(w, configuration(w, stream, clock="auto"))
    assert not fetch(w)
    assert fetch(w), p.text
    p.wait_line(f"this clock is {AHEAD}the server's HTTP answer: headers .* have the right time instead")
    w.stop(p)


def test_certificate(l):
    """The dates of a certificate that is taken as it is: a bound, which is said and not put into a header."""
    w, stream = tls_world(l)
    probe = ["--probe", f"http://{FAR}/", "--timeout", "2"]
    for library, days, off in (("auto", 5, r"2 d 2[34] h|3 d 0 h"), ("bearssl", -5, r"4 d 23 h|5 d 0 h")):
        p = start(w, configuration(w, stream, clock="auto", tls=library), days * DAYS)
        assert not fetch(w)
        how = rf"at least ({off}) {'ahead of' if days > 0 else 'behind'} the server's certificate, if that is right"
        p.wait_line(rf"answers nothing\. This clock is {how}, and VMess allows 2 min: set it")
        w.stop(p)
        path = configuration(w, stream, tls=library)
        got, said = w.app.call([SLUICE, "test", "-c", path, *probe], env=shifted(days * DAYS))
        assert got == 1 and re.search(rf"set this machine's clock: it is {how}, and VMess allows 2 min$", said,
                                      re.M), said


def test_silent_time_servers(l):
    """Commands wait for them as long as they say, and not for each of a list."""
    w = world(l)
    asked = []
    l.server(w.near, NEAR, SNTP_PORT, lambda *_: asked.append(1), socket.SOCK_DGRAM)
    path = configuration(w, rules=TIME_SERVER, clock="auto", sntp=[NEAR] * 4)
    status, said = w.app.call([SLUICE, "test", "-c", path, "--probe", f"http://{FAR}/", "--timeout", "1"])
    assert status == 0 and "None has answered: headers have this machine's time." in said, said
    assert 1 <= len(asked) <= 3, asked
    asked.clear()
    status, said = w.app.call([SLUICE, "connect", "-c", path, f"{FAR}:80"], input=b"GET / HTTP/1.0\r\n\r\n")
    assert status == 0 and f"asked by {SERVER}" in said, said
    assert re.search(r"has answered yet: waiting 4 s.*\n.*still none: the header has this machine's time", said), said
    assert 4 <= len(asked) <= 7, asked


def test_sntp_auto(l):
    """By a time server, which the rules let out."""
    w = world(l)
    l.server(w.near, NEAR, SNTP_PORT, sntp, socket.SOCK_DGRAM)
    gets_through(w, configuration(w, rules=TIME_SERVER, clock="auto", sntp=[NEAR]), rf"{NEAR} \(SNTP\)")


def test_imported(l):
    """The time server of a sing-box configuration is asked, as there."""
    w = world(l)
    l.server(w.near, NEAR, SNTP_PORT, sntp, socket.SOCK_DGRAM)
    box = {"outbounds": [{"type": "vmess", "server": SERVER, "server_port": VMESS_PORT, "uuid": ID}],
           "ntp": {"enabled": True, "server": NEAR, "server_port": SNTP_PORT}}
    path = os.path.join(w.app.dir, "imported.json")
    w.app.run([SLUICE, "import", "-", "-o", path], input=json.dumps(box).encode())
    got, said = w.app.call([SLUICE, "test", "-c", path, "--probe", f"http://{FAR}/", "--timeout", "2"],
                           env=shifted(600))
    assert got == 1 and re.search(rf"set this machine's clock: it is {AHEAD}{NEAR} \(SNTP\)", said), said


def test_sntp_tunnelled(l):
    """The rules send time servers through the tunnel: none is asked outside of it."""
    w = world(l)
    l.server(w.near, NEAR, SNTP_PORT, sntp, socket.SOCK_DGRAM)
    with lab.Sniffer(w.app, "eth0") as s:
        p = start(w, configuration(w, clock="auto", sntp=[NEAR, f"{FAR}:{SNTP_PORT}"]))
        p.wait_line(rf"sluice\.sntp\[0\]: is not asked for the time: the rules send {NEAR}, UDP port 123, to "
                    '"proxy"')
        p.wait_line(r"sluice\.sntp\[1\]: is not asked")
        for _ in range(2):
            assert not fetch(w)
        p.wait_line("answers nothing")
        w.stop(p)
        strangers = s.seen(lambda q: q.version == 4 and SERVER not in (q.src, q.dst))
        assert not strangers, strangers


def test_commands(l):
    """`connect` and `test`, with the same words."""
    w = world(l)
    l.server(w.near, NEAR, SNTP_PORT, sntp, socket.SOCK_DGRAM)

    def says(words, pattern, status, shift=600):
        got, said = w.app.call([SLUICE, *words], env=shifted(shift), input=b"GET / HTTP/1.0\r\n\r\n")
        assert got == status and re.search(pattern, said), f"{words}: {got}\n{said}"

    automatic = configuration(w, rules=TIME_SERVER, clock="auto", sntp=[NEAR])
    os.rename(automatic, automatic + ".auto")
    automatic += ".auto"
    system = configuration(w, rules=TIME_SERVER, sntp=[NEAR])
    probe = ["--probe", f"http://{FAR}/", "--timeout", "2"]
    says(["connect", "-c", automatic, f"{FAR}:80"], f"asked by {SERVER}", 0)
    says(["connect", "-c", system, f"{FAR}:80"], rf"this clock is {AHEAD}{NEAR} \(SNTP\)\n", 1)
    says(["test", "-c", automatic, *probe], rf"knows the id; this clock is {AHEAD}{NEAR} \(SNTP\)\n", 0)
    says(["test", "-c", system, *probe], rf"set this machine's clock: it is {AHEAD}{NEAR} .*sluice\.clock", 1)
    wrong = configuration(w, None, {"id": OTHER_ID}, TIME_SERVER, sntp=[NEAR])
    says(["connect", "-c", wrong, f"{FAR}:80"], f"this clock agrees with {NEAR} .*the id", 1, 0)
    says(["test", "-c", wrong, *probe], rf"check the id \(this clock agrees with {NEAR} \(SNTP\)\)", 1, 0)


if subprocess.run(["sh", "-c", "command -v v2ray"], capture_output=True).returncode:
    print("absent: v2ray")
    sys.exit(77)
lab.main(test_http_auto, test_http_old_header, test_http_system, test_http_wrong_id, test_http_refusal,
         test_httpupgrade, test_httpupgrade_without_date, test_tls_refusal, test_certificate,
         test_silent_time_servers, test_imported, test_sntp_auto, test_sntp_tunnelled, test_commands)
