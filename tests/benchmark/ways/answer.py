"""What all Python ways have in common: from sightings to the answer that `run.py` describes."""

import json
import sys

LOG_FILES = "AWSLogs/*/CloudTrail/*/*/*/*/*.json.gz"
ARN = "arn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/aws:ec2-infrastructure/(i-(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{17}))"
VOLUME = "vol-(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{17})"


def write(records, sightings):
    """Writes the answer. A sighting is instance, volume, identity and time, and may come several times."""
    sightings = {tuple(sighting) for sighting in sightings}
    times = {}
    for instance, volume, _, time in sightings:
        times.setdefault((instance, volume), set()).add(time)
    answer = {
        "records": records,
        "sightings": len({sighting[:3] for sighting in sightings}),
        "times": [[*pair, sorted(those)] for pair, those in sorted(times.items())],
    }
    json.dump(answer, sys.stdout)
