# SPDX-License-Identifier: MIT
"""What cannot work is refused with one plain line, and nothing on the system has changed."""
import json
import os
import re
import shutil
import signal

from direct import FAR, NEAR, SLUICE, World, lab, sites, works


def refused(w, pattern, argv, status=1):
    """The errors are one line, which says `pattern`; the system is as it was."""
    before = w.app.system()
    p = w.app.start(argv)
    got = p.wait()
    assert got == status, f"status {got}, not {status}:\n{p.text}"
    lines = [x for x in p.lines if "warning" not in x]
    assert len(lines) == 1 and re.search(pattern, lines[0]), f"not one line with /{pattern}/:\n{p.text}"
    lab.equal(w.app.system(), before, pattern)
    return lines[0]


def run(w, path, *before):
    return [*before, SLUICE, "run", "-c", path, "--state", w.app.state]


def test_no_root(l):
    w = World(l)
    program = os.path.join(l.dir, "sluice")     # where anybody may run it
    shutil.copy(SLUICE, program)
    argv = ["setpriv", "--reuid=65500", "--regid=65500", "--clear-groups", program]
    refused(w, "run needs root", [*argv, "run", "-c", w.config(first="direct"), "--state", w.app.state])
    refused(w, "root", [*argv, "recover", "--state", w.app.state])
    assert not os.path.exists(w.app.state)


def test_no_tun(l):
    w = World(l)
    path = w.config(first="direct")
    hide = "mount -t tmpfs none /dev/net && exec \"$@\""
    refused(w, "/dev/net/tun", run(w, path, "unshare", "-m", "sh", "-c", hide, "sh"))


def test_no_nft(l):
    w = World(l)
    path, empty = w.config(first="direct"), os.path.join(l.dir, "empty")
    open(empty, "w").close()
    places = [f"{d}/nft" for d in ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin", "/sbin", "/bin")]
    real = {os.path.realpath(x) for x in places if os.path.exists(x)}
    hide = "".join(f"mount --bind {empty} {x} && " for x in real) + "exec \"$@\""
    refused(w, "nft", run(w, path, "unshare", "-m", "sh", "-c", hide, "sh"))


def test_name_taken(l):
    w = World(l)
    path = w.config(first="direct")
    w.app.run("ip tuntap add tun7 mode tun")
    refused(w, "tun7", run(w, path))
    w.app.run("ip link del tun7")
    w.app.run("ip link add tun7 type veth peer name tun8")
    refused(w, "tun7", run(w, path))


def test_second_instance(l):
    w = World(l)
    sites(w)
    path = w.config(first="direct")
    p = w.start(path)
    refused(w, f"another instance.*{p.pid}", run(w, path))
    refused(w, f"another instance.*{p.pid}", [SLUICE, "recover", "--state", w.app.state])
    # With a state of its own, and a device of its own.
    with open(path) as f:
        other = json.load(f)
    other["inbounds"][0]["settings"]["name"] = "tun8"
    path2 = os.path.join(w.app.dir, "other.json")
    with open(path2, "w") as f:
        json.dump(other, f)
    refused(w, "another instance of sluice runs already .* with another --state",
            [SLUICE, "run", "-c", path2, "--state", w.app.dir + "/state2"])
    # The first one has not suffered.
    works(w, NEAR), works(w, FAR)
    w.stop(p)


def test_broken_database(l):
    """It is named as the configuration names it."""
    w = World(l)
    path, broken = w.config([{"ip": ["geoip:xa"], "outboundTag": "direct"}]), os.path.join(l.dir, "broken.mmdb")
    with open(broken, "w") as f:
        f.write("no database " * 100)
    os.chmod(l.dir, 0o755)
    with open(path) as f:
        c = json.load(f)
    c["sluice"]["geoip"] = broken
    with open(path, "w") as f:
        json.dump(c, f)
    refused(w, f"geoip:xa: {broken}: not a country database", run(w, path))


def test_bad_configuration(l):
    """The complaints of `check`, by `run`: each one line, that names the file and the place."""
    w = World(l)
    path = w.config([{"ip": ["geoip:xa"], "outboundTag": "direct"}])
    with open(path) as f:
        good = f.read()

    def changed(change):
        c = json.loads(good)
        change(c)
        return json.dumps(c)

    def outbound(key, value):
        return changed(lambda c: c["outbounds"][0]["settings"].update({key: value}))

    def rule(**keys):
        return changed(lambda c: c["routing"]["rules"].append({"outboundTag": "direct", **keys}))

    cases = (
        ("{\n  \"inbounds\": [\n", r"config\.json:\d+:\d+"),
        ("[" * 100000, r"config\.json:1:1"),
        ("{\"a\":" * 100000, "deep|nest"),
        ("", "empty|end|object"),
        (outbound("port", 0), r"outbounds\[0\]\.settings.*port"),
        (outbound("port", 70000), r"outbounds\[0\]\.settings.*port.*70000"),
        (outbound("port", {}), r"outbounds\[0\]\.settings.*port"),
        (outbound("id", "no-uuid-at-all-but-much-longer-than-thirty"), r"outbounds\[0\]\.settings.*id"),
        (rule(ip=["192.0.2.0/33"]), r"routing\.rules\[1\].*192\.0\.2\.0/33"),
        (rule(domain=["regexp:(("]), r"routing\.rules\[1\].*\(\("),
        (rule(port="1-99999"), r"routing\.rules\[1\].*port"),
        (changed(lambda c: c["routing"]["rules"].append({"port": "1", "outboundTag": "nowhere"})), r"rules\[1\].*nowhere"),
        (changed(lambda c: c["outbounds"][1].update(tag="block")), r"outbounds\[2\]\.tag.*block"),
        (changed(lambda c: c["sluice"].update(geoip="/nonexistent/country.mmdb")), "country.mmdb"),
        (changed(lambda c: c["outbounds"][0].update(protocol="vless")), r"outbounds\[0\].*vless"),
        (changed(lambda c: c["inbounds"][0]["settings"].update(name="a/b")), r"inbounds\[0\].*name"),
        (changed(lambda c: c["inbounds"][0]["settings"].update(mtu=70)), r"inbounds\[0\].*mtu"),
    )
    for text, pattern in cases:
        with open(path, "w") as f:
            f.write(text)
        line = refused(w, pattern, run(w, path))
        assert "config.json" in line or "country.mmdb" in line, line
    refused(w, "/nonexistent.json", run(w, "/nonexistent.json"))
    refused(w, w.app.dir, run(w, w.app.dir))
    # And the good one starts.
    with open(path, "w") as f:
        f.write(good)
    w.stop(w.start(path))


def test_words(l):
    w = World(l)
    for argv in ([SLUICE, "run"], [SLUICE, "run", "-c"], [SLUICE, "run", "--nonsense"], [SLUICE, "nonsense"], [SLUICE]):
        before = w.app.system()
        status, out = w.app.call(argv)
        assert status == 2 and out.strip(), (argv, status, out)
        lab.equal(w.app.system(), before, "after wrong words")


def test_signal_during_start(l):
    """A stop in the middle of the start undoes what has been made."""
    w = World(l)
    before = w.app.system()
    stages = {"its lock": lambda: os.path.exists(w.app.state + "/lock"),
              "its device": lambda: "tun7" in w.app.run("ip link"),
              "its firewall": lambda: "sluice" in w.app.run("nft list tables"),
              "its rules": lambda: "7370" in w.app.run("ip -6 rule")}
    for stage, reached in stages.items():
        for number, direct in ((signal.SIGTERM, "stack"), (signal.SIGINT, "auto")):
            p = w.start(w.config(first="direct", direct=direct), wait=False)
            lab.until(reached, stage)
            # Before it has begun to listen to signals there is nothing to undo.
            assert p.stop(number) in (0, -number), p.text
            assert not re.search("warning|error|keeper has ended", p.text), p.text
            lab.equal(w.app.system(), before, f"after {stage} and signal {number}")
            shutil.rmtree(w.app.state)


lab.main(test_no_root, test_no_tun, test_no_nft, test_name_taken, test_second_instance, test_broken_database, test_bad_configuration, test_words,
         test_signal_during_start)
