#!/usr/bin/env python3
"""Are the templates of infra/ sound?

    python3 tests/infra/lint.py [FOLDER]

Runs `sam validate --lint`, `cfn-lint` and `checkov` on every template of the folder (infra/ by default), the last with
every way to deploy template.yaml, since it judges only what the parameters' defaults bring; sees to it that each
exception has its reason beside it; and looks up every action of every policy in the models of the services, which
botocore has. Prints each check as `ok` or `FAILED`, and how many passed; exits with 1 if any failed.

Needs Python 3.11 or later, cargo and PyPI, and after the first run no network. All it writes is in `infra/` of cargo's
target folder.
"""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from tools import CHECKOV, ROOT, SAM, Failed, Tally, demand, go_on_in, target, tools  # noqa: E402

# Ways to deploy template.yaml that bring what its defaults leave out.
WAYS = {
    "queue": {"Source": "queue", "ForwardingAccounts": "111122223333", "CreateTicketTopic": "true", "Targets": "[]"},
    "logs": {"Source": "logs", "TrailBucket": "a-trail", "ReserveConcurrency": "true", "PageEndpoint": "a@example.com"},
}
# Actions that are not called like their operation.
OPERATIONS = {"s3:ListBucket": "ListObjectsV2", "lambda:InvokeFunction": "Invoke"}


def run(*command, **how):
    done = subprocess.run(command, capture_output=True, text=True, **how)
    if done.returncode:
        raise Failed(f"{Path(command[0]).name} says\n{(done.stdout + done.stderr).strip()}")
    return done.stdout


def checkov(programs, template):
    """Checkov on a template; what it says of none is no pass."""
    # In its folder, by its name: a long path is taken for a secret where a variable comes to hold it.
    command = ["--framework", "cloudformation", "--skip-download", "--compact", "--quiet", "--file", template.name]
    said = run(programs / "checkov", *command, cwd=template.parent)
    found = re.search(r"Passed checks: (\d+), Failed checks: 0", said)
    has_resources = any(name in template.read_text() for name in ("AWS::IAM::", "AWS::SQS::", "AWS::S3::"))
    if has_resources and not (found and int(found[1])):
        raise Failed(f"no check of checkov was made: {said.strip()}")


def way(folder, into, parameters):
    """The templates of the folder, with other defaults in template.yaml."""
    shutil.copytree(folder, into, dirs_exist_ok=True)
    template = into / "template.yaml"
    text = template.read_text()
    for name, value in parameters.items():
        text, found = re.subn(rf"(?m)^(  {name}:\n(?:    .*\n)*?    Default: ).*$", rf"\g<1>'{value}'", text)
        demand(f"defaults of {name}", found, 1)
    template.write_text(text)
    return template


def exceptions_have_reasons(template):
    """A skipped check has a comment that says why; an ignored one of cfn-lint has it in the line before."""
    lines = template.read_text().splitlines()
    for number, line in enumerate(lines):
        where = f"{template.name}:{number + 1}"
        if re.search(r"- id: CKV", line):
            reason = re.match(r"\s+comment: (.*)", lines[number + 1])
            demand(f"{where}: a reason", bool(reason and len(reason[1]) > 20))
        if "ignore_checks" in line:
            demand(f"{where}: a reason", any("#" in before for before in lines[number - 2 : number]))


def actions(value):
    """Every action that a policy names."""
    if isinstance(value, dict):
        if "Effect" in value and "Action" in value:
            named = value["Action"]
            yield from [named] if isinstance(named, str) else named
        for inner in value.values():
            yield from actions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from actions(inner)


def actions_exist(template):
    import botocore.session  # of the virtual environment
    from samcli.yamlhelper import yaml_parse

    session, unknown, seen = botocore.session.get_session(), [], 0
    for action in set(actions(yaml_parse(template.read_text()))):
        service, name = action.split(":")
        seen += 1
        try:
            operations = session.get_service_model(service).operation_names
        except Exception:
            unknown.append(f"{action} (no such service)")
            continue
        if not fnmatch.filter(operations, OPERATIONS.get(action, name)):
            unknown.append(action)
    demand("actions that no service has", sorted(unknown), [])
    if "AWS::IAM::Role" in template.read_text():
        demand("there are actions", seen > 0)


def loops_are_read_alike(template):
    """AWS's own reading of the loops, which the SAM CLI brings, names the same alarms as the one that the histories are
    played with, and makes the same rule of the loop within a text."""
    from alarm_logic import Template
    from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

    given = json.loads((ROOT / "tests/infra/alarm_histories.json").read_text())["parameters"]
    for stacks in ("Nighttime,Daytime", "a", "a,b,c,d,e,f,g,h"):
        parameters = given | {"Stacks": stacks}
        read, _ = SamLocalStackProvider.get_stacks(
            str(template), parameter_overrides=parameters, language_extensions_enabled=True
        )
        # SAM leaves what has a condition.
        made = [made["Properties"] for made in read[0].template_dict["Resources"].values() if "Condition" not in made]
        theirs = {alarm["AlarmName"]: alarm for alarm in made if "AlarmName" in alarm}
        ours = {alarm["AlarmName"]: alarm for alarm in Template(template, parameters).resources() if "AlarmName" in alarm}
        demand(f"alarms of {stacks} that only SAM names", sorted(theirs.keys() - ours.keys()), [])
        demand(f"alarms of {stacks}", len(theirs) > 10 + 5 * len(stacks.split(",")))
        name = f"{given['Prefix']}-listed-stacks"
        demand(f"the rule for {stacks}", theirs[name]["AlarmRule"], ours[name]["AlarmRule"])


def main():
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "infra"
    work = target() / "infra"
    sam = tools(work, "sam", SAM)
    scanner = tools(work, "checkov", CHECKOV)
    go_on_in(sam, __file__)
    os.environ |= {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true"}
    templates, tally = sorted(folder.glob("*.yaml")), Tally()
    tally.check("there are templates", lambda: demand("found", any(t.name == "template.yaml" for t in templates)))
    ways = work / "ways"
    shutil.rmtree(ways, ignore_errors=True)
    for template in templates:
        name = template.name
        tally.check(f"sam validate --lint {name}", run, sam / "sam", "validate", "--lint", "--template", template)
        tally.check(f"cfn-lint {name}", run, sam / "cfn-lint", template)
        tally.check(f"checkov {name}", checkov, scanner, template)
        tally.check(f"every exception in {name} has its reason", exceptions_have_reasons, template)
        tally.check(f"every action in {name} exists", actions_exist, template)
        if "Fn::ForEach" in template.read_text():
            tally.check(f"the loops of {name} are read alike", loops_are_read_alike, template)
    for name, parameters in WAYS.items():
        what = ", ".join(f"{name}={value}" for name, value in parameters.items())
        made = lambda name=name, parameters=parameters: checkov(scanner, way(folder, ways / name, parameters))
        tally.check(f"checkov template.yaml with {what}", made)
    shutil.rmtree(ways, ignore_errors=True)
    sys.exit(tally.close())


if __name__ == "__main__":
    main()
