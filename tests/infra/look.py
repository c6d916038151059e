#!/usr/bin/env python3
"""What does the dashboard look like?

    python3 tests/infra/look.py [--days N] [--instances N] [--scheduled PERCENT] [--seed N] [--step SECONDS]
                                [--rows N] [--out FILE.png] [--hostile] [--release]

It simulates an account, replays every run of the real function over it against the stand-in for AWS, takes the points that
were put on the wire and the lines of the log, evaluates what `exposure catalogue --format dashboard` asks for (metric math
and Logs Insights by their documents), draws each widget in its place as a page, opens that in headless Chromium and takes a
picture. `--hostile` calls the stacks by names that are markup, and fails if any of it becomes markup. The picture in the
README is that of `--rows 34 --out infra/dashboard.png`.

It shows that the body means what it should; how the console draws it is for AWS to say. Nothing on the instances runs here:
what they would publish is made up from the simulator's truth, as the page says.

Needs Python 3.11 or later, cargo, and Chromium (Debian: `apt-get install chromium`). All it writes is in `look/` of cargo's
target folder, where the replay is kept for the next look, and the picture where `--out` says.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True

from looking import draw, insights, picture
from looking.metric_math import Refused, Store
from looking.replay import Failed, replayed

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE, LOG_GROUP = "MigrationExposure", "/aws/lambda/migration-exposure"
# Those that the template gives to its dashboard.
ALARMS = ("migration-exposure-health", "migration-exposure-other-stacks")
HOSTILE = {
    "Nighttime": "<img src=x onerror=\"document.title='owned'\">",
    "Daytime": "</style></section><script>document.title='owned'</script>&\"'",
}


def note(text):
    print(f"look: {text}", file=sys.stderr, flush=True)


def target():
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return Path(json.loads(told)["target_directory"])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--instances", type=int, default=600)
    parser.add_argument("--scheduled", type=int, default=60, help="of a hundred instances, how many live for one shift")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", type=int, default=900, help="seconds from run to run")
    parser.add_argument("--rows", type=int, default=0, help="how many rows of the grid to picture; 0 is all")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--release", action="store_true", help="build with optimisation: slower to build, faster to replay")
    return parser.parse_args()


def renamed(text, hostile):
    for stack, name in HOSTILE.items() if hostile else ():
        text = name if text == stack else text
    return text


def main():
    options, folder = arguments(), target() / "look"
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        raise Failed("there is no Chromium; on Debian: apt-get install chromium")
    build = ["cargo", "build", "--locked", "--quiet", "--bins", *(["--release"] if options.release else [])]
    subprocess.run([*build, "-p", "exposure-cli", "-p", "exposure-analyzer", "-p", "exposure-stand-in"], cwd=ROOT, check=True)
    folder.mkdir(exist_ok=True)
    programs = folder.parent / ("release" if options.release else "debug")
    simulated = {name: getattr(options, name) for name in ("days", "instances", "scheduled", "seed")}
    data = replayed(programs, folder, simulated, options.step, note)
    store = Store(data["from"], data["to"])
    for namespace, name, stack, second, values in data["points"] + data["instances"]:
        store.put(namespace, name, renamed(stack, options.hostile), second, values)
    stacks = [renamed(stack, options.hostile) for stack in HOSTILE]
    command = [programs / "exposure", "catalogue", "--format", "dashboard", "--region", "eu-central-1"]
    command += ["--namespace", NAMESPACE, "--period", str(options.step), "--log-group", LOG_GROUP]
    for stack in stacks:
        command += ["--stack", stack]
    for alarm in ALARMS:
        command += ["--alarm-arn", f"arn:aws:cloudwatch:eu-central-1:111122223333:alarm:{alarm}"]
    body = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    lines = data["log"]
    if options.hostile:
        lines = [[second, renamed_line(text)] for second, text in lines]
    records = insights.read(lines)
    evidence = [query for query in queries(body) if "eventIds" in query]
    if not evidence or not all(insights.ask(query, records)[1] for query in evidence):
        raise Failed("the log has migrations, and the table of them is empty")
    told = (f"Drawn by tests/infra/look.py from {len(data['points']):,} points that the function published in {options.days} "
            f"days of a simulated account of {options.instances} instances (seed {options.seed}, {options.scheduled} % scheduled), a run every {options.step} s. "
            "ImdsAbsent and ApiFallback are made up from the simulator's truth: no instance runs here, and no alarm is judged.")
    page = folder / "dashboard.html"
    page.write_text(draw.page(body, store, records, told))
    rows = options.rows or max(widget["y"] + widget["height"] for widget in body["widgets"]) + 1
    if options.hostile:
        picture.harmless(chromium, page, folder)
        note("the hostile names are text")
    out = options.out or folder / "dashboard.png"
    picture.take(chromium, page, folder, out, rows * 50 + (0 if options.rows else 10))
    note(f"{out}: {out.stat().st_size // 1024} KB, of {page}")


def queries(body):
    return [widget["properties"]["query"] for widget in body["widgets"] if widget["type"] == "log"]


def renamed_line(text):
    line = json.loads(text)
    if "migration" in line:
        line["migration"]["stack"] = renamed(line["migration"]["stack"], True)
    return json.dumps(line, separators=(",", ":"))


if __name__ == "__main__":
    try:
        main()
    except (Failed, Refused, subprocess.CalledProcessError) as problem:
        note(problem)
        sys.exit(1)
