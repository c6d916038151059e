"""Accounts to report on: the simulator's, and what is made of its fleet."""

import json
import subprocess

HOSTILE = [
    "</script></style><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "\u202egnithgin \u2066of\u2069 the \u200bstack",
    "🌙🌙 夜間 ночь " + "🦉" * 20,
    "x" * 128,
    "\"'`&amp;<b>bold</b> ${HOME} $(reboot)",
    "  ",
    "line\nfeed\tand \u001b[31mred",
]


def simulated(exposure, folder, *flags):
    """An account's folder; made once."""
    if not (folder / "truth.json").exists():
        subprocess.run([exposure, "simulate", folder, *flags], check=True, capture_output=True)
    return folder


def tagged(account, fleet, stack_of):
    """The account's fleet with other stacks: `stack_of` names that of each group by its place."""
    told = json.loads((account / "fleet.json").read_text())
    for place, group in enumerate(told["AutoScalingGroups"]):
        group["Tags"] = [{"Key": "Stack", "Value": stack_of(place)}]
    fleet.write_text(json.dumps(told))
    return fleet


def divided(account, fleet, stacks):
    """The account's fleet dealt out into so many groups, each a stack."""
    told = json.loads((account / "fleet.json").read_text())
    members = [member for group in told["AutoScalingGroups"] for member in group["Instances"]]
    first = told["AutoScalingGroups"][0]
    told["AutoScalingGroups"] = [
        first
        | {
            "AutoScalingGroupName": f"group-{number}",
            "AutoScalingGroupARN": first["AutoScalingGroupARN"].replace(first["AutoScalingGroupName"], f"group-{number}"),
            "Tags": [{"Key": "Stack", "Value": f"Stack {number:02}"}],
            "Instances": members[number::stacks],
        }
        for number in range(stacks)
    ]
    fleet.write_text(json.dumps(told))
    return fleet


def without_decrypts(account, folder):
    """The account's trail as one that leaves out KMS shows it."""
    import gzip

    folder.mkdir(exist_ok=True)
    for number, file in enumerate(sorted(account.glob("AWSLogs/*/CloudTrail/**/*.json.gz"))):
        log = json.loads(gzip.decompress(file.read_bytes()))
        log["Records"] = [record for record in log["Records"] if record.get("eventName") != "Decrypt"]
        (folder / f"{number}.json").write_text(json.dumps(log))
    return folder
