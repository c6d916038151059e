"""What a built program says of itself: for which machine, what it needs of the system, and what it gives away."""

import struct

# e_machine of the ELF specification, Machine of the PE one.
X86_64_ELF, ARM64_ELF, X86_64_PE = 62, 183, 0x8664
SYMBOLS, DYNAMIC, VERSIONS_NEEDED = 2, 6, 0x6FFF_FFFE
NEEDED = 1
# Of glibc itself. Anything else would have to be on the machine as well.
LIBRARIES = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1"}
LOADERS = ("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")
# What compilers for Windows bring along, and no Windows has.
FOREIGN = ("libgcc", "libwinpthread", "libunwind", "libstdc++", "libc++", "vcruntime", "msvcp")


class Unfit(Exception):
    """Why a program must not be shipped."""


def text_at(table, at):
    return table[at : table.index(b"\0", at)].decode()


class Elf:
    """An ELF file of 64 bits, least significant byte first."""

    def __init__(self, content):
        if content[:6] != b"\x7fELF\x02\x01":
            raise Unfit("it is no ELF file of 64 bits")
        self.content = content
        self.machine = struct.unpack_from("<H", content, 18)[0]
        (begin,) = struct.unpack_from("<Q", content, 40)
        size, count, names = struct.unpack_from("<HHH", content, 58)
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", content, begin + size * place) for place in range(count)]
        table = self.of(self.sections[names])
        self.names = [text_at(table, section[0]) for section in self.sections]

    def of(self, section):
        return self.content[section[4] : section[4] + section[5]]

    def linked(self, kind):
        """The sections of a kind, each with the table of its texts."""
        for section in self.sections:
            if section[1] == kind:
                yield self.of(section), self.of(self.sections[section[6]])

    def libraries(self):
        return {
            text_at(texts, value)
            for entries, texts in self.linked(DYNAMIC)
            for tag, value in struct.iter_unpack("<qQ", entries)
            if tag == NEEDED
        }

    def versions(self):
        """The versions that it needs of its libraries, such as GLIBC_2.17: each library's entry heads a list of them."""
        found = set()
        for needs, texts in self.linked(VERSIONS_NEEDED):
            at, more = 0, True
            while more:
                _, count, _, first, following = struct.unpack_from("<HHIII", needs, at)
                place = at + first
                for _ in range(count):
                    _, _, _, name, step = struct.unpack_from("<IHHII", needs, place)
                    found.add(text_at(texts, name))
                    place += step
                at, more = at + following, following != 0
        return found


def glibc(version):
    """GLIBC_2.17 as numbers; above every number what belongs to glibc alone."""
    name = version.removeprefix("GLIBC_")
    return tuple(map(int, name.split("."))) if name[0].isdigit() else (float("inf"),)


def glibc_needed(content):
    """The oldest glibc that an ELF file runs with."""
    needed = [glibc(version) for version in Elf(content).versions() if version.startswith("GLIBC_")]
    if not needed:
        raise Unfit("it names no version of glibc: it is linked in another way than it should be")
    return max(needed)


def demand_elf(content, machine, newest_glibc):
    """For this machine, stripped, and at home on a system with this glibc and nothing else."""
    elf = Elf(content)
    if elf.machine != machine:
        raise Unfit(f"it is for machine {elf.machine}, not {machine}")
    needed = glibc_needed(content)
    if needed > newest_glibc:
        raise Unfit(f"it needs glibc {dotted(needed)}, and must run with {dotted(newest_glibc)}")
    foreign = {name for name in elf.libraries() if name not in LIBRARIES and name not in LOADERS}
    if foreign:
        raise Unfit(f"it needs libraries beside glibc: {sorted(foreign)}")
    left = [name for name in elf.names if name.startswith(".debug") or name == ".symtab"]
    if left:
        raise Unfit(f"it is not stripped: {left}")


def demand_pe(content):
    """For Windows on x86-64, stripped, and in no need of a compiler's libraries."""
    at = struct.unpack_from("<I", content, 60)[0] if content[:2] == b"MZ" else 0
    if not at or content[at : at + 4] != b"PE\0\0":
        raise Unfit("it is no program for Windows")
    machine, _, _, symbols = struct.unpack_from("<HHII", content, at + 4)
    if machine != X86_64_PE:
        raise Unfit(f"it is for machine {machine:#x}, not {X86_64_PE:#x}")
    if symbols:
        raise Unfit("it is not stripped")
    lower = content.lower()
    foreign = [name for name in FOREIGN if any(f"{name}{end}".encode() in lower for end in (".dll\0", "_s_seh-1.dll\0", "-1.dll\0"))]
    if foreign:
        raise Unfit(f"it needs libraries that no Windows has: {foreign}")


def dotted(version):
    return ".".join(map(str, version))


def demand_anonymous(content, places):
    """Nothing in it tells where it was built."""
    told = [place for place in places if place.encode() in content]
    if told:
        raise Unfit(f"it names the folders {told}")
