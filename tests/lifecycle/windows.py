#!/usr/bin/env python3
"""The Windows build of `lifecycle-check` through the scenario table and every outcome of `once`, under Wine.

    rustup target add x86_64-pc-windows-gnu
    apt-get install gcc-mingw-w64-x86-64 wine64 wine
    python3 tests/lifecycle/windows.py [--exe FILE]

It builds the program unless it is given one, and runs the tests that `cargo test` runs against the native build. Wine shows
that the program works and that its commands run; it does not show the service manager, nor how Windows ends a group of
processes or keeps its permissions.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = "x86_64-pc-windows-gnu"
TESTS = ["once::every_outcome", "once::the_text", "scenarios::every_night", "serve::a_poller", "serve::hosts"]


def build():
    build = ["cargo", "build", "--locked", "--release", "--package", "exposure-lifecycle", "--target", TARGET]
    subprocess.run(build, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / TARGET / "release" / "lifecycle-check.exe"


# Every program of Rust asks this library for random numbers. Windows has had it since 10; Wine has it since 9, and Debian's
# is 8.
SHIM = """
#include <windows.h>
#include <ntsecapi.h>
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) { return RtlGenRandom(data, (ULONG)length); }
"""


def supply(prefix):
    library = prefix / "drive_c/windows/system32/bcryptprimitives.dll"
    if not library.exists():
        compiler = ["x86_64-w64-mingw32-gcc", "-shared", "-x", "c", "-", "-o", library, "-ladvapi32"]
        subprocess.run(compiler, input=SHIM, text=True, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exe", type=Path)
    exe = (parser.parse_args().exe or build()).resolve()
    # In a folder that is not everybody's: Wine shows /tmp as one whose files everybody can replace, and commands there are
    # refused.
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        prefix, scratch = Path(folder, "prefix"), Path(folder, "scratch")
        prefix.mkdir()
        scratch.mkdir()
        wine = {"WINEPREFIX": str(prefix), "WINEDEBUG": "-all", "TMPDIR": str(scratch)}
        environment = {**os.environ, **wine, "LIFECYCLE_CHECK_EXE": str(exe)}
        try:
            # The first start of a prefix takes its time: not that of a test.
            subprocess.run(["wineboot", "--init"], env=environment, check=True, capture_output=True)
            supply(prefix)
            version = subprocess.run(["wine", exe, "--version"], env=environment, check=True, capture_output=True, text=True)
            print(f"{version.stdout.strip()} under {subprocess.check_output(['wine', '--version'], text=True).strip()}")
            # Of the workspace: with other features everything would be built again.
            tests = ["cargo", "test", "--locked", "--workspace", "--test", "lifecycle", "--", "--test-threads", "1", *TESTS]
            return subprocess.run(tests, cwd=ROOT, env=environment, check=False).returncode
        finally:
            # Ends what Wine started in this prefix, and nothing else.
            subprocess.run(["wineserver", "--kill"], env=environment, check=False)


if __name__ == "__main__":
    sys.exit(main())
