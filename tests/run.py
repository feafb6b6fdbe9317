#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs ctest in a build directory and closes with `N passed, N failed, N skipped`.

A skip counts as a failure unless tests/absent names the test with the kernel feature
that is missing, one `TEST FEATURE...` a line.
"""
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
# "3/9 Test #12: unit_ring ....   Passed    0.01 sec"; whatever is neither Passed nor Skipped has failed
# (Failed, Timeout, Not Run, "Subprocess aborted***Exception: ").
LINE = re.compile(r"^\s*\d+/\d+ Test\s+#\d+: (\S+) \.*(.*)$")
LISTED = re.compile(r"^\s*Test\s+#\d+: (\S+)$", re.M)
LONG = "long"       # only with -L long


def absent():
    """Names of tests that may be skipped."""
    lines = (HERE / "absent").read_text().splitlines()
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


def ctest(build, args):
    """Runs ctest, shows its output as it comes, and answers {test: result}. A test of which
    nothing was heard has failed."""
    listing = subprocess.run(["ctest", "--test-dir", build, "-N", *args], capture_output=True, text=True, check=True)
    results = dict.fromkeys(LISTED.findall(listing.stdout), "Not heard of")
    with subprocess.Popen(["ctest", "--test-dir", build, "--output-on-failure", *args],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        for line in run.stdout:
            print(line, end="", flush=True)
            m = LINE.match(line)
            if m:
                word = re.search(r"Passed|Skipped", m[2])
                results[m[1]] = word[0] if word and "***" not in m[2].replace("***Skipped", "") else "Failed"
    return results


def main():
    build, args = sys.argv[1], sys.argv[2:]
    if "-L" not in args:
        args = ["-LE", LONG, *args]
    results = ctest(build, ["-j2", *args])
    skipped = {t for t, r in results.items() if r == "Skipped"}
    failed = {t for t, r in results.items() if r not in ("Passed", "Skipped")}
    for test in sorted(skipped - absent()):
        print(f"{test}: skipped, but tests/absent does not name it")
        failed.add(test)
    skipped -= failed
    for test in sorted(failed):
        print(f"failed: {test}")
    print(f"{len(results) - len(failed) - len(skipped)} passed, {len(failed)} failed, {len(skipped)} skipped")
    sys.exit(1 if failed or not results else 0)


main()
