# SPDX-License-Identifier: MIT
"""From a link, or a subscription with it, to a VPN that carries: import, check, run, export."""
import base64
import hashlib
import json
import os
import ssl

from device import PORT, world
from servers import NAME
from vmess import APP, FAR, FAR6, ID, SERVER, SERVER6, flow_line, lab
from world import SLUICE, web


def pin(w):
    """The SHA-256 of the server's certificate: all that somebody with a link knows of it."""
    with open(os.path.join(w.server.dir, "server.pem")) as f:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest()


def v2rayn(w, **more):
    """A link as v2rayN writes it."""
    said = {"v": "2", "ps": "my server", "add": SERVER, "port": str(PORT), "id": ID, "aid": "0",
            "scy": "auto", "net": "ws", "type": "none", "host": NAME, "path": "/p", "tls": "tls",
            "sni": NAME, "alpn": "http/1.1", "fp": "", "pcs": pin(w), **more}
    return "vmess://" + base64.b64encode(json.dumps(said).encode()).decode()


def said_by(link):
    return json.loads(base64.b64decode(link.removeprefix("vmess://")))


def carried(w, what, warned):
    """Imports `what`, checks and runs the outcome, and fetches a page each way; exports it."""
    path = os.path.join(w.app.dir, "imported.json")
    status, out = w.app.call([SLUICE, "import", "-o", path, what])
    lab.equal((status, out.count("\n")), (0, warned), f"import: {out}")
    status, out = w.app.call([SLUICE, "check", "-c", path])
    lab.equal((status, out.count("warning:")), (0, 0), f"check: {out}")
    p = w.start(path)
    # Addresses of private networks go directly, to which those of documentation in IPv4 belong.
    for host, asker in ((f"[{FAR6}]", SERVER6), (FAR, APP)):
        page = w.app.run(["curl", "-sS", "-m", "10", f"http://{host}/"])
        lab.equal(page, f"far asked by {asker}\n", f"http://{host}/")
    flow_line(p, "tcp", (FAR6, 80), "my server", "ended")
    w.stop(p)
    link = w.app.run([SLUICE, "export", "-c", path]).strip()
    os.remove(path)
    return link


def sites(l):
    w = world(l)
    for address in (FAR, FAR6):
        l.server(w.far, address, 80, web("far"))
    return w


def test_link(l):
    w = sites(l)
    link = v2rayn(w)
    lab.equal(said_by(carried(w, link, 0)), said_by(link), "the exported link")


def test_subscription(l):
    """Base64 of lines: ours stands among what is spoken by others, and what is broken."""
    w = sites(l)
    link = v2rayn(w)
    lines = ["ss://x", v2rayn(w, ps="bad", pcs="zz"), link, v2rayn(w, ps="other", host="a b")]
    path = os.path.join(w.app.dir, "subscription")
    with open(path, "w") as f:
        f.write(base64.b64encode("\n".join(lines).encode()).decode())
    lab.equal(said_by(carried(w, path, 3)), said_by(link), "the exported link")


if __name__ == "__main__":
    lab.main(test_link, test_subscription)
