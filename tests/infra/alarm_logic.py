#!/usr/bin/env python3
"""Do the alarms do what they should, by an engine that is not ours?

    python3 tests/infra/alarm_logic.py

Lints infra/alarms.yaml, as it is and with its loops written out, and plays the histories of alarm_histories.json, which
`cargo test --test infra` plays too, against its alarms in fakecloud, as a program of its own on loopback. A period is a
minute there, and time does not pass: for each period the points that could be seen in it are put as if it were now, and
fakecloud is asked for the states. It judges single metrics only, so the metric math is worked out here and its result put.
Where fakecloud is known to be wrong the histories name what it says instead, and why. Prints each check as `ok` or
`FAILED`, and exits with 1 if any failed. Needs Python 3.11 or later, cargo, PyPI and crates.io; fakecloud takes a quarter
of an hour to build, once. All it writes is in cargo's target folder. $FAKECLOUD names a fakecloud that is there already.
"""

import ast
import concurrent.futures
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["cfn-lint==1.58.0", "boto3", "PyYAML"]
FAKECLOUD, HOST, REGION = "0.51.0", "127.0.0.1", "eu-central-1"
LETTERS = {"OK": "O", "ALARM": "A", "INSUFFICIENT_DATA": "I"}
# How many points fakecloud could look at.
LOOK_BACK = 30


def target():
    told = subprocess.run(["cargo", "metadata", "--format-version=1", "--no-deps"], cwd=ROOT, capture_output=True, check=True)
    return Path(json.loads(told.stdout)["target_directory"])


def enter_venv(folder):
    """Goes on as the same script in a virtual environment that holds the packages."""
    venv, done = folder / "alarms-venv", folder / "alarms-venv/packages.json"
    if not done.exists() or json.loads(done.read_text()) != PACKAGES:
        print("alarm_logic: installs", *PACKAGES, file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        pip = [venv / "bin/python", "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "install", "--quiet"]
        subprocess.run([*pip, *PACKAGES], check=True)
        done.write_text(json.dumps(PACKAGES))
    if Path(sys.prefix) != venv:
        os.execv(venv / "bin/python", [str(venv / "bin/python"), "-B", __file__, *sys.argv[1:]])


def fakecloud(folder):
    """The program, built if it is not there. It is AGPL: a program to ask, never a part of this one."""
    given = os.environ.get("FAKECLOUD")
    if given:
        return Path(given)
    program = folder / "fakecloud/bin/fakecloud"
    if not program.exists():
        print("alarm_logic: builds fakecloud", FAKECLOUD, file=sys.stderr)
        how = ["cargo", "install", "fakecloud", "--version", FAKECLOUD, "--locked", "--root", folder / "fakecloud"]
        variables = os.environ | {"CARGO_TARGET_DIR": str(folder / "fakecloud/build")}
        subprocess.run(how, cwd=folder, env=variables, check=True)
    return program


class Template:
    """A template as CloudFormation makes it: loops written out, conditions decided, functions worked out."""

    def __init__(self, path, given):
        import yaml

        class Loader(yaml.SafeLoader):
            """With the short tags written out."""

        def short(loader, suffix, node):
            if isinstance(node, yaml.ScalarNode):
                value = loader.construct_scalar(node)
            elif isinstance(node, yaml.SequenceNode):
                value = loader.construct_sequence(node, deep=True)
            else:
                value = loader.construct_mapping(node, deep=True)
            if suffix == "GetAtt" and isinstance(value, str):
                value = value.split(".", 1)
            return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}

        Loader.add_multi_constructor("!", short)
        self.raw = yaml.load(path.read_text(), Loader)
        self.given = {}
        for name, parameter in self.raw["Parameters"].items():
            value = given.get(name, parameter.get("Default", ""))
            self.given[name] = str(value).split(",") if parameter["Type"] == "CommaDelimitedList" else str(value)

    def unrolled(self, value, around=()):
        """A value without loops: `${Name}` is the value of a loop, `&{Name}` what of it a logical ID can hold."""
        around = dict(around)
        if isinstance(value, str):
            for name, of in around.items():
                bare = re.sub("[^A-Za-z0-9]", "", of)
                value = value.replace(f"${{{name}}}", of).replace(f"&{{{name}}}", bare)
            return value
        if isinstance(value, list):
            return [self.unrolled(item, around) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get("Ref") in around:
            return around[value["Ref"]]
        members = {}
        for key, inner in value.items():
            if key.startswith("Fn::ForEach::"):
                name, items, body = inner
                for item in self.made(items, {}):
                    members |= self.unrolled(body, around | {name: item})
            else:
                members[self.unrolled(key, around)] = self.unrolled(inner, around)
        return members

    def written_out(self):
        """The whole template without loops, to be linted: with them, cfn-lint cannot follow its references."""
        whole = {key: value for key, value in self.raw.items() if key not in ("Transform", "Metadata")}
        return whole | {key: self.unrolled(whole[key]) for key in ("Resources", "Outputs")}

    def resources(self):
        everything = self.unrolled(self.raw["Resources"])
        there = {n: r for n, r in everything.items() if "Condition" not in r or self.holds(r["Condition"])}
        return [{"Type": r["Type"]} | self.made(r["Properties"], everything) for r in there.values()]

    def holds(self, name):
        return self.true(self.raw["Conditions"][name])

    def true(self, expression):
        ((name, argument),) = expression.items()
        if name == "Fn::Not":
            return not self.true(argument[0])
        assert name == "Fn::Equals", name
        return str(self.made(argument[0], {})) == str(self.made(argument[1], {}))

    def made(self, value, everything):
        if isinstance(value, list):
            return [made for made in (self.made(item, everything) for item in value) if made is not None]
        if not isinstance(value, dict):
            return value
        function = next(iter(value), "")
        if len(value) > 1 or not (function == "Ref" or function.startswith("Fn::")):
            made = {key: self.made(inner, everything) for key, inner in value.items()}
            return {key: inner for key, inner in made.items() if inner is not None}
        argument = value[function]
        match function:
            case "Ref":
                return self.referred(argument, everything)
            case "Fn::If":
                return self.made(argument[1 if self.holds(argument[0]) else 2], everything)
            case "Fn::Sub":
                text, values = argument if isinstance(argument, list) else (argument, {})
                values = {name: self.made(inner, everything) for name, inner in values.items()}
                fill = lambda found: str(values.get(found[1]) or self.referred(found[1], everything))
                return re.sub(r"\$\{([^}]*)\}", fill, text)
            case "Fn::Join":
                return argument[0].join(map(str, self.made(argument[1], everything)))
            case "Fn::Split":
                return self.made(argument[1], everything).split(argument[0])
            case "Fn::Select":
                return self.made(argument[1], everything)[int(self.made(argument[0], everything))]
            case "Fn::FindInMap":
                names = [str(self.made(inner, everything)) for inner in argument]
                return self.raw["Mappings"][names[0]][names[1]][names[2]]
        raise AssertionError(function)

    def referred(self, name, everything):
        if name == "AWS::NoValue":
            return None
        return self.given[name] if name in self.given else self.made(everything[name]["Properties"]["AlarmName"], everything)


def math(expression, lines):
    """The series of an expression, as the CloudWatch User Guide says ("Using metric math")."""

    def both(left, right, operator):
        if not isinstance(left, dict) and not isinstance(right, dict):
            return operator(left, right)
        at = lambda value, period: value.get(period, 0.0) if isinstance(value, dict) else value
        periods = sorted({p for value in (left, right) if isinstance(value, dict) for p in value})
        values = ((period, operator(at(left, period), at(right, period))) for period in periods)
        return {period: value for period, value in values if value is not None}

    def of(node):
        match node:
            case ast.Constant(value):
                return float(value)
            case ast.Name(name):
                return lines[name]
            case ast.BinOp(left, operator, right):
                operators = {ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b}
                divide = lambda a, b: a / b if b else None
                return both(of(left), of(right), operators.get(type(operator), divide))
            case ast.Compare(left, [ast.Gt()], [right]):
                return both(of(left), of(right), lambda a, b: float(a > b))
            case ast.Call(ast.Name("DIFF"), [series]):
                values = sorted(of(series).items())
                return {period: value - before for (_, before), (period, value) in zip(values, values[1:])}
            case ast.Call(ast.Name("IF"), [condition, then, otherwise]):
                then, otherwise = of(then), of(otherwise)
                pick = lambda value, period, none: value.get(period, none) if isinstance(value, dict) else value
                chosen = ((p, pick(then, p, 0.0) if truth else pick(otherwise, p, None)) for p, truth in of(condition).items())
                return {period: value for period, value in chosen if value is not None}
        raise AssertionError(ast.dump(node))

    return of(ast.parse(expression, mode="eval").body)


def items(text, steps):
    """The items of a list, as many as there are periods."""
    found = []
    for item in text.split(" "):
        item, _, times = item.partition("*")
        found += [item] * int(times or 1)
    assert len(found) <= steps, text
    return found + [found[-1]] * (steps - len(found))


class History:
    def __init__(self, number, history, file):
        self.history, self.prefix = history, f"h{number}"
        self.name, self.steps = history["name"], history["steps"]
        parameters = file["parameters"] | {"Prefix": self.prefix}
        # CloudWatch's model of the usual is not public: the history says what it has learned.
        self.band = history.get("band")
        if self.band:
            parameters["MigrationRateMode"] = "anomaly"
        self.page = parameters["PageTopicArn"]
        period = str(history.get("period", parameters["PeriodSeconds"]))
        resources = Template(ROOT / "infra/alarms.yaml", parameters).resources()
        self.composites = [r for r in resources if r["Type"].endswith("CompositeAlarm")]
        alarms = [r for r in resources if r["Type"].endswith("::Alarm")]
        self.points = self.published(file["healthy"], history.get("data", {}), history.get("runs", "+"))
        self.well = self.published(file["healthy"], {}, "+")
        # Those of another period, and those of which nothing changes, are put once, and stay as they are.
        everything = self.name == "healthy" or history.get("new")
        played = [a for a in alarms if self.period(a) == period and (everything or self.changes(a))]
        self.alarms, self.still = played, [alarm["AlarmName"] for alarm in alarms if alarm not in played]
        self.found = {}

    def changes(self, alarm):
        """Whether the alarm ever sees another thing than it does while all is well."""
        return any(self.series(alarm, now) != self.series(alarm, now, self.well) for now in range(self.steps))

    @staticmethod
    def period(alarm):
        stats = [line["MetricStat"]["Period"] for line in alarm.get("Metrics", []) if "MetricStat" in line]
        return str(stats[0] if stats else alarm["Period"])

    def published(self, healthy, data, runs):
        """By metric, the period of each point, its value, and the period in which it shows."""
        runs = items(runs, self.steps)
        assert data.keys() <= healthy.keys(), data
        points = {}
        for name, well in healthy.items():
            own, of = not name.startswith("AWS/"), []
            for period, item in enumerate(items(data.get(name, well), self.steps)):
                run, _, late_run = runs[period].partition("~")
                value, _, late = item.partition("~")
                if value != "-" and (run == "+" or not own):
                    of.append((period, float(value), period + int(late or (late_run if own else 0) or 0)))
            points[name.removeprefix("AWS/")] = of
        return points

    def series(self, alarm, now, points=None):
        """What the alarm holds against its threshold, as far as it can be seen in a period; of a band's edge, how far above."""

        def seen(metric):
            dimension = "".join(d["Value"] + "/" for d in metric.get("Dimensions", []))
            of = (points or self.points)[dimension + metric["MetricName"]]
            return {p: value for p, value, shows in of if shows <= now}

        lines, last = {}, None
        for line in alarm.get("Metrics", []):
            if line["Id"] == alarm.get("ThresholdMetricId"):
                edge = items(self.band, self.steps)
                return {p: value - float(edge[p]) for p, value in lines[last].items()}
            last = line["Id"]
            lines[last] = math(line["Expression"], lines) if "Expression" in line else seen(line["MetricStat"]["Metric"])
        return lines[last] if lines else seen(alarm)

    def expected(self):
        """The states by alarm, those where fakecloud is wrong, and why it is."""
        wrong = self.history.get("fakecloud", {})
        told = {name: "".join(items(text, self.steps)) for name, text in self.history["states"].items()}
        known = {name: "".join(items(text, self.steps)) for name, text in wrong.get("states", {}).items()}
        names = [alarm["AlarmName"].removeprefix(self.prefix + "-") for alarm in self.alarms + self.composites]
        assert told.keys() <= set(names), f"{self.name}: {told.keys() - set(names)} never change"
        right = {name: told.get(name, "O" * self.steps) for name in names}
        return right, known, wrong.get("why")


def put(client, alarm, name, dimension, namespace):
    """An alarm on the result of its metric math. What is above a band's edge is more than 0 above it."""
    band = alarm["ComparisonOperator"] == "GreaterThanUpperThreshold"
    comparison, threshold = ("GreaterThanThreshold", 0) if band else (alarm["ComparisonOperator"], alarm["Threshold"])
    client.put_metric_alarm(
        AlarmName=name, Namespace=namespace, MetricName="value", Dimensions=[dimension], Statistic="Maximum", Period=60,
        ComparisonOperator=comparison, Threshold=float(threshold),
        EvaluationPeriods=int(alarm["EvaluationPeriods"]), DatapointsToAlarm=int(alarm["DatapointsToAlarm"]),
        TreatMissingData=alarm["TreatMissingData"],
    )  # fmt: skip


def play(client, histories, step, pool):
    """Plays one period of all histories within a minute; gives nothing where the minute was over before that."""
    minute = int(time.time() // 60 * 60)
    data, calls = [], []
    for history in histories:
        for alarm in history.alarms:
            name = alarm["AlarmName"]
            dimension = {"Name": "Alarm", "Value": name}
            for period, value in history.series(alarm, step).items():
                if step - period < LOOK_BACK:
                    at = minute - (step - period) * 60
                    data.append({"MetricName": "value", "Dimensions": [dimension], "Timestamp": at, "Value": value})
            calls.append((put, client, alarm, name, dimension, f"Step{step}At{minute}"))
    cut = [data[at : at + 500] for at in range(0, len(data), 500)]
    waiting = [pool.submit(client.put_metric_data, Namespace=f"Step{step}At{minute}", MetricData=part) for part in cut]
    waiting += [pool.submit(*call) for call in calls]
    for done in waiting:
        done.result()
    if time.time() // 60 * 60 != minute:
        return None
    pages = client.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    states = {a["AlarmName"]: a["StateValue"] for page in pages for a in page["MetricAlarms"] + page["CompositeAlarms"]}
    return states if time.time() // 60 * 60 == minute else None


def composites(client, history):
    """Puts the composites, those first that others name. Alarms of another period are there and stay as they are."""
    for name in history.still:
        client.put_metric_alarm(AlarmName=name, ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1)
        client.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="not in this history")
    for alarm in history.composites:
        client.put_composite_alarm(AlarmName=alarm["AlarmName"], AlarmRule=alarm["AlarmRule"])


def judge(history):
    """What is wrong with what was found, and what fakecloud was wrong about."""
    right, known, why = history.expected()
    problems = [f"{name}: {history.found[name]}, not {known.get(name, states)}" for name, states in right.items()
                if history.found[name] != known.get(name, states)]  # fmt: skip
    problems += [f"{name}: fakecloud is right, and named as wrong" for name, states in known.items() if states == right[name]]
    # Pages, where no suppressor has a say: those who come to ALARM.
    for alarm in history.composites:
        name = alarm["AlarmName"].removeprefix(history.prefix + "-")
        if alarm.get("AlarmActions") == [history.page] and "ActionsSuppressor" not in alarm and name not in known:
            pages = len(re.findall("(?:^|[^A])A", history.found[name]))
            if pages != history.history.get("pages", {}).get(name, 0):
                problems.append(f"{name}: {pages} pages")
    return problems, (known and why)


def run(program, folder, file):
    import boto3
    import botocore.config

    with socket.create_server((HOST, 0)) as probe:
        port = probe.getsockname()[1]
    log = open(folder / "fakecloud.log", "wb")
    process = subprocess.Popen([program, "--addr", f"{HOST}:{port}"], stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(120):
            assert process.poll() is None, f"fakecloud has ended ({log.name})"
            try:
                socket.create_connection((HOST, port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.25)
        how = {"region_name": REGION, "aws_access_key_id": "test", "aws_secret_access_key": "test"}
        config = botocore.config.Config(max_pool_connections=8, retries={"total_max_attempts": 1})
        client = boto3.client("cloudwatch", endpoint_url=f"http://{HOST}:{port}", config=config, **how)
        histories = [History(number, history, file) for number, history in enumerate(file["histories"])]
        for history in histories:
            composites(client, history)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for step in range(max(history.steps for history in histories)):
                playing, states = [history for history in histories if step < history.steps], None
                while states is None:
                    # A minute that ends in between is played again: what was put for it is never looked at.
                    if time.time() % 60 > 40:
                        time.sleep(60.5 - time.time() % 60)
                    states = play(client, playing, step, pool)
                print("alarm_logic: period", step, file=sys.stderr)
                for history in playing:
                    for alarm in history.alarms + history.composites:
                        name = alarm["AlarmName"].removeprefix(history.prefix + "-")
                        history.found[name] = history.found.get(name, "") + LETTERS[states[alarm["AlarmName"]]]
        return [(history.name, *judge(history)) for history in histories]
    finally:
        process.kill()
        process.wait()


def lint(folder):
    """What cfn-lint says of the template, and of the template without loops and with none of its checks left out."""
    expanded = folder / "alarms.expanded.json"
    expanded.write_text(json.dumps(Template(ROOT / "infra/alarms.yaml", {}).written_out(), indent=1))
    for path in (ROOT / "infra/alarms.yaml", expanded):
        # W1019: values that a text does not name are there for their references.
        leave = [] if path.suffix == ".yaml" else ["--ignore-checks", "W1019"]
        told = subprocess.run([Path(sys.prefix) / "bin/cfn-lint", path, *leave], capture_output=True, text=True)
        yield f"cfn-lint {path.name}", [told.stdout] if told.returncode else [], None


def main():
    folder = target() / "infra"
    folder.mkdir(parents=True, exist_ok=True)
    enter_venv(folder)
    file = json.loads((ROOT / "tests/infra/alarm_histories.json").read_text())
    results = [*lint(folder), *run(fakecloud(folder.parent), folder, file)]
    for name, problems, wrong in results:
        print("FAILED" if problems else "ok", name, f"(fakecloud: {wrong})" if wrong else "")
        for problem in problems:
            print("      ", problem)
    failed = sum(bool(problems) for _, problems, _ in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
