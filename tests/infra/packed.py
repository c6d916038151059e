#!/usr/bin/env python3
"""Is what infra/package.py makes fit to be deployed and handed on, and does it come out the same every time?

    python3 tests/infra/packed.py [--run]

Checks the packing itself and the judgement of programs, on archives and programs of its own. `--run` takes the archives of
the last build as well: it unpacks them, starts the function of each ZIP file under a Lambda Runtime API on loopback, against
the stand-in for AWS, and asks the command lines for their version. What is for another machine runs where Debian's
`qemu-user-static` and `libc6-arm64-cross` or `wine` are there, and is named where they are not. Prints each check as `ok` or
`FAILED`, and how many passed; exits with 1 if any failed.

Needs Python 3.11 or later, a C compiler, and with `--run` cargo.
"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

sys.dont_write_bytecode = True
from tools import ROOT, Failed, Tally, demand, target  # noqa: E402

sys.path.insert(0, str(ROOT / "infra"))
import package  # noqa: E402
from packing import archive, binary, licenses, toolchain  # noqa: E402
from packing.archive import Member  # noqa: E402

EPOCH = 1_778_457_601
MEMBERS = [Member("folder/a program", b"program", program=True), Member("folder/LICENSE", b"text")]
QEMU, ARM64_ROOT = "qemu-aarch64-static", Path("/usr/aarch64-linux-gnu")


def refused(what, kind, *arguments):
    try:
        what(*arguments)
    except kind as reason:
        return str(reason)
    raise Failed(f"{what.__name__}{arguments[1:]} refuses nothing")


@contextlib.contextmanager
def elsewhere(zone, umask):
    """In another time zone, with another umask."""
    before, was = os.umask(umask), os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        os.umask(before)
        os.environ.pop("TZ") if was is None else os.environ.update(TZ=was)
        time.tzset()


class Packing:
    def same(self):
        """archives follow from their members alone: not from order, clock, time zone or umask"""
        for pack in (archive.zipped, archive.tarred):
            first = pack(MEMBERS, EPOCH)
            with elsewhere("Pacific/Kiritimati", 0o077):
                time.sleep(1.1)
                demand(f"the same from {pack.__name__}", pack(MEMBERS[::-1], EPOCH) == first)
            demand("another time shows", pack(MEMBERS, EPOCH + 60) != first)
            demand("another mode shows", pack([Member("x", b"")], EPOCH) != pack([Member("x", b"", True)], EPOCH))

    def function(self):
        """a function's ZIP file has the bootstrap at its root, for everybody to execute, at the time of the sources"""
        with zipfile.ZipFile(io.BytesIO(archive.zipped([Member("bootstrap", b"\0" * 9, True)], EPOCH))) as made:
            (info,) = made.infolist()
            demand("name", info.filename, "bootstrap")
            demand("system and mode", (info.create_system, info.external_attr >> 16), (3, 0o100755))
            demand("time", info.date_time, (2026, 5, 11, 0, 0, 0))
            demand("content", made.read("bootstrap"), b"\0" * 9)

    def tar(self):
        """a tar.gz file is of nobody, and programs are executable"""
        with tarfile.open(fileobj=io.BytesIO(archive.tarred(MEMBERS, EPOCH))) as made:
            told = [(info.name, info.mode, info.mtime, info.uid, info.gid, info.uname) for info in made.getmembers()]
        text, program = ("folder/LICENSE", 0o644), ("folder/a program", 0o755)
        demand("members", told, [(*text, EPOCH, 0, 0, ""), (*program, EPOCH, 0, 0, "")])

    def refusals(self):
        """a path that comes twice and a time that no ZIP file holds are refused"""
        refused(archive.zipped, ValueError, [MEMBERS[0], MEMBERS[0]], EPOCH)
        refused(archive.tarred, ValueError, [MEMBERS[0], MEMBERS[0]], EPOCH)
        refused(archive.zipped, ValueError, MEMBERS, archive.EARLIEST - 1)

    def written(self):
        """sha256sum agrees with SHA256SUMS, and a later build takes away the files of the earlier one and no other"""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "out")
            package.write(out, {"old.zip": b"old", "kept.zip": b"1"})
            (out / "notes").write_text("mine")
            package.write(out, {"kept.zip": b"2", "new.tar.gz": b"3"})
            demand("files", sorted(file.name for file in out.iterdir()), ["SHA256SUMS", "kept.zip", "new.tar.gz", "notes"])
            subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=out, check=True)

    def differences(self):
        """what differs between two builds is named: archive, member, mode, byte"""
        here = {"a.zip": archive.zipped(MEMBERS, EPOCH), "b.tar.gz": archive.tarred(MEMBERS, EPOCH), "c.zip": b""}
        other = [Member("folder/a program", b"progrbm"), Member("more", b"")]
        there = {"a.zip": archive.zipped(other, EPOCH), "b.tar.gz": archive.tarred(MEMBERS, EPOCH + 1)}
        demand("none", list(package.differences(here, here)), [])
        found = list(package.differences(here, there))
        demand("differences", found, [
            "a.zip: folder/LICENSE is there in one build only",
            "a.zip: folder/a program has mode 755 and 644",
            "a.zip: folder/a program has 7 and 7 bytes, and differs from byte 5 on",
            "a.zip: more is there in one build only",
            "b.tar.gz: its members are the same, and the archive around them is not",
            "c.zip is made by one build only",
        ])

    def licences(self):
        """THIRD-PARTY.txt has what the programs are made of, and not what only tests or builds them"""
        command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", toolchain.TARGETS[0].triple]
        about = json.loads(subprocess.check_output(command, cwd=ROOT, stderr=subprocess.DEVNULL))
        names = {found["name"] for found in licenses.shipped(about)}
        demand("shipped", names >= {"serde", "ring", "libdeflate-sys", "aws-sdk-s3", "clap"})
        demand("not shipped", names & {"insta", "proptest", "cc", "exposure-core", "exposure-stand-in"}, set())
        text = licenses.text(licenses.shipped(about)).decode()
        demand("each has its line", all(f"\n{name} " in text for name in names))
        demand("there are texts", text.count("Permission is hereby granted") > 5)


PROGRAM = "#include <math.h>\n#include <stdio.h>\nint main(int c, char **v) { printf(\"%f\", pow(c, 0.5)); return 0; }\n"


class Judgement:
    """Of programs that the C compiler of this machine makes."""

    def __init__(self, folder):
        self.folder = folder
        source = folder / "program.c"
        source.write_text(PROGRAM)
        self.stripped, self.whole = folder / "stripped", folder / "whole"
        subprocess.run(["cc", "-s", "-o", self.stripped, source, "-lm"], check=True)
        subprocess.run(["cc", "-g", "-o", self.whole, source, "-lm"], check=True)
        content = self.stripped.read_bytes()
        self.machine = binary.Elf(content).machine
        self.needs = binary.glibc_needed(content)

    def glibc(self):
        """the glibc that a program needs is the one that objdump reads out of it"""
        for file in (self.stripped, self.whole, Path(shutil.which("readelf")).resolve()):
            said = subprocess.check_output(["objdump", "-p", file], text=True)
            listed = [word for word in said.split() if word.startswith("GLIBC_2")]
            demand(f"of {file.name}", binary.glibc_needed(file.read_bytes()), max(map(binary.glibc, listed)))
        demand("versions are numbers", binary.glibc("GLIBC_2.4") < binary.glibc("GLIBC_2.26") < binary.glibc("GLIBC_PRIVATE"))

    def fit(self):
        """a program that needs a newer glibc, another machine or other libraries is refused, and so is one not stripped"""
        content, judge = self.stripped.read_bytes(), binary.demand_elf
        judge(content, self.machine, self.needs)
        older = (self.needs[0], self.needs[1] - 1)
        demand("too new", "glibc" in refused(judge, binary.Unfit, content, self.machine, older))
        demand("machine", "machine" in refused(judge, binary.Unfit, content, self.machine + 1, self.needs))
        whole = self.whole.read_bytes()
        demand("debug", "stripped" in refused(judge, binary.Unfit, whole, self.machine, self.needs))
        own = self.folder / "libown.so.1"
        subprocess.run(["cc", "-shared", "-x", "c", "-", "-o", own], input=b"int own(void) { return 1; }", check=True)
        user = self.folder / "user"
        code = b"int own(void); int main(void) { return own(); }"
        subprocess.run(["cc", "-s", "-x", "c", "-", "-x", "none", own, "-o", user], input=code, check=True)
        told = refused(judge, binary.Unfit, user.read_bytes(), self.machine, (99, 0))
        demand("libraries", "beside glibc" in told)
        static = self.folder / "static"
        subprocess.run(["cc", "-s", "-static", "-x", "c", "-", "-o", static], input=b"int main(void) { return 0; }", check=True)
        refused(judge, binary.Unfit, static.read_bytes(), self.machine, (99, 0))
        refused(judge, binary.Unfit, b"#!/bin/sh\n", self.machine, self.needs)

    def windows(self):
        """a program for Windows that needs a library of its compiler, or is not stripped, is refused"""
        def made(machine=0x8664, symbols=0, libraries=b""):
            head = b"MZ".ljust(60, b"\0") + (64).to_bytes(4, "little") + b"PE\0\0"
            fields = machine.to_bytes(2, "little") + b"\0" * 6 + symbols.to_bytes(4, "little")
            return head + fields.ljust(400, b"\0") + libraries

        binary.demand_pe(made(libraries=b"KERNEL32.dll\0"))
        for wrong in (made(machine=0xAA64), made(symbols=1), made(libraries=b"libgcc_s_seh-1.dll\0"), b"\x7fELF" * 40):
            refused(binary.demand_pe, binary.Unfit, wrong)

    def anonymous(self):
        """a program that names a folder of the machine that built it is refused"""
        binary.demand_anonymous(self.stripped.read_bytes(), {str(self.folder)})
        refused(binary.demand_anonymous, binary.Unfit, self.whole.read_bytes(), {str(self.folder)})


class Built:
    """The archives of the last build."""

    def __init__(self, folder, place):
        self.folder, self.place = folder, place
        self.files = {line.split("  ", 1)[1]: line.split("  ", 1)[0] for line in (folder / "SHA256SUMS").read_text().splitlines()}

    def sums(self):
        """the sums are those of the files"""
        demand("there are archives", bool(self.files))
        demand("sums", {name: archive.digest((self.folder / name).read_bytes()) for name in self.files}, self.files)

    def unpacked(self, name):
        into = self.place / name
        command = ["unzip", "-q", "-o", self.folder / name, "-d", into] if name.endswith(".zip") else \
            ["tar", "-xzf", self.folder / name, "-C", into]
        into.mkdir(exist_ok=True)
        subprocess.run(command, check=True)
        return into

    def way(self, name):
        """What the programs of an archive are started with; nothing where this machine cannot."""
        if "windows" in name:
            return ["wine"] if shutil.which("wine") else None
        if "arm64" not in name or os.uname().machine == "aarch64":
            return []
        return [QEMU, "-L", str(ARM64_ROOT)] if shutil.which(QEMU) and (ARM64_ROOT / "lib").exists() else None

    def function(self, name, way):
        from looking.replay import Function, StandIn, seconds

        program = self.unpacked(name) / "bootstrap"
        demand("Lambda may start it", program.stat().st_mode & 0o777, 0o755)
        programs = target() / "debug"
        build = ["cargo", "build", "--locked", "--quiet", "--package", "exposure-cli", "--package", "exposure-stand-in"]
        if not (programs / "stand-in").exists() or not (programs / "exposure").exists():
            subprocess.run(build, cwd=ROOT, check=True)
        account = self.place / f"account-{name}"
        size = ["--days", "1", "--instances", "48"]
        subprocess.run([programs / "exposure", "simulate", account, *size], check=True, capture_output=True)
        truth = json.loads((account / "truth.json").read_text())
        with contextlib.closing(StandIn(programs / "stand-in", account, self.place / "stand-in.log")) as stand_in:
            end = seconds(truth["window"]["to"]) + 3_600
            home = self.place / f"home-{name}"
            home.mkdir()
            variables = {
                "AWS_ENDPOINT_URL": stand_in.url, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "111122223333",
                "AWS_SECRET_ACCESS_KEY": "dummy", "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(home),
                "PATH": os.environ["PATH"], "SOURCE": "directory", "TRAIL_URL": f"file://{account / 'AWSLogs'}",
                "STATE_URL": f"file://{home / 'state.json.gz'}", "CLOCK": "event",
            }
            with contextlib.closing(Function([*way, program], variables, self.place / "log")) as function:
                stand_in.control("PUT", "clock", {"now": end})
                answer = function.invoke(end)
            demand("outcome", answer["outcome"], "complete")
            found = sum(stack["migrations"] for stack in answer["stacks"])
            demand("migrations were found", found > 0)
            sent = {point["name"]: point["values"] for point in stand_in.control("GET", "metrics")}
            demand("the run was published", sent.get("RunCompleted"), [1.0])

    def commands(self, name, way):
        (folder,) = self.unpacked(name).iterdir()
        demand("version in the name", folder.name, name.removesuffix(".zip").removesuffix(".tar.gz"))
        end = ".exe" if "windows" in name else ""
        expected = {f"exposure{end}", f"lifecycle-check{end}", "LICENSE", "README.md", "lifecycle-check.md", "THIRD-PARTY.txt"}
        demand("files", {file.name for file in folder.iterdir()}, expected)
        version = folder.name.split("-")[2]
        for program in ("exposure", "lifecycle-check"):
            environment = os.environ | {"WINEDEBUG": "-all", "WINEPREFIX": str(self.place / "wine")}
            command = [*way, folder / f"{program}{end}", "--version"]
            said = subprocess.check_output(list(map(str, command)), text=True, env=environment, stderr=subprocess.DEVNULL)
            demand("version", said.split(), [program, version])


def checks_of(thing):
    return [getattr(thing, name) for name, what in vars(type(thing)).items() if callable(what) and name[0] != "_"]


def main():
    with_built = sys.argv[1:] == ["--run"]
    demand("arguments", sys.argv[1:] in ([], ["--run"]))
    tally = Tally()
    with tempfile.TemporaryDirectory() as place:
        for thing in (Packing(), Judgement(Path(place))):
            for check in checks_of(thing):
                tally.check(check.__doc__, check)
        if with_built:
            built = Built(target() / "package/dist", Path(place))
            tally.check(built.sums.__doc__, built.sums)
            for name in built.files:
                way, check = built.way(name), built.function if "-lambda-" in name else built.commands
                if way is None:
                    print(f"cannot  run what is in {name} here")
                else:
                    tally.check(" under ".join([f"what is in {name} runs", *way[:1]]), check, name, way)
    sys.exit(tally.close())


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"infra: {failure}")
