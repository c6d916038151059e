#!/usr/bin/env python3
"""What an idle `lifecycle-check watch` takes: memory, and processor time at a poll every 2 s. A benchmark, not a test.

    cargo build --locked --release --package exposure-lifecycle
    python3 tests/lifecycle/idle.py [--seconds 300] [--binary target/release/lifecycle-check]

It plays IMDS on loopback in this process, and starts nothing that outlives it. Linux only: it reads /proc.
"""

import argparse
import http.server
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ITEMS = {
    "/latest/meta-data/autoscaling/target-lifecycle-state": "InService",
    "/latest/meta-data/instance-id": "i-0123456789abcdef0",
    "/latest/meta-data/placement/region": "eu-central-1",
}


class Imds(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    polls = 0

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_PUT(self):
        ttl = self.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "21600")
        self.answer(200, "token", [("x-aws-ec2-metadata-token-ttl-seconds", ttl)])

    def do_GET(self):
        Imds.polls += self.path.endswith("target-lifecycle-state")
        body = ITEMS.get(self.path)
        self.answer(404 if body is None else 200, body or "")

    def log_message(self, *_):
        pass


def ticks(pid):
    """Processor time of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    """Resident memory now and at its peak, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return found["VmRSS"], found["VmHWM"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--binary", default="target/release/lifecycle-check")
    given = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Imds)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }
    with tempfile.TemporaryDirectory() as folder:
        command = [given.binary, "watch", "--interval", "2s", "--on-terminating", "/bin/true", "--state-dir", folder]
        watch = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            time.sleep(5)  # The start is not idling.
            before, polls, began = ticks(watch.pid), Imds.polls, time.monotonic()
            time.sleep(given.seconds)
            took, elapsed = ticks(watch.pid) - before, time.monotonic() - began
            resident, peak = memory(watch.pid)
            polls = Imds.polls - polls
        finally:
            watch.terminate()
            watch.wait(timeout=60)
            server.shutdown()
    share = 100 * took / elapsed
    print(f"polls {polls} in {elapsed:.0f} s; resident {resident:.1f} MiB, peak {peak:.1f} MiB; {share:.3f} % of a core")
    is_kept = resident < 15 and peak < 15 and share < 0.1 and polls >= given.seconds // 2 - 2
    print("kept: under 15 MiB and 0.1 %" if is_kept else "NOT kept: under 15 MiB and 0.1 %")
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
