#!/usr/bin/env python3
"""What SciPy says of the percentiles and of the chance in `functions/core/src/evidence/observed`.

    python3 tests/evidence/observed.py            # compares the answers on file with SciPy's; exits with 1 if any differs
    python3 tests/evidence/observed.py --write    # writes them anew

The unit tests of the modules compare them with those answers. `oracle.py` beside this tells what it needs.
"""

import oracle

oracle.__doc__ = __doc__
oracle.ANSWERS = oracle.ROOT / "functions/core/src/evidence/observed/oracle.json"

COUNTS = (1, 2, 3, 5, 6, 7, 10, 20, 35, 72, 100, 333, 5_000)
PERCENTS = (50, 90, 95)
# Migrations, seconds in which one would be matched, seconds under watch, and how many are matched.
CHANCES = ((10, 600, 6_000, 1), (10, 600, 6_000, 3), (40, 1_000, 100_000, 1), (40, 1_000, 100_000, 2), (5, 5_000, 10_000, 4))


def percentile(count, percent, level):
    """The ranks of the value by the nearest rank, and of the ends of its interval, found one by one."""
    from fractions import Fraction
    from math import ceil

    from scipy.stats import binom

    tail = (1 - level) / 2
    low = [r for r in range(1, count + 1) if binom.cdf(r - 1, count, percent / 100) <= tail]
    high = [r for r in range(1, count + 1) if binom.sf(r - 1, count, percent / 100) <= tail]
    return [ceil(Fraction(percent * count, 100)), max(low, default=None), min(high, default=None)]


def answers():
    from scipy.stats import binom

    return {
        "percentiles": [[n, q, lv, percentile(n, q, lv)] for n in COUNTS for q in PERCENTS for lv in oracle.LEVELS],
        "chances": [[*case, [float(binom.sf(case[3] - 1, case[0], case[1] / case[2]))]] for case in CHANCES],
    }


oracle.answers = answers

if __name__ == "__main__":
    oracle.main()
