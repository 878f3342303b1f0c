#!/usr/bin/env python3
"""Holds idle client connections to a relay and prints what each takes of its memory.

Usage: idle_connections.py PROGRAM [CONNECTIONS]

PROGRAM is a danerelay built with --release. It is started twice, for connections in clear and for connections that have
done STARTTLS; each connection has been greeted and has said EHLO. Needs openssl, and file descriptors: the relay counts two
for each connection, and keeps some (ulimit -n 22500 for 10,000).
"""

import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

CONFIGURATION = """version = 1
hostname = "relay.example"
[listen]
smtp = ["127.0.0.1:0"]
tls_certificate = "relay.pem"
tls_key = "relay.key"
[limits]
connections = {limit}
connections_per_client = {limit}
timeout = "30m"
spool_free = "1 MiB"
[delivery]
connections = 100
[spool]
path = "spool"
[dns]
servers = ["127.0.0.1:9"]
[log]
target = "log"
[admin]
socket = ""
"""


def resident(process):
    """The memory that the process holds, in octets."""
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024


def start(program, place, connections):
    with open(f"{place}/danerelay.toml", "w") as file:
        file.write(CONFIGURATION.format(limit=connections + 100))
    process = subprocess.Popen([program, "serve", "-c", f"{place}/danerelay.toml"])
    for _ in range(1000):
        time.sleep(0.02)
        if os.path.exists(f"{place}/log"):
            found = re.search(r'listen="127\.0\.0\.1:(\d+)"', open(f"{place}/log").read())
            if found:
                return process, int(found[1])
    raise SystemExit("the relay does not start")


def say(connection, line):
    connection.sendall(line)
    reply = b""
    while not re.search(rb"^\d\d\d .*\r\n\Z", reply, re.M):
        reply += connection.recv(4096)
    return reply


def connect(port, context):
    connection = socket.create_connection(("127.0.0.1", port))
    say(connection, b"")
    say(connection, b"EHLO client.example\r\n")
    if context:
        say(connection, b"STARTTLS\r\n")
        connection = context.wrap_socket(connection)
        say(connection, b"EHLO client.example\r\n")
    return connection


def measure(program, connections, context):
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
             "/CN=relay.example", "-keyout", f"{place}/relay.key", "-out", f"{place}/relay.pem"],
            check=True, capture_output=True)
        process, port = start(program, place, connections)
        try:
            # What the first connections set up is not a matter of each.
            held = [connect(port, context) for _ in range(100)]
            time.sleep(1)
            before = resident(process)
            held += [connect(port, context) for _ in range(connections - 100)]
            time.sleep(2)
            after = resident(process)
            assert say(held[0], b"NOOP\r\n").startswith(b"250"), "the first connection is not served any more"
            return before, after, (after - before) / (connections - 100)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def main():
    program = sys.argv[1]
    connections = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    print("| connections | held | RSS before, after | each |")
    print("|---|---|---|---|")
    for name, protection in [("in clear", None), ("TLS", context)]:
        before, after, each = measure(program, connections, protection)
        print(f"| {name} | {connections:,} | {before / 1e6:.1f} MB, {after / 1e6:.1f} MB | {each / 1000:.1f} KB |", flush=True)


main()
