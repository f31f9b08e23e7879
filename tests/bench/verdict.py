"""How often the statistics of a verdict are right, by simulation: the table of docs/verdict.md.

    .venv/bin/python -m tests.bench.verdict

Repetitions spread by 12 %; blocks differ by 8 % and measurements within a block by 3 %. The tests assert the same
bounds with other seeds.
"""

import numpy as np

from analysis.statistics.interval import centre
from analysis.statistics.paired import ratio
from analysis.statistics.power import detectable
from tests.unit.analysis.test_statistics_family import simulated, upper_bound, words

RUNS = 10_000
CALLED = {"better", "worse"}


def interval_of_a_cell(n: int) -> str:
    values = np.exp(np.random.default_rng([1, n]).normal(0, 0.12, (RUNS, n)))
    covered = sum(found.low <= 1 <= found.high for found in map(centre, values.tolist()))
    return f"{covered / RUNS:.2%}"


def interval_of_a_ratio(n: int) -> str:
    draw = np.random.default_rng([2, n])
    found = [ratio(*simulated(draw, n, [0.1])[0]) for _ in range(RUNS)]
    return f"{sum(one.low <= 1.1 <= one.high for one in found) / RUNS:.2%} (says {found[0].confidence:.2%})"


def called(n: int, effects: list[float], of: slice) -> int:
    """In how many runs one of these comparisons is called better or worse."""
    draw = np.random.default_rng([3, n, len(effects)])
    return sum(bool(CALLED & set(words(simulated(draw, n, effects))[of])) for _ in range(RUNS))


def main() -> None:
    print("The 95 % interval of a figure covers the truth")
    for n in (2, 3, 5, 6, 10, 20):
        print(f"  {n:>2} repetitions   {interval_of_a_cell(n)}")
    print("The interval of a ratio, by blocks, covers the truth")
    for n in (2, 3, 5, 6, 10):
        print(f"  {n:>2} blocks        {interval_of_a_ratio(n)}")
    print("No difference, yet called better or worse")
    for n, others in ((3, 0), (5, 0), (6, 0), (10, 0), (10, 8)):
        count = called(n, [0.0] * (1 + others), slice(None))
        bound = upper_bound(count, RUNS)
        print(f"  {n:>2} blocks, {1 + others} compared   {count / RUNS:.2%} (upper 95 % bound {bound:.2%})")
    print("A difference of 10 % called better, at 3 % spread and 10 blocks")
    for others in (0, 8):
        print(f"  {1 + others} compared   {called(10, [0.1] + [0.0] * others, slice(0, 1)) / RUNS:.1%}")
    print("The smallest difference that `analysis design` names, found in 80 % of the runs")
    for n in (3, 10):
        least = detectable(n, 0.03)
        print(f"  {n:>2} blocks: {least:.1%} is found in {called(n, [least], slice(None)) / RUNS:.1%}")


if __name__ == "__main__":
    main()
