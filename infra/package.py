#!/usr/bin/env python3
"""Builds what is deployed and handed on, so that the same commit gives the same bytes everywhere.

    python3 infra/package.py [TARGET…] [--check] [--out FOLDER]

For each target (all of them: linux-x86-64, linux-arm64, windows-x86-64) an archive of the command lines `exposure` and
`lifecycle-check`, for those of Linux the function as a ZIP file that Lambda takes, and SHA256SUMS of all. Programs are
linked against glibc 2.26 and stripped; one that needs more than that, or names a folder of this machine, is not packed.

`--check` builds once more, from a copy of the sources in another folder, with other homes, another umask, locale and time
zone, and compares: it names each file that differs, in which archive and where, and then exits with 1.

Needs Python 3.11 or later, rustup, a C compiler, and the registries: the compilers that it names in packing/toolchain.py
come from there. All it writes is in `package/` of cargo's target folder, and the archives in `package/dist/` or where
`--out` says. Outside a git checkout give the time of the sources as SOURCE_DATE_EPOCH.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
from packing import archive, licenses  # noqa: E402
from packing.binary import dotted, glibc_needed  # noqa: E402
from packing.toolchain import PACKAGES, RUST, TARGETS, Failed, Toolchain, run, said  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
SUMS, NAME = "SHA256SUMS", "migration-exposure"


def note(text):
    print(f"package: {text}", file=sys.stderr, flush=True)


def target_folder():
    """Cargo's target folder, and the version of the workspace."""
    about = json.loads(said("cargo", "metadata", "--locked", "--format-version", "1", "--no-deps", cwd=ROOT))
    version = next(package["version"] for package in about["packages"] if package["name"] == "exposure-cli")
    return Path(about["target_directory"]), version


def source_time():
    """The time of the sources: that of the last commit."""
    if os.environ.get("SOURCE_DATE_EPOCH"):
        return int(os.environ["SOURCE_DATE_EPOCH"])
    if not (ROOT / ".git").exists():
        raise Failed("this is no git checkout; give the time of the sources, in seconds since 1970, as SOURCE_DATE_EPOCH")
    if said("git", "status", "--porcelain", cwd=ROOT).strip():
        note("there are changes that are not committed: what is built is not what the last commit says")
    return int(said("git", "log", "-1", "--format=%ct", cwd=ROOT))


def packed(toolchain, target, version, epoch):
    """The archives of a target, by name."""
    programs = toolchain.compile(target)
    commands = {target.program(name) for name in ("exposure", "lifecycle-check")}
    texts = {"LICENSE": ROOT / "LICENSE", "README.md": ROOT / "README.md"}
    texts |= {"lifecycle-check.md": ROOT / "functions/lifecycle/README.md"}
    folder = f"{NAME}-{version}-{target.name}"
    members = [archive.Member(f"{folder}/{name}", programs[name], program=True) for name in commands]
    members += [archive.Member(f"{folder}/{name}", file.read_bytes()) for name, file in texts.items()]
    members.append(archive.Member(f"{folder}/THIRD-PARTY.txt", licenses.of(toolchain, target)))
    if target.windows:
        return {f"{folder}.zip": archive.zipped(members, epoch)}
    function = [archive.Member("bootstrap", programs["bootstrap"], program=True)]
    return {
        f"{folder}.tar.gz": archive.tarred(members, epoch),
        f"{NAME}-{version}-lambda-{target.function}.zip": archive.zipped(function, epoch),
    }


def write(out, files):
    """Puts the files in place of those of an earlier build, and of nothing else."""
    out.mkdir(parents=True, exist_ok=True)
    earlier = out / SUMS
    if earlier.exists():
        for line in earlier.read_text().splitlines():
            (out / Path(line.split("  ", 1)[1]).name).unlink(missing_ok=True)
        earlier.unlink()
    for name, content in files.items():
        (out / name).write_bytes(content)
    earlier.write_bytes(archive.sums(files))


def build(work, targets, version, out):
    toolchain, epoch, files = Toolchain(ROOT, work), source_time(), {}
    toolchain.fetch(targets)
    for target in targets:
        begin = time.monotonic()
        made = packed(toolchain, target, version, epoch)
        note(f"{target.name} in {time.monotonic() - begin:.0f} s")
        files |= made
    write(out, files)
    return files


def elsewhere(targets, folder):
    """The archives of a build from a copy of the sources, in another folder, by somebody else as far as that goes."""
    root = folder / "a-copy-of-the-sources"
    listed = said("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, root / name)
    home, cargo = folder / "home", os.environ.get("CARGO_HOME") or Path.home() / ".cargo"
    home.mkdir()
    rustup = os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup"
    environment = os.environ | {
        "HOME": str(home), "CARGO_HOME": str(cargo), "RUSTUP_HOME": str(rustup), "CARGO_TARGET_DIR": str(folder / "built"),
        "USER": "somebody", "LOGNAME": "somebody", "LC_ALL": "C.UTF-8", "TZ": "Pacific/Kiritimati",
        "SOURCE_DATE_EPOCH": str(source_time()),
    }
    command = [sys.executable, root / "infra/package.py", *(target.name for target in targets), "--out", folder / "out"]
    run(*command, cwd=folder, env=environment, umask=0o077, stdout=subprocess.DEVNULL)
    return {file.name: file.read_bytes() for file in (folder / "out").iterdir() if file.name != SUMS}


def differences(here, there):
    """What differs, a line for each: names, then members, then the first byte that is another."""
    for name in sorted(here.keys() | there.keys()):
        if name not in here or name not in there:
            yield f"{name} is made by one build only"
        elif here[name] != there[name]:
            yield from members_that_differ(name, archive.opened(name, here[name]), archive.opened(name, there[name]))


def members_that_differ(name, here, there):
    found = False
    for path in sorted(here.keys() | there.keys()):
        if here.get(path) == there.get(path):
            continue
        found = True
        if path not in here or path not in there:
            yield f"{name}: {path} is there in one build only"
            continue
        (mode, one), (other_mode, other) = here[path], there[path]
        if mode != other_mode:
            yield f"{name}: {path} has mode {mode:o} and {other_mode:o}"
        if one != other:
            at = next((at for at, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
            yield f"{name}: {path} has {len(one)} and {len(other)} bytes, and differs from byte {at} on"
    if not found:
        yield f"{name}: its members are the same, and the archive around them is not"


def report(files):
    """The sums, as SHA256SUMS has them, and on standard error the sizes."""
    print(archive.sums(files).decode(), end="")
    for name, content in sorted(files.items()):
        programs = [inner for mode, inner in archive.opened(name, content).values() if mode & 0o111]
        needed = [glibc_needed(inner) for inner in programs if inner[:4] == b"\x7fELF"]
        needs = f", needs glibc {dotted(max(needed))}" if needed else ""
        note(f"{name}: {len(content) / 1e6:.1f} MB{needs}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [target.name for target in TARGETS]
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(names)}; all of them by default")
    parser.add_argument("--check", action="store_true", help="build once more elsewhere, and compare")
    parser.add_argument("--out", type=Path, help="where the archives go")
    options = parser.parse_args()
    unknown = set(options.targets) - set(names)
    if unknown:
        parser.error(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    targets = [target for target in TARGETS if not options.targets or target.name in options.targets]
    folder, version = target_folder()
    note(f"builds {', '.join(target.name for target in targets)} with Rust {RUST} and {' and '.join(PACKAGES)}")
    files = build(folder / "package", targets, version, options.out or folder / "package/dist")
    report(files)
    if options.check:
        with tempfile.TemporaryDirectory() as place:
            found = list(differences(files, elsewhere(targets, Path(place).resolve())))
        for line in found:
            note(f"not the same: {line}")
        if found:
            return 1
        note(f"{len(files)} archives are the same, byte by byte, from a second build elsewhere")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, OSError) as problem:
        sys.exit(f"package: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
