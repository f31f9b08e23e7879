"""How often the headline names a side without a difference, and where one is decided: a table of docs/verdict.md.

    .venv/bin/python -m tests.bench.headline [RUNS]

Repetitions spread by 3 % within blocks that differ by 8 %. The unit tests assert the same of a few runs.
"""

import sys
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.answers.headline import headline
from analysis.contrasts import contrasts_table
from analysis.estimates import estimates_table, metrics_table
from analysis.model import Dataset
from tests.unit.analysis.chart_data import dataset_of
from tests.unit.analysis.test_statistics_family import upper_bound

NAMED = " as many requests per CPU second as "


def simulated(draw: np.random.Generator, blocks: int, effects: list[float]) -> Dataset:
    """A run of a baseline with its control and, beside it, a strategy for each true difference."""
    cells = [("epoll", False, 0.0), ("epoll", True, 0.0), *((f"s{n}", False, e) for n, e in enumerate(effects))]
    base = {"run": "r1", "outcome": "ok", "workload": "open", "connections": 100, "active": 100, "rate": 10}
    rows: list[dict[str, Any]] = []
    for block in range(1, blocks + 1):
        shared = draw.normal(0, 0.08)
        for strategy, control, effect in cells:
            value = 20_000 * (1 + effect) * np.exp(shared + draw.normal(0, 0.03))
            rows.append(base | {"trial": len(rows) + 1, "block": block, "cell": f"c-{strategy}", "strategy": strategy,
                                "control": control, "requests_per_cpu_s": float(value)})  # fmt: skip
    data = dataset_of(runs=[{"run": "r1", "repetitions": blocks}], trials=rows)
    data = replace(data, metrics=metrics_table(data))
    data = replace(data, estimates=estimates_table(data))
    return replace(data, contrasts=contrasts_table(data))


def outcome(draw: np.random.Generator, blocks: int, effects: list[float]) -> tuple[bool, bool]:
    """Whether the headline names a side, and whether any contrast of its metric is decided."""
    data = simulated(draw, blocks, effects)
    own = data.contrasts[(data.contrasts["metric"] == "efficiency") & (data.contrasts["cell"] != "c-epoll")]
    return NAMED in headline(data).sentence, bool(own["verdict"].isin(["better", "worse"]).any())


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print("A side is named: without a difference; of the runs with a decided contrast; in others")
    for blocks in (3, 5, 10):
        for others in (1, 3):
            draw = np.random.default_rng([5, blocks, others])
            false = sum(outcome(draw, blocks, [0.0] * others)[0] for _ in range(runs))
            found = [outcome(draw, blocks, [0.1] + [0.0] * (others - 1)) for _ in range(runs)]
            decided = [named for named, is_decided in found if is_decided]
            undecided = [named for named, is_decided in found if not is_decided]
            tally = f"{sum(decided)} of {len(decided)}   {sum(undecided)} of {len(undecided)}"
            print(
                f"  {blocks:>2} blocks, {others} compared   {false / runs:.1%} (upper 95 % bound "
                f"{upper_bound(false, runs):.1%})   {tally}"
            )


if __name__ == "__main__":
    main()
