"""The sightings of a trail with Python's own `gzip` and `json`: `python3 with_python.py FOLDER`.

One process. The garbage collector is off, since nothing here makes cycles and `json.loads` is faster without it.
"""

import gc
import glob
import gzip
import json
import re
import sys

import answer

ARN = re.compile(answer.ARN)
VOLUME = re.compile(answer.VOLUME)


def sighting(record):
    """Instance, volume, identity and time, if the record is a sighting."""
    if record.get("eventName") != "Decrypt" or record.get("eventSource") != "kms.amazonaws.com":
        return None
    caller = record.get("userIdentity") or {}
    arn = ARN.fullmatch(caller.get("arn") or "")
    if not arn or caller.get("type") != "AssumedRole":
        return None
    account, instance = arn.groups()
    issuer = (caller.get("sessionContext") or {}).get("sessionIssuer") or {}
    if caller.get("principalId") != f"{account}:aws:ec2-infrastructure:{instance}":
        return None
    if issuer.get("userName") != "aws:ec2-infrastructure" or record.get("errorCode"):
        return None
    parameters = record.get("requestParameters") or {}
    context = parameters.get("encryptionContext") or {}
    if parameters.get("omitted") or list(context) != ["aws:ebs:id"] or not VOLUME.fullmatch(context["aws:ebs:id"]):
        return None
    return instance, context["aws:ebs:id"], record.get("sharedEventID") or record["eventID"], record["eventTime"]


def main(folder):
    gc.disable()
    records = 0
    sightings = []
    for path in glob.iglob(f"{folder}/{answer.LOG_FILES}"):
        with open(path, "rb") as file:
            batch = json.loads(gzip.decompress(file.read()))["Records"]
        records += len(batch)
        sightings += filter(None, map(sighting, batch))
    answer.write(records, sightings)


main(sys.argv[1])
