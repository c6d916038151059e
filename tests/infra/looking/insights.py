"""Logs Insights, as far as the dashboard uses it (CloudWatch Logs User Guide, "Logs Insights query syntax"): filter, parse
with a pattern, fields, stats, sort and limit over lines of JSON."""

import json
import re

FILTER = re.compile(r'filter (?P<field>[\w.@]+) (?:= "(?P<value>[^"]*)"|like /(?P<pattern>.*)/)$')
PARSE = re.compile(r"parse (?P<field>[\w.@]+) /(?P<pattern>.*)/$")
AGGREGATE = re.compile(r"(?:(?P<count>count\(\*\))|max\((?P<max>[\w.@]+)\)) as (?P<name>\w+)$")


def flat(value, place=""):
    """A line's fields: members and items by their path."""
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = ((str(index), item) for index, item in enumerate(value))
    else:
        return {place: value}
    fields = {}
    for name, item in pairs:
        fields |= flat(item, f"{place}.{name}" if place else name)
    return fields


def read(lines):
    """Records of (second, text)."""
    records = []
    for second, text in lines:
        try:
            fields = flat(json.loads(text))
        except json.JSONDecodeError:
            fields = {}
        records.append(fields | {"@message": text, "@timestamp": second})
    return records


def ask(query, records):
    """The columns of the answer, and its rows."""
    source, *commands = (part.strip() for part in re.split(r"\n\|", query.replace("|", "\n|", 1)))
    if not re.fullmatch(r"SOURCE '[^']+'", source):
        raise ValueError(f"{source!r} names no log group")
    columns = ["@timestamp", "@message"]
    for command in commands:
        word = command.split(" ", 1)[0]
        if word == "filter" and (match := FILTER.match(command)):
            if match["value"] is not None:
                records = [record for record in records if record.get(match["field"]) == match["value"]]
            else:
                pattern = re.compile(match["pattern"])
                records = [record for record in records if pattern.search(str(record.get(match["field"], "")))]
        elif word == "parse" and (match := PARSE.match(command)):
            pattern = re.compile(re.sub(r"\(\?<(\w+)>", r"(?P<\1>", match["pattern"]))
            found = [pattern.search(str(record.get(match["field"], ""))) for record in records]
            records = [record | (one.groupdict() if one else {}) for record, one in zip(records, found)]
        elif word == "fields":
            parts = [part.strip().split(" as ") for part in command.removeprefix("fields ").split(",")]
            columns = [part[-1] for part in parts]
            records = [record | {part[-1]: record.get(part[0]) for part in parts} for record in records]
        elif word == "stats":
            aggregates, keys = command.removeprefix("stats ").split(" by ")
            records, columns = stats(aggregates.split(", "), keys.split(", "), records)
        elif word == "sort" and (match := re.fullmatch(r"sort ([\w.@]+) (asc|desc)", command)):
            records = sorted(records, key=lambda record: str(record.get(match[1])), reverse=match[2] == "desc")
        elif word == "limit" and (match := re.fullmatch(r"limit (\d+)", command)):
            records = records[: int(match[1])]
        else:
            raise ValueError(f"{command!r} is not understood")
    return columns, [[record.get(column) for column in columns] for record in records]


def stats(aggregates, keys, records):
    groups = {}
    for record in records:
        groups.setdefault(tuple(record.get(key) for key in keys), []).append(record)
    rows, names = [], []
    for group, members in groups.items():
        row = dict(zip(keys, group))
        for aggregate in aggregates:
            match = AGGREGATE.match(aggregate)
            if not match:
                raise ValueError(f"{aggregate!r} is not understood")
            row[match["name"]] = len(members) if match["count"] else max(member.get(match["max"]) for member in members)
            names.append(match["name"])
        rows.append(row)
    return rows, keys + list(dict.fromkeys(names))
