"""Metric math, as far as the dashboard uses it, by the CloudWatch User Guide ("Using metric math", "Search expression
syntax"). What those do not allow is refused here: an array of series by another array above all.

A value is a number (S), a `Series` (TS) or a list of series (TS[]).
"""

import math
import operator
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace

TOKEN = re.compile(r"""\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|'(?P<text>[^']*)'|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]]))""")
TERM = re.compile(r'\s*(?P<no>NOT\s+)?(?:\{"(?P<namespace>[^"]*)",(?P<dimension>\w+)\}|(?P<key>\w+)="(?P<value>(?:[^"\\]|\\.)*)")')
ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "^": operator.pow}
COMPARISON = {"==": operator.eq, "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
STATISTICS = {"Maximum": max, "Minimum": min, "Sum": sum, "Average": lambda values: sum(values) / len(values),
              "SampleCount": len}


class Refused(Exception):
    """Why CloudWatch would not take an expression."""


@dataclass
class Series:
    points: dict
    period: int
    stack: str = ""
    label: str = ""

    def like(self, points):
        return replace(self, points=points)


@dataclass
class Store:
    """Published points: (namespace, name, stack or None) to second to values."""

    start: int
    end: int
    points: dict = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def put(self, namespace, name, stack, second, values):
        self.points[namespace, name, stack][second] += values

    def series(self, namespace, name, stack, statistic, period):
        buckets = defaultdict(list)
        for second, values in self.points.get((namespace, name, stack), {}).items():
            if self.start <= second < self.end:
                buckets[second - second % period] += values
        return Series({at: statistics(statistic, values) for at, values in sorted(buckets.items())}, period, stack or "")

    def search(self, terms, statistic, period):
        wanted, unwanted, at = {}, [], 0
        while at < len(terms.rstrip()):
            term = TERM.match(terms, at)
            if not term:
                raise Refused(f"a search that is not understood: {terms[at:]!r}")
            at = term.end()
            value = re.sub(r"\\(.)", r"\1", term["value"] or "")
            if term["no"]:
                unwanted.append((term["key"], value))
            elif term["namespace"] is not None:
                wanted |= {"Namespace": term["namespace"], "Dimension": term["dimension"]}
            else:
                wanted[term["key"]] = value
        if wanted.get("Dimension") != "Stack" or any(key != "Stack" for key, _ in unwanted):
            raise Refused(f"a search for something else: {terms!r}")
        stacks = sorted(stack for namespace, name, stack in self.points if stack is not None
                        and (namespace, name) == (wanted["Namespace"], wanted["MetricName"])
                        and ("Stack", stack) not in unwanted)
        return [self.series(wanted["Namespace"], wanted["MetricName"], stack, statistic, period) for stack in stacks]

    def seconds(self, period):
        return range(self.start - self.start % period, self.end, period)


def statistics(name, values):
    if re.fullmatch(r"p\d+(\.\d+)?", name):
        return sorted(values)[min(len(values) - 1, int(len(values) * float(name[1:]) / 100))]
    return STATISTICS[name](values)


class Expression:
    """One expression, evaluated while it is parsed."""

    def __init__(self, text, store, period, known):
        self.text, self.store, self.period, self.known = text, store, period, known
        self.tokens, at = [], 0
        while at < len(text.rstrip()):
            token = TOKEN.match(text, at)
            if not token:
                raise Refused(f"{text!r} breaks at {text[at:]!r}")
            self.tokens.append((token.lastgroup, token[token.lastgroup]))
            at = token.end()

    def value(self):
        value = self.either()
        if self.tokens:
            raise Refused(f"{self.text!r}: {self.tokens[0][1]!r} is too much")
        if not isinstance(value, (Series, list)):
            raise Refused(f"{self.text!r} is a number in the end, not a series")
        return value

    def peek(self, *signs):
        return bool(self.tokens) and self.tokens[0][1] in signs and self.tokens[0][0] != "text"

    def take(self, *signs):
        if signs and not self.peek(*signs):
            raise Refused(f"{self.text!r}: {' or '.join(signs)} is missing")
        return self.tokens.pop(0)[1]

    def chain(self, lower, table):
        left = lower()
        while self.peek(*table):
            left = combined(table[self.take()], left, lower())
        return left

    def either(self):
        return self.chain(self.both, dict.fromkeys(("OR", "||"), lambda a, b: float(bool(a) or bool(b))))

    def both(self):
        return self.chain(self.comparison, dict.fromkeys(("AND", "&&"), lambda a, b: float(bool(a) and bool(b))))

    def comparison(self):
        left = self.sum()
        if self.peek(*COMPARISON):
            compare = COMPARISON[self.take()]
            right = self.sum()
            if isinstance(left, list) or isinstance(right, list):
                raise Refused(f"{self.text!r} compares an array")
            left = combined(lambda a, b: float(compare(a, b)), left, right)
        return left

    def sum(self):
        return self.chain(self.product, {sign: ARITHMETIC[sign] for sign in "+-"})

    def product(self):
        return self.chain(self.power, {sign: ARITHMETIC[sign] for sign in "*/"})

    def power(self):
        return self.chain(self.single, {"^": ARITHMETIC["^"]})

    def single(self):
        if self.peek("-"):
            self.take()
            return combined(operator.mul, -1.0, self.single())
        if self.peek("("):
            self.take()
            value = self.either()
            self.take(")")
            return value
        kind, text = self.tokens.pop(0) if self.tokens else ("end", "")
        if kind == "number":
            return float(text)
        if kind == "name" and self.peek("("):
            return self.call(text)
        if kind == "name" and text in self.known:
            return self.known[text]
        raise Refused(f"{self.text!r}: {text!r} is unknown")

    def call(self, name):
        self.take("(")
        if name == "SEARCH":
            terms = self.take()
            self.take(",")
            statistic = self.take()
            self.take(",")
            period = int(self.take())
            self.take(")")
            return self.store.search(terms, statistic, period)
        arguments = [self.either()]
        while self.peek(","):
            self.take()
            arguments.append(self.either())
        self.take(")")
        function = getattr(self, f"f_{name.lower()}", None)
        if not function:
            raise Refused(f"{self.text!r}: {name} is not known here")
        return function(*arguments)

    def f_sum(self, value):
        if isinstance(value, Series):
            return math.fsum(value.points.values())
        total = defaultdict(float)
        for series in value:
            for at, number in series.points.items():
                total[at] += number
        return Series(dict(sorted(total.items())), value[0].period if value else self.period)

    def f_diff(self, value):
        return each(value, lambda points: {at: number - before for (_, before), (at, number)
                                           in zip(points.items(), list(points.items())[1:])})

    def f_floor(self, value):
        return each(value, lambda points: {at: float(math.floor(number)) for at, number in points.items()})

    def f_hour(self, value):
        if not isinstance(value, Series):
            raise Refused(f"{self.text!r}: HOUR takes one series")
        return value.like({at: float(at // 3600 % 24) for at in self.store.seconds(value.period)})

    def f_time_series(self, value):
        if not isinstance(value, float):
            raise Refused(f"{self.text!r}: TIME_SERIES takes a number")
        return Series(dict.fromkeys(self.store.seconds(self.period), value), self.period)

    def f_if(self, condition, then, other=None):
        if not isinstance(condition, Series) or isinstance(then, list) or isinstance(other, list):
            raise Refused(f"{self.text!r}: IF takes single series")
        points = {}
        for at, holds in condition.points.items():
            chosen = then if holds else other
            if isinstance(chosen, Series):
                # What is true and missing is 0, what is false and missing is dropped.
                chosen = chosen.points.get(at, 0.0 if holds else None)
            if chosen is not None:
                points[at] = chosen
        return condition.like(points)


def each(value, change):
    if isinstance(value, list):
        return [series.like(change(series.points)) for series in value]
    if not isinstance(value, Series):
        raise Refused("a series is needed, not a number")
    return value.like(change(value.points))


def combined(how, left, right):
    """Of S and S, S and TS, TS and TS, S and TS[], TS and TS[]; missing points are 0, a division by 0 has no point."""
    if isinstance(left, list) and isinstance(right, list):
        raise Refused("an array of series cannot be combined with another")
    if isinstance(left, list):
        return [combined(how, one, right) for one in left]
    if isinstance(right, list):
        return [combined(how, left, one) for one in right]
    if isinstance(left, float) and isinstance(right, float):
        if how is operator.truediv and right == 0:
            raise Refused("no document says what a number by zero is")
        return how(left, right)
    shape = left if isinstance(left, Series) else right
    places = set()
    for side in (left, right):
        places |= set(side.points) if isinstance(side, Series) else set()
    points = {}
    for at in sorted(places):
        a, b = (side.points.get(at, 0.0) if isinstance(side, Series) else side for side in (left, right))
        if not (how is operator.truediv and b == 0):
            points[at] = how(a, b)
    return shape.like(points)


def rows(properties, store):
    """What a metric widget draws: (series, its options), hidden rows left out."""
    known, drawn = {}, []
    for row in properties["metrics"]:
        options = row[-1] if isinstance(row[-1], dict) else {}
        period = options.get("period", properties["period"])
        if "expression" in options:
            value = Expression(options["expression"], store, period, known).value()
        else:
            namespace, name, *dimensions = [cell for cell in row if isinstance(cell, str)]
            stack = dict(zip(dimensions[::2], dimensions[1::2])).get("Stack")
            value = store.series(namespace, name, stack, options.get("stat", properties["stat"]), period)
        if "id" in options:
            known[options["id"]] = value
        if options.get("visible", True):
            for series in value if isinstance(value, list) else [value]:
                label = options.get("label", "").replace("${PROP('Dim.Stack')}", series.stack)
                drawn.append((replace(series, label=label), options))
    return drawn
