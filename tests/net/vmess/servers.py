# SPDX-License-Identifier: MIT
"""VMess servers that are wrong in every way: that flow ends with a reset, all others go on, and the log says
what is wrong in one plain line."""
import contextlib
import re
import socket
import threading

from vmess import (FAR, FAR6, NEAR, SERVER, VMESS_PORT, Other, World, ask, flow_line, in_server, lab, noise,
                   read_exactly, reset_after, running, tcp, udp, vmess)

WRONG_ID = "11111111-2222-4333-8444-555555555555"
HEADER = 38             # bytes of a response header: sealed length and sealed four bytes


def world(l):
    w = World(l)
    w.start_v2ray()
    for address in (FAR, FAR6):
        l.server(w.far, address, 7, lab.echo)
    return w


def between(spoil):
    """For Lab.server: passes a connection on to the real server; spoil(data, offset) makes of what it
    answers what the client gets, or None at the end."""
    def serve(connection, _peer):
        with socket.create_connection((SERVER, VMESS_PORT)) as real:
            up = threading.Thread(target=pass_on, args=(connection, real), daemon=True)
            up.start()
            offset = 0
            while data := real.recv(65536):
                spoilt = spoil(data, offset)
                if spoilt is None:
                    break
                connection.sendall(spoilt)
                offset += len(data)
            # All that the client has sent is read, so that the close is an end, and no reset.
            connection.shutdown(socket.SHUT_WR)
            up.join()
    return serve


def pass_on(source, to):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)


def flipped_at(place):
    def spoil(data, offset):
        at = place - offset
        if 0 <= at < len(data):
            data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
        return data
    return spoil


def cut_at(place):
    def spoil(data, offset):
        return data[:place - offset] if offset < place else None
    return spoil


def test_wrong_id(l):
    """V2Ray is silent until it has swallowed enough, and then closes: a reset, and one line a minute."""
    w = world(l)
    l.server(w.near, NEAR, 9, lab.echo)
    rules = [{"ip": [NEAR], "outboundTag": "strange"}]
    with running(w, rules=rules, also=[vmess("strange", user=WRONG_ID)]) as p:
        other = Other(w)
        for _ in range(6):
            with ask(w, 9, noise(8192)) as s:
                assert reset_after(s, other) == b""
            other.goes_on()
        other.close()
        flow_line(p, "tcp", (NEAR, 9), "strange", "far side: ", rule="rule 0")
    said = [line for line in p.lines if re.search("wrong id", line)]
    assert len(said) == 1, said
    assert re.search(r" warning engine: .*strange, 203\.0\.113\.10:10086.*clock", said[0]), said


def test_bad_servers(l):
    """Closing, garbage, a wrong tag, damage, a cut, silence."""
    def drop(connection, _peer):
        pass

    def read_and_drop(connection, _peer):
        connection.recv(4096)

    def babble(connection, _peer):
        connection.recv(4096)
        connection.sendall(noise(300))
        connection.recv(4096)           # the client's end

    def say_nothing(connection, _peer):
        while connection.recv(4096):
            pass

    kinds = [
        # name, serve, what the log says of the flow, what it says of the server, what the application gets
        ("drop", drop, "(not opened|far side): ", "answers nothing", 0),
        ("read", read_and_drop, "far side: ", "answers nothing", 0),
        ("babble", babble, "far side: what the server answers is not VMess", "not VMess with this id", 0),
        ("tag", between(flipped_at(10)), "far side: what the server answers is not VMess",
         "not VMess with this id", 0),
        ("tag2", between(flipped_at(HEADER - 1)), "far side: what the server answers is not VMess",
         "not VMess with this id", 0),
        ("length", between(flipped_at(HEADER)), "far side: a chunk from the VMess server is damaged|"
         "far side: the VMess server closed in the middle", None, 0),
        ("damage", between(flipped_at(HEADER + 7)), "far side: a chunk from the VMess server is damaged", None, 0),
        ("cut", between(cut_at(HEADER + 100)), "far side: the VMess server closed in the middle of a chunk", None, 0),
        ("late cut", between(cut_at(100000)), "far side: the VMess server closed in the middle of a chunk", None, 1),
        ("nothing", say_nothing, r"idle for 3 s", None, 0),
    ]

    def answer(connection, _peer):
        read_exactly(connection, 5)
        connection.sendall(noise(300000))
        connection.recv(1)

    w = world(l)
    also, rules = [], []
    for i, (name, serve, _, _, _) in enumerate(kinds):
        w.lab.server(w.server, SERVER, 2000 + i, in_server(w, serve))
        w.lab.server(w.near, NEAR, 3000 + i, answer)
        w.lab.server(w.near, NEAR, 3000 + i, lab.echo_datagram, socket.SOCK_DGRAM)
        also.append(vmess(name, port=2000 + i, security="aes-128-gcm"))
        rules.append({"port": 3000 + i, "outboundTag": name})
    policy = {"levels": {"0": {"connIdle": 3}}}
    with running(w, rules=rules, also=also, policy=policy) as p:
        for i, (name, _, how, said, gets) in enumerate(kinds):
            other = Other(w)
            for _ in range(3):
                try:
                    with ask(w, 3000 + i, b"hello") as s, udp(w.app, NEAR, 0.1) as u:
                        u.sendto(b"a datagram that way too", (NEAR, 3000 + i))
                        got = reset_after(s, other)
                except (ConnectionRefusedError, ConnectionResetError):
                    got = b""           # it was seen before the application was let in, or had said a word
                assert noise(300000).startswith(got) and (len(got) > 0) == (gets > 0), (name, len(got))
                other.goes_on()
            other.close()
            flow_line(p, "tcp", (NEAR, 3000 + i), name, f"({how})", rule=f"rule {i}")
            lines = [x for x in p.lines if "warning" in x and f"({name}, 203.0.113.10:{2000 + i})" in x]
            assert len(lines) == (1 if said else 0) and (not said or said in lines[0]), (name, lines)
    # Three flows of each that sends what VMess is not, and perhaps their datagrams; no other one.
    broken = int(p.wait_line(r"counted: .*, broken by servers (\d+)", again=True)[1])
    least = 3 * sum("not VMess" in how or "damaged" in how or "in the middle" in how for _, _, how, _, _ in kinds)
    assert least <= broken <= 2 * least, (least, broken)


def test_refused(l):
    """Nobody listens there: the application is refused at once, as if by the target, and the log says why."""
    w = world(l)
    with running(w, rules=[{"ip": [NEAR], "outboundTag": "closed"}], also=[vmess("closed", port=9)]) as p:
        other = Other(w)
        for _ in range(3):
            try:
                tcp(w.app, NEAR, 80, seconds=5).close()
                raise lab.Failed("it was connected")
            except ConnectionRefusedError:
                pass
            other.goes_on()
        other.close()
        flow_line(p, "tcp", (NEAR, 80), "closed", "not opened: connect to 203.0.113.10:9: connection refused",
                  rule="rule 0")
        warned = [x for x in p.lines if "cannot be reached" in x]
        if len(warned) != 1 or "warning" not in warned[0] or "203.0.113.10:9" not in warned[0]:
            raise lab.Failed(f"one warning for three connections was expected: {warned}")


lab.main(test_wrong_id, test_bad_servers, test_refused)
