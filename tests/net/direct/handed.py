# SPDX-License-Identifier: MIT
"""What the tests of direct flows in the kernel share."""
import contextlib
import ctypes
import json
import os
import re
import socket
import threading

from direct import NEAR, NEAR6, SLUICE, engine_of, lab, noise, read_exactly, running, tcp

BOTH = (NEAR, NEAR6)


@contextlib.contextmanager
def kernel(w, rules=(), first="direct", way="kernel", **more):
    with running(w, rules, first=first, sluice={"geoip": w.database(), "direct": way}, **more) as p:
        yield p


def echoes(w):
    for address in BOTH:
        w.lab.server(w.near, address, 7, lab.echo)
        w.lab.server(w.near, address, 7, lab.echo_datagram, socket.SOCK_DGRAM)


def said(s, word):
    s.sendall(word)
    assert read_exactly(s, len(word)) == word


def exchanged(s, n=300000):
    """A transfer to an echo server."""
    data = noise(n)
    threading.Thread(target=s.sendall, args=(data,), daemon=True).start()
    assert read_exactly(s, n) == data


def large(w, address):
    with tcp(w.app, address, 7) as s:
        exchanged(s, 1 << 20)


def heard(s, word, to):
    """A datagram there and back, tried again as a careful application would."""
    for _ in range(5):
        s.sendto(word, to)
        with contextlib.suppress(TimeoutError):
            if s.recv(65536) == word:
                return
    raise lab.Failed(f"no answer from {to}")


def killed(w, p):
    """kill -9 of the engine; returns when the next one is ready."""
    ready = len([x for x in p.lines if "ready" in x])
    os.kill(engine_of(p), 9)
    lab.until(lambda: len([x for x in p.lines if "ready: device" in x]) > ready, "the next engine")


def tracked(w, match):
    """The lines of what the kernel tracks, by a pattern."""
    return [x for x in w.app.run("cat /proc/net/nf_conntrack").splitlines() if re.search(match, x)]


def told(w):
    """What `sluice status` says."""
    return json.loads(w.app.run([SLUICE, "status", "--json", "--state", w.app.state]))


def direct_of(w):
    """Who carries direct flows, as `sluice status` has it: {(way, why) of each family}."""
    d = told(w)["direct"]
    return {(d["ipv4"], d["ipv4_why"]), (d["ipv6"], d["ipv6_why"])}


SETRESUID = {"x86_64": 117, "aarch64": 147}


def as_user(w, uid, *kind):
    """A socket that belongs to another user; only the thread that makes it is changed."""
    def make():
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(SETRESUID[os.uname().machine], uid, uid, uid) != 0:
            raise OSError(ctypes.get_errno(), "setresuid")
        s = socket.socket(*kind)
        s.settimeout(10)
        return s
    return w.app.inside(make)


def echoed(u):
    """A datagram there and back; one that a firewall drops is one that is lost."""
    try:
        u.send(b"datagram")
        return u.recv(100) == b"datagram"
    except OSError:
        return False


WRAPPER = """#!/bin/sh
text=$(cat)
%s
printf '%%s\\n' "$text" | exec %s "$@"
"""


def wrap_nft(w, edit):
    """What w.start starts from now on finds another program at the place of nft: `edit`, of a shell, may change $text
    before the real one gets it, or end."""
    fake, real = (os.path.join(w.lab.dir, name) for name in ("nft", "real"))
    with open(fake, "w") as f:
        f.write(WRAPPER % (edit, real))
    os.chmod(fake, 0o755)
    inside = f"touch {real}; mount --bind /usr/sbin/nft {real}; mount --bind {fake} /usr/sbin/nft; exec "

    def start(path, wait=True, env=None):
        p = w.app.start(["sh", "-c", f"{inside} {SLUICE} run -c {path} --state {w.app.state}"], env=env)
        if wait:
            p.wait_line(r"\bready\b")
        return p

    w.start = start
