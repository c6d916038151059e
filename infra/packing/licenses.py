"""The licences of the crates that are in the programs, which most of them want to be handed on with these."""

import json
import re
from pathlib import Path

from packing.toolchain import CRATES, said

FILE = re.compile(r"(?i)^(licen[cs]e|copying|notice|copyright|unlicense)")


def shipped(metadata):
    """The packages that the programs are made of: not what only builds or tests them, and not this project's own."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    left = [package["id"] for package in metadata["packages"] if package["name"] in CRATES]
    seen = set(left)
    while left:
        for dependency in nodes[left.pop()]["deps"]:
            is_part = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if is_part and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                left.append(dependency["pkg"])
    found = [package for package in metadata["packages"] if package["id"] in seen and package["source"]]
    return sorted(found, key=lambda package: (package["name"], package["version"]))


def text(packages):
    """Each licence once, with all that it is of."""
    lines = ["The programs hold the standard library of Rust (MIT OR Apache-2.0) and these crates.", ""]
    texts = {}
    for package in packages:
        lines.append(f"{package['name']} {package['version']}: {package['license'] or 'see its file'}")
        for file in sorted(Path(package["manifest_path"]).parent.iterdir()):
            if FILE.match(file.name) and file.is_file():
                content = "\n".join(file.read_text(errors="replace").split("\r\n")).strip()
                texts.setdefault(content, []).append(f"{package['name']} {package['version']} ({file.name})")
    for content, owners in texts.items():
        lines += ["", "-" * 100, ", ".join(owners), "", content]
    return ("\n".join(lines) + "\n").encode()


def of(toolchain, target):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target.triple]
    return text(shipped(json.loads(said(*command, cwd=toolchain.root, env=toolchain.environment))))
