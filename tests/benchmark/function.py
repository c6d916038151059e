#!/usr/bin/env python3
"""What does the function cost, beside the same function in Python with boto3?

    python3 tests/benchmark/function.py [--delays] [--quick] [--sizes N,N,…] [--seed N] [--keep]

One command, from a fresh clone. It builds the release binaries, simulates an account for each size of fleet, shows it by
the stand-in for AWS, and drives the real `bootstrap`, stripped, through a Lambda Runtime API on loopback. In one run it
measures, of `bootstrap` and of `tests/benchmark/reference/handler.py`:

- the cold start: from before the process is started to its first request for work, with the state in S3;
- the first runs without a state, in one process: they read all that the account's CloudTrail holds;
- the runs after that, every 5 minutes over the last hour of the account (`--quick`: 4 of them), by a new process that
  begins with the state: CPU time and time by the clock of each but its first, and the peak memory of the process.

CPU time is user and system, of all threads, from the process's own CPU clock; peak memory is VmHWM. Every run of the
functions reads with `SOURCE=lookup`, at a pace that AWS does not allow (1000 requests a second), so that time is work;
and where its plan says that it does not fit a run, and for the largest fleet, with `SOURCE=logs` too.

Both must find the same on every account: the set of instances of which a volume was decrypted again without a cause, as
each has it in its state. (Of bootstrap's migrations those whose volumes were sighted before; it counts others too.) In
all else the reference is simpler, as its head says. If the sets differ, no time is printed: the difference is named on
standard error, and the exit status is 1.

`--delays` measures something else, and needs no Python reference: how long it takes from a migration until it counts in
the metrics, for each source and size of fleet, with a run every 5 minutes and the budget of lookups that is the default.
Records are delivered 5 minutes after the call, all of them: that is put in, not measured, and CloudTrail guarantees
nothing. The runs cover the hours of the account that have most migrations.

Needs Python 3.11 or later, cargo, Linux, and PyPI or pip's cache for boto3. All that is started listens on 127.0.0.1 and
is stopped at the end. All it writes is in `benchmark-function/` of cargo's target folder, and is removed at the end unless
`--keep` is given.
"""

import argparse
import contextlib
import gzip
import json
import os
import platform
import queue
import shutil
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/stand_in"))
from client import Failed, StandIn  # noqa: E402

PACKAGES = ["boto3==1.44.8"]
RECORDS = {100: 5_000, 2_000: 50_000, 20_000: 50_000}
ACCOUNT, REGION = "111122223333", "eu-central-1"
SOURCES = ("lookup", "queue", "logs")
# How long after the call a record is delivered where delays are measured, in seconds.
DELIVERED = 300
# How late sources that cannot ask whether a record is missing let it be, in seconds.
ALLOWED = 900
# What fits a period of 300 s at one request a second.
BUDGET = 240
PERIOD, HOUR, COALESCE = 300, 3_600, 600
STATE = "state/exposure.json.gz"
# The longest that Lambda lets a function run, in seconds.
LONGEST = 900
FILLS = 20
METRICS = "GraniteServiceVersion20100801.PutMetricData"
NATIVE, REFERENCE = "bootstrap", "Python and boto3"


def note(text):
    print(f"benchmark: {text}", file=sys.stderr, flush=True)


# The Lambda Runtime API, and a function under it.


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A function that was stopped leaves its connection in the middle."""


class Function:
    """A function in a process of its own, under a runtime API of its own. That takes metrics as well, if asked: botocore
    sends them as JSON, and the stand-in speaks the CBOR of the Rust SDK."""

    def __init__(self, command, variables, log, takes_metrics):
        self.first = threading.Event()
        self.asked_at = None
        self.events, self.answers = queue.SimpleQueue(), queue.SimpleQueue()
        self.server = Server(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        names = ("FUNCTION_NAME", "FUNCTION_VERSION", "LOG_STREAM_NAME", "LOG_GROUP_NAME")
        lambdas = {f"AWS_LAMBDA_{name}": "analyzer" for name in names} | {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256"}
        api = f"127.0.0.1:{self.server.server_address[1]}"
        environment = variables | lambdas | {"AWS_LAMBDA_RUNTIME_API": api}
        if takes_metrics:
            environment["AWS_ENDPOINT_URL_CLOUDWATCH"] = f"http://{api}"
        self.log = log
        with open(log, "ab") as out:
            self.began_at = time.monotonic()
            self.child = subprocess.Popen(
                list(map(str, command)), env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    def handler(self):
        function = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self):
                if not function.first.is_set():
                    function.asked_at = time.monotonic()
                    function.first.set()
                event = function.events.get()
                if event is None:
                    self.close_connection = True
                    return
                body = json.dumps(event).encode()
                self.answer(200, body, {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": "run",
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + LONGEST) * 1_000)),
                    "Lambda-Runtime-Invoked-Function-Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:analyzer",
                })

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                if self.headers["X-Amz-Target"] == METRICS:
                    self.answer(200, b"{}", {"Content-Type": "application/x-amz-json-1.0"})
                    return
                self.answer(202, b"", {})
                function.answers.put((self.path.endswith("/response"), json.loads(body)))

            def answer(self, status, body, headers):
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def log_message(self, *_):
                pass

        return Handler

    def started(self):
        """Waits for the first request for work; how long it took, in seconds."""
        while not self.first.wait(0.5):
            if self.child.poll() is not None or time.monotonic() - self.began_at > 60:
                raise Failed(f"{self.child.args[0]} does not start: {self.said()}")
        return self.asked_at - self.began_at

    def invoke(self, second):
        """One run; what it took, and its answer."""
        cpu, begin = self.cpu(), time.monotonic()
        self.events.put({"scheduledTime": datetime.fromtimestamp(second, timezone.utc).isoformat()})
        while True:
            with contextlib.suppress(queue.Empty):
                went_well, answer = self.answers.get(timeout=1)
                break
            if self.child.poll() is not None or time.monotonic() - begin > LONGEST:
                raise Failed(f"{self.child.args[0]} gives no answer: {self.said()}")
        if not went_well:
            raise Failed(f"{self.child.args[0]} fails: {str(answer)[:2000]}")
        return Run(time.monotonic() - begin, self.cpu() - cpu, answer)

    def cpu(self):
        """The CPU time of the process, in seconds: clock_getcpuclockid(3), which is that of all its threads."""
        return time.clock_gettime((~self.child.pid << 3) | 2)

    def peak(self):
        """The peak memory of the process, in MiB."""
        lines = Path(f"/proc/{self.child.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))

    def said(self):
        return self.log.read_text(errors="replace")[-2000:].strip()

    def close(self):
        self.child.kill()
        self.child.wait()
        self.events.put(None)
        self.server.shutdown()
        self.server.server_close()


@dataclass
class Run:
    """One run: seconds by the clock and of CPU, and the function's answer."""

    wall: float
    cpu: float
    answer: dict


# The stand-in.


class Account(StandIn):
    """The stand-in, with what the benchmark asks of it."""

    def __init__(self, program, account, log, *more):
        super().__init__(program, account, log, *more)
        self.window = self.control("GET", "account")["window"]

    def state(self):
        """The state that a function has left in S3."""
        status, packed = self.request("GET", f"/{STATE}")
        if status != 200:
            raise Failed(f"there is no state: {packed[:500]!r}")
        return json.loads(gzip.decompress(packed))


# What is measured, and with what.


@dataclass
class Took:
    """What a contender took on one account."""

    first: list = field(default_factory=list)
    first_peak: float = 0.0
    runs: list = field(default_factory=list)
    peak: float = 0.0
    found: set = field(default_factory=set)
    problems: set = field(default_factory=set)


@dataclass
class Size:
    """The account of one size: members at the end, records, and what each contender took on it, by name and source."""

    instances: int
    members: int
    records: int
    took: dict = field(default_factory=dict)


class Bench:
    def __init__(self, target, seed):
        self.release, self.debug = target / "release", target / "debug"
        self.folder, self.seed = target / "benchmark-function", seed
        self.stripped = self.folder / "bootstrap"
        self.python = self.folder / "venv/bin/python"
        self.log = self.folder / "log"

    def prepare(self):
        """Strips the binary and installs the reference; the version of boto3."""
        subprocess.run(["strip", "-o", self.stripped, self.release / "bootstrap"], check=True)
        if not self.python.exists():
            subprocess.run([sys.executable, "-m", "venv", self.folder / "venv"], check=True)
        install = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--compile", *PACKAGES]
        subprocess.run(install, check=True)
        version = "import boto3, platform; print(platform.python_version(), 'with boto3', boto3.__version__)"
        return subprocess.run([self.python, "-c", version], check=True, capture_output=True, text=True).stdout.strip()

    def simulate(self, instances):
        folder = self.folder / f"account-{instances}"
        shutil.rmtree(folder, ignore_errors=True)
        program = max(
            (place / "exposure" for place in (self.release, self.debug) if (place / "exposure").exists()),
            key=lambda program: program.stat().st_mtime,
            default=None,
        )
        if program is None:
            note("builds the simulator")
            cargo("build", "--locked", "--quiet", "-p", "exposure-cli")
            program = self.debug / "exposure"
        records = RECORDS.get(instances, max(5_000, 2 * instances))
        size = ["--instances", str(instances), "--records", str(records), "--seed", str(self.seed)]
        subprocess.run([program, "simulate", folder, *size], check=True, capture_output=True)
        truth = json.loads((folder / "truth.json").read_text())
        members = sum(row["members"] for row in truth["stacks"])
        return folder, Size(instances, members, truth["accounting"]["records"])

    def function(self, who, stand_in, source="lookup", state=f"s3://{STATE}", budget=10_000):
        """A contender, started."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        variables = {
            "AWS_ENDPOINT_URL": stand_in.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "dummy",
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(home),
            "SOURCE": source,
            "STATE_URL": state,
            "TRAIL_URL": "s3://trail",
            "TARGETS": json.dumps([{"account": ACCOUNT, "regions": [REGION]}]),
            "CLOCK": "event",
            "LOOKUP_REQUESTS_PER_SECOND": "1000",
            "LOOKUP_REQUESTS_PER_RUN": str(budget),
            "QUEUE_URL": f"{stand_in.url}/{ACCOUNT}/events",
        }
        commands = {NATIVE: [self.stripped], REFERENCE: [self.python, HERE / "reference/handler.py"]}
        return Function(commands[who], variables, self.log, takes_metrics=who == REFERENCE)


def measure_starts(bench, stand_in, runs):
    """Cold starts in alternation, in seconds: of both, and of bootstrap with its state in a file (no call to STS)."""
    ways = {
        NATIVE: {"who": NATIVE},
        "bootstrap, state in a file": {"who": NATIVE, "state": f"file://{bench.folder}/state.json.gz"},
        REFERENCE: {"who": REFERENCE},
    }
    starts = {name: [] for name in ways}
    # The first start of each reads its files, and does not count.
    for run in range(runs + 1):
        for name, how in ways.items():
            with contextlib.closing(bench.function(stand_in=stand_in, **how)) as function:
                took = function.started()
                if run:
                    starts[name].append((took, function.cpu(), function.peak()))
    return starts


def measure_runs(bench, stand_in, who, source, runs):
    """All runs of a contender over an account."""
    took = Took()
    stand_in.control("POST", "reset")
    end = stand_in.window[1]
    begin = end - HOUR

    def run(function, second):
        stand_in.control("PUT", "clock", {"now": second})
        stand_in.control("DELETE", "requests")
        done = function.invoke(second)
        done.answer["calls"] = len(stand_in.control("GET", "requests"))
        took.problems.update(done.answer.get("problems", ()))
        return done

    with contextlib.closing(bench.function(who, stand_in, source)) as function:
        for _ in range(FILLS):
            done = run(function, begin)
            took.first.append(done)
            accounting = done.answer.get("accounting")
            if accounting is None or accounting["sightings"] + accounting["causes"] == 0:
                break
        else:
            raise Failed(f"{who}: {FILLS} runs do not read the past to its end")
        took.first_peak = function.peak()
    with contextlib.closing(bench.function(who, stand_in, source)) as function:
        # The first run of a process makes its connections.
        run(function, begin)
        for number in range(1, runs + 1):
            took.runs.append(run(function, begin + number * PERIOD))
        took.peak = function.peak()
        # What has settled by then is counted.
        run(function, end + HOUR)
    took.found = found(stand_in.state())
    return took


# Delays.


@dataclass
class Delays:
    """From migrations until they counted, in seconds; how many did not count; and what the runs said and asked."""

    counted: list = field(default_factory=list)
    not_counted: int = 0
    runs: int = 0
    late: int = 0
    calls: list = field(default_factory=list)
    problems: set = field(default_factory=set)


def migrations_of(folder):
    """The events of each migration of the home region, by instance and time of the first."""
    rows = json.loads((folder / "truth.json").read_text())["instances"]
    here = [row for row in rows if (row["account"], row["region"]) == (ACCOUNT, REGION)]
    return {
        (row["instance_id"], second_of(migration["at"])): migration["event_ids"]
        for row in here
        for migration in row["migrations"]
        if migration["confidence"] in ("confirmed", "presumed")
    }


def filed_late(folder, events):
    """Those of the events whose first file comes later than sources allow for: the simulator holds back 4 of 1,000 records,
    some for hours."""
    came = {}
    for path in (folder / "AWSLogs" / ACCOUNT / "CloudTrail" / REGION).rglob("*.json.gz"):
        filed = datetime.strptime(path.name.split("_")[3], "%Y%m%dT%H%MZ").replace(tzinfo=timezone.utc).timestamp()
        for record in json.loads(gzip.decompress(path.read_bytes())).get("Records", ()):
            if (event := record.get("eventID")) in events:
                after = filed - second_of(record["eventTime"])
                came[event] = min(after, came.get(event, after))
    return {event for event in events if came[event] > ALLOWED}


def busiest(migrations, seconds):
    """When a stretch of so many seconds begins that has most migrations, on the schedule."""
    times = sorted(at for _, at in migrations)
    begin = max(times, key=lambda first: sum(first <= at < first + seconds for at in times))
    return int(begin // PERIOD * PERIOD)


def measure_delays(bench, folder, source, seconds):
    migrations = migrations_of(folder)
    begin = busiest(migrations, seconds)
    waiting = {which for which in migrations if begin <= which[1] < begin + seconds}
    took = Delays()
    if source == "logs":
        # Files come as they are filed. Those that are late are not what is measured.
        late = filed_late(folder, {event for which in waiting for event in migrations[which]})
        waiting -= {which for which in waiting if not late.isdisjoint(migrations[which])}
    delivery = json.dumps({"drawn": {"seed": bench.seed, "min_delay": DELIVERED, "max_delay": DELIVERED}})
    with contextlib.closing(Account(bench.release / "stand-in", folder, bench.log, "--delivery", delivery)) as stand_in:
        with contextlib.closing(bench.function(NATIVE, stand_in, source, budget=BUDGET)) as function:
            # Some runs before, which take up the past; and some after, until all must have counted.
            for second in range(begin - 6 * PERIOD, begin + seconds + 12 * PERIOD, PERIOD):
                stand_in.control("PUT", "clock", {"now": second})
                stand_in.control("DELETE", "requests")
                answer = function.invoke(second).answer
                lookups = [line for line in stand_in.control("GET", "requests") if line["operation"] == "LookupEvents"]
                new = {(row["instanceId"], second_of(row["at"])) for row in answer["newMigrations"]} & waiting
                took.counted += [second - at for _, at in new]
                waiting -= new
                took.runs += 1
                through = second_of(answer["targets"][0].get("completeThrough") or "1970-01-01T00:00:00Z")
                took.late += through < second - (0 if source == "lookup" else ALLOWED)
                took.calls.append(len(lookups))
                took.problems.update(answer["problems"])
    took.not_counted = len(waiting)
    return took


def delays_table(rows):
    def row(instances, source, took):
        minutes = sorted(delay / 60 for delay in took.counted)
        middle = f"{statistics.median(minutes):.0f}" if minutes else "-"
        ends = [f"{minutes[0]:.0f}", f"{minutes[-1]:.0f}"] if minutes else ["-", "-"]
        calls = f"{max(took.calls)}" if source == "lookup" else "-"
        counts = [f"{len(took.counted)}", f"{took.not_counted}", f"{took.late} of {took.runs}", calls]
        return [f"{instances:,}, {source}", ends[0], middle, ends[1], *counts]

    head = ["instances", "minutes: least", "median", "most", "migrations", "not counted", "late runs", "most lookups"]
    return table(head, [row(*each) for each in rows])


def run_delays(arguments, bench):
    rows = []
    subprocess.run(["strip", "-o", bench.stripped, bench.release / "bootstrap"], check=True)
    for instances in arguments.sizes:
        folder, _ = bench.simulate(instances)
        for source in SOURCES:
            note(f"{instances:,} instances, {source}, delays")
            seconds = HOUR if instances > 500 else 6 * HOUR
            rows.append((instances, source, measure_delays(bench, folder, source, seconds)))
        shutil.rmtree(folder)
    print(machine_line())
    print(f"From a migration until it counts; records are delivered after {DELIVERED // 60} minutes, a run every "
          f"{PERIOD // 60}, settled after 15")
    for line in delays_table(rows):
        print(line)
    for instances, source, took in rows:
        for problem in sorted(took.problems)[:5]:
            print(f"  {instances:,}, {source} said: {problem[:300]}")


def found(state):
    """The instances of which a volume was decrypted again without a cause, out of the state of either. In bootstrap's
    those are the migrations that count, if a volume of theirs was sighted before: that leaves out the first of an
    instance that is older than the trail."""
    if "counted" in state:
        return set(state["counted"])
    instances = set()
    for entry in state["ledger"]["instances"]:
        times = {}
        for sighting in entry.get("sightings", ()):
            times.setdefault(sighting["volume"], []).append(second_of(sighting["time"]))
        for counted in entry.get("counted", ()):
            at = second_of(counted["at"])
            again = (those for those in times.values() if any(at <= time < at + COALESCE for time in those))
            if not counted.get("retracted") and any(min(those) <= at - COALESCE for those in again):
                instances.add(entry["instance_id"])
    return instances


def second_of(time):
    return datetime.fromisoformat(time).timestamp()


def demand_same(size):
    """Fails with the difference if the contenders do not find the same."""
    native, reference = (size.took[who, "lookup"].found for who in (NATIVE, REFERENCE))
    if native != reference:
        only = [f"only {who}: {sorted(one - other)[:5]}" for who, one, other in
                ((NATIVE, native, reference), (REFERENCE, reference, native))]
        counts = f"{NATIVE} finds {len(native)} migrated instances and {REFERENCE} {len(reference)}"
        raise Failed(f"{size.instances} instances: {counts}; {'; '.join(only)}")
    if not native:
        raise Failed("nothing was found; the account is too small to show anything")


def measure_size(bench, instances, runs, largest, starts):
    """One account and all that is measured on it."""
    note(f"{instances:,} instances")
    folder, size = bench.simulate(instances)
    with contextlib.closing(Account(bench.release / "stand-in", folder, bench.log)) as stand_in:
        cold = measure_starts(bench, stand_in, starts) if starts else None
        for who in (NATIVE, REFERENCE):
            note(f"{instances:,} instances, {who}, lookup")
            size.took[who, "lookup"] = measure_runs(bench, stand_in, who, "lookup", runs)
        does_not_fit = any("fits a run" in problem for problem in size.took[NATIVE, "lookup"].problems)
        if largest or does_not_fit:
            note(f"{instances:,} instances, {NATIVE}, logs")
            size.took[NATIVE, "logs"] = measure_runs(bench, stand_in, NATIVE, "logs", runs)
    shutil.rmtree(folder)
    return size, cold


# The report.


def table(head, rows):
    """Text in columns, the first to the left and the others to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        first, *others = (cell.rjust(width) for cell, width in zip(line, widths))
        yield "  ".join(["  " + first.strip().ljust(widths[0]), *others])


def starts_table(starts):
    native = statistics.median(took for took, *_ in starts[NATIVE])

    def row(name, runs):
        walls = sorted(took for took, *_ in runs)
        cpu, peak = (statistics.median(run[of] for run in runs) for of in (1, 2))
        middle = statistics.median(walls)
        spread = f"{walls[0] * 1e3:.1f} to {walls[-1] * 1e3:.1f}"
        return [name, f"{middle * 1e3:.1f}", spread, f"{middle / native:.1f}", f"{cpu * 1e3:.1f}", f"{peak:.1f}"]

    head = ["", "cold start ms", "from, to", "/ bootstrap", "CPU ms", "memory MiB"]
    return table(head, [row(*each) for each in starts.items()])


def runs_table(sizes):
    def row(size, who, source, took):
        cpu = [run.cpu for run in took.runs]
        native = size.took[NATIVE, source]
        ratio = statistics.median(cpu) / statistics.median(run.cpu for run in native.runs)
        return [
            f"{size.instances:,}, {who}, {source}",
            f"{sum(run.cpu for run in took.first):.2f}",
            f"{sum(run.answer['calls'] for run in took.first):,}",
            f"{took.first_peak:.1f}",
            f"{statistics.median(cpu) * 1e3:.1f}",
            f"{max(cpu) * 1e3:.0f}",
            f"{ratio:.1f}",
            f"{statistics.median(run.wall for run in took.runs) * 1e3:.0f}",
            f"{statistics.median(run.answer['calls'] for run in took.runs):.0f}",
            f"{took.peak:.1f}",
            f"{took.peak / native.peak:.1f}",
        ]

    head = ["instances", "first: CPU s", "calls", "peak MiB", "later: CPU ms", "most", "/ bootstrap", "wall ms", "calls",
            "peak MiB", "/ bootstrap"]
    return table(head, [row(size, *key, took) for size in sizes for key, took in size.took.items()])


def report(machine, version, bench, starts, sizes, runs):
    yield machine
    whole, stripped = (path.stat().st_size / (1 << 20) for path in (bench.release / "bootstrap", bench.stripped))
    yield f"bootstrap: {stripped:.2f} MiB stripped ({whole:.2f} MiB as built); the reference: Python {version}"
    for size in sizes:
        yield (
            f"{size.instances:,} instances, {size.members:,} of them members at the end, {size.records:,} records; both "
            f"find the same {len(size.took[NATIVE, 'lookup'].found):,} instances with an unexplained repeated Decrypt"
        )
    yield ""
    yield f"Cold start, median of {len(starts[NATIVE])}"
    yield from starts_table(starts)
    yield ""
    yield f"Runs: the first, which read the past, all together; the later, median of {runs} and the most expensive"
    yield from runs_table(sizes)
    problems = {(size.instances, *key): took.problems for size in sizes for key, took in size.took.items()}
    for (instances, who, source), those in problems.items():
        for problem in sorted(those):
            yield f"  {instances:,}, {who}, {source} said: {problem[:300]}"


def machine_line():
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    command = " ".join(["python3", "tests/benchmark/function.py", *sys.argv[1:]])
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {model}, load {os.getloadavg()[0]:.1f} at the start: {command}"


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def build():
    """Builds the binaries; cargo's target folder."""
    cargo("build", "--locked", "--release", "--quiet", "-p", "exposure-analyzer", "-p", "exposure-stand-in")
    return Path(json.loads(cargo("metadata", "--format-version", "1", "--no-deps"))["target_directory"])


def run(arguments, bench):
    machine = machine_line()
    note("installs the reference")
    version = bench.prepare()
    sizes, starts = [], None
    for instances in arguments.sizes:
        cold_runs = 0 if starts else arguments.starts
        largest = instances == arguments.sizes[-1]
        size, cold = measure_size(bench, instances, arguments.runs, largest, cold_runs)
        starts = starts or cold
        demand_same(size)
        sizes.append(size)
    for line in report(machine, version, bench, starts, sizes, arguments.runs):
        print(line)


def numbers(text):
    values = sorted({int(number.replace("_", "")) for number in text.split(",")})
    if values[0] < 1:
        raise ValueError(text)
    return values


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=numbers, default=list(RECORDS), help="numbers of instances (default 100,2000,20000)")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation (default 1)")
    parser.add_argument("--delays", action="store_true", help="measure how long it takes until a migration counts")
    parser.add_argument("--quick", action="store_true", help="4 runs each in place of 12, 5 cold starts in place of 20")
    parser.add_argument("--keep", action="store_true", help="leave binary, log and virtual environment in place")
    arguments = parser.parse_args()
    arguments.runs, arguments.starts = (4, 5) if arguments.quick else (12, 20)

    note("builds")
    begin = time.monotonic()
    try:
        bench = Bench(build(), arguments.seed)
        bench.folder.mkdir(parents=True, exist_ok=True)
        try:
            run_delays(arguments, bench) if arguments.delays else run(arguments, bench)
        finally:
            if not arguments.keep:
                shutil.rmtree(bench.folder, ignore_errors=True)
    except Failed as failure:
        sys.exit(f"benchmark: {failure}")
    except (subprocess.CalledProcessError, OSError) as failure:
        sys.exit(f"benchmark: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
    note(f"done in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
