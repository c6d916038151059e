#!/usr/bin/env python3
"""Does the template deploy, run, page and go away as infra/README.md says?

    python3 tests/infra/deploy.py [--built | --packed]

Runs the commands of infra/README.md, read out of it, against ministack on loopback: builds the function, deploys it
with a fleet beside it, has the schedule fire it, reads the metrics, the state, the log and a page, changes the source,
and removes it again. CloudTrail is this project's own stand-in, since ministack's knows nothing but its own calls. Then
again with IAM enforced: with each statement of the function's role taken out in turn, what needs it must be denied.
Prints each check as `ok` or `FAILED`, what no emulator can tell, and how many passed; exits with 1 if any failed.

`--built` takes what an earlier `sam build` left in .aws-sam, `--packed` the function that infra/package.py has packed, in
place of building it. Needs Python 3.11 or later, cargo and PyPI. All it writes
is in `infra/` of cargo's target folder, and .aws-sam, which goes again unless it was there.
"""

import contextlib
import gzip
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True
from tools import EMULATOR, ROOT, SAM, Failed, Tally, demand, go_on_in, target, tools  # noqa: E402

HOST, ACCOUNT, MEMBER, REGION = "127.0.0.1", "111122223333", "444455556666", "eu-central-1"
STACK, FUNCTION, KEY = "migration-exposure", "migration-exposure-analyzer", "state.json.gz"
NAMESPACE, STACKS = "MigrationExposure", ("Nighttime", "Daytime")
# What the emulator needs otherwise than the README has it: it runs binaries of this machine, has no composite alarms,
# and two minutes are the shortest period. Each is put behind the README's own --parameter-overrides.
HERE = {"Architecture": "x86_64", "PeriodMinutes": "2", "CreateAlarms": "false", "CreateDashboard": "false"}
# The kinds of the simulated instances that become members.
KINDS = {"Nighttime": ("live-migrated", "clean"), "Daytime": ("clean",)}
READER = f"arn:aws:iam::{MEMBER}:role/migration-exposure-reader"
# What `sam build` leaves, and a copy of it before anything was taken out.
BUILT, WHOLE = ROOT / ".aws-sam/build/template.yaml", ROOT / ".aws-sam/build/whole.yaml"
BLOCKS = ["build", "deploy", "forwarding", "log", "look", "member", "outputs", "page", "remove"]
CANNOT = (
    "the scheduled time in the input: ministack does not fill it in, so that {} is sent here, which means now",
    "whether Scheduler may take on its role, and invoke and report with it: ministack does not enforce that role",
    "cloudwatch:namespace: ministack never fills the key, so that PublishMetrics is checked without its condition",
    "that S3 hides whether an object exists from those who may not list: ministack tells everybody",
    "TLS: everything here is plain HTTP, which the policies refuse; with IAM enforced they are deployed without that",
    "the topics' key and policies: ministack publishes whatever they say",
    "forwarding from other accounts and regions: ministack knows no event bus policy, and refuses a template with one",
    "dead-letter queues, reserved concurrency, retries: ministack drops them",
    "EventBridge delivering CloudTrail's records: nobody here sends events of source aws.*",
    "the alarms and the dashboard: ministack refuses composite and metric-math alarms; their nested stacks are left out",
    "arm64: built by the same command, but not run here",
)


def commands():
    """The commands of the README, by the names of their blocks."""
    text = (ROOT / "infra/README.md").read_text()
    found = dict(re.findall(r"(?m)^```sh ([a-z-]+)\n(.+?)\n```$", text))
    demand("blocks of the README", sorted(found), BLOCKS)
    return {name: shlex.split(line) for name, line in found.items()}


def with_parameters(command, parameters):
    """A command with further parameters behind its own, or in their place."""
    at = command.index("--parameter-overrides") + 1
    kept = [word for word in command[at:] if word.split("=")[0] not in parameters]
    return [*command[:at], *kept, *(f"{name}={value}" for name, value in parameters.items())]


def take_what_is_packed():
    """What `sam build` would leave, with the function's ZIP file of infra/package.py."""
    archives = list((target() / "package/dist").glob("*-lambda-x86_64.zip"))
    demand("packed functions", len(archives), 1)
    built = ROOT / ".aws-sam/build"
    built.mkdir(parents=True, exist_ok=True)
    WHOLE.unlink(missing_ok=True)
    for template in (ROOT / "infra").glob("*.yaml"):
        text, found = re.subn(r"(?m)^      CodeUri: \.\.$", f"      CodeUri: {archives[0]}", template.read_text())
        demand(f"functions in {template.name}", found, 1 if template.name == "template.yaml" else 0)
        (built / template.name).write_text(text)


def resources_of(text):
    """The names of a template's resources, loops among them."""
    inside = re.search(r"(?ms)^Resources:\n(.*?)(?=^\w|\Z)", text)[1]
    return sorted(re.findall(r"(?m)^  ([\w:]+):$", inside))


def hand_on_nested_stacks(stage):
    """Packs what is built as `sam deploy` does, and looks at what CloudFormation would get of the nested stacks: their own
    resources and loops. SAM takes loops only where it is told to."""
    stage.s3.create_bucket(Bucket="packed", CreateBucketConfiguration={"LocationConstraint": REGION})
    packed, told = stage.folder / "packed.yaml", [word for word in stage.commands["deploy"] if word == "--language-extensions"]
    whole = next(path for path in (WHOLE, BUILT) if path.exists())
    where = ["--template-file", whole, "--output-template-file", packed]
    stage.execute(list(map(str, ["sam", "package", *told, *where, "--s3-bucket", "packed"])))
    keys = [url.rsplit("/", 1)[1] for url in re.findall(r"TemplateURL: (\S+)", packed.read_text())]
    found = [stage.s3.get_object(Bucket="packed", Key=key)["Body"].read().decode() for key in keys]
    for thing in stage.s3.list_objects_v2(Bucket="packed")["Contents"]:
        stage.s3.delete_object(Bucket="packed", Key=thing["Key"])
    stage.s3.delete_bucket(Bucket="packed")
    there = [(ROOT / "infra" / name).read_text() for name in ("alarms.yaml", "dashboard.yaml")]
    demand("resources of the nested stacks", sorted(map(resources_of, found)), sorted(map(resources_of, there)))
    demand("loops", any("Fn::ForEach::StackAlarms" in names for names in map(resources_of, found)))


def leave_out_what_is_refused():
    """Takes out of the built template what ministack refuses though its condition does not hold, and the nested stacks,
    whose templates' addresses on loopback `sam delete` does not know for S3's."""
    text = BUILT.read_text()
    if not WHOLE.exists():
        WHOLE.write_text(text)
    for name in ("RecordBusPolicy", "Alarms", "Dashboard"):
        text, found = re.subn(rf"(?m)^  {name}:\n    Type: .*\n(?:    .*\n)+", "", text)
        demand(f"resources {name}", found <= 1)
    BUILT.write_text(text)


def free_port():
    with socket.create_server((HOST, 0)) as probe:
        return probe.getsockname()[1]


@contextlib.contextmanager
def process(log, command, variables, cwd):
    """A server, from its start until this is left."""
    with open(log, "wb") as out:
        how = {"env": variables, "cwd": cwd, "stdout": out, "stderr": out, "start_new_session": True}
        running = subprocess.Popen(command, **how)
    try:
        yield running
    finally:
        # The group, with the functions that the emulator has started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


@contextlib.contextmanager
def ministack(folder, programs, enforces):
    port = free_port()
    url = f"http://{HOST}:{port}"
    # At fault: ministack's MQTT listener takes 0.0.0.0 whatever BIND_HOST says, unless it is off.
    variables = os.environ | {"BIND_HOST": HOST, "IOT_MTLS_ENABLED": "0", "GATEWAY_PORT": str(port), "AUTH": enforces}
    variables |= {"AWS_ENDPOINT_URL": url, "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    with process(folder / f"ministack-{enforces}.log", [programs / "ministack"], variables, folder) as running:
        for _ in range(480):
            demand("ministack has ended", running.poll(), None)
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/_ministack/health", timeout=2):
                break
            time.sleep(0.25)
        yield url


@contextlib.contextmanager
def cloudtrail(folder, program, account):
    """The stand-in's CloudTrail, at the system's time: its URL."""
    with process(folder / "stand-in.log", [program, "--account", account, "--clock", "system"], os.environ, folder):
        for _ in range(240):
            with contextlib.suppress(IndexError):
                yield (folder / "stand-in.log").read_text().split()[0]
                return
            time.sleep(0.25)
        raise Failed(f"the stand-in does not start: {(folder / 'stand-in.log').read_text()}")


class Stage:
    """An emulator, and the README's commands against it."""

    def __init__(self, folder, programs, url):
        import boto3  # of the virtual environment

        self.folder, self.url, self.commands = folder, url, commands()
        keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "dummy", "region_name": REGION}
        self.client = lambda service, **other: boto3.client(service, endpoint_url=url, **(keys | other))
        self.environment = os.environ | {name.upper(): value for name, value in keys.items()}
        self.environment |= {"AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": url, "SAM_CLI_TELEMETRY": "0"}
        self.environment["PATH"] = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
        self.lambda_, self.s3, self.iam = (self.client(name) for name in ("lambda", "s3", "iam"))

    def run(self, name, parameters=None, **variables):
        """Runs a command of the README: what it prints."""
        command = self.commands[name] if parameters is None else with_parameters(self.commands[name], parameters)
        return self.execute(command, **variables)

    def execute(self, command, **variables):
        how = {"capture_output": True, "text": True, "timeout": 1_800, "cwd": ROOT, "env": self.environment | variables}
        done = subprocess.run(command, **how)
        with open(self.folder / "commands.log", "a") as log:
            print("$", shlex.join(command), done.stdout, done.stderr, sep="\n", file=log)
        demand(f"exit of {shlex.join(command)}, which says {(done.stdout + done.stderr)[-1500:]}", done.returncode, 0)
        return done.stdout

    def outputs(self):
        return dict(line.split("\t") for line in self.run("outputs").splitlines())

    def invoke(self, event):
        """The answer of a run, or its error."""
        answer = self.lambda_.invoke(FunctionName=FUNCTION, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read()), answer.get("FunctionError")

    def add_variables(self, variables):
        known = self.lambda_.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
        self.lambda_.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": known | variables})

    def state(self):
        """The state bucket, and the state in it, if there is one."""
        bucket = self.outputs()["StateUrl"].split("/")[2]
        with contextlib.suppress(self.s3.exceptions.NoSuchKey):
            return bucket, self.s3.get_object(Bucket=bucket, Key=KEY)["Body"].read()
        return bucket, None

    def make_group(self, stack, size):
        """An Auto Scaling group of so many instances: their IDs."""
        autoscaling, name = self.client("autoscaling"), {"AutoScalingGroupName": f"web-{stack}"}
        launch = {"LaunchConfigurationName": stack}
        autoscaling.create_launch_configuration(**launch, ImageId="ami-00000000000000001", InstanceType="t3.small")
        sizes = {"MinSize": size, "MaxSize": size, "DesiredCapacity": size, "AvailabilityZones": [f"{REGION}a"]}
        tag = {"Key": "Stack", "Value": stack, "PropagateAtLaunch": True, "ResourceType": "auto-scaling-group"}
        tag["ResourceId"] = name["AutoScalingGroupName"]
        autoscaling.create_auto_scaling_group(**name, **launch, **sizes, Tags=[tag])
        groups = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[f"web-{stack}"])["AutoScalingGroups"]
        members = [instance["InstanceId"] for instance in groups[0]["Instances"]]
        demand(f"instances of {stack}", len(members), size)
        return members

    def metric(self, name, stack=None):
        """The latest value that GetMetricData gives."""
        dimensions = [{"Name": "Stack", "Value": stack}] if stack else []
        metric = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
        query = [{"Id": "m", "MetricStat": {"Metric": metric, "Period": 120, "Stat": "Maximum"}}]
        now = int(time.time())
        cloudwatch = self.client("cloudwatch")
        answer = cloudwatch.get_metric_data(MetricDataQueries=query, StartTime=now - 3600, EndTime=now + 600)
        return (answer["MetricDataResults"][0]["Values"] or [None])[0]


def simulate(stage, exposure):
    """The groups in the emulator, and a simulated account of the last two days whose members are theirs."""
    start = time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(time.time() - 50 * 3600))
    account = stage.folder / "account"
    size = ["--instances", "48", "--days", "2", "--start", start]
    subprocess.run([exposure, "simulate", account, *size], check=True, capture_output=True)
    told = json.loads((account / "truth.json").read_text())["instances"]
    names, exposed = {}, {}
    for stack, kinds in KINDS.items():
        here = [row for row in told if (row["stack"], row["region"], row["account"]) == (stack, REGION, ACCOUNT)]
        rows = [next(row for row in here if row["kind"] == kind) for kind in kinds]
        members = stage.make_group(stack, len(rows) + 1)
        names |= {row["instance_id"].encode(): member.encode() for row, member in zip(rows, members)}
        exposed[stack] = sum(row["verdict"] == "exposed" for row in rows)
    for file in sorted(path for path in account.rglob("*") if path.is_file()):
        packed = file.read_bytes()
        text = gzip.decompress(packed) if packed.startswith(b"\x1f\x8b") else packed
        renamed = re.sub(b"|".join(names), lambda found: names[found[0]], text)
        if renamed != text:
            file.write_bytes(gzip.compress(renamed) if packed is not text else renamed)
    return account, exposed


def until(what, seconds, ask):
    """Waits for what is asked for to be so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(2)
    raise Failed(f"{what} did not come in {seconds} s")


class Open:
    """The README from end to end, in order; each check is named by its text."""

    def __init__(self, stage, exposure, stand_in, stack):
        self.stage, self.exposure, self.stand_in, self.stack = stage, exposure, stand_in, stack

    def deploy(self):
        """sam deploy brings the stack"""
        sqs = self.stage.client("sqs")
        self.pages = sqs.create_queue(QueueName="pager")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self.pages, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.parameters = HERE | {"PageProtocol": "sqs", "PageEndpoint": arn, "LookupRequestsPerSecond": "2"}
        self.stage.run("deploy", self.parameters)
        demand("an output of the function", self.stage.outputs()["FunctionName"], FUNCTION)

    def look(self):
        """sam remote invoke makes a dry run, which saves nothing"""
        account, self.exposed = simulate(self.stage, self.exposure)
        url = self.stack.enter_context(cloudtrail(self.stage.folder, self.stand_in, account))
        self.stage.add_variables({"AWS_ENDPOINT_URL_CLOUDTRAIL": url})
        record = json.loads(self.stage.run("look"))
        demand("outcome", record["outcome"], "complete")
        demand("members", sum(stack["members"] for stack in record["stacks"]), sum(len(k) + 1 for k in KINDS.values()))
        demand("state", self.stage.state()[1], None)

    def schedule(self):
        """the schedule itself fires the function, and the state is in the bucket"""
        # ministack hands over the placeholder as it is, which the function refuses; on AWS it becomes the time.
        scheduler, which = self.stage.client("scheduler"), {"GroupName": STACK, "Name": f"{STACK}-run"}
        schedule = scheduler.get_schedule(**which)
        demand("its input", schedule["Target"].pop("Input"), '{"scheduledTime": "<aws.scheduler.scheduled-time>"}')
        kept = {name: schedule[name] for name in ("ScheduleExpression", "FlexibleTimeWindow", "Target", "State")}
        kept["Target"]["Input"] = "{}"
        scheduler.update_schedule(**which, **kept)
        bucket, packed = until("the state", 300, lambda: (state := self.stage.state())[1] and state)
        demand("schema", json.loads(gzip.decompress(packed))["schema"], "migration-exposure/state/1")
        versions = self.stage.s3.get_bucket_versioning(Bucket=bucket)
        demand("versioning", versions.get("Status"), "Enabled")
        blocks = self.stage.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        demand("blocks of public access", list(blocks.values()), [True] * 4)

    def metrics(self):
        """the metrics come back out of GetMetricData, with the exposure that was simulated"""
        until("RunCompleted", 60, lambda: self.stage.metric("RunCompleted") == 1)
        for stack, kinds in KINDS.items():
            demand(f"Members of {stack}", self.stage.metric("Members", stack), len(kinds) + 1)
            asked = lambda stack=stack: self.stage.metric("MembersExposed", stack) == self.exposed[stack]
            until(f"MembersExposed of {stack}: {self.exposed[stack]}", 400, asked)
        demand("some are exposed", self.stage.metric("MembersExposed"), sum(self.exposed.values()))

    def log(self):
        """sam logs shows the record of a run"""
        demand("a record in the log", "migration-exposure/run/1" in self.stage.run("log"))

    def page(self):
        """the test page arrives at the subscriber"""
        self.stage.run("page")
        receive = lambda: self.stage.client("sqs").receive_message(QueueUrl=self.pages).get("Messages")
        message = json.loads(until("the page", 30, receive)[0]["Body"])
        demand("its alarm", json.loads(message["Message"])["AlarmName"], "migration-exposure-test-page")

    def change(self):
        """an update changes the source, and a run empties its queue"""
        self.stage.run("deploy", self.parameters | {"Source": "queue"})
        queue, sqs = self.stage.outputs()["RecordQueueUrl"], self.stage.client("sqs")
        sqs.send_message(QueueUrl=queue, MessageBody="{}")
        answer, error = self.stage.invoke({})
        demand(f"error, of {answer}", error, None)
        left = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        waiting = [left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]]
        demand(f"messages left after {answer['problems']}", waiting, ["0", "0"])

    def pattern(self):
        """the deployed rule, by ministack's own engine, lets through what tells of volumes, and no noise"""
        events = self.stage.client("events")
        rule = events.describe_rule(Name="migration-exposure-records")
        demand("its state", rule["State"], "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
        seen = {True: 0, False: 0}
        for record in self._records():
            service = record["eventSource"].removesuffix(".amazonaws.com")
            event = {"id": "1", "account": ACCOUNT, "region": REGION, "resources": [], "detail": record}
            event |= {"source": f"aws.{service}", "time": record["eventTime"]}
            event["detail-type"] = "AWS API Call via CloudTrail"
            fits = events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event))["Result"]
            host = ":ec2-infrastructure/i-" in json.dumps(record["userIdentity"])
            wanted = record["eventName"] in ("RunInstances", "TerminateInstances") and "errorCode" not in record
            if fits != (host and record["eventName"] == "Decrypt" or wanted) and record["eventName"] != "CreateGrant":
                raise Failed(f"{fits} for {record}")
            seen[fits] += 1
        demand("both kinds were seen", min(seen.values()) > 10)

    def _records(self):
        """Some records of the simulated account, of each kind of event not too many."""
        seen = {}
        for file in sorted((self.stage.folder / "account/AWSLogs").rglob("*.json.gz")):
            with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
                for record in json.loads(gzip.decompress(file.read_bytes()))["Records"]:
                    kind = (record["eventSource"], record["eventName"], record["userIdentity"].get("invokedBy"))
                    seen[kind] = seen.get(kind, 0) + 1
                    known = ("Decrypt", "RunInstances", "TerminateInstances", "CreateGrant", "GetParameter", "AssumeRole")
                    if seen[kind] <= 25 and record["eventName"] in known:
                        yield record

    def remove(self):
        """sam delete leaves the state bucket, and nothing else of the stack"""
        bucket, before = self.stage.state()
        self.stage.run("remove")
        client, left = self.stage.client, []
        left += [f["FunctionName"] for f in client("lambda").list_functions()["Functions"]]
        left += [r["RoleName"] for r in client("iam").list_roles()["Roles"] if STACK in r["RoleName"]]
        left += [q for q in client("sqs").list_queues().get("QueueUrls", []) if not q.endswith("/pager")]
        left += [t["TopicArn"] for t in client("sns").list_topics()["Topics"]]
        left += [s["Name"] for s in client("scheduler").list_schedules()["Schedules"]]
        left += [r["Name"] for r in client("events").list_rules()["Rules"]]
        left += [g["logGroupName"] for g in client("logs").describe_log_groups()["logGroups"]]
        left += [a["AlarmName"] for a in client("cloudwatch").describe_alarms()["MetricAlarms"]]
        demand("what is left", left, [])
        buckets = [b["Name"] for b in self.stage.s3.list_buckets()["Buckets"]]
        demand("buckets", sorted(b for b in buckets if not b.startswith("aws-sam-cli-managed")), [bucket])
        demand("the state", self.stage.s3.get_object(Bucket=bucket, Key=KEY)["Body"].read(), before)
        self.bucket = bucket

    def go_on(self):
        """a later stack goes on from the state bucket that stayed"""
        before = json.loads(gzip.decompress(self.stage.s3.get_object(Bucket=self.bucket, Key=KEY)["Body"].read()))
        self.stage.run("deploy", self.parameters | {"Source": "queue", "ExistingStateBucket": self.bucket})
        answer, error = self.stage.invoke({"dryRun": True})
        demand(f"error, of {answer}", error, None)
        demand("there was a state", bool(before))
        demand("migrations", sum(stack["migrations"] for stack in answer["stacks"]) > 0)
        self.stage.run("remove")


def checks_of(kind):
    return [check for name, check in vars(kind).items() if callable(check) and not name.startswith("_")]


def main():
    built, packed = (sys.argv[1:] == [way] for way in ("--built", "--packed"))
    demand("arguments", sys.argv[1:] in ([], ["--built"], ["--packed"]))
    work = target() / "infra"
    sam, programs = tools(work, "sam", SAM), tools(work, "emulator", EMULATOR)
    go_on_in(programs, __file__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = work / "deploy"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run(["cargo", "build", "--locked", "--quiet", "--workspace", "--bins"], cwd=ROOT, check=True)
    homes = {"CARGO_HOME": str(Path.home() / ".cargo"), "RUSTUP_HOME": str(Path.home() / ".rustup")}
    homes = {name: os.environ.get(name, default) for name, default in homes.items()}
    kept = ("PATH", "CARGO_", "RUST", "PIP_")
    for name in [name for name in os.environ if not name.startswith(kept)]:
        del os.environ[name]  # from here on without credentials, proxies and settings of whoever runs this
    os.environ |= homes | {"HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true", "PYTHONDONTWRITEBYTECODE": "1"}
    exposure, stand_in = target() / "debug/exposure", target() / "debug/stand-in"
    tally, was_there = Tally(), (ROOT / ".aws-sam").exists()
    try:
        with contextlib.ExitStack() as stack:
            stage = Stage(folder, [sam, programs], stack.enter_context(ministack(folder, programs, "false")))
            build = take_what_is_packed if packed else lambda: built or stage.run("build", {"Architecture": "x86_64"})
            name = "there is a packed function" if packed else "sam build makes the function" + " (before)" * built
            nested = ("sam package hands on the nested stacks with their loops", lambda: hand_on_nested_stacks(stage))
            fit = ("the template is made fit for ministack", leave_out_what_is_refused)
            if tally.check(name, build) and tally.check(*nested) and tally.check(*fit):
                story = Open(stage, exposure, stand_in, stack)
                for check in checks_of(Open):
                    if not tally.check(check.__doc__, check, story):
                        break
        if not tally.failed:
            from enforced import run_enforced

            with ministack(folder, programs, "true") as url:
                run_enforced(tally, Stage(folder, [sam, programs], url), HERE)
    finally:
        if not was_there:
            shutil.rmtree(ROOT / ".aws-sam", ignore_errors=True)
    print(*(f"cannot  {line}" for line in CANNOT), sep="\n")
    code = tally.close()
    if not code:
        shutil.rmtree(folder)
    sys.exit(code)


if __name__ == "__main__":
    try:
        main()
    except (Failed, subprocess.CalledProcessError) as failure:
        sys.exit(f"infra: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
