#!/usr/bin/env python3
"""How fast is an analysis, against decompression alone and against what a user would otherwise do?

    python3 tests/benchmark/run.py [--quick] [--records N] [--runs K] [--seed N] [--keep]

One command, from a fresh clone. It builds the release binaries, simulates a corpus of just over 1 GB of uncompressed
JSON (`--quick`: a tenth of it), and measures on it, in one run:

- decompression alone with libdeflate (`functions/core/examples/decompress.rs`), the limit of any analysis;
- the whole analysis, `exposure analyze` with a fleet file, in pairs with the former; and with a state file too;
- the same question asked of the tools at hand, each as an expert would: `gzip -dc | jq`, Python's `json`, DuckDB, chdb
  (`tests/benchmark/ways/`). What is not installed (jq) or cannot be (DuckDB, chdb: PyPI) is left out, and said so;
- the gain of a second thread, and how CPU time and memory grow over 1x, 4x and 16x of input.

All must give the same answer: the number of records, the number of distinct sightings, and for each instance and
volume the times at which its key was fetched. That of `exposure` is read off its state file, its records and sightings
must be those of the simulator's own truth, and every timed run must print the very same analysis. If anything differs,
no time is printed: the difference is named on standard error, and the exit status is 1.

Headline are ratios of CPU time (user and system), which other work on the machine disturbs least. Times are of warm
files: each is read once before. Needs Python 3.11 or later, cargo, and Linux or macOS. All it writes is in `benchmark/`
of cargo's target folder, and is removed at the end unless `--keep` is given.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGES = {"DuckDB": ["duckdb==2.0.0"], "chdb": ["chdb==4.4.0", "chdb-core==26.9.0"]}
RECORDS = 800_000
GROWTH = (1, 4, 16)


class Failed(Exception):
    """Why there is no result."""


def note(text):
    print(f"benchmark: {text}", file=sys.stderr, flush=True)


# What is measured, and with what.


@dataclass
class Corpus:
    """A simulated account."""

    folder: Path
    records: int
    sightings: int
    files: int
    packed: int
    unpacked: int


@dataclass
class Took:
    """What a command took: seconds, and MiB at the peak."""

    wall: float
    cpu: float
    peak: float


class Bench:
    def __init__(self, target, seed):
        self.release, self.folder, self.seed = target / "release", target / "benchmark", seed

    def measured(self, *command):
        """Runs a command; what it took, and what it printed."""
        out, err = self.folder / "stdout", self.folder / "stderr"
        launcher = [sys.executable, "-I", "-S", HERE / "measure.py", out, err]
        report = subprocess.run([*launcher, *command], check=True, capture_output=True, text=True).stdout
        report = json.loads(report)
        if report.pop("exit") != 0:
            said = err.read_text(errors="replace")[-2000:].strip()
            raise Failed(f"{' '.join(map(str, command))} failed: {said}")
        return Took(**report), out.read_text()

    def simulate(self, records, instances):
        folder = self.folder / f"corpus-{records}"
        shutil.rmtree(folder, ignore_errors=True)
        size = ["--records", str(records), "--instances", str(instances), "--seed", str(self.seed)]
        self.measured(self.release / "exposure", "simulate", folder, *size, "--gzip-level", "6")
        truth = json.loads((folder / "truth.json").read_text())["accounting"]
        files = sorted((folder / "AWSLogs").rglob("*.gz"))
        packed = sum(file.stat().st_size for file in files)
        unpacked = sum(map(unpacked_size, files))
        return Corpus(folder, truth["records"], truth["sightings"], len(files), packed, unpacked)

    def decompress(self, corpus, threads=1):
        took, out = self.measured(self.release / "examples/decompress", corpus.folder / "AWSLogs", str(threads))
        if int(out) != corpus.unpacked:
            raise Failed(f"decompression alone gives {out.strip()} bytes, and the files say {corpus.unpacked}")
        return took

    def exposure(self, corpus, threads=1, more=()):
        trail = ["--trail", corpus.folder / "AWSLogs", "--fleet", corpus.folder / "fleet.json"]
        how = ["--format", "json", "--threads", str(threads), *more]
        return self.measured(self.release / "exposure", "analyze", *trail, *how)

    def exposure_with_state(self, corpus):
        """With the state file comes the answer, which must be the truth."""
        state = self.folder / "state.json"
        state.unlink(missing_ok=True)
        took, out = self.exposure(corpus, more=["--state", state])
        answer = answer_of_exposure(out, json.loads(state.read_text()))
        demand_truth(answer, corpus)
        return took, answer


def unpacked_size(file):
    """How large a gzip file of one member is unpacked: its last four bytes say it (RFC 1952, section 2.3.1)."""
    with open(file, "rb") as gzip:
        gzip.seek(-4, os.SEEK_END)
        return struct.unpack("<I", gzip.read())[0]


def build():
    """Builds the binaries; cargo's target folder."""
    # The commands that are measured need no clients of AWS.
    for package in (["exposure-cli", "--no-default-features"], ["exposure-core", "--example", "decompress"]):
        subprocess.run(["cargo", "build", "--release", "--quiet", "-p", *package], cwd=ROOT, check=True)
    metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    metadata = subprocess.run(metadata, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return Path(json.loads(metadata)["target_directory"])


def other_ways(folder):
    """By name, the command of each other way that this machine has; and why others are missing."""
    ways, missing = {}, {}
    if shutil.which("jq"):
        version = subprocess.run(["jq", "--version"], capture_output=True, text=True).stdout.strip()
        ways[f"gzip -dc | jq ({version})"] = ["sh", HERE / "ways/with_jq.sh"]
    else:
        missing["gzip -dc | jq"] = "jq is not installed"
    version = platform.python_version()
    ways[f"Python {version} with gzip and json"] = [sys.executable, "-B", HERE / "ways/with_python.py"]
    python = folder / "venv/bin/python"
    made = subprocess.run([sys.executable, "-m", "venv", folder / "venv"], capture_output=True, text=True)
    for name, packages in PACKAGES.items():
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        done = made if made.returncode else subprocess.run(install, capture_output=True, text=True)
        if done.returncode == 0:
            ways[packages[0].replace("==", " ")] = [python, "-B", HERE / f"ways/with_{name.lower()}.py"]
        else:
            reason = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            missing[name] = f"cannot be installed: {reason[-1]}"
    return ways, missing


# The answer.


def answer_of_exposure(out, ledger):
    """The common answer, out of the analysis that a run printed and the ledger that it wrote."""
    times, sightings = {}, 0
    for instance in ledger["instances"]:
        for sighting in instance.get("sightings", []):
            sightings += 1
            times.setdefault((instance["instance_id"], sighting["volume"]), set()).add(sighting["time"])
    accounting = json.loads(out)["accounting"]
    if accounting["sightings"] != sightings:
        raise Failed(f"exposure counts {accounting['sightings']} sightings, and its ledger holds {sightings}")
    return {"records": accounting["records"], "sightings": sightings, "times": in_order(times.items()), "printed": out}


def in_order(times):
    return {tuple(pair): sorted(those) for pair, those in times}


def answer_of(out):
    """The answer that another way printed."""
    answer = json.loads(out)
    return answer | {"times": in_order((row[:2], row[2]) for row in answer["times"])}


def demand_same(name, answer, expected):
    """Fails with the difference if two answers are not the same."""
    for count in ("records", "sightings"):
        if answer[count] != expected[count]:
            raise Failed(f"{name} gives {answer[count]} {count}, and exposure {expected[count]}")
    ours, theirs = expected["times"], answer["times"]
    for pair in sorted(ours.keys() | theirs.keys()):
        if ours.get(pair) != theirs.get(pair):
            raise Failed(f"{name} gives {theirs.get(pair)} for {' '.join(pair)}, and exposure {ours.get(pair)}")


def demand_same_analysis(out, expected, threads):
    """Fails with the first different line if a run prints another analysis than the one that was checked."""
    for line, checked in zip(out.splitlines() + [""], expected["printed"].splitlines() + [""]):
        if line != checked:
            raise Failed(f"exposure with --threads {threads} prints {line!r} where it printed {checked!r}")


def demand_truth(answer, corpus):
    """Fails if the answer is not what was simulated, or if there is nothing in it to find."""
    for count in ("records", "sightings"):
        if answer[count] != getattr(corpus, count):
            raise Failed(f"exposure gives {answer[count]} {count}, and {getattr(corpus, count)} were simulated")
    if not any(len(those) > 1 for those in answer["times"].values()):
        raise Failed("no volume was decrypted twice; the corpus is too small to show anything")


# The measurements.


def measure_ways(bench, corpus, ways, expected):
    """Each other way, once."""
    took = {}
    for name, command in ways.items():
        note(name)
        took[name], out = bench.measured(*command, corpus.folder)
        try:
            answer = answer_of(out)
        except (ValueError, LookupError, TypeError) as error:
            raise Failed(f"{name} gives no answer ({error!r}): {out[:200]!r}") from error
        demand_same(name, answer, expected)
    return took


def measure_pairs(bench, corpus, runs, expected, threads):
    """By number of threads: decompression alone and exposure, in alternation."""
    took = {count: [] for count in threads}
    for run in range(runs):
        note(f"pair {run + 1} of {runs}")
        for count, pairs in took.items():
            alone = bench.decompress(corpus, count)
            whole, out = bench.exposure(corpus, count)
            demand_same_analysis(out, expected, count)
            pairs.append((alone, whole))
    return took


def measure_growth(bench, largest, records, instances, runs):
    """The corpus of each size, and pairs on it. The largest is there already."""
    rows = []
    for factor in GROWTH:
        part = GROWTH[-1] // factor
        note(f"growth, {factor}x")
        corpus = largest if part == 1 else bench.simulate(records // part, instances // part)
        _, expected = bench.exposure_with_state(corpus)
        rows.append((factor, corpus, measure_pairs(bench, corpus, min(runs, 3), expected, [1])[1]))
        if part > 1:
            shutil.rmtree(corpus.folder)
    return rows


# The report.


def median(runs):
    """The median of each of the things that runs took."""
    runs = list(runs)
    return Took(*(statistics.median(getattr(took, of) for took in runs) for of in ("wall", "cpu", "peak")))


def cpu_ratio(pair):
    alone, whole = pair
    return whole.cpu / alone.cpu


def table(head, rows):
    """Text in columns, the first to the left and the others to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        first, *others = (cell.rjust(width) for cell, width in zip(line, widths))
        yield "  ".join(["  " + first.strip().ljust(widths[0]), *others])


def ways_table(pairs, with_state, others):
    alone, whole = map(median, zip(*pairs))
    rows = {"decompression alone (libdeflate)": alone, "exposure analyze": whole}
    rows |= {"exposure analyze --state": median(with_state), **others}

    def row(name, took):
        ratios = f"{took.cpu / whole.cpu:.2f}", f"{took.cpu / alone.cpu:.2f}", f"{took.peak / whole.peak:.2f}"
        return [name, *ratios, f"{took.cpu:.2f}", f"{took.wall:.2f}", f"{took.peak:.0f}"]

    head = ["", "CPU / exposure", "CPU / limit", "memory / exposure", "CPU s", "wall s", "peak MiB"]
    return table(head, [row(name, took) for name, took in rows.items()])


def growth_table(rows):
    def row(factor, corpus, pairs):
        whole = median(whole for _, whole in pairs)
        counts = f"{corpus.records:,}", f"{corpus.sightings:,}", f"{corpus.unpacked / 1e6:,.0f}"
        cpu = f"{whole.cpu:.2f}", f"{whole.cpu / corpus.records * 1e6:.2f}"
        return [f"{factor}x", *counts, *cpu, f"{statistics.median(map(cpu_ratio, pairs)):.2f}", f"{whole.peak:.0f}"]

    head = ["", "records", "sightings", "MB of JSON", "CPU s", "CPU s / million", "CPU / limit", "peak MiB"]
    return table(head, [row(*each) for each in rows])


def report(machine, corpus, repeated, pairs, with_state, others, missing, growth, floor):
    ratios = sorted(map(cpu_ratio, pairs[1]))
    yield machine
    yield (
        f"corpus: {corpus.unpacked / 1e6:,.0f} MB of JSON in {corpus.packed / 1e6:,.0f} MB of gzip, "
        f"{corpus.files:,} files, {corpus.records:,} records, {corpus.sightings:,} sightings, "
        f"{repeated:,} volumes decrypted again"
    )
    yield f"answer: the same from exposure, {', '.join(others)}; counts as simulated"
    yield from (f"left out: {name}: {reason}" for name, reason in missing.items())
    yield ""
    yield (
        f"exposure takes {statistics.median(ratios):.2f} times the CPU time of decompression alone "
        f"(median of {len(ratios)} pairs, {ratios[0]:.2f} to {ratios[-1]:.2f})"
    )
    if 2 in pairs:
        gains = [[one[of].wall / two[of].wall for one, two in zip(pairs[1], pairs[2])] for of in (0, 1)]
        gains = [statistics.median(gain) for gain in gains]
        peak = median(whole for _, whole in pairs[2]).peak
        yield (
            f"two threads make it {gains[1]:.2f} times as fast as one by the clock "
            f"(decompression alone {gains[0]:.2f}), with {peak:.0f} MiB at the peak"
        )
    yield ""
    yield "One thread each; exposure and decompression median of all runs, the others once"
    yield from ways_table(pairs[1], with_state, others)
    yield ""
    yield "Growth of exposure analyze, one thread"
    yield from growth_table(growth)
    yield ""
    yield "CPU time is user and system, of all processes; peak memory is that of the largest process."
    yield f"Less memory than {floor:.0f} MiB cannot be told."


def machine_line():
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    command = " ".join(["python3", "tests/benchmark/run.py", *sys.argv[1:]])
    return f"{cores()} cores, {model}, load {os.getloadavg()[0]:.1f} at the start: {command}"


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(arguments, bench):
    machine = machine_line()
    note("installs the other ways")
    ways, missing = other_ways(bench.folder)
    note(f"simulates {arguments.records:,} records")
    instances = arguments.instances or max(arguments.records // 800, GROWTH[-1])
    corpus = bench.simulate(arguments.records, instances)
    bench.decompress(corpus)
    _, expected = bench.exposure_with_state(corpus)
    others = measure_ways(bench, corpus, ways, expected)
    threads = [1, 2] if cores() > 1 else [1]
    pairs = measure_pairs(bench, corpus, arguments.runs, expected, threads)
    with_state = [bench.exposure_with_state(corpus)[0] for _ in range(arguments.runs)]
    growth = measure_growth(bench, corpus, arguments.records, instances, arguments.runs)
    floor, _ = bench.measured(shutil.which("true"))
    repeated = sum(len(those) > 1 for those in expected["times"].values())
    for line in report(machine, corpus, repeated, pairs, with_state, others, missing, growth, floor.peak):
        print(line)


def number(text):
    value = int(text.replace("_", "").replace(",", ""))
    if value < 1:
        raise ValueError(text)
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=number, help=f"about how many records to simulate (default {RECORDS:,})")
    parser.add_argument("--instances", type=number, help="how many instances (default one for 800 records: under 1 %% of them matter)")
    parser.add_argument("--runs", type=number, help="how many pairs to measure (default 5)")
    parser.add_argument("--seed", type=number, default=1, help="of the simulation (default 1)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the records, and 2 pairs")
    parser.add_argument("--keep", action="store_true", help="leave corpus, answers and virtual environment in place")
    arguments = parser.parse_args()
    arguments.records = arguments.records or (RECORDS // 10 if arguments.quick else RECORDS)
    arguments.runs = arguments.runs or (2 if arguments.quick else 5)

    note("builds")
    begin = time.monotonic()
    try:
        bench = Bench(build(), arguments.seed)
        bench.folder.mkdir(parents=True, exist_ok=True)
        try:
            run(arguments, bench)
        finally:
            if not arguments.keep:
                shutil.rmtree(bench.folder, ignore_errors=True)
    except Failed as failure:
        sys.exit(f"benchmark: {failure}")
    except subprocess.CalledProcessError as failure:
        sys.exit(f"benchmark: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
    note(f"done in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
