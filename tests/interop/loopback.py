# SPDX-License-Identifier: MIT
"""What the servers of these tests have in common: threads, ports and V2Ray, all on loopback."""

import json
import os
import re
import socket
import subprocess
import sys
import threading


def on_thread(function, *args):
    threading.Thread(target=function, args=args, daemon=True).start()


def free_port():
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


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
