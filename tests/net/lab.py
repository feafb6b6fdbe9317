# SPDX-License-Identifier: MIT
"""
A laboratory of network namespaces for tests, with nothing but the standard library.

    with lab.Lab() as l:
        a, b = l.space("a"), l.space("b")
        l.link(a, "eth0", "192.0.2.1/24", b, "eth0", "192.0.2.2/24")
        p = a.start(["prog", "arg"])          # its output is read line by line
        p.wait_line("ready", seconds=10)
        a.run("ip rule")                      # output; fails the test on a status other than 0
        far = l.long_link(a, "eth1", "198.51.100.1/24", b, "eth1", "198.51.100.2/24", delay=10, loss=1)
        with lab.Sniffer(b, "eth0") as s:     # every packet on the interface, from now on
            ...
            assert not s.seen(lambda p: p.proto == 17)

Nothing here waits without a condition: wait_line and until have a deadline, and say what they waited
for when it passes.  Everything is removed when the `with` ends, also after a failure, SIGINT or
SIGTERM.  A space has its own network, its own /etc/resolv.conf (/etc/netns/NAME/resolv.conf, which
`ip netns exec` mounts over it), its own /sys, and a folder of its own at `space.dir`.

A test file ends with lab.main(function, ...), which runs each function with a fresh Lab, prints one line
for each, and exits with 0, 1, or 77 when lab.absent("FEATURE") was called.
"""
import atexit
import contextlib
import ctypes
import hashlib
import ipaddress
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from sniffer import Packet, Sniffer                                     # noqa: F401
from waiting import SECONDS, Failed, until

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Absent(Exception):
    """This kernel or machine lacks what the test needs."""


def absent(feature):
    """Ends the test as skipped; `feature` must stand in tests/absent."""
    raise Absent(feature)


def _command(argv):
    return shlex.split(argv) if isinstance(argv, str) else [str(a) for a in argv]


class Process:
    """A program in a space. Its standard output and error are kept line by line in `lines`."""

    def __init__(self, space, argv, env=None, stdin=None, user=None):
        self.argv = _command(argv)
        self.lines = []
        self._news = threading.Condition()
        self._closed = False
        self._seen = 0
        before = ["ip", "netns", "exec", space.name] if space else []
        self.popen = subprocess.Popen(
            before + self.argv, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}, start_new_session=True)
        self.pid = self.popen.pid           # `ip netns exec` becomes the program
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.popen.stdout:
            with self._news:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._closed = True
            self._news.notify_all()

    @property
    def text(self):
        return "\n".join(self.lines)

    def wait_line(self, pattern, seconds=SECONDS, again=False):
        """The match of the first line, after the one found last, in which the pattern is found."""
        end = time.monotonic() + seconds
        at = 0 if again else self._seen
        with self._news:
            while True:
                while at < len(self.lines):
                    at += 1
                    m = re.search(pattern, self.lines[at - 1])
                    if m:
                        self._seen = at
                        return m
                left = end - time.monotonic()
                if self._closed or left <= 0:
                    why = "it ended" if self._closed else f"in {seconds} s"
                    raise Failed(f"no line /{pattern}/ from {self.argv} ({why}); it said:\n{self.text}")
                self._news.wait(left)

    def send(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, seconds=SECONDS):
        """Its exit status, negative for a signal."""
        try:
            status = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.argv} did not end in {seconds} s; it said:\n{self.text}") from None
        end = time.monotonic() + 2
        with self._news:
            while not self._closed and time.monotonic() < end:
                self._news.wait(0.1)
        return status

    def stop(self, number=signal.SIGTERM, seconds=SECONDS):
        self.send(number)
        return self.wait(seconds)

    def alive(self):
        return self.popen.poll() is None

    def kill(self):
        """It and whatever it has started in its session."""
        for pid in _session(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(5)


def _session(leader):
    """The processes of the session that `leader` began, newest first."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(pid))
    return sorted(found, reverse=True)


class Space:
    """A network namespace."""

    def __init__(self, lab, name):
        self.lab, self.short = lab, name
        self.name = f"{lab.prefix}{name}"
        self.etc = f"/etc/netns/{self.name}"
        self.dir = os.path.join(lab.dir, name)
        self.state = os.path.join(self.dir, "state")    # for programs that want a state folder
        lab.spaces[name] = self     # first of all: what is half made when a signal comes is taken away, too
        os.makedirs(self.dir)
        os.chmod(self.dir, 0o755)
        os.makedirs(self.etc)
        self.resolv("")
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        # No search for duplicate addresses, which would take seconds and change what `system` sees.
        for which in ("all", "default"):
            self.sysctl(f"net.ipv6.conf.{which}.dad_transmits", 0)
        self.ip("link set lo up")
        # Addresses are unique here, and the second that the kernel would take to see so is not.
        for which in ("all", "default"):
            self.sysctl(f"net.ipv6.conf.{which}.accept_dad", 0)

    def resolv(self, text):
        """Sets /etc/resolv.conf for the programs that are started from now on."""
        with open(f"{self.etc}/resolv.conf", "w") as f:
            f.write(text)

    def resolv_text(self):
        with open(f"{self.etc}/resolv.conf") as f:
            return f.read()

    def start(self, argv, **more):
        p = Process(self, argv, **more)
        self.lab.processes.append(p)
        return p

    def call(self, argv, seconds=60, input=None, env=None):
        """Runs to the end: (status, output)."""
        argv = ["ip", "netns", "exec", self.name] + _command(argv)
        r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
                           input=input, env={**os.environ, **(env or {})})
        return r.returncode, r.stdout.decode(errors="replace")

    def run(self, argv, **more):
        status, out = self.call(argv, **more)
        if status != 0:
            raise Failed(f"{argv} in {self.short}: status {status}:\n{out}")
        return out

    def ip(self, *commands):
        """Several of ip(8)'s by one process."""
        r = subprocess.run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(commands), text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if r.returncode != 0:
            raise Failed(f"ip {'; '.join(commands)} in {self.short}: status {r.returncode}:\n{r.stdout}")
        return r.stdout

    def sysctl(self, name, value):
        def write():
            with open("/proc/sys/" + name.replace(".", "/"), "w") as f:
                f.write(f"{value}\n")
        self.inside(write)

    def forward(self):
        """Packets of others go on, of either family."""
        self.sysctl("net.ipv4.ip_forward", 1)
        self.sysctl("net.ipv6.conf.all.forwarding", 1)

    def route(self, what):
        """`ip route add`, for either family: "default via 192.0.2.1"."""
        self.ip(f"route add {what}")

    def inside(self, function, *args):
        """Calls a Python function in a thread that is in this namespace; sockets made there stay there."""
        box = {}

        def work():
            try:
                with open(f"/run/netns/{self.name}") as f:
                    if _libc.setns(f.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                box["answer"] = function(*args)
            except BaseException as e:                          # handed to the caller below
                box["error"] = e

        t = threading.Thread(target=work, daemon=True)
        t.start()
        t.join()
        if "error" in box:
            raise box["error"]
        return box["answer"]

    def socket(self, *args):
        return self.inside(socket.socket, *args)

    def system(self):
        """Everything that a program must put back, as one text."""
        commands = ("ip -4 rule", "ip -6 rule", "ip -4 route show table all", "ip -6 route show table all",
                    "ip -o link", "ip -o addr", "nft list ruleset")
        parts = [f"# {c}\n{self.run(c)}" for c in commands]
        for name in ("net.ipv4.conf.all.src_valid_mark", "net.ipv4.conf.all.rp_filter",
                     "net.ipv4.tcp_fwmark_accept", "net.ipv4.ping_group_range"):
            parts.append(self.run(f"sysctl {name}"))
        parts += self.inside(self._tracking)
        parts.append("# resolv.conf\n" + self.resolv_text())
        # What the kernel counts by itself is no difference, nor is what other tests do to namespaces meanwhile.
        text = re.sub(r"Error: Peer netns reference is invalid\.\n| link-netns(id)? \S+|\s+elements = \{[^}]* expires [^}]*\}",
                      "", "\n".join(parts))
        return re.sub(r"(expires|valid_lft|preferred_lft|expires in) \S+", r"\1 -", text)

    @staticmethod
    def _tracking():
        """The settings of connection tracking, which are there once it is."""
        names = [f"/proc/sys/net/netfilter/nf_conntrack_{x}" for x in ("acct", "events")]
        if not os.path.exists(names[0]):
            subprocess.run(["modprobe", "-q", "nf_conntrack"], check=False)
        return [f"{name} = {pathlib.Path(name).read_text().strip()}" for name in names if os.path.exists(name)]


class Cable:
    """The program of tests/net/link between two spaces, from a to b ("there") and "back"."""

    def __init__(self, lab, a, a_dev, b, b_dev, how):
        where = pathlib.Path(__file__).resolve().parent / "link"
        program = lab.program("link", sorted(where.glob("*.c")), "-lm", "-pthread")
        words = [w for k, v in how.items() for w in [f"--{k}"] + ([] if v is None else [str(v)])]
        self.ends = (a, a_dev), (b, b_dev)
        self.process = Process(None, [program, *words, a.name, a_dev, b.name, b_dev])
        lab.processes.append(self.process)
        self.process.wait_line("ready")

    def counts(self):
        """Cuts the cable: {"there": {"packets": n, ...}, "back": ...}; see tests/net/link/line.h."""
        self.drops = [int(space.run(f"cat /sys/class/net/{dev}/statistics/tx_dropped")) for space, dev in self.ends]
        if self.process.stop() != 0:
            raise Failed(f"the link ended badly: {self.process.text}")
        there_and_back = json.loads(self.process.lines[-1])
        for way, drops in zip(("there", "back"), self.drops):
            there_and_back[way]["unread"] = drops       # by the device, since the program was late
        return there_and_back


class Lab:
    """Owns everything, and takes it away."""

    def __init__(self):
        if os.geteuid() != 0:
            absent("root")
        self.dir = tempfile.mkdtemp(prefix=f"slu{os.getpid()}-")
        self.prefix = os.path.basename(self.dir)                # no two have the same
        os.chmod(self.dir, 0o755)       # engines are not root
        self.spaces, self.processes, self.closers = {}, [], []
        self._before = {}
        atexit.register(self.close)

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, lambda n, _: sys.exit(128 + n))
        return self

    def __exit__(self, kind, *_):
        if kind and issubclass(kind, Exception) and not issubclass(kind, Absent):
            self._tell()
        self.close()
        for number, how in self._before.items():
            signal.signal(number, how)

    def _tell(self):
        """What the programs of a test that failed said last."""
        for p in [p for p in self.processes if p.lines][-8:]:
            print(f"--- {shlex.join(p.argv)}:", *p.lines[-40:], sep="\n", flush=True)

    def close(self):
        # A second Ctrl-C, to us or to the programs that are run here, must not leave half of it.
        before = {n: signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        self._close()
        atexit.unregister(self.close)
        for number, how in before.items():
            signal.signal(number, how)

    def _close(self):
        for close in reversed(self.closers):
            with contextlib.suppress(Exception):
                close()
        for p in reversed(self.processes):
            p.kill()
        for s in self.spaces.values():
            pids = subprocess.run(["ip", "netns", "pids", s.name], capture_output=True, text=True)
            for pid in pids.stdout.split():
                if int(pid) != os.getpid():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", s.name], check=False, stderr=subprocess.DEVNULL)
            shutil.rmtree(s.etc, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir("/etc/netns")
        shutil.rmtree(self.dir, ignore_errors=True)
        self.spaces, self.processes, self.closers = {}, [], []

    def space(self, name, forward=False):
        s = Space(self, name)
        if forward:
            s.forward()
        return s

    def link(self, a, a_dev, a_addrs, b, b_dev, b_addrs, mtu=1500):
        """A veth cable. Addresses are "192.0.2.1/24 2001:db8::1/64"."""
        subprocess.run(["ip", "link", "add", a_dev, "netns", a.name, "mtu", str(mtu), "type", "veth",
                        "peer", "name", b_dev, "netns", b.name, "mtu", str(mtu)], check=True)
        self._up((a, a_dev, a_addrs), (b, b_dev, b_addrs))

    def long_link(self, a, a_dev, a_addrs, b, b_dev, b_addrs, mtu=1500, **how):
        """A cable that is long, lossy or slow: the options of tests/net/link as keywords. `.counts()` of the
        answer cuts it and tells what it carried."""
        cable = Cable(self, a, a_dev, b, b_dev, how)
        for space, dev in ((a, a_dev), (b, b_dev)):
            # What a device cannot hold for a moment would be lost beside what is to be lost.
            space.run(f"ip link set {dev} mtu {mtu} txqueuelen 20000")
        self._up((a, a_dev, a_addrs), (b, b_dev, b_addrs))
        return cable

    def program(self, name, sources, *flags):
        """Compiles C sources of the tests, once a Lab; the path."""
        out = os.path.join(self.dir, name)
        if not os.path.exists(out):
            subprocess.run(["cc", "-O2", "-std=c11", "-D_GNU_SOURCE", "-o", out, *map(str, sources), *flags],
                           check=True)
        return out

    def _up(self, *ends):
        for space, dev, addrs in ends:
            space.ip(*(f"addr add {addr} dev {dev}{' nodad' if ':' in addr else ''}" for addr in addrs.split()),
                     f"link set {dev} up")
        for space, dev, _ in ends:
            def settled():
                out = space.ip(f"addr show {dev}")
                off = space.inside(ipv6_is_off)
                return "LOWER_UP" in out and (off or "inet6 fe80" in out) and "tentative" not in out

            def ipv6_is_off():
                with open(f"/proc/sys/net/ipv6/conf/{dev}/disable_ipv6") as f:
                    return f.read().strip() == "1"

            until(settled, f"{dev} to be up and to have its addresses")

    def server(self, space, address, port, serve, kind=socket.SOCK_STREAM):
        """A server in a thread: serve(connection, peer) for TCP, serve(data, peer) -> answer or None for UDP.
        Gives back its socket, whose close() ends it."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        s = space.inside(_ServerSocket, family, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        if kind == socket.SOCK_STREAM:
            s.listen(512)

        def tcp():
            while True:
                try:
                    c, peer = s.accept()
                except OSError:
                    return
                threading.Thread(target=_quietly, args=(serve, c, peer), daemon=True).start()

        def udp():
            while True:
                with contextlib.suppress(OSError):
                    data, peer = s.recvfrom(65535)
                    if s.ended:
                        return
                    answer = serve(data, peer)
                    if answer is not None:
                        s.sendto(answer, peer)

        s.serve(tcp if kind == socket.SOCK_STREAM else udp)
        self.closers.append(s.close)
        return s


class _ServerSocket(socket.socket):
    """A socket that a thread listens at. To close it is not enough to end that: a call that the thread is in is
    begun anew by the kernel, after any signal, with the number alone, which by then may be another socket's."""
    ended = False

    def serve(self, work):
        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

    def close(self):
        if not self.ended:
            self.ended = True
            with contextlib.suppress(OSError):          # of UDP, which wakes up all the same
                self.shutdown(socket.SHUT_RDWR)
            self._thread.join(SECONDS)
        super().close()


def _quietly(serve, connection, peer):
    with contextlib.suppress(OSError), connection:
        serve(connection, peer)


def echo(connection, _peer):
    """For Lab.server: sends back what comes, until its end."""
    while True:
        data = connection.recv(65536)
        if not data:
            return
        connection.sendall(data)


def echo_datagram(data, _peer):
    return data


def store(content):
    """For Lab.server: `G` is answered with the content; after `P` the digest of what came is sent."""
    def serve(connection, _peer):
        if connection.recv(1) == b"G":
            connection.sendall(content)
            return
        digest = hashlib.sha256()
        while data := connection.recv(1 << 18):
            digest.update(data)
        connection.sendall(digest.hexdigest().encode())
    return serve


def equal(got, want, what):
    """Fails with the lines that differ."""
    if got == want:
        return
    a, b = str(want).splitlines(), str(got).splitlines()
    gone = [f"- {line}" for line in a if line not in b]
    new = [f"+ {line}" for line in b if line not in a]
    raise Failed(f"{what}:\n" + "\n".join(gone + new or [f"{want!r} != {got!r}"]))


def main(*tests):
    """Runs each test(lab) in a fresh Lab; arguments on the command line choose among them by name."""
    chosen = [t for t in tests if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    failed, skipped = 0, 0
    for test in chosen:
        began = time.monotonic()
        try:
            with Lab() as l:
                test(l)
            print(f"ok      {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Absent as e:
            skipped += 1
            print(f"absent: {e}", flush=True)
        except Exception:                                       # the others still run
            failed += 1
            print(f"FAILED  {test.__name__}\n{traceback.format_exc()}", flush=True)
    if failed:
        sys.exit(1)
    sys.exit(77 if skipped and skipped == len(chosen) else 0)
