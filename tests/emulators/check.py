#!/usr/bin/env python3
"""Does the real binary get along with emulators of AWS that others have made?

    python3 tests/emulators/check.py

The tests of this project run against a stand-in of its own, which could be wrong in the same way as the code. So this
runs `exposure` against ministack (S3, SQS, STS, CloudWatch, CloudTrail) and moto (Auto Scaling), asks them with boto3
what became of it, and prints each check as `ok` or `FAILED` with the reason, what no emulator can tell, and how many
passed; it exits with 1 if any failed. The account is simulated, of the last two days, and some of its instances get the
IDs of those in moto's groups. Needs Python 3.11 or later, cargo and PyPI. All it writes is in `emulators/` of cargo's
target folder: a virtual environment, made once, and `run/` with trail and logs, which stays if something failed.
"""

import contextlib
import gzip
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["ministack[full]==1.5.33", "cbor2", "pytz", "moto[server]==5.2.5", "boto3"]
HOST, ACCOUNT, REGION, BUCKET, KEY = "127.0.0.1", "111122223333", "eu-central-1", "exposure-state", "state.json.gz"
STATE = f"s3://{BUCKET}/{KEY}"
# The kinds of the simulated instances that become members. The first of each stack migrated once, and that is held back
# from the trail: one for the queue, one for a late log file, so that both are known only where two states are joined.
KINDS = {
    "Nighttime": ("live-migrated", "migrated-twice", "shared-key-migrated", "clean"),
    "Daytime": ("burst", "internal-grant-migrated", "clean"),
}
# At fault: ministack's MQTT listener takes 0.0.0.0 whatever BIND_HOST says, unless it is off.
MINISTACK = {"BIND_HOST": HOST, "IOT_MTLS_ENABLED": "0", "SERVICES": "s3,sqs,sts,cloudwatch,cloudtrail"}
CANNOT = (
    "scaling activities, warm pools, many pages, throttling: moto shows none",
    "--source lookup: ministack's LookupEvents knows nothing but its own calls",
    "how EventBridge sends CloudTrail's records: the envelopes are made here",
    "whether a bucket of another owner is refused: ministack gives out its objects all the same",
    "whether the policies suffice: neither emulator asks for permissions or checks signatures",
)


class Failed(Exception):
    """Why a check failed."""


def demand(what, found, expected=True):
    if found != expected:
        raise Failed(f"{what}: {found!r}, not {expected!r}")


def enter_venv(folder):
    """Goes on as the same script in a virtual environment that holds the packages."""
    venv, done = folder / "venv", folder / "venv/packages.json"
    if not done.exists() or json.loads(done.read_text()) != PACKAGES:
        print("emulators: installs", *PACKAGES, file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        pip = [venv / "bin/python", "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "install", "--quiet"]
        subprocess.run([*pip, *PACKAGES], check=True)
        done.write_text(json.dumps(PACKAGES))
    if Path(sys.prefix) != venv:
        os.execv(venv / "bin/python", [str(venv / "bin/python"), "-B", __file__])


@contextlib.contextmanager
def emulator(folder, program, path, variables):
    """An emulator, from when it answers at the path until this is left: its port."""
    with socket.create_server((HOST, 0)) as probe:
        port = str(probe.getsockname()[1])
    log, variables = folder / f"{program}.log", os.environ | variables | {"GATEWAY_PORT": port, "MOTO_PORT": port}
    with open(log, "wb") as out:
        how = {"env": variables, "cwd": folder, "stdout": out, "stderr": out, "start_new_session": True}
        process = subprocess.Popen([Path(sys.prefix) / "bin" / program], **how)
    try:
        for _ in range(240):
            demand(f"{program} has ended ({log})", process.poll(), None)
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=2):
                break
            time.sleep(0.25)
        yield port
    finally:
        process.kill()
        process.wait()


class Gate(http.server.ThreadingHTTPServer):
    """Stands before S3: notes each PUT, can refuse it, and can let something happen just before the first."""

    def __init__(self, port):
        super().__init__((HOST, 0), Passage)
        self.behind, self.puts, self.before, self.refuses = f"{HOST}:{port}", [], [], False
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Passage(http.server.BaseHTTPRequestHandler):
    protocol_version, log_message = "HTTP/1.1", lambda *_: None

    def do_PUT(self):
        while self.server.before:
            self.server.before.pop()()
        self.do_GET(refused=self.server.refuses)

    def do_GET(self, refused=False):
        status, headers, content = 403, {}, b"<Error><Code>AccessDenied</Code></Error>"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not refused:
            connection = http.client.HTTPConnection(self.server.behind, timeout=30)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            status, headers, content = answer.status, answer.headers, answer.read()
        if self.command == "PUT":
            self.server.puts.append((self.headers["If-None-Match"], self.headers["If-Match"], status))
        self.send_response_only(status)
        self.send_header("ETag", headers.get("ETag", ""))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Stage:
    """The account in the emulators, and the binary that looks at it."""

    def __init__(self, exposure, folder, ministack, moto):
        import boto3  # of the virtual environment

        keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "dummy", "region_name": REGION}
        ports = {"s3": ministack, "sqs": ministack, "cloudwatch": ministack, "ec2": moto, "autoscaling": moto}
        clients = [boto3.client(name, endpoint_url=f"http://{HOST}:{port}", **keys) for name, port in ports.items()]
        self.s3, self.sqs, self.cloudwatch, self.ec2, self.autoscaling = clients
        self.exposure, self.folder, self.trail, self.gate = exposure, folder, folder / "trail", Gate(ministack)
        self.environment = os.environ | {name.upper(): value for name, value in keys.items()}
        self.environment |= {"AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"}
        urls = {"": ministack, "_AUTO_SCALING": moto, "_S3": self.gate.server_address[1]}
        self.environment |= {f"AWS_ENDPOINT_URL{service}": f"http://{HOST}:{port}" for service, port in urls.items()}
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.queue = self.sqs.create_queue(QueueName="events", Attributes={"VisibilityTimeout": "5"})["QueueUrl"]
        self.verdicts, self.held = {}, {stack: {} for stack in KINDS}
        self.simulate()

    def simulate(self):
        """The groups in moto, and the trail with moto's instance IDs, but without what is held back."""
        start = time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(time.time() - 50 * 3600))
        size = ["--instances", "48", "--days", "2", "--start", start]
        subprocess.run([self.exposure, "simulate", self.folder / "account", *size], check=True, capture_output=True)
        told = json.loads((self.folder / "account/truth.json").read_text())["instances"]
        names, events = {}, {}
        for stack, kinds in KINDS.items():
            rows = [next(row for row in told if (row["kind"], row["stack"]) == (kind, stack)) for kind in kinds]
            members = self.make_group(stack, len(rows))
            names |= {row["instance_id"].encode(): member.encode() for row, member in zip(rows, members)}
            self.verdicts |= dict(zip(members, [row["verdict"] for row in rows] + ["unseen"]))
            events |= {event: stack for event in rows[0]["migrations"][0]["event_ids"]}
        self.exposed = list(self.verdicts.values()).count("exposed")
        source = self.folder / "account/AWSLogs" / ACCOUNT / "CloudTrail"
        for file in sorted(source.rglob("*.json.gz")):
            text = re.sub(b"|".join(names), lambda found: names[found[0]], gzip.decompress(file.read_bytes()))
            records = json.loads(text)["Records"]
            for record in [record for record in records if record.get("eventID") in events]:
                self.held[events[record["eventID"]]][record["eventID"]] = record
            self.deliver(file.relative_to(source), [r for r in records if r.get("eventID") not in events])

    def make_group(self, stack, size):
        """A group with so many instances in service, and one in Standby."""
        name, launch = {"AutoScalingGroupName": f"web-{stack}"}, {"LaunchConfigurationName": stack}
        image, subnet = self.ec2.describe_images()["Images"][0], self.ec2.describe_subnets()["Subnets"][0]
        self.autoscaling.create_launch_configuration(**launch, ImageId=image["ImageId"], InstanceType="t3.small")
        sizes = {name: size + 1 for name in ("MinSize", "MaxSize", "DesiredCapacity")} | {"MinSize": 0}
        how = {"VPCZoneIdentifier": subnet["SubnetId"], "Tags": [{"Key": "Stack", "Value": stack}]}
        self.autoscaling.create_auto_scaling_group(**name, **launch, **sizes, **how)
        members = [member for member, (group, _) in self.members_in_moto().items() if group == f"web-{stack}"]
        self.autoscaling.enter_standby(InstanceIds=members[-1:], ShouldDecrementDesiredCapacity=True, **name)
        return members

    def members_in_moto(self):
        """By instance, its group and its state."""
        groups = self.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        rows = [(group["AutoScalingGroupName"], row) for group in groups for row in group["Instances"]]
        return {row["InstanceId"]: (group, row["LifecycleState"]) for group, row in rows}

    def deliver(self, name, records):
        (self.trail / name).parent.mkdir(parents=True, exist_ok=True)
        (self.trail / name).write_bytes(gzip.compress(json.dumps({"Records": list(records)}).encode()))

    def send(self, records):
        for record in records:
            about = {"version": "0", "id": record["eventID"], "account": ACCOUNT, "region": REGION, "resources": []}
            kind = {"detail-type": "AWS API Call via CloudTrail", "source": "aws.kms", "time": record["eventTime"]}
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=json.dumps(about | kind | {"detail": record}))

    def run(self, *arguments, code=0):
        """Runs the binary: its answer. What it puts into S3 is in the gate."""
        self.gate.puts.clear()
        how = {"capture_output": True, "text": True, "timeout": 150}
        done = subprocess.run([self.exposure, *arguments], env=self.environment, **how)
        demand(f"exit of {arguments[0]}, which says {done.stderr.strip()[-500:]!r}", done.returncode, code)
        return json.loads(done.stdout)

    def look(self, source, namespace, *more, code=0):
        """One run of the analyzer: its record."""
        where = ["--trail-url", f"file://{self.trail}", "--queue-url", self.queue, "--state-url", STATE]
        return self.run("run", "--source", source, *where, "--metric-namespace", namespace, *more, code=code)

    def waiting(self):
        """How many messages the queue holds, once none is in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        for _ in range(80):
            answer = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
            if answer[names[1]] == "0":
                return int(answer[names[0]])
            time.sleep(0.25)
        raise Failed(f"messages stay in flight: {answer}")

    def metric(self, namespace, name, stack=None):
        """The latest value that CloudWatch gives."""
        dimensions = [{"Name": "Stack", "Value": stack}] if stack else []
        metric = {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions}
        query = [{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}]
        now, hour = int(time.time()), 3600
        answer = self.cloudwatch.get_metric_data(MetricDataQueries=query, StartTime=now - hour, EndTime=now + hour)
        return (answer["MetricDataResults"][0]["Values"] or [None])[0]


class Checks:
    """The checks, in their order; each is named by its text."""

    def first_run(stage):
        """the first run saves its state where there is none (If-None-Match)"""
        demand("outcome", stage.look("directory", "First")["outcome"], "complete")
        demand("PUTs", stage.gate.puts, [("*", None, 200)])
        state = gzip.decompress(stage.s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read())
        demand("schema", json.loads(state)["schema"], "migration-exposure/state/1")

    def identity(stage):
        """a run without TARGETS looks at the account that STS names, and at its region"""
        targets = stage.look("directory", "Dry", "--dry-run")["targets"]
        demand("targets", [(target["account"], target["region"]) for target in targets], [(ACCOUNT, REGION)])

    def metrics(stage):
        """GetMetricData gives the members of each stack as moto holds them, and the exposed as simulated"""
        for stack in KINDS:
            states = [state for group, state in stage.members_in_moto().values() if group == f"web-{stack}"]
            found = [stage.metric("First", name, stack) for name in ("Members", "MembersInService")]
            demand(f"members of {stack}, in service", found, [len(states), states.count("InService")])
        demand("MembersExposed", stage.metric("First", "MembersExposed"), stage.exposed - len(stage.held))
        demand("RunCompleted", stage.metric("First", "RunCompleted"), 1)

    def second_run(stage):
        """a second run replaces the very state that it has read (If-Match)"""
        tag = stage.s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"]
        stage.look("directory", "Second")
        demand("PUTs", stage.gate.puts, [(None, tag, 200)])

    def queue_without_saving(stage):
        """a dry run, and one whose state S3 refuses, leave all messages in the queue"""
        held = list(stage.held["Nighttime"].values())
        stage.send(held * 12)  # more than a request holds, and each several times, as SQS may
        demand("sightings", stage.look("queue", "Dry", "--dry-run")["accounting"]["sightings"], len(held))
        demand("messages after a dry run", stage.waiting(), len(held) * 12)
        stage.gate.refuses = True
        record = stage.look("queue", "Refused", code=1)
        stage.gate.refuses = False
        demand("outcome and PUTs", (record["outcome"], [put[2] for put in stage.gate.puts]), ("failed", [403]))
        demand("messages after a run that was refused", stage.waiting(), len(held) * 12)
        demand("RunCompleted", stage.metric("Refused", "RunCompleted"), 0)

    def joined(stage):
        """a state that another run has changed meanwhile is joined, and neither is lost"""
        stage.deliver("late.json.gz", stage.held["Daytime"].values())
        stage.gate.before.append(lambda: stage.look("queue", "Between"))
        stage.look("directory", "Joined")
        demand("PUTs of both runs", [put[2] for put in stage.gate.puts], [200, 412, 200])
        exposed = [stage.metric(namespace, "MembersExposed") for namespace in ("Between", "Joined")]
        demand("MembersExposed of both runs", exposed, [stage.exposed - 1, stage.exposed])

    def queue_after_saving(stage):
        """the run that saved has deleted its messages"""
        demand("messages", stage.waiting(), 0)

    def listed(stage):
        """exposure list shows moto's groups and states, and the simulated verdicts"""
        rows = stage.run("list", "--state-url", STATE, "--all", "--format", "json")["instances"]
        shown = ("instance_id", "auto_scaling_group", "lifecycle_state", "verdict")
        found = {tuple(row[name] for name in shown) for row in rows if row["lifecycle_state"]}
        members = stage.members_in_moto()
        demand("members", found, {(member, *members[member], stage.verdicts[member]) for member in members})

    def preflight(stage):
        """exposure preflight ends by itself, and finds all but a trail, which ministack has not"""
        for source, lacks in {"queue": ["trail"], "lookup": []}.items():
            where = ["--source", source, "--queue-url", stage.queue, "--state-url", STATE]
            report = stage.run("preflight", *where, "--format", "json", code=3 if lacks else 0)
            failed = [check["name"] for check in report["targets"][0]["checks"] if check["result"] == "fail"]
            demand(f"failed checks of {source}", failed, lacks)


def run_checks(stage):
    """How many failed."""
    checks, failed = [check for check in vars(Checks).values() if callable(check)], 0
    for check in checks:
        try:
            check(stage)
            print(f"ok      {check.__doc__}", flush=True)
        except Exception as reason:
            failed += 1
            print(f"FAILED  {check.__doc__}: {reason if isinstance(reason, Failed) else repr(reason)}", flush=True)
    print(*(f"cannot  {line}" for line in CANNOT), sep="\n")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return failed


def main():
    metadata = subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT)
    target = Path(json.loads(metadata)["target_directory"])
    folder = target / "emulators/run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["TMPDIR"] = str(folder)
    enter_venv(target / "emulators")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    subprocess.run(["cargo", "build", "--locked", "--quiet", "-p", "exposure-cli"], cwd=ROOT, check=True)
    for name in os.environ.keys() - {"PATH", "TMPDIR"}:
        del os.environ[name]  # from here on without credentials, proxies and settings of whoever runs this
    os.environ["HOME"] = str(folder)
    with (
        emulator(folder, "ministack", "/_ministack/health", MINISTACK) as ministack,
        emulator(folder, "moto_server", "/moto-api/", {"MOTO_ACCOUNT_ID": ACCOUNT}) as moto,
    ):
        failed = run_checks(Stage(target / "debug/exposure", folder, ministack, moto))
    if failed:
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    try:
        main()
    except (Failed, subprocess.CalledProcessError) as failure:
        sys.exit(f"emulators: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
