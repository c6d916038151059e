"""What the scripts of this folder share: tools from PyPI in virtual environments below cargo's target folder, and
checks that are printed one a line."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAM = ["aws-sam-cli==1.170.0", "cfn-lint==1.58.0", "cargo-lambda==1.9.2", "botocore==1.43.127"]
CHECKOV = ["checkov==3.3.30"]
EMULATOR = ["ministack[full]==1.5.33", "cbor2==6.3.0", "pytz==2026.6", "boto3==1.43.106", "awscli==1.46.3"]


class Failed(Exception):
    """Why a check failed."""


def demand(what, found, expected=True):
    if found != expected:
        raise Failed(f"{what}: {found!r}, not {expected!r}")


def target():
    """Cargo's target folder."""
    metadata = subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT)
    return Path(json.loads(metadata)["target_directory"])


def tools(folder, name, packages):
    """The folder of the programs of a virtual environment that holds the packages, made where there is none."""
    venv, done = folder / name, folder / name / "packages.json"
    if not done.exists() or json.loads(done.read_text()) != packages:
        print("infra: installs", *packages, file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        pip = [venv / "bin/python", "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "install", "--quiet"]
        subprocess.run([*pip, *packages], check=True)
        done.write_text(json.dumps(packages))
    return venv / "bin"


def go_on_in(programs, script):
    """Goes on as the same script in the virtual environment of these programs."""
    if Path(sys.prefix) != programs.parent:
        os.execv(programs / "python", [str(programs / "python"), "-B", script, *sys.argv[1:]])


class Tally:
    """Runs checks, prints what became of each, and counts."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    def check(self, name, what, *arguments):
        """Whether it passed."""
        try:
            what(*arguments)
        except Exception as reason:
            self.failed += 1
            print(f"FAILED  {name}: {reason if isinstance(reason, Failed) else repr(reason)}", flush=True)
            return False
        self.passed += 1
        print(f"ok      {name}", flush=True)
        return True

    def close(self):
        """The exit code."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0
