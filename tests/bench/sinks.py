# SPDX-License-Identifier: MIT
"""A VMess server that is not the limit."""
import pathlib
import subprocess

import world

TOP = pathlib.Path(__file__).resolve().parent.parent.parent


def start(w, port, chunk):
    """tests/bench/vmess_sink.c on the server's host; v2ray takes more time than what is measured."""
    base = [f"core/base/{x}.c" for x in ("aead", "aead_bearssl", "bytes", "digest", "shake")]
    openssl = subprocess.run(["pkg-config", "--exists", "openssl >= 3.0"], check=False).returncode == 0
    ciphers = ("aead_openssl", "digest_openssl") if openssl else ("aead_no_openssl", "digest_bearssl")
    base += [f"core/base/{x}.c" for x in ciphers]
    sink = w.lab.program(
        "vmess_sink", [TOP / x for x in ("tests/bench/vmess_sink.c", "tests/unit/outbound/server.c", *base)],
        f"-I{TOP}", f"-I{TOP}/core", f"-I{TOP}/tests", "-lbearssl", *(["-lcrypto"] if openssl else []))
    p = w.server.start([sink, "0.0.0.0", str(port), world.ID.replace("-", ""), str(chunk)])
    p.wait_line("ready")
    return p
