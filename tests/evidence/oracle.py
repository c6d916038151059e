#!/usr/bin/env python3
"""What SciPy says of the intervals, p-values and powers of `functions/core/src/evidence/{exact,compare}.rs`.

    python3 tests/evidence/oracle.py            # compares the answers on file with SciPy's; exits with 1 if any differs
    python3 tests/evidence/oracle.py --write    # writes them anew

The unit tests of the module compare it with those answers. Needs Python 3.11 or later and PyPI, or NumPy and SciPy at
hand; the virtual environment is made once, in `evidence/` of cargo's target folder.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = ROOT / "functions/core/src/evidence/oracle.json"
LEVELS = (0.95, 0.99)
COUNTS = (0, 1, 2, 3, 7, 30, 250, 4_000, 1_000_000, 100_000_000)
EXPOSURES = (1.0, 0.003, 8_765.5, 3.2e9)
# Counts and exposures of two stacks.
PAIRS = [
    (a, s, b, t)
    for a, b in ((0, 0), (0, 1), (1, 0), (0, 9), (1, 1), (2, 5), (12, 3), (40, 60), (500, 400), (100_000, 99_000))
    for s, t in ((1.0, 1.0), (100.0, 250.0), (7.5e6, 1.25e6), (0.001, 0.3))
] + [(3_000_000, 1.0e9, 2_999_000, 1.0e9), (17, 1_000.0, 1, 5.0e7), (1, 1.0, 1_000_000, 1.0e6)]
# How many events count as one, where they come together.
TOGETHER = (1.0, 1.3, 4.0, 19.75)
# Strata of two stacks: events and exposure of the first, and of the second.
STRATA = [
    [(3, 10.0, 1, 20.0)],
    [(0, 10.0, 4, 20.0), (0, 5.0, 1, 1.0)],
    [(6, 40.0, 2, 10.0), (1, 10.0, 5, 40.0), (0, 25.0, 3, 25.0)],
    [(20, 280.0, 9, 140.0), (3, 140.0, 8, 560.0), (2, 0.5, 0, 700.0), (4, 3.0, 0, 0.0), (0, 9.0, 0, 9.0)],
    [(k, 100.0 + 37.0 * k, (7 * k) % 5, 900.0 - 31.0 * k) for k in range(16)],
]
FACTORS = (0.5, 1.5, 2.0, 10.0)
SHARES = [(k, n) for n in (1, 2, 10, 333, 1_000_000) for k in sorted({0, 1, n // 3, n - 1, n})]


def answers():
    import numpy
    from scipy.optimize import brentq
    from scipy.stats import beta, binom, binomtest, chi2, norm

    def finite(number):
        return None if math.isinf(number) else float(number)

    def rate(count, exposure, level):
        tail = (1 - level) / 2
        low = chi2.ppf(tail, 2 * count) / 2 if count else 0.0
        return [finite(low / exposure), finite(chi2.isf(tail, 2 * count + 2) / 2 / exposure)]

    def share(k, n, level):
        tail = (1 - level) / 2
        low = beta.ppf(tail, k, n - k + 1) if k else 0.0
        high = beta.isf(tail, k + 1, n - k) if k < n else 1.0
        return [float(low), float(high)]

    def ratio(a, s, b, t, level):
        if a + b == 0:
            return [0.0, None], 1.0
        low, high = share(a, a + b, level)
        # The share's distance to one by its own distribution: the difference would lose digits.
        rest = share(b, a + b, level)[0]
        ends = [low / (1 - low) * t / s, (1 - rest) / rest * t / s if rest > 0 else math.inf]
        return [finite(end) for end in ends], float(binomtest(a, a + b, s / (s + t)).pvalue)

    def clustered(a, s, b, t, together, level):
        tail = (1 - level) / 2
        k, n, rest = a / together, (a + b) / together, b / together
        rate_low = chi2.ppf(tail, 2 * k) / 2 * together / s if a else 0.0
        rate_high = chi2.isf(tail, 2 * k + 2) / 2 * together / s
        odds_low = beta.ppf(tail, k, rest + 1) / beta.isf(tail, rest + 1, k) if a else 0.0
        odds_high = beta.isf(tail, k + 1, rest) / beta.ppf(tail, rest, k + 1) if b else math.inf
        p0 = s / (s + t)
        more = beta.cdf(p0, k, rest + 1) if a else 1.0
        fewer = beta.sf(p0, k + 1, rest) if b else 1.0
        p = binomtest(a, a + b, p0).pvalue if together == 1.0 else min(1.0, 2 * min(more, fewer))
        return [rate_low, rate_high], [finite(odds_low * t / s), finite(odds_high * t / s)], float(p)

    def sums(strata, factor):
        """The distribution of the first's events, given those of both."""
        chances = numpy.array([1.0])
        for a, s, b, t in strata:
            if s > 0 and t > 0:
                n = a + b
                chances = numpy.convolve(chances, binom.pmf(range(n + 1), n, factor * s / (factor * s + t)))
        return chances

    def stratified(strata, level):
        tail = (1 - level) / 2
        informing = [(a, s, b, t) for a, s, b, t in strata if s > 0 and t > 0]
        ours, every = sum(a for a, *_ in informing), sum(a + b for a, _, b, _ in informing)

        def tails(chances, k):
            return chances[k + 1 :].sum() + chances[k] / 2, chances[:k].sum() + chances[k] / 2

        def root(function):
            return math.exp(brentq(lambda x: function(math.exp(x)), -40, 40, xtol=1e-14, rtol=1e-14))

        def mean(factor):
            return sum((a + b) * factor * s / (factor * s + t) for a, s, b, t in informing)

        low = root(lambda f: tails(sums(strata, f), ours)[0] - tail) if ours else 0.0
        high = root(lambda f: tails(sums(strata, f), ours)[1] - tail) if ours < every else math.inf
        value = root(lambda f: mean(f) - ours) if 0 < ours < every else (math.inf if ours else 0.0)
        null = sums(strata, 1.0)
        differs = [min(tails(null, k)) < tail for k in range(every + 1)]
        powers = [[f, float(sums(strata, f)[differs].sum())] for f in FACTORS]
        p = float(min(1.0, 2 * min(tails(null, ours))))
        return {"factor": finite(value), "interval": [low, finite(high)], "p": p, "powers": powers}

    def timing(strata, level):
        """Standardised rates by Poisson regression on stack and stratum, its covariance by the information matrix."""
        informing = [(a, s, b, t) for a, s, b, t in strata if s > 0 and t > 0]
        ours, every = sum(a for a, *_ in informing), sum(a + b for a, _, b, _ in informing)
        if not 0 < ours < every:
            return None
        factor = stratified(strata, level)["factor"]

        def ratio(more):
            cells = [(a + b + more * (factor * s + t), s, t) for a, s, b, t in strata]
            hazards = [n / (factor * s + t) if factor * s + t else 0.0 for n, s, t in cells]
            first = sum(h * s for h, (_, s, _) in zip(hazards, cells))
            second = sum(h * t for h, (_, _, t) in zip(hazards, cells))
            value = first / sum(s for _, s, _ in cells) * sum(t for _, _, t in cells) / second
            # The information of the logarithms of the hazards and of the factor, inverted.
            used = [i for i, (n, _, _) in enumerate(cells) if n > 0]
            size = len(used) + 1
            information = numpy.zeros((size, size))
            gradient = numpy.zeros(size)
            for place, i in enumerate(used):
                n, s, t = cells[i]
                own = hazards[i] * factor * s
                information[place, place] = n
                information[place, -1] = information[-1, place] = own
                information[-1, -1] += own
                gradient[place] = hazards[i] * (s / first - t / second)
            return value, float(gradient @ numpy.linalg.solve(information, gradient))

        value = ratio(0.0)[0]
        centre, variance = ratio(4.0 / sum(factor * s + t for _, s, _, t in strata))
        reach = math.exp(norm.isf((1 - level) / 2) * math.sqrt(variance))
        return [value, min(centre / reach, value), max(centre * reach, value)]

    return {
        "clustered": [
            [*pair, together, level, *clustered(*pair, together, level)]
            for pair in [*PAIRS, (0, 100.0, 30, 250.0), (25, 100.0, 0, 250.0)]
            if 20 <= pair[0] + pair[2] < 1_000_000
            for together in TOGETHER
            for level in LEVELS
        ],
        "strata": [
            {"strata": strata, "level": level, **stratified(strata, level), "timing": timing(strata, level)}
            for strata in STRATA
            for level in LEVELS
        ],
        "rates": [[n, e, level, rate(n, e, level)] for n in COUNTS for e in EXPOSURES for level in LEVELS],
        "ratios": [[*pair, level, *ratio(*pair, level)] for pair in PAIRS for level in LEVELS],
        "shares": [[k, n, level, share(k, n, level)] for k, n in SHARES for level in LEVELS],
    }


def differences(found, expected, at=""):
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [d for i, (f, e) in enumerate(zip(found, expected)) for d in differences(f, e, f"{at}[{i}]")]
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        return [d for key in expected for d in differences(found[key], expected[key], f"{at}.{key}")]
    both = isinstance(expected, float) and isinstance(found, float)
    same = found == expected or (both and abs(found - expected) <= 1e-12 * abs(expected))
    return [] if same else [f"{at}: {found} on file, {expected} by SciPy"]


def main():
    try:
        import scipy  # noqa: F401
    except ImportError:
        target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "evidence"
        python = target / "bin/python"
        if os.environ.get("EVIDENCE_VENV"):
            sys.exit("SciPy cannot be imported from its own virtual environment: delete " + str(target))
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", target], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "scipy==1.16.3"], check=True)
        sys.exit(subprocess.run([python, *sys.argv], env={**os.environ, "EVIDENCE_VENV": "1"}).returncode)
    # As a file would have them: lists, no tuples.
    expected = json.loads(json.dumps(answers()))
    if sys.argv[1:] == ["--write"]:
        text = json.dumps(expected).replace("]], [", "]],\n[").replace("}, {", "},\n{")
        for name in expected:
            text = text.replace(f'"{name}"', f'\n"{name}"')
        ANSWERS.write_text(text + "\n")
        print(f"{sum(map(len, expected.values()))} answers written")
        return
    if sys.argv[1:]:
        sys.exit(__doc__)
    wrong = differences(json.loads(ANSWERS.read_text()), expected)
    print("\n".join(wrong[:20]))
    print(f"{sum(map(len, expected.values())) - len(wrong)} answers as on file, {len(wrong)} not")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
