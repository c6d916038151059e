"""The compilers, and the programs built with them: each version is named here, and nothing of the machine gets in."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from packing import archive, binary

RUST = "1.95.0"
# Zig brings C compilers, linkers and C libraries for every target. Earlier ones refuse the AVX-512 code of libdeflate.
PACKAGES = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"]
# Amazon Linux 2, the oldest that the on-instance check has to run on. provided.al2023 has 2.34.
GLIBC = (2, 26)
CRATES = ["exposure-analyzer", "exposure-cli", "exposure-lifecycle"]
# What cargo and rustup need to know to reach their registries. Nothing else of the environment has a say.
KEPT = ("PATH", "HOME", "CARGO_HOME", "RUSTUP_", "SSL_CERT_", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_",
        "CARGO_SOURCE_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class Failed(Exception):
    """Why there is no build."""


@dataclass(frozen=True)
class Target:
    """What is built for: a machine and a system."""

    name: str
    triple: str
    machine: int
    # What Lambda calls it, where it has it.
    function: str | None = None

    @property
    def windows(self):
        return self.name.startswith("windows")

    def program(self, name):
        return f"{name}.exe" if self.windows else name

    def judge(self, content):
        if self.windows:
            binary.demand_pe(content)
        else:
            binary.demand_elf(content, self.machine, GLIBC)


TARGETS = [
    Target("linux-x86-64", "x86_64-unknown-linux-gnu", binary.X86_64_ELF, "x86_64"),
    Target("linux-arm64", "aarch64-unknown-linux-gnu", binary.ARM64_ELF, "arm64"),
    Target("windows-x86-64", "x86_64-pc-windows-gnu", binary.X86_64_PE),
]


def run(*command, **how):
    try:
        return subprocess.run(list(map(str, command)), check=True, text=True, **how)
    except FileNotFoundError:
        raise Failed(f"{command[0]} is not there; builds need rustup (https://rustup.rs)") from None
    except subprocess.CalledProcessError as failure:
        raise Failed(f"{' '.join(map(str, command[:4]))} … ends with {failure.returncode}") from None


def said(*command, **how):
    return run(*command, stdout=subprocess.PIPE, **how).stdout


class Toolchain:
    """The compilers in a folder of their own, for the sources of one checkout."""

    def __init__(self, root, work):
        self.root, self.work = root, work
        self.build = work / "build"
        kept = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
        self.shared = Path(kept.get("CARGO_HOME") or Path.home() / ".cargo")
        # Import libraries for Windows are linked in the order of their paths, wherever that is. Those of crates, of Zig
        # and of rustc lie here, in folders whose order among each other is always the same.
        self.cargo_home, temporary = work / "cargo", work / "tmp"
        for folder in (self.cargo_home / "registry", temporary):
            folder.mkdir(parents=True, exist_ok=True)
        self.environment = kept | {
            "CARGO_HOME": str(self.cargo_home),
            "TMPDIR": str(temporary),
            "PATH": f"{work / 'tools/bin'}{os.pathsep}{kept['PATH']}",
            "RUSTUP_TOOLCHAIN": RUST,
            # Of no commit: where only documents change, programs stay what they are.
            "SOURCE_DATE_EPOCH": str(archive.EARLIEST),
            "CARGO_TARGET_DIR": str(self.build),
            "CARGO_INCREMENTAL": "0",
            "CARGO_PROFILE_RELEASE_STRIP": "symbols",
            "XDG_CACHE_HOME": str(work / "cache"),
            "ZIG_GLOBAL_CACHE_DIR": str(work / "cache/zig"),
            "LC_ALL": "C",
            "TZ": "UTC",
        }

    def fetch(self, targets):
        """Compilers, linkers, standard libraries and crates, as far as they are not there yet."""
        # Crates that were loaded before are not loaded again, but unpacked here.
        for name in ("registry/index", "registry/cache", "config.toml", "credentials.toml"):
            if (self.shared / name).exists() and not (self.cargo_home / name).exists():
                (self.cargo_home / name).symlink_to(self.shared / name)
        done = self.work / "tools/packages.json"
        if not done.exists() or json.loads(done.read_text()) != PACKAGES:
            print("package: installs", *PACKAGES, file=sys.stderr)
            run(sys.executable, "-m", "venv", "--clear", self.work / "tools")
            pip = [self.work / "tools/bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            run(*pip, *PACKAGES)
            # Cargo does not see that the C compiler is another one, and would go on with what the earlier one made.
            shutil.rmtree(self.build, ignore_errors=True)
            done.write_text(json.dumps(PACKAGES))
        there = said("rustup", "toolchain", "list", env=self.environment)
        if not any(line.startswith(f"{RUST}-") for line in there.splitlines()):
            run("rustup", "toolchain", "install", RUST, "--profile", "minimal", "--no-self-update", env=self.environment)
        triples = [target.triple for target in targets]
        run("rustup", "--quiet", "target", "add", "--toolchain", RUST, *triples, env=self.environment)
        for triple in triples:
            run("cargo", "fetch", "--quiet", "--locked", "--target", triple, cwd=self.root, env=self.environment)

    def rustc(self):
        """Where the compiler is, and the commit that it is of."""
        about = said("rustc", "-vV", env=self.environment)
        commit = next(line.split()[1] for line in about.splitlines() if line.startswith("commit-hash: "))
        return Path(said("rustc", "--print", "sysroot", env=self.environment).strip()), commit

    def renamed(self):
        """What each folder is called in a program in place of its name here; the last that fits counts."""
        sysroot, commit = self.rustc()
        standard = sysroot / "lib/rustlib/src/rust"
        crates = sorted((self.cargo_home / "registry/src").iterdir())
        return [
            *([(standard, f"/rustc/{commit}")] if standard.exists() else []),
            *([] if self.build.is_relative_to(self.root) else [(self.build, "/build")]),
            (self.root, "/migration-exposure"),
            *((folder, "/crates") for folder in crates),
        ]

    def compile(self, target):
        """The programs for a target, by their names there, each judged."""
        flags = [f"--remap-path-prefix={folder}={name}" for folder, name in self.renamed()]
        environment = self.environment | {"CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags)}
        triple = target.triple if target.windows else f"{target.triple}.{binary.dotted(GLIBC)}"
        packages = [part for crate in CRATES for part in ("--package", crate)]
        run("cargo", "zigbuild", "--locked", "--release", "--quiet", "--bins", "--target", triple, *packages,
            cwd=self.root, env=environment)
        programs, sysroot = {}, self.rustc()[0]
        private = {str(place) for place in (self.root, self.work, self.shared, sysroot, Path.home()) if place != Path("/")}
        for name in ("bootstrap", "exposure", "lifecycle-check"):
            file = self.build / target.triple / "release" / target.program(name)
            content = file.read_bytes()
            try:
                target.judge(content)
                binary.demand_anonymous(content, private)
            except binary.Unfit as reason:
                raise Failed(f"{file} must not be shipped: {reason}") from None
            programs[target.program(name)] = content
        return programs
