#!/usr/bin/env python3
"""Asks a relay with a large queue for its status page, and prints how long the answers take.

Usage: status_page.py PROGRAM SPOOL [REQUESTS]

PROGRAM is a danerelay built with --release; SPOOL is a queue made by the example `recovery --fill`, and is used up: no DNS
answers, so that the relay tries all of it while it is asked. Requests come one after the other, each in a connection of its
own, with a tenth of a second between them.
"""

import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CONFIGURATION = """version = 1
hostname = "relay.example"
state_directory = "state"
[listen]
smtp = ["127.0.0.1:0"]
[spool]
path = "{spool}"
[dns]
servers = ["127.0.0.1:9"]
[log]
target = "log"
[admin]
socket = ""
http = "127.0.0.1:{port}"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port):
    """The page, and how many seconds it took."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/")
    page = connection.getresponse().read().decode()
    connection.close()
    return page, time.monotonic() - begun


def first_count(process, port):
    """Waits until the queue has been counted."""
    while process.poll() is None:
        time.sleep(0.05)
        try:
            page, _ = get(port)
        except OSError:
            continue
        if "are being looked for" not in page:
            return
    raise SystemExit("the relay has ended")


def main():
    program, spool = sys.argv[1], os.path.abspath(sys.argv[2])
    requests = int(sys.argv[3]) if len(sys.argv) > 3 else 300
    with tempfile.TemporaryDirectory() as place:
        port = free_port()
        with open(f"{place}/danerelay.toml", "w") as file:
            file.write(CONFIGURATION.format(spool=spool, port=port))
        begun = time.monotonic()
        process = subprocess.Popen([program, "serve", "-c", f"{place}/danerelay.toml"])
        try:
            first_count(process, port)
            counted = time.monotonic() - begun
            times = []
            for _ in range(requests):
                time.sleep(0.1)
                page, seconds = get(port)
                times.append(seconds * 1000)
            times.sort()
            print("| counted after | requests | median | 99 % | longest | octets |")
            print("|---|---|---|---|---|---|")
            print(f"| {counted:.1f} s | {requests} | {statistics.median(times):.1f} ms | {times[requests * 99 // 100]:.1f} ms "
                  f"| {times[-1]:.1f} ms | {len(page.encode()):,} |")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


main()
