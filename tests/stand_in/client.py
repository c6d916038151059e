"""The stand-in for AWS in a process of its own, and its control interface, for scripts."""

import contextlib
import http.client
import json
import subprocess


class Failed(Exception):
    """Why a script that drives the stand-in has no result."""


class StandIn:
    """It shows one simulated account, with its clock at the account's end and no quotas."""

    def __init__(self, program, account, log, *more):
        command = [program, "--account", account, "--clock", "end", "--quota", "off", *more]
        with open(log, "ab") as errors:
            self.child = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self.url = self.child.stdout.readline().strip()
        if not self.url.startswith("http://127.0.0.1:"):
            self.close()
            raise Failed(f"the stand-in does not start: {log.read_text(errors='replace')[-2000:]}")

    def request(self, method, path, body=None):
        """The status and the body of its answer."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"))
        with contextlib.closing(connection):
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def control(self, method, what, body=None):
        status, text = self.request(method, f"/_stand-in/{what}", None if body is None else json.dumps(body))
        if status != 200:
            raise Failed(f"the stand-in refuses {method} {what}: {text[:500]!r}")
        return json.loads(text)

    def close(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()
