"""Archives whose bytes follow from what is in them: not from the clock, the umask, the user or the order of a folder."""

import gzip
import hashlib
import io
import stat
import tarfile
import time
import zipfile
from dataclasses import dataclass

# 1980, before which ZIP knows no time.
EARLIEST = 315_532_800


@dataclass(frozen=True)
class Member:
    """A file in an archive: its path there, what it holds, and whether it is a program."""

    path: str
    content: bytes
    program: bool = False

    @property
    def mode(self):
        return 0o755 if self.program else 0o644


def in_order(members):
    ordered = sorted(members, key=lambda member: member.path)
    if len({member.path for member in ordered}) != len(ordered):
        raise ValueError(f"one path twice: {[member.path for member in ordered]}")
    return ordered


def zipped(members, epoch):
    """A ZIP file, with Unix modes: Lambda starts a bootstrap only where everybody may execute it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member in in_order(members):
            info = zipfile.ZipInfo(member.path, time.gmtime(epoch)[:6])
            info.create_system = 3
            info.external_attr = (stat.S_IFREG | member.mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, member.content, compresslevel=9)
    return out.getvalue()


def tarred(members, epoch):
    """A tar.gz file, of nobody."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=out, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for member in in_order(members):
            info = tarfile.TarInfo(member.path)
            info.size, info.mode, info.mtime = len(member.content), member.mode, epoch
            archive.addfile(info, io.BytesIO(member.content))
    return out.getvalue()


def digest(content):
    return hashlib.sha256(content).hexdigest()


def sums(files):
    """What `sha256sum --check` takes, of contents by name."""
    return "".join(f"{digest(content)}  {name}\n" for name, content in sorted(files.items())).encode()


def opened(name, content):
    """The members of an archive as they come out of it, by path: mode and content."""
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            return {info.filename: (stat.S_IMODE(info.external_attr >> 16), archive.read(info)) for info in infos}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return {info.name: (info.mode, archive.extractfile(info).read()) for info in archive.getmembers()}
