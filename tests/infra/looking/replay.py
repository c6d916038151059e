"""The metrics and the log of the real function over a simulated account: every run of the schedule, replayed under a Lambda
Runtime API on loopback, against the stand-in for AWS."""

import contextlib
import gzip
import json
import queue
import shutil
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "stand_in"))
from client import Failed, StandIn  # noqa: E402

ACCOUNT, NAMESPACE = "111122223333", "MigrationExposure"
LONGEST = 300


class Function:
    """The function in a process of its own."""

    def __init__(self, command, variables, log):
        self.events, self.answers, self.log = queue.SimpleQueue(), queue.SimpleQueue(), log
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        names = ("FUNCTION_NAME", "FUNCTION_VERSION", "LOG_STREAM_NAME", "LOG_GROUP_NAME")
        lambdas = {f"AWS_LAMBDA_{name}": "analyzer" for name in names} | {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256"}
        api = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_address[1]}"}
        with open(log, "wb") as out:
            self.child = subprocess.Popen(
                list(map(str, command)), env=variables | lambdas | api, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )

    def handler(self):
        function = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            log_message = lambda *_: None

            def do_GET(self):
                event = function.events.get()
                if event is None:
                    self.close_connection = True
                    return
                deadline = {"Lambda-Runtime-Deadline-Ms": str(int((time.time() + LONGEST) * 1_000))}
                self.answer(200, json.dumps(event).encode(), {"Lambda-Runtime-Aws-Request-Id": "run"} | deadline)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                self.answer(202, b"", {})
                function.answers.put((self.path.endswith("/response"), body))

            def answer(self, status, body, headers):
                self.send_response_only(status)
                for name, value in (headers | {"Content-Length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        return Handler

    def invoke(self, second):
        self.events.put({"scheduledTime": datetime.fromtimestamp(second, timezone.utc).isoformat()})
        try:
            went_well, answer = self.answers.get(timeout=LONGEST)
        except queue.Empty:
            raise Failed(f"the function gives no answer: {self.log}") from None
        if not went_well:
            raise Failed(f"the function fails: {answer[:2000]!r}")
        return json.loads(answer)

    def close(self):
        self.child.kill()
        self.child.wait()
        self.events.put(None)
        self.server.shutdown()
        self.server.server_close()


def seconds(text):
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def replayed(programs, folder, simulated, step, note):
    """The data of a replay of what `exposure simulate` makes with these settings: its window, the points on the wire, the
    lines of the log. Kept for the next look."""
    kept = folder / f"replay-{'-'.join(map(str, simulated.values()))}-{step}.json.gz"
    if kept.exists():
        note(f"looks at the replay that was kept: {kept}")
        return json.loads(gzip.decompress(kept.read_bytes()))
    account, home = folder / "account", folder / "home"
    for place in (account, home):
        shutil.rmtree(place, ignore_errors=True)
    home.mkdir(parents=True)
    settings = [word for name, value in simulated.items() for word in (f"--{name}", str(value))]
    subprocess.run([programs / "exposure", "simulate", account, *settings], check=True, capture_output=True)
    truth = json.loads((account / "truth.json").read_text())
    begin, end = (seconds(truth["window"][name]) for name in ("from", "to"))
    data = {"from": begin - begin % step, "to": end + 3_600, "log": [], "instances": on_instances(truth, end, step)}
    with contextlib.closing(StandIn(programs / "stand-in", account, folder / "stand-in.log")) as stand_in:
        regions = sorted(place.name for place in (account / "AWSLogs" / ACCOUNT / "CloudTrail").iterdir())
        variables = {
            "AWS_ENDPOINT_URL": stand_in.url,
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "dummy",
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(home),
            "SOURCE": "directory",
            "TRAIL_URL": f"file://{account / 'AWSLogs'}",
            "STATE_URL": f"file://{home / 'state.json.gz'}",
            "TARGETS": json.dumps([{"account": ACCOUNT, "regions": regions}]),
            "CLOCK": "event",
            "PERIOD_SECONDS": str(step),
        }
        log = folder / "function.log"
        with contextlib.closing(Function([programs / "bootstrap"], variables, log)) as function, open(log) as lines:
            runs = range(data["from"], data["to"], step)
            for count, second in enumerate(runs, 1):
                stand_in.control("PUT", "clock", {"now": second})
                function.invoke(second)
                data["log"] += [[second, line.rstrip("\n")] for line in lines]
                if count % 200 == 0:
                    note(f"{count} of {len(runs)} runs")
        data["points"] = [
            [point["namespace"], point["name"], dict(point["dimensions"]).get("Stack"), point["timestamp"], point["values"]]
            for point in stand_in.control("GET", "metrics")
        ]
    kept.write_bytes(gzip.compress(json.dumps(data).encode()))
    return data


def on_instances(truth, end, step):
    """What the on-instance check would publish, by the truth and not by the analyzer: an instance that is exposed at the
    end has answered 404 in every period since it was moved, and its check has asked the API instead."""
    points = []
    for row in truth["instances"]:
        if row["verdict"] == "exposed" and row["stack"]:
            since = seconds(row["migrations"][-1]["at"])
            for second in range(since - since % step + step, end, step):
                points += [[NAMESPACE, name, row["stack"], second, [1.0]] for name in ("ImdsAbsent", "ApiFallback")]
    return points
