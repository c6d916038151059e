#!/usr/bin/env python3
"""What does the page of `exposure report` look like, and does it hold what it promises?

    python3 tests/report/look.py [--release] [--pictures FOLDER]
    python3 tests/report/look.py --release --large

It simulates accounts (14 days of 3,000 instances, most of them for a shift; stacks whose names are markup, turn lines around or fill them; fifty stacks;
one stack without a fleet; a trail without Decrypts), makes the page of each, and opens it in headless Chromium at three widths, light and
dark, and on paper. It fails where a page asks for anything, an error is logged, a page is wider than its window, labels of
figures stand over each other, a table stays closed on paper, axe-core finds a serious hindrance, or a name became markup;
and where one of these checks does not find what is wrong with a page that was spoilt on purpose.
Pictures and PDFs are in `look-report/` of cargo's target folder; `--pictures` also takes those of the README. `--large`
only measures: the report on 20,000 instances over 90 days, from log files and from a state, in seconds, memory and bytes.

Needs Python 3.11 or later, cargo, npm, and Chromium (Debian: `apt-get install chromium`). Playwright comes from PyPI and
axe-core from npm, both into cargo's target folder.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parents[1] / "infra"))

import tools
from looking import accounts

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["playwright==1.65.2"]
AXE = "axe-core@4.14.1"
LARGEST = 2_000_000


def note(text):
    print(f"look: {text}", file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--release", action="store_true", help="build with optimisation")
    parser.add_argument("--large", action="store_true", help="measure the report on a large account instead")
    parser.add_argument("--pictures", type=Path, help="where to put the pictures of the README")
    return parser.parse_args()


def axe(folder):
    """The text of axe-core."""
    text = folder / "axe.min.js"
    if not text.exists():
        packed = subprocess.run(["npm", "pack", AXE, "--silent"], cwd=folder, check=True, capture_output=True, text=True)
        with tarfile.open(folder / packed.stdout.strip()) as package:
            text.write_bytes(package.extractfile("package/axe.min.js").read())
    return text.read_text()


def pages(exposure, folder):
    """Each page by its name."""
    usual = accounts.simulated(exposure, folder / "usual", "--days", "14", "--instances", "3000", "--scheduled", "92")
    small = accounts.simulated(exposure, folder / "small", "--days", "3")
    names = lambda place: accounts.HOSTILE[place % len(accounts.HOSTILE)]
    hostile = accounts.tagged(small, folder / "hostile.json", names)
    many = accounts.divided(usual, folder / "many.json", 50)
    one = accounts.tagged(small, folder / "one.json", lambda _: "Only")
    blind = accounts.without_decrypts(small, folder / "blind")
    zone = ["--time-zone", "Europe/Berlin"]
    members = lambda account: ["--activities", account / "activities.json", "--warm-pool", account / "warm-pool.json"]
    commands = {
        "usual": ["--trail", usual / "AWSLogs", "--fleet", usual / "fleet.json", *members(usual), *zone,
                  "--observations", usual / "observations.jsonl"],
        "hostile": ["--trail", small / "AWSLogs", "--fleet", hostile, *members(small)],
        "many": ["--trail", usual / "AWSLogs", "--fleet", many, *zone],
        "one": ["--trail", small / "AWSLogs", "--fleet", one, *members(small)],
        "alone": ["--trail", small / "AWSLogs", "--stack-rule", ".=</title><script>'Only\"</script>"],
        "blind": ["--trail", blind, "--fleet", small / "fleet.json", *zone],
    }
    for name, command in commands.items():
        page = folder / f"{name}.html"
        subprocess.run([exposure, "report", *command, "--out", page], check=True, capture_output=True)
        size = page.stat().st_size
        if size > LARGEST:
            raise SystemExit(f"{name}: {size} bytes are too many for a page")
        note(f"{name}: {size // 1024} KB")
        yield name, page


def measured(what, command):
    """Runs a command and says what it took."""
    begin = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"look: {what} failed")
    took = time.monotonic() - begin
    note(f"{what}: {took:.1f} s, {used.ru_utime + used.ru_stime:.1f} s of a processor, {used.ru_maxrss // 1024} MB")


def large(exposure, folder):
    """The report on 20,000 instances over 90 days."""
    account = accounts.simulated(exposure, folder / "large", "--days", "90", "--instances", "20000", "--records", "1")
    state, page = folder / "large.state", folder / "large.html"
    state.unlink(missing_ok=True)
    trail, fleet = ["--trail", account / "AWSLogs"], ["--fleet", account / "fleet.json"]
    measured("analysis", [exposure, "analyze", *trail, *fleet, "--state", state])
    measured("report from log files", [exposure, "report", *trail, *fleet, "--out", page])
    measured("report from a state", [exposure, "report", "--state", state, *fleet, "--out", page])
    size = page.stat().st_size
    note(f"the page has {size // 1024} KB")
    if size > LARGEST:
        raise SystemExit(f"look: {size} bytes are too many for a page")


def main():
    options, target = arguments(), tools.target()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        raise SystemExit("look: there is no Chromium; on Debian: apt-get install chromium")
    tools.go_on_in(tools.tools(target, "look-report-tools", PACKAGES), __file__)
    from looking.browser import Broken, Browser

    build = ["cargo", "build", "--locked", "--quiet", "-p", "exposure-cli", *(["--release"] if options.release else [])]
    subprocess.run(build, cwd=ROOT, check=True)
    exposure = target / ("release" if options.release else "debug") / "exposure"
    folder = target / "look-report"
    folder.mkdir(exist_ok=True)
    if options.large:
        return large(exposure, folder)
    browser, broken = Browser(chromium, axe(folder)), 0
    for name, page in pages(exposure, folder):
        for look in (browser.looked_at, browser.printed):
            try:
                look(page, name, folder)
            except Broken as problem:
                broken += 1
                note(f"FAILED {problem}")
        if name == "usual":
            browser.refuses_spoilt(page, folder)
            note("each check finds what it is there for")
    if options.pictures and not broken:
        page = folder / "usual.html"
        browser.part(page, options.pictures / "report-light.png", 960, 850, "light")
        browser.part(page, options.pictures / "report-dark.png", 400, 900, "dark", "#clock")
    browser.close()
    note(f"pictures in {folder}" if not broken else f"{broken} looks failed")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
