#!/usr/bin/env python3
"""What SciPy says of the exact intervals and p-values of `functions/core/src/evidence/exact.rs`.

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
SHARES = [(k, n) for n in (1, 2, 10, 333, 1_000_000) for k in sorted({0, 1, n // 3, n - 1, n})]


def answers():
    from scipy.stats import beta, binomtest, chi2

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

    return {
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
    expected = answers()
    if sys.argv[1:] == ["--write"]:
        text = json.dumps(expected)
        ANSWERS.write_text(text.replace("]], [", "]],\n[").replace('"rat', '\n"rat').replace('"sha', '\n"sha') + "\n")
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
