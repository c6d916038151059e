"""The function's role under ministack's IAM: with each statement taken out in turn, what needs it is denied."""

import contextlib
import copy
import gzip
import hashlib
import json
import re
import time

from deploy import ACCOUNT, FUNCTION, KEY, MEMBER, NAMESPACE, READER, REGION, STACK
from tools import ROOT, Failed, demand

TRAIL = "the-trail"
EXTERNAL_ID = "a-long-random-text"
# Statements whose conditions ask for what ministack never fills; they are checked without them.
WITHOUT_CONDITION = ("PublishMetrics", "OpenState", "OpenTrail")


def quoted(value):
    """JSON as sam takes it in --parameter-overrides."""
    return '"' + json.dumps(value).replace('"', '\\"') + '"'


class Denied(Exception):
    """A call was not allowed."""


class Probes:
    """What needs each statement, by its Sid. The function itself does it where the emulator lets that be seen; what AWS
    does in the function's name is done with the credentials of the function's role."""

    def __init__(self, stage):
        self.stage = stage
        kms = stage.client("kms")
        self.state_key, self.trail_key = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
        self.sealed = kms.encrypt(KeyId=self.trail_key, Plaintext=b"x")["CiphertextBlob"]
        self.outputs = {}

    def own(self, service):
        """A client with the credentials of the function's role. ministack derives them from the two names."""
        names = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}:{self.outputs['AnalyzerRoleArn']}"
        digest = hashlib.sha256(names.encode()).hexdigest()
        secret, token = (hashlib.sha256(f"{what}:{digest}".encode()).hexdigest() for what in ("secret", "token"))
        keys = {"aws_access_key_id": f"ASIA{digest[:16].upper()}", "aws_secret_access_key": secret}
        return self.stage.client(service, **keys, aws_session_token=token)

    def run(self):
        answer, error = self.stage.invoke({})
        said = json.dumps(answer)
        if re.search("(?i)denied|not authorized|unauthorized", said):
            raise Denied(said[:600])
        if error or answer["outcome"] != "complete":
            raise Failed(f"the run ends with {error or answer['outcome']}: {said[:1500]}")

    def WriteLog(self):
        group, stream = self.outputs["LogGroupName"], f"probe-{time.time_ns()}"
        self.own("logs").create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": "x"}
        self.own("logs").put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

    def PublishMetrics(self):
        self.own("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=[{"MetricName": "Probe", "Value": 1}])

    def ReportFailedRuns(self):
        self.own("sqs").send_message(QueueUrl=self.outputs["ScheduleDeadLetterQueueUrl"], MessageBody="x")

    def OpenState(self):
        self.own("kms").generate_data_key(KeyId=self.state_key, KeySpec="AES_256")

    def OpenTrail(self):
        self.own("kms").decrypt(CiphertextBlob=self.sealed, KeyId=self.trail_key)

    def KeepState(self):
        self.run()

    def SetStateAside(self):
        self.stage.s3.put_object(Bucket=self.stage.state()[0], Key=KEY, Body=b"not a state")
        self.run()

    def SeeThatThereIsNoState(self):
        # ministack says that there is no object to anybody, so that the right itself is tried.
        self.own("s3").list_objects_v2(Bucket=self.stage.state()[0])

    def ReadTrail(self):
        now = time.gmtime()
        folder = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{time.strftime('%Y/%m/%d', now)}"
        unique = hashlib.sha256(str(time.time_ns()).encode()).hexdigest()[:16]
        name = f"{ACCOUNT}_CloudTrail_{REGION}_{time.strftime('%Y%m%dT%H%MZ', now)}_{unique}.json.gz"
        self.stage.s3.put_object(Bucket=TRAIL, Key=f"{folder}/{name}", Body=gzip.compress(b'{"Records":[]}'))
        self.run()

    def TakeReaderRole(self):
        # A new process: one that has taken on the role keeps its credentials for an hour.
        self.stage.add_variables({"PROBE": str(time.time_ns())})
        self.run()

    ReadFleet = LookUpRecords = TakeRecords = ListTrail = KeepState


def policy(stage, role):
    return stage.iam.get_role_policy(RoleName=role, PolicyName="analyzer")["PolicyDocument"]


def put(stage, role, document):
    stage.iam.put_role_policy(RoleName=role, PolicyName="analyzer", PolicyDocument=json.dumps(document))


def attempt(probe):
    """Whether it is allowed."""
    from botocore.exceptions import ClientError

    try:
        probe()
    except Denied:
        return False
    except ClientError as error:
        if re.search("(?i)denied|not authorized", str(error)):
            return False
        raise
    return True


def needs(stage, probes, role, document, sid):
    """Allowed with the statement, denied without it."""
    whole = copy.deepcopy(document)
    for statement in whole["Statement"]:
        if statement["Sid"] in WITHOUT_CONDITION:
            statement.pop("Condition")
        if statement["Sid"] == "WriteLog":
            # AWS takes a log group's ARN with :* at its end, as CloudFormation gives it; ministack, without.
            statement["Resource"] = [statement["Resource"], statement["Resource"].removesuffix(":*")]
    without = {**whole, "Statement": [statement for statement in whole["Statement"] if statement["Sid"] != sid]}
    probe = getattr(probes, sid)
    try:
        put(stage, role, whole)
        demand(f"allowed with {sid}", attempt(probe))
        put(stage, role, without)
        demand(f"allowed without {sid}", attempt(probe), False)
    finally:
        put(stage, role, document)
        with contextlib.suppress(Exception):
            stage.invoke({})  # mends the state for the next


@contextlib.contextmanager
def without_tls():
    """The built template with its demand for TLS gone: everything here is plain HTTP."""
    built = ROOT / ".aws-sam/build/template.yaml"
    text = built.read_text()
    demanding = re.compile(r"(aws:SecureTransport['\"]?: )['\"]false['\"]")
    demand("there are statements that demand TLS", len(demanding.findall(text)) > 3)
    built.write_text(demanding.sub(r"\1'never'", text))
    try:
        yield
    finally:
        built.write_text(text)


def run_enforced(tally, stage, here):
    """All statements, with every source that has some of its own."""
    with without_tls():
        run_without_tls(tally, stage, here)


def run_without_tls(tally, stage, here):
    probes, seen = Probes(stage), set()
    stage.s3.create_bucket(Bucket=TRAIL, CreateBucketConfiguration={"LocationConstraint": REGION})
    targets = [
        {"account": ACCOUNT, "regions": [REGION]},
        {"regions": [REGION], "roleArn": READER, "externalId": EXTERNAL_ID},
    ]
    keys = {"KmsKeyArn": probes.state_key, "TrailKmsKeyArn": probes.trail_key, "TrailBucket": TRAIL}
    ways = {"lookup": {"Targets": quoted(targets)}, "queue": {}, "logs": keys}
    for source, parameters in ways.items():
        deploy = lambda: stage.run("deploy", here | parameters | {"Source": source})
        if not tally.check(f"with IAM enforced, sam deploy brings the stack with Source={source}", deploy):
            return
        probes.outputs = stage.outputs()
        role = probes.outputs["AnalyzerRoleArn"].split("/")[-1]
        if source == "lookup":
            member = {"AnalyzerRoleArn": probes.outputs["AnalyzerRoleArn"], "ExternalId": EXTERNAL_ID}
            deploy = lambda: stage.run("member", member, AWS_ACCESS_KEY_ID=MEMBER)
            tally.check("the README's command brings the reader role to a member account", deploy)
        # ministack has no limit of two lookups a second; with it each run takes a minute.
        stage.add_variables({"LOOKUP_REQUESTS_PER_SECOND": "1000"})
        tally.check(f"a run with Source={source} is whole", probes.run)
        document = policy(stage, role)
        for sid in [statement["Sid"] for statement in document["Statement"]]:
            if sid not in seen:
                seen.add(sid)
                tally.check(f"the function needs {sid}", needs, stage, probes, role, document, sid)
    everything = {name for name in vars(Probes) if name[0].isupper()}
    tally.check("every statement was taken out once", demand, "statements", seen, everything)
    tally.check(f"{STACK} is removed again", stage.run, "remove")
