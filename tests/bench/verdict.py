"""How often the statistics of a verdict are right, by simulation: the table of docs/verdict.md.

    .venv/bin/python -m tests.bench.verdict [RUNS]

Repetitions spread by 12 %; blocks differ by 8 % and measurements within a block by 3 %. A run measures its baseline
twice in each block. The tests assert the same bounds with other seeds.
"""

import sys

import numpy as np

from analysis.contrasts import MARGIN
from analysis.statistics import unpaired
from analysis.statistics.family import compare
from analysis.statistics.interval import centre
from analysis.statistics.paired import ratio
from analysis.statistics.power import detectable
from analysis.statistics.verdict import EQUIVALENT
from tests.unit.analysis.simulated import DIFFERENT, drawn, duet, upper_bound, words
from tests.unit.analysis.test_statistics_family import simulated
from tests.unit.analysis.test_statistics_moderated import told

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
SIZES = ((2, 3), (3, 3), (8, 3), (3, 4), (8, 4), (2, 5), (3, 5), (8, 5), (3, 7), (8, 7), (3, 10), (8, 10))


def interval_of_a_cell(n: int) -> str:
    values = np.exp(np.random.default_rng([1, n]).normal(0, 0.12, (RUNS, n)))
    found = [centre(one) for one in values.tolist()]
    return f"{sum(one.low <= 1 <= one.high for one in found) / RUNS:.2%} (says {found[0].confidence:.2%})"


def interval_of_a_ratio(n: int) -> str:
    draw = np.random.default_rng([2, n])
    found = [ratio(*simulated(draw, n, [0.1])[0]) for _ in range(RUNS)]
    return f"{sum(one.low <= 1.1 <= one.high for one in found) / RUNS:.2%} (says {found[0].confidence:.2%})"


def found_and_false(cells: int, blocks: int) -> str:
    """+10 % of one among others without a difference: how often it is called different, and any of the others."""
    draw = np.random.default_rng([3, cells, blocks])
    words = [told(drawn(draw, blocks, [0.1] + [0.0] * (cells - 1))) for _ in range(RUNS)]
    none = sum(any(told(drawn(draw, blocks, [0.0] * cells))) for _ in range(RUNS))
    share = sum(one[0] for one in words) / RUNS
    return f"{share:6.1%}   {none / RUNS:6.2%} (upper 95 % bound {upper_bound(none, RUNS):.2%})"


def noisy(cells: int, blocks: int, times: float, which: str) -> str:
    """One cell without a difference that spreads more, while all others differ; or the baseline, while none does."""
    draw = np.random.default_rng([4, cells, blocks, int(times)])
    others = 0.5 if which == "cell" else 0.0
    effects = [0.0] + [others] * (cells - 1)
    runs = (told(drawn(draw, blocks, effects, noisy=which, times=times)) for _ in range(RUNS))
    return f"{sum(one[0] if which == 'cell' else any(one) for one in runs) / RUNS:6.2%}"


def between_runs(runs: int, differ: float) -> str:
    """Identical builds whose runs differ so much, with so many runs a side."""
    draw = np.random.default_rng([5, runs, int(1000 * differ)])
    sides = np.exp(draw.normal(0, differ, (RUNS, 2, runs))).tolist()
    words = [compare([unpaired.shift(*both)])[0].within for both in sides]
    return f"{sum(one.low > 1 or one.high < 1 for one in words) / RUNS:.2%}"


def at_the_margin(cells: int, blocks: int) -> str:
    """All differ by exactly the margin, so that none is equivalent."""
    draw = np.random.default_rng([7, cells, blocks])
    runs = (words(drawn(draw, blocks, [MARGIN] * cells, spread=0.01)) for _ in range(RUNS))
    return f"{sum(EQUIVALENT in one for one in runs) / RUNS:6.2%}"


def of_a_duet(rivals: int, blocks: int) -> str:
    """One of the rivals differs by 5 %, and none does; what a pair shares spreads by 10 %, each of the two by 1 %."""
    draw = np.random.default_rng([8, rivals, blocks])
    found = sum(duet(draw, blocks, [0.05] + [0.0] * (rivals - 1))[1]["verdict"] in DIFFERENT for _ in range(RUNS))
    runs = (duet(draw, blocks, [0.0] * rivals)[1:] for _ in range(RUNS))
    none = sum(any(row["verdict"] in DIFFERENT for row in rows) for rows in runs)
    return f"{found / RUNS:6.1%}   {none / RUNS:6.2%} (upper 95 % bound {upper_bound(none, RUNS):.2%})"


def main() -> None:
    print("The interval of a figure covers the truth")
    for n in (2, 3, 5, 6, 10, 20):
        print(f"  {n:>2} repetitions   {interval_of_a_cell(n)}")
    print("The interval of a ratio, by blocks, covers the truth")
    for n in (2, 3, 5, 6, 10):
        print(f"  {n:>2} blocks        {interval_of_a_ratio(n)}")
    print("One differs by 10 %: found. None differs: any is called different")
    for cells, blocks in SIZES:
        print(f"  {blocks:>2} blocks, {cells} compared   {found_and_false(cells, blocks)}")
    print("Called different without a difference: a cell 2, 5, 10 times as noisy; the baseline 2, 5, 10 times")
    for cells, blocks in SIZES[:8]:
        shares = [noisy(cells, blocks, times, which) for which in ("cell", "baseline") for times in (2, 5, 10)]
        print(f"  {blocks:>2} blocks, {cells} compared   {' '.join(shares)}")
    print("All differ by the margin, measurements within a block by 1 %: any is called equivalent")
    for cells, blocks in ((2, 10), (8, 10), (8, 20)):
        print(f"  {blocks:>2} blocks, {cells} compared   {at_the_margin(cells, blocks)}")
    print("Identical builds called different, by runs a side, where runs differ by 2 % and 4 %")
    for runs in (2, 3, 5, 10):
        print(f"  {runs:>2} runs   {between_runs(runs, 0.02)}   {between_runs(runs, 0.04)}")
    print("A duet. One differs by 5 %: found. None differs: any is called different")
    for rivals, blocks in ((1, 5), (3, 5), (1, 8), (3, 8), (7, 8), (3, 12)):
        print(f"  {blocks:>2} blocks, {rivals} compared   {of_a_duet(rivals, blocks)}")
    print("The smallest difference that `analysis design` names, found in 80 % of the runs (one compared)")
    for n in (3, 5, 10):
        least = detectable(n, 0.03, measured=2)
        draw = np.random.default_rng([6, n])
        share = sum(told(drawn(draw, n, [least]))[0] for _ in range(RUNS)) / RUNS
        print(f"  {n:>2} blocks: {least:.1%} is found in {share:.1%}")


if __name__ == "__main__":
    main()
