"""The same function as one would write it in Python with boto3, for comparison: `handler(event, context)`.

It keeps its state in S3 as compressed JSON, describes the groups, reads every `Decrypt` and every call that may explain
one with `LookupEvents`, finds volumes whose key was fetched again without a cause, and publishes the number by stack.

Simpler than the function that it stands beside: one account and region, no plan and no limit of requests, no warm pools
or scaling activities, no verdicts but "exposed", no conditional writes, and no thought for what it cannot see.

Run as a program it is its own runtime: it fetches events from the Lambda Runtime API, one after the other.
"""

import gzip
import json
import os
from datetime import datetime, timedelta, timezone

import boto3
from botocore.config import Config

DAYS = timedelta(days=90)
OVERLAP = timedelta(minutes=30)
COALESCE = 600
EXPLAINS = (-900, 300)
CAUSES = (
    "CreateGrant", "RunInstances", "CreateFleet", "StartInstances", "StopInstances", "RebootInstances", "AttachVolume",
    "DetachVolume", "CreateReplaceRootVolumeTask",
)
TRANSITIONS = (
    "TerminateInstances", "TerminateInstanceInAutoScalingGroup", "EnterStandby", "ExitStandby", "AttachInstances",
    "DetachInstances", "CompleteLifecycleAction",
)
STEADY = ("InService", "Standby", "Warmed:Running")
FORM = "application/x-www-form-urlencoded"
INFRASTRUCTURE = "assumed-role/aws:ec2-infrastructure/"

BUCKET, KEY = os.environ["STATE_URL"].removeprefix("s3://").split("/", 1)
NAMESPACE = os.environ.get("METRIC_NAMESPACE", "MigrationExposure")
STACK_TAG = os.environ.get("STACK_TAG", "Stack")

s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
autoscaling = boto3.client("autoscaling")
cloudtrail = boto3.client("cloudtrail")
cloudwatch = boto3.client("cloudwatch")
# The stand-in knows forms by their type without the character set that botocore adds.
autoscaling.meta.events.register(
    "before-call.auto-scaling", lambda params, **_: params["headers"].update({"Content-Type": FORM})
)


def handler(event, context):
    now = datetime.fromisoformat(event["scheduledTime"])
    state = load()
    members = describe()
    requests = 0
    # Overlaps and late events bring a record again: it is told by its ID.
    for name in ("Decrypt", *CAUSES, *TRANSITIONS):
        requests += look(state, name, now)
    found = migrations(state)
    stacks = count(state, members, found)
    new = sorted(found.keys() - set(state["counted"]))
    state["counted"] = sorted(found.keys() | set(state["counted"]))
    save(state)
    publish(stacks, len(state["counted"]), now)
    return {"stacks": stacks, "newMigrations": new, "requests": requests}


def load():
    try:
        body = s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return {"through": {}, "sightings": {}, "causes": {}, "transitions": {}, "counted": []}
    return json.loads(gzip.decompress(body))


def save(state):
    body = gzip.compress(json.dumps(state, separators=(",", ":")).encode(), 6)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=body, ContentType="application/gzip")


def describe():
    """Every member by its ID, with its stack and state."""
    members = {}
    for page in autoscaling.get_paginator("describe_auto_scaling_groups").paginate():
        for group in page["AutoScalingGroups"]:
            tags = {tag["Key"]: tag["Value"] for tag in group["Tags"]}
            for instance in group["Instances"]:
                stack = tags.get(STACK_TAG) or "unassigned"
                members[instance["InstanceId"]] = stack, instance["LifecycleState"]
    return members


def look(state, name, now):
    """Reads the events of a name since the last run; how many requests it took."""
    through = state["through"].get(name)
    start = datetime.fromtimestamp(through, timezone.utc) - OVERLAP if through else now - DAYS
    pages = cloudtrail.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}], StartTime=start, EndTime=now
    )
    requests = 0
    for page in pages:
        requests += 1
        for event in page["Events"]:
            take(state, name, json.loads(event["CloudTrailEvent"]))
    state["through"][name] = now.timestamp()
    return requests


def take(state, name, record):
    if record.get("errorCode"):
        return
    asked, answered = record.get("requestParameters") or {}, record.get("responseElements") or {}
    time = int(datetime.fromisoformat(record["eventTime"]).timestamp())
    if name == "Decrypt":
        caller = record["userIdentity"].get("arn") or ""
        context = asked.get("encryptionContext") or {}
        if INFRASTRUCTURE in caller and list(context) == ["aws:ebs:id"] and context["aws:ebs:id"].startswith("vol-"):
            volumes = state["sightings"].setdefault(caller.rsplit("/", 1)[1], {})
            seen = volumes.setdefault(context["aws:ebs:id"], {})
            seen[record.get("sharedEventID") or record["eventID"]] = [time, record.get("requestID")]
    elif name == "CreateGrant":
        grantee = asked.get("granteePrincipal") or ""
        constraints = asked.get("constraints") or {}
        context = constraints.get("encryptionContextSubset") or constraints.get("encryptionContextEquals") or {}
        if "aws:ec2-infrastructure" in grantee and is_customer_or_auto_scaling(record["userIdentity"]):
            instance = grantee.replace(":", "/").rsplit("/", 1)[1]
            note(state["causes"], [instance], record, time, context.get("aws:ebs:id"))
    elif name in TRANSITIONS:
        note(state["transitions"], instances(asked), record, time)
    elif name == "StartInstances":
        started = (answered.get("instancesSet") or {}).get("items") or []
        moved = [i["instanceId"] for i in started if (i.get("previousState") or {}).get("name") != "running"]
        note(state["causes"], moved if started else instances(asked), record, time)
    else:
        note(state["causes"], instances([asked, answered]), record, time, asked.get("volumeId"))


def note(kind, instances, record, time, volume=None):
    for instance in instances:
        kind.setdefault(instance, {})[record["eventID"]] = [time, record.get("requestID"), volume]


def is_customer_or_auto_scaling(caller):
    issuer = ((caller.get("sessionContext") or {}).get("sessionIssuer") or {}).get("arn") or ""
    if "autoscaling.amazonaws.com" in (issuer + (caller.get("invokedBy") or "")):
        return True
    by_aws = ":role/aws-service-role/" in issuer or ":assumed-role/aws:" in (caller.get("arn") or "")
    return not by_aws and caller.get("type") not in (None, "AWSService", "Unknown")


def instances(value):
    """Every instance ID in a value."""
    if isinstance(value, str):
        return [value] if value.startswith("i-") else []
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return list(dict.fromkeys(found for each in values for found in instances(each)))


def migrations(state):
    """By instance, the last time at which a volume's key was fetched again without a cause."""
    found = {}
    for instance, volumes in state["sightings"].items():
        causes = state["causes"].get(instance, {}).values()
        for volume, seen in volumes.items():
            for time, request in attachments(seen)[1:]:
                if not any(explains(cause, time, request, volume) for cause in causes):
                    found[instance] = max(time, found.get(instance, 0))
    return found


def attachments(seen):
    """The first sighting of each attachment of a volume."""
    firsts = []
    for time, request in sorted(seen.values(), key=lambda sighting: sighting[0]):
        if not firsts or time - firsts[-1][0] >= COALESCE:
            firsts.append((time, request))
    return firsts


def explains(cause, time, request, volume):
    at, of, named = cause
    near = EXPLAINS[0] <= at - time <= EXPLAINS[1]
    return named in (None, volume) and (near or (request is not None and of == request))


def count(state, members, found):
    """By stack, how many members there are, in service and exposed."""
    stacks = {}
    for instance, (stack, lifecycle) in members.items():
        row = stacks.setdefault(stack, {"members": 0, "in_service": 0, "exposed": 0})
        row["members"] += 1
        row["in_service"] += lifecycle == "InService"
        if instance in found and lifecycle in STEADY:
            since = found[instance]
            left = any(time > since for time, *_ in state["transitions"].get(instance, {}).values())
            row["exposed"] += not left
    return stacks


def publish(stacks, total, now):
    at = now - timedelta(seconds=now.timestamp() % 300)
    data = [{"MetricName": "MigratedInstances", "Timestamp": at, "Value": total}]
    for stack, row in stacks.items():
        for name, member in (("Members", "members"), ("MembersInService", "in_service"), ("MembersExposed", "exposed")):
            dimensions = [{"Name": "Stack", "Value": stack}]
            data.append({"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": row[member]})
    cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)


def serve():
    """A runtime that does no more than it must: the one of AWS starts no quicker."""
    import http.client

    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        api.request("GET", "/2018-06-01/runtime/invocation/next")
        answer = api.getresponse()
        event = json.loads(answer.read())
        run = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        try:
            result, where = json.dumps(handler(event, None)), "response"
        except Exception as error:
            result, where = json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}), "error"
        api.request("POST", f"/2018-06-01/runtime/invocation/{run}/{where}", body=result)
        api.getresponse().read()


if __name__ == "__main__":
    serve()
