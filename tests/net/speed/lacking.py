# SPDX-License-Identifier: MIT
"""Kernels whose TUN devices have less of offload, or none: the log says what there is, and all bytes are the same."""
import hashlib
import os

from transfers import NEAR, NEAR6, World, at_once, behind, both_ways, echo, lab, noise, passes, running

BOTH = (NEAR, NEAR6)
KERNELS = (("", "checksums, TCP segments, UDP datagrams"), ("uso", "checksums, TCP segments"), ("tso", "checksums"),
           ("sums", "none; it has none"), ("headers", "none; it has none"))


def test_each_step(l):
    w = World(l)
    hosts = w.app, behind(l, w)
    content = noise(4 << 20)
    want = content, hashlib.sha256(content).hexdigest()
    for address in BOTH:
        l.server(w.near, address, 4000, lab.store(content))
        echo(w, address, 4001)
    for lacks, line in KERNELS:
        env = {"LD_PRELOAD": os.environ["LACKING"], "TUN_LACKS": lacks,
               "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        with running(w, env=env) as p:
            p.wait_line(f"offload of the TUN device: {line}$", again=True)
            answers = []
            at_once([lambda h=h, a=a: answers.append((h.short, a, both_ways(h, a, content))) for h in hosts for a in BOTH])
            wrong = [(host, address) for host, address, got in answers if got != want]
            assert not wrong, (lacks, wrong)
            for host in hosts:
                for address in BOTH:
                    passes(host, address, 4001, 1500, (lacks, host.short, address))
        assert " dropped 0" in p.text and "malformed 0" in p.text, p.text


lab.main(test_each_step)
