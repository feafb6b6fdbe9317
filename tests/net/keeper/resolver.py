# SPDX-License-Identifier: MIT
"""The resolver, taken over and put back, where /etc/resolv.conf is no mount: in a copy of /etc of the test's own."""
import os
import shutil
import signal

from keeper import CONFIG, ENGINE, RESOLV, World, lab


class Etc:
    """A copy of /etc that only the programs started through it see."""

    def __init__(self, w):
        self.w, self.dir = w, os.path.join(w.box.dir, "etc")
        os.makedirs(self.dir)
        for name in ("passwd", "group", "nsswitch.conf", "ld.so.cache", "ld.so.conf"):
            if os.path.exists(f"/etc/{name}"):
                shutil.copy(f"/etc/{name}", self.dir)
        self.conf = os.path.join(self.dir, "resolv.conf")
        # A folder that is mounted: its files are no mounts themselves.
        self.before = ["unshare", "-m", "sh", "-c"]
        self.setup = f"umount /etc/resolv.conf; mount --bind {self.dir} /etc"

    def argv(self, *command, more=""):
        return self.before + [f"{self.setup} {more} && exec " + " ".join((ENGINE,) + command)]

    def start(self, config=CONFIG + "ready\n", more=""):
        with open(self.w.config, "w") as f:
            f.write(config)
        p = self.w.box.start(self.argv("run", self.w.config, self.w.box.state, more=more))
        p.engine = int(p.wait_line(r"engine: ready, process (\d+)")[1])
        return p

    def recover(self):
        return self.w.box.run(self.argv("recover", self.w.box.state))

    def taken(self):
        with open(self.conf) as f:
            return "nameserver 198.18.0.53\n" in f.read()

    def same(self):
        """Everything there is to say of the file."""
        st = os.lstat(self.conf)
        text = os.readlink(self.conf) if os.path.islink(self.conf) else open(self.conf).read()
        return (st.st_ino, st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, text, sorted(os.listdir(self.dir)))


def cycles(etc):
    before = etc.same()
    p = etc.start()
    assert etc.taken()
    assert p.stop() == 0
    lab.equal(etc.same(), before, "after SIGTERM")
    for heal in ("recover", "start"):
        p = etc.start()
        os.kill(p.engine, signal.SIGKILL)
        p.send(signal.SIGKILL)
        p.wait()
        assert etc.taken()
        if heal == "recover":
            etc.recover()
        else:
            assert etc.start().stop() == 0
        lab.equal(etc.same(), before, f"after the kill and {heal}")
    # A power failure: /run is empty afterwards.
    p = etc.start()
    p.kill()
    lab.until(lambda: not os.path.exists(f"/proc/{p.engine}"), "the engine to end")
    shutil.rmtree(etc.w.box.state)
    assert etc.taken()
    etc.recover()
    lab.equal(etc.same(), before, "after a power failure")


def test_a_file(l):
    etc = Etc(World(l))
    with open(etc.conf, "w") as f:
        f.write(RESOLV)
    os.chmod(etc.conf, 0o640)
    os.chown(etc.conf, 65500, 65501)
    cycles(etc)


def test_a_link(l):
    etc = Etc(World(l))
    real = os.path.join(etc.w.box.dir, "real")
    with open(real, "w") as f:
        f.write(RESOLV)
    os.symlink(real, etc.conf)
    cycles(etc)
    assert open(real).read() == RESOLV


def test_none(l):
    etc = Etc(World(l))
    p = etc.start()
    assert etc.taken()
    assert p.stop() == 0
    assert not os.path.lexists(etc.conf) and "resolv.conf.sluice" not in os.listdir(etc.dir)


def test_second_start(l):
    """With another state folder, which knows nothing of the first: what is taken over stays so."""
    etc = Etc(World(l))
    with open(etc.conf, "w") as f:
        f.write(RESOLV)
    before = etc.same()
    p = etc.start()
    during = etc.same()
    for command in (("run", etc.w.config, etc.w.box.dir + "/other"), ("recover", etc.w.box.dir + "/third")):
        status, out = etc.w.box.call(etc.argv(*command))
        assert status == 1 and "another instance of sluice runs already (device tun7)" in out, out
        lab.equal(etc.same(), during, f"after {command[0]} with another state")
    assert p.stop() == 0
    lab.equal(etc.same(), before, "after the first")


def test_resolved(l):
    """systemd-resolved is told, where it runs and resolv.conf leads to it; a program of that name notes what it hears."""
    etc = Etc(World(l))
    heard = os.path.join(etc.w.box.dir, "heard")
    bin_dir = os.path.join(etc.w.box.dir, "bin")
    os.makedirs(bin_dir + "/work")
    os.makedirs(bin_dir + "/upper")
    with open(bin_dir + "/upper/resolvectl", "w") as f:
        f.write(f"#!/bin/sh\necho \"$@\" >>{heard}\n")
    os.chmod(bin_dir + "/upper/resolvectl", 0o755)
    with open(etc.conf, "w") as f:
        f.write("nameserver 127.0.0.53\nsearch stub.example\n")
    before = etc.same()
    run = os.path.join(etc.w.box.dir, "systemd")
    os.makedirs(run + "/resolve")
    with open(run + "/resolve/resolv.conf", "w") as f:
        f.write(RESOLV)
    more = (f"&& mount -t tmpfs none /run && mkdir /run/systemd && mount --bind {run} /run/systemd && mount -t tmpfs none {bin_dir}/work && "
            f"mkdir {bin_dir}/work/u {bin_dir}/work/w && cp -p {bin_dir}/upper/resolvectl {bin_dir}/work/u && mount -t overlay "
            f"overlay -o lowerdir=/usr/bin,upperdir={bin_dir}/work/u,workdir={bin_dir}/work/w /usr/bin")
    status, out = etc.w.box.call(etc.before + [f"{etc.setup} {more} && /usr/bin/resolvectl probe"])
    if status != 0:
        lab.absent("overlayfs")
    os.unlink(heard)
    p = etc.start(more=more)
    assert "before 192.0.2.1:53 search 'example.org example.net'" in p.text, p.text
    lab.equal(etc.same(), before, "resolv.conf, which leads to resolved")
    assert open(heard).read() == ("dns\ndns tun7 198.18.0.53\ndomain tun7 ~.\ndefault-route tun7 yes\n"), open(heard).read()
    told = open(heard).read()
    assert p.stop() == 0
    # The device goes first, and what resolved knew of it goes with it.
    assert open(heard).read() == told, open(heard).read()


lab.main(test_a_file, test_a_link, test_none, test_second_start, test_resolved)
