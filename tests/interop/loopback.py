# SPDX-License-Identifier: MIT
"""What the servers of these tests have in common: threads, ports and V2Ray, all on loopback."""

import itertools
import json
import os
import re
import socket
import subprocess
import sys
import threading


def on_thread(function, *args):
    threading.Thread(target=function, args=args, daemon=True).start()


# Below those that the system gives out by itself, and others than another run's beside this one.
_ports = itertools.count(10000 + os.getpid() % 200 * 100)


def free_port():
    """A port that nobody has, none twice: a server may be given it later."""
    for port in _ports:
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return port
        except OSError:
            pass


def listener(serve, host="127.0.0.1"):
    """A TCP server; returns its port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.create_server((host, 0), family=family, backlog=512)

    def accept():
        while True:
            on_thread(serve, s.accept()[0])

    on_thread(accept)
    return s.getsockname()[1]


def v2ray_start(directory, config):
    """The program with this configuration, once it has started; its process, for the caller to end."""
    path = os.path.join(directory, "v2ray.json")
    with open(path, "w") as f:
        json.dump(config, f)
    process = subprocess.Popen(["v2ray", "-config", path], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if re.search(r"V2Ray \S+ started", line):
            break
    else:
        sys.exit("v2ray did not start")
    on_thread(process.stdout.read)
    return process
