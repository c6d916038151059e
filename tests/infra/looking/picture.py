"""Headless Chromium: a picture of a page, made small, and a page that must hold no foreign markup."""

import collections
import struct
import subprocess
import zlib

from .replay import Failed

WIDTH = 1440
# As root Chromium has no sandbox; the page has no script and may load nothing (Content-Security-Policy).
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
         "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def chromium(program, folder, page, *flags):
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [program, *FLAGS, profile, *flags, page.as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=180)
    if ran.returncode:
        raise Failed(f"Chromium ends with {ran.returncode}: {ran.stderr[-1000:]}")
    return ran.stdout


def take(program, page, folder, out, height):
    raw = folder / "raw.png"
    raw.unlink(missing_ok=True)
    chromium(program, folder, page, f"--screenshot={raw}", f"--window-size={WIDTH},{height}")
    if not raw.exists():
        raise Failed("Chromium took no picture")
    out.write_bytes(smaller(raw.read_bytes()))


def harmless(program, page, folder):
    """What a browser makes of the page: no script ran, and no element is there that this project does not write."""
    shown = chromium(program, folder, page, "--dump-dom")
    for bad in ("<script", "<img", "owned</title>"):
        if bad in shown.lower():
            raise Failed(f"a hostile name became markup: {bad} in {page}")
    if "&lt;img" not in shown:
        raise Failed("the hostile names are not shown at all")


def smaller(png):
    """The picture in its 256 most frequent colours, which a chart has use for: a third of its size."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    channels = {2: 3, 6: 4}.get(kind)
    if depth != 8 or channels is None:
        return png
    lines = list(unfiltered(zlib.decompress(b"".join(chunks(png, b"IDAT"))), width, height, channels))
    pixels = [[bytes(line[at:at + 3]) for at in range(0, len(line), channels)] for line in lines]
    counted = collections.Counter(colour for line in pixels for colour in line)
    palette = [colour for colour, _ in counted.most_common(256)]
    numbers = {colour: number for number, colour in enumerate(palette)}
    for colour in counted:
        if colour not in numbers:
            near = min(palette, key=lambda known: sum((a - b) ** 2 for a, b in zip(known, colour)))
            numbers[colour] = numbers[near]
    out = b"".join(b"\0" + bytes(map(numbers.__getitem__, line)) for line in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", head), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(out, 9)), (b"IEND", b"")]
    return png[:8] + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def chunks(png, wanted):
    at = 8
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at:at + 8])
        if name == wanted:
            yield png[at + 8:at + 8 + length]
        at += 12 + length


def unfiltered(data, width, height, channels):
    """PNG specification, "Filtering"."""
    size, before = width * channels, bytearray(width * channels)
    for row in range(height):
        start = row * (size + 1)
        kind, line = data[start], bytearray(data[start + 1:start + 1 + size])
        for at in range(size):
            left = line[at - channels] if at >= channels else 0
            corner = before[at - channels] if at >= channels else 0
            above = before[at]
            if kind == 1:
                line[at] = (line[at] + left) & 255
            elif kind == 2:
                line[at] = (line[at] + above) & 255
            elif kind == 3:
                line[at] = (line[at] + (left + above) // 2) & 255
            elif kind == 4:
                guess = left + above - corner
                nearest = min((abs(guess - left), 0, left), (abs(guess - above), 1, above), (abs(guess - corner), 2, corner))
                line[at] = (line[at] + nearest[2]) & 255
        yield line
        before = line
