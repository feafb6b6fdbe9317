# SPDX-License-Identifier: MIT
"""What cannot work is refused in one plain line, and nothing is left half applied."""
import os
import re
import shutil
import stat

from keeper import CONFIG, ENGINE, World, lab


def refused(w, pattern, config=CONFIG + "ready\n", status=7, argv=None, before=None):
    before = before or w.box.system()
    p = w.box.start(argv) if argv else w.start(config, ready=False)
    assert p.wait() == status, p.text
    lines = [x for x in p.lines if "rror" in x]
    assert len(lines) == 1 and re.search(pattern, lines[0]), p.text
    assert "put back to" not in p.text, p.text      # what it undoes itself
    lab.equal(w.box.system(), before, pattern)
    return p


def test_no_root(l):
    w = World(l)
    with open(w.config, "w") as f:
        f.write(CONFIG)
    program = os.path.join(l.dir, "engine")     # where anybody may run it
    shutil.copy(ENGINE, program)
    refused(w, "run this as root", status=1,
            argv=["setpriv", "--reuid=65500", "--clear-groups", program, "run", w.config, w.box.state])
    assert not os.path.exists(w.box.state)


def test_no_tun_device(l):
    w = World(l)
    with open(w.config, "w") as f:
        f.write(CONFIG)
    # A /dev without it, for this program alone.
    refused(w, "/dev/net/tun: no such device; load the kernel module",
            argv=["unshare", "-m", "sh", "-c",
                  f"mount -t tmpfs none /dev/net && exec {ENGINE} run {w.config} {w.box.state}"])


def test_no_nft(l):
    w = World(l)
    with open(w.config, "w") as f:
        f.write(CONFIG)
    empty = os.path.join(l.dir, "empty")
    open(empty, "w").close()
    hide = " && ".join(f"mount --bind {empty} {p}" for p in
                       ("/usr/sbin/nft", "/usr/local/sbin/nft", "/usr/bin/nft", "/usr/local/bin/nft") if os.path.exists(p))
    refused(w, "the program `nft` is not installed", argv=["unshare", "-m", "sh", "-c",
            f"{hide} && exec {ENGINE} run {w.config} {w.box.state}"])


def test_name_taken(l):
    w = World(l)
    w.box.run("ip tuntap add tun7 mode tun")
    refused(w, "TUN tun7: an interface of this name exists already")
    w.box.run("ip link del tun7")
    refused(w, "TUN eth0: an interface of this name exists already", CONFIG.replace("tun7", "eth0"))


def test_second_instance(l):
    w = World(l)
    p = w.start()
    refused(w, rf"another instance of sluice runs already \(process {p.pid}", status=1)
    assert p.alive()
    assert p.stop() == 0


def test_second_instance_elsewhere(l):
    """The same machine, another state folder."""
    w = World(l)
    before = w.box.system()
    p = w.start()
    during = w.box.system()
    q = w.start(CONFIG.replace("tun7", "tun8") + "ready\n", ready=False, state=w.box.dir + "/state2")
    assert q.wait() == 1, q.text
    assert "another instance of sluice runs already (device tun7) with another --state" in q.text, q.text
    assert "undone" not in q.text, q.text
    status, out = w.box.call([ENGINE, "recover", w.box.dir + "/state3"])
    assert status == 1 and "another instance of sluice runs already (device tun7)" in out, out
    lab.equal(w.box.system(), during, "after a second instance")
    assert p.stop() == 0
    lab.equal(w.box.system(), before, "after both")


def test_table_in_use(l):
    """Somebody else's routes in our table are not touched."""
    w = World(l)
    w.box.run("ip route add throw 224.0.0.0/4 table 7370")
    refused(w, "routing table 7370 is in use already")


def test_rule_in_the_way(l):
    w = World(l)
    w.box.run("ip -6 rule add from all lookup 7370 pref 7373 protocol kernel")
    before = w.box.system()
    p = w.start(ready=False)
    assert p.wait() == 7 and "IPv6 routing rule 7373 cannot be set" in p.text, p.text
    w.box.call("ip -6 rule add from all lookup 7370 pref 7373 protocol kernel")
    lab.equal(w.box.system(), before, "but for the rule itself")


def test_requests(l):
    w = World(l)
    for config, pattern in (
            ("name a/b\naddr 198.18.0.1/15\ntun\n", "TUN: the name must have 1 to 15"),
            ("name lo\naddr 198.18.0.1/15\ntun\n", "TUN: the name must have"),
            ("name tun7\nmtu 100\naddr 198.18.0.1/15\ntun\n", "an MTU of 100 is not one from 1280 to 65535"),
            ("name tun7\ntun\n", "0 addresses are not 1 to 8"),
            ("name tun7\naddr 224.0.0.1/4\ntun\n", "224.0.0.1/4 cannot be an address"),
            ("name tun7\naddr 127.0.0.1/8\ntun\n", "127.0.0.1/8 cannot be an address"),
            ("routes 4\n", "routes: not now"),
            ("resolver 198.18.0.53\n", "resolver: not now"),
            (CONFIG.replace("198.18.0.53", "0.0.0.0"), "server 1 has no usable address"),
            (CONFIG + "mtu 1300\ntun\n", "cannot change while it is in use"),
            (CONFIG + "routes 4\n", "the families cannot change"),
            (CONFIG + "ready\ntun\n", "TUN: not now")):
        if "ready" not in config:
            refused(w, pattern, config)
    # An engine that was ready is started again instead, so this one is asked to end.
    p = w.start(CONFIG + "ready\ntun\n")
    p.wait_line("TUN: not now")
    # It ends by itself with 7 each time; whether the stop meets one that runs is open.
    assert p.stop() in (0, 7)
    assert "TUN: not now" in p.text and "was ended by signal" not in p.text


def test_files(l):
    w = World(l)
    data = os.path.join(w.box.dir, "data")
    os.makedirs(data + "/sub/.hidden")
    os.makedirs(w.box.dir + "/private")
    os.chmod(w.box.dir + "/private", 0o700)

    def put(path, mode=0o644, text="12345"):
        path = os.path.join(w.box.dir, path)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    put("data/geo.dat", 0o600), put("beside.dat", 0o600), put("data/sub/deep.dat", 0o600)
    put("data/sub/.hidden/secret"), put("data/.secret")
    secret, public, inside = put("secret", 0o600), put("public", 0o644), put("private/inside", 0o644)
    os.symlink(secret, data + "/out")
    os.symlink("sub/deep.dat", data + "/within")
    os.symlink("../secret", data + "/up")
    os.mkfifo(data + "/fifo")
    os.symlink("/proc/self/maps", w.box.dir + "/maps")
    good = ("geo.dat", "beside.dat", "sub/deep.dat", "within", public)
    bad = ("../secret", "sub/../geo.dat", "out", "up", "fifo", "sub", ".secret", "sub/.hidden/secret", "nothing",
           secret, inside, w.box.dir + "/maps", "/proc/self/status", "/dev/zero", "/etc/shadow", data, "/", "geo.dat/")
    config = "".join(f"file {x}\n" for x in good + bad) + CONFIG + "ready\n"
    with open(w.config, "w") as f:
        f.write(config)
    os.chmod(w.config, 0o600)
    p = w.box.start([ENGINE, "run", w.config, w.box.state, data])
    p.wait_line("engine: ready")
    for name in good:
        assert f"engine: file {name}: 5 bytes" in p.lines, (name, p.text)
    for name in bad:
        assert any(x.startswith(f"engine: file {name}: refused") for x in p.lines), (name, p.text)
    assert p.stop() == 0


def test_state_of_somebody_else(l):
    """A folder that is the user's stays as it is, and where others may write there is no state."""
    w = World(l)
    os.makedirs(w.box.state)
    for owner, mode, why in ((65500, 0o700, r"belongs to somebody else \(user 65500\); choose another directory"),
                             (0, 0o1777, r"can be written to by others \(mode 1777\).*choose another directory"),
                             (0, 0o770, "mode 0770")):
        os.chown(w.box.state, owner, owner)
        os.chmod(w.box.state, mode)
        refused(w, why, status=1)
        status, out = w.recover()
        assert status == 1 and re.search(why, out), out
        st = os.stat(w.box.state)
        assert (st.st_uid, stat.S_IMODE(st.st_mode)) == (owner, mode) and os.listdir(w.box.state) == []


def test_state_that_others_read(l):
    w = World(l)
    os.makedirs(w.box.state, 0o755)
    p = w.start()
    assert stat.S_IMODE(os.stat(w.box.state).st_mode) == 0o755
    for name in os.listdir(w.box.state):
        st = os.lstat(os.path.join(w.box.state, name))
        assert stat.S_IMODE(st.st_mode) == 0o600 or name == "resolv.conf", name
    assert p.stop() == 0


def test_damaged_journal(l):
    """Lines that nobody can have written are left out, and the others are undone."""
    w = World(l)
    before = w.box.system()
    p = w.start()
    p.kill()
    journal = os.path.join(w.box.state, "journal")
    with open(journal) as f:
        lines = f.read().splitlines()
    lines.insert(2, "session sysctl kernel.core_pattern 0 |/bin/evil")
    lines.insert(3, "session routes tun7 0 1 254 1 1 1")
    lines.append("session resolver moved /etc/../../shadow")
    lines.append("session resol")
    with open(journal, "w") as f:
        f.write("\n".join(lines))
    status, out = w.recover()
    assert status == 1 and out.count("left out") == 4, out
    assert "4 lines of " in out and journal + ".damaged" in out, out
    with open(journal + ".damaged") as f:
        assert f.read() == "\n".join(lines)
    lab.equal(w.box.system(), before, "after recover")
    status, out = w.recover()
    assert status == 0, out


lab.main(test_no_root, test_no_tun_device, test_no_nft, test_name_taken, test_second_instance,
         test_second_instance_elsewhere, test_table_in_use, test_rule_in_the_way, test_requests, test_files,
         test_state_of_somebody_else, test_state_that_others_read, test_damaged_journal)
