"""Widgets as a page: each a cell of the 24-column grid, drawn as SVG or a table. Whatever comes from outside (stack names,
log lines) is text: escaped, never markup."""

import html
import math
import re
from datetime import datetime, timezone

from . import insights, metric_math

# CloudWatch's own colours come close to these; rows with a colour of their own keep it.
PALETTE = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f"]
CELL, GAP = 58, 8
STYLE = """
body { margin: 12px; font: 12px 'DejaVu Sans', sans-serif; color: #16191f; background: #eaeded; }
main { display: grid; grid-template-columns: repeat(24, 1fr); grid-auto-rows: 42px; gap: 8px; }
section { background: #fff; border: 1px solid #d5dbdb; border-radius: 4px; padding: 6px 8px; overflow: hidden; min-width: 0; }
section.bare { background: none; border: none; padding: 0 4px; }
h3 { margin: 0 0 2px; font-size: 12px; } h1 { font-size: 17px; margin: 0 0 4px; } h2 { font-size: 15px; margin: 2px 0 6px; }
p { margin: 0 0 7px; line-height: 1.35; } code { background: #eef1f4; font-size: 11px; }
table { border-collapse: collapse; font-size: 10px; } td, th { text-align: left; padding: 1px 8px 1px 0; white-space: nowrap; }
.legend { font-size: 10px; line-height: 13px; } .legend i { display: inline-block; width: 9px; height: 9px; margin: 0 4px 0 8px; }
.numbers { display: flex; height: 75%; align-items: center; justify-content: space-around; } .numbers b { font-size: 26px; }
.alarms { display: flex; gap: 8px; margin-top: 12px; } .alarms div { border-left: 4px solid #9e9e9e; background: #f2f3f3;
  padding: 8px 14px; color: #545b64; line-height: 1.5; } .alarms b { color: #16191f; font-size: 14px; }
.numbers div { text-align: center; } svg { display: block; } footer { margin-top: 10px; color: #545b64; }
"""


def page(body, store, records, note):
    cells = "\n".join(cell(widget, store, records) for widget in body["widgets"])
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (f"<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=Content-Security-Policy content=\"{policy}\">"
            f"<title>Migration exposure</title><style>{STYLE}</style><main>{cells}</main><footer>{escape(note)}</footer></html>")


def escape(text):
    return html.escape(str(text), quote=True)


def cell(widget, store, records):
    x, y, width, height = (widget[name] for name in ("x", "y", "width", "height"))
    properties, kind = widget["properties"], widget["type"]
    size = (width * CELL - 2 * GAP, height * 50 - GAP - 14)
    if kind == "text":
        inside = markdown(properties["markdown"])
    elif kind == "log":
        inside = table(*insights.ask(properties["query"], records))
    elif kind == "alarm":
        inside = alarms(properties["alarms"])
    else:
        inside = metric(properties, store, size)
    title = f"<h3>{escape(properties['title'])}</h3>" if "title" in properties else ""
    bare = " class=bare" if kind == "text" and height == 1 else ""
    place = f"grid-area: {y + 1} / {x + 1} / span {height} / span {width}"
    return f"<section{bare} style=\"{place}\">{title}{inside}</section>"


def markdown(text):
    parts = []
    for part in text.split("\n\n"):
        level = len(part) - len(part.lstrip("#"))
        inside = escape(part[level:].strip())
        inside = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", re.sub(r"`(.+?)`", r"<code>\1</code>", inside))
        parts.append(f"<h{level}>{inside}</h{level}>" if level else f"<p>{inside}</p>")
    return "".join(parts)


def table(columns, rows):
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    lines = ("".join(f"<td>{escape('' if value is None else str(value)[:90])}</td>" for value in row) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def metric(properties, store, size):
    drawn = []
    for place, (series, options) in enumerate(metric_math.rows(properties, store)):
        drawn.append((series, options.get("color", PALETTE[place % len(PALETTE)]), options.get("yAxis", "left")))
    view = properties["view"]
    if view == "singleValue":
        return numbers(drawn)
    if view == "bar":
        return bars(drawn, size, properties)
    return lines(drawn, size, properties, store)


def alarms(arns):
    """A tile for each. Its state is for CloudWatch to judge: nothing here does, and none is made up."""
    tiles = (f"<div><b>{escape(arn.rsplit(':', 1)[-1])}</b><br>state: as CloudWatch has it</div>" for arn in arns)
    return f"<div class=alarms>{''.join(tiles)}</div>"


def shown(value):
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"


def latest(series):
    return list(series.points.values())[-1] if series.points else None


def numbers(drawn):
    cells = []
    for series, colour, _ in drawn:
        value = latest(series)
        text = "--" if value is None else shown(value)
        cells.append(f"<div><b style=\"color:{escape(colour)}\">{text}</b><br>{escape(series.label)}</div>")
    return f"<div class=numbers>{''.join(cells)}</div>"


def text_at(x, y, text, anchor="middle", extra=""):
    return f"<text x=\"{x:.1f}\" y=\"{y:.1f}\" text-anchor=\"{anchor}\" font-size=\"10\" {extra}>{escape(text)}</text>"


def axis_of(properties, side):
    return properties.get("yAxis", {}).get(side, {})


def bars(drawn, size, properties):
    values = [latest(series) for series, _, _ in drawn]
    grouped = len(drawn) > 8 and any(len(series.label) > 3 for series, _, _ in drawn)
    width, height = size[0], size[1] - (34 if grouped else 18)
    top = max([value for value in values if value is not None], default=0) or 1
    # Room for the first name, which is turned and ends below its bar.
    left = 14 if grouped else 0
    slot, base, out = (width - left) / max(1, len(values)), height - 34, []
    for place, ((series, colour, _), value) in enumerate(zip(drawn, values)):
        x, tall = left + place * slot, 0 if value is None else (base - 16) * value / top
        bar = f"<rect x=\"{x + slot * .12:.1f}\" y=\"{base - tall:.1f}\" width=\"{slot * .76:.1f}\" height=\"{tall:.1f}\""
        out.append(f"{bar} fill=\"{escape(colour)}\"/>")
        if slot > 24 or value == top:
            out.append(text_at(x + slot / 2, base - tall - 3, "no data" if value is None else shown(value)))
        name = series.label
        if grouped:
            turned = f"transform=\"rotate(-60 {x + slot / 2 + 3:.1f} {base + 9:.1f})\""
            out.append(text_at(x + slot / 2 + 3, base + 9, name[-5:], "end", turned))
        else:
            out.append(text_at(x + slot / 2, base + 13, name[:24]))
    if grouped:
        names = dict.fromkeys((series.label.rsplit(" ", 1)[0], colour) for series, colour, _ in drawn)
        return svg(out, width, height) + legend(names)
    return svg(out + [text_at(0, height - 3, axis_of(properties, "left").get("label", ""), "start")], width, height)


def svg(out, width, height):
    return f"<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">{''.join(out)}</svg>"


def legend(names):
    return "<div class=legend>" + "".join(f"<i style=\"background:{escape(colour)}\"></i>{escape(name)}" for name, colour in names) + "</div>"


def lines(drawn, size, properties, store):
    width, height = size[0], size[1] - 34
    if properties.get("stacked"):
        drawn = piled(drawn)
    scales, out = {}, []
    for side in ("left", "right"):
        highest = max((value for series, _, where in drawn if where == side for value in series.points.values()), default=0)
        axis = axis_of(properties, side)
        scales[side] = axis.get("max", round_up(highest) or 1)
    # Room for the longest number of each axis.
    room = {side: max(len(shown(scales[side] * part / 4)) for part in range(5)) * 6 + 10 for side in scales}
    left, right = max(40, room["left"]), max(40, room["right"]) if any(side == "right" for _, _, side in drawn) else 6
    across, tall = width - left - right, height - 16 - 8
    for part in range(5):
        y = 8 + tall * (1 - part / 4)
        out.append(f"<line x1=\"{left}\" x2=\"{left + across}\" y1=\"{y:.1f}\" y2=\"{y:.1f}\" stroke=\"#e5e8e8\"/>")
        out.append(text_at(left - 4, y + 3, shown(scales["left"] * part / 4), "end"))
        if right > 6:
            out.append(text_at(left + across + 4, y + 3, shown(scales["right"] * part / 4), "start"))
    grey = "fill=\"#687078\""
    out.append(text_at(left + 5, 18, axis_of(properties, "left").get("label", ""), "start", grey))
    if right > 6:
        out.append(text_at(left + across - 5, 18, axis_of(properties, "right").get("label", ""), "end", grey))
    for second in days(store):
        x = left + across * (second - store.start) / (store.end - store.start)
        day = datetime.fromtimestamp(second, timezone.utc)
        out.append(f"<line x1=\"{x:.1f}\" x2=\"{x:.1f}\" y1=\"8\" y2=\"{8 + tall}\" stroke=\"#f0f2f2\"/>")
        if day.day % 2 == 0:
            out.append(text_at(x, height - 3, f"{day:%d %b}"))
    for series, colour, side in drawn:
        spots = [(left + across * (at + series.period / 2 - store.start) / (store.end - store.start),
                  8 + tall * (1 - min(1.0, value / scales[side]))) for at, value in sorted(series.points.items())]
        if not spots:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in thinned(spots))
        if properties.get("stacked"):
            ends = f"{spots[-1][0]:.1f},{8 + tall} {spots[0][0]:.1f},{8 + tall}"
            out.append(f"<polygon points=\"{path} {ends}\" fill=\"{escape(colour)}\"/>")
        else:
            dash = " stroke-dasharray=\"3 2\"" if side == "right" else ""
            out.append(f"<polyline points=\"{path}\" fill=\"none\" stroke=\"{escape(colour)}\" stroke-width=\"1.5\"{dash}/>")
    for line in properties.get("annotations", {}).get("horizontal", []):
        y = 8 + tall * (1 - min(1.0, line["value"] / scales[line.get("yAxis", "left")]))
        out.append(f"<line x1=\"{left}\" x2=\"{left + across}\" y1=\"{y:.1f}\" y2=\"{y:.1f}\" stroke=\"{escape(line['color'])}\"/>")
    if not any(series.points for series, _, _ in drawn):
        out.append(text_at(left + across / 2, tall / 2, "no data"))
    kept = drawn[::-1] if properties.get("stacked") else drawn
    return svg(out, width, height) + legend(dict.fromkeys((series.label, colour) for series, colour, _ in kept))


def round_up(value):
    """The next number that can be told in four steps."""
    if value <= 0:
        return 0
    size = 10 ** math.floor(math.log10(value))
    return next(part * size for part in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if part * size >= value)


def days(store):
    first = store.start - store.start % 86_400 + 86_400
    return range(first, store.end, 86_400)


def piled(drawn):
    """Each series on the ones before, the highest first, so that the later ones are drawn over it."""
    below, out = {}, []
    for series, colour, side in drawn:
        points = {at: value + below.get(at, 0) for at, value in series.points.items()}
        below |= points
        out.append((series.like(points), colour, side))
    return out[::-1]


def thinned(spots):
    """The spots without those in the middle of a level line."""
    inner = [b for a, b, c in zip(spots, spots[1:], spots[2:]) if not a[1] == b[1] == c[1]]
    return [spots[0], *inner, spots[-1]] if len(spots) > 1 else spots
