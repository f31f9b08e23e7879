"""Is a difference found that was planted? And how small a difference does such a run say that it finds?

    .venv/bin/python -m tests.bench.planted [--runs 10] [--seed 1] [--share 0.095] [-i inventory/lab] [-e …]

Each run compares epoll, as tests/fixtures/burning_server.py runs it, with the same that burns `share` more CPU time,
and with epoll_raw and selectors, so that three comparisons share the risk of a false word; side by side, or with
`-e duet=false` one after the other. What is burnt is more than what a request costs more, since requests that come
meanwhile share a wake-up: of 5 % 2.7 are left, of 7.5 % 4, of 9.5 % 6. The
seed fixes all runs beforehand: run n has the seed `seed * 1000 + n`. None is discarded.
"""

import argparse
import sys
import time
from typing import Any

from analysis.dataset import load
from analysis.metrics import PRIMARY
from analysis.statistics.verdict import WORSE
from tests.bench.common import ROOT
from tests.bench.runs import play

LOGS = ROOT / ".cache/bench/planted"
USUAL = {
    "connections": 10_000, "rate": 2000, "repetitions": 8, "warmup": 1, "duration": 4, "calibrate": "false",
    "duet": "true",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of all runs, fixed beforehand")
    parser.add_argument("--share", type=float, default=0.095, help="of its CPU time that it burns too")
    parser.add_argument("-i", "--inventory", default="inventory/local")
    parser.add_argument("-e", "--extra-vars", action="append", default=[], metavar="NAME=VALUE", dest="given")
    options = parser.parse_args()
    given = USUAL | dict(text.split("=", 1) for text in options.given) | {"cells": cells(options.share)}
    LOGS.mkdir(parents=True, exist_ok=True)
    print(f"{options.runs} runs, {options.share:.1%} planted: {given}")
    found = [one(options.inventory, given | {"seed": 1000 * options.seed + n}) for n in range(1, options.runs + 1)]
    print(f"found in {sum(found)} of {len(found)}")


def cells(share: float) -> list[dict[str, str]]:
    """The baseline first, then what is compared, the planted one first."""
    command = f"{sys.executable} {ROOT}/tests/fixtures/burning_server.py {{share}} {{host}} {{port}}"
    own = [{"server_command": command.replace("{share}", str(burnt))} for burnt in (0, share)]
    return [*own, {"strategy": "epoll_raw"}, {"strategy": "selectors"}]


def one(inventory: str, given: dict[str, Any]) -> bool:
    """Whether the planted one is called worse; prints what the run says of it."""
    began = time.monotonic()
    run, status = play(inventory, given, LOGS / f"{given['seed']}.log")
    took = time.monotonic() - began
    if run is None:
        sys.exit(f"Run {given['seed']} was refused: see {LOGS}/{given['seed']}.log.")
    dataset = load([str(run)])
    table = dataset.contrasts[(dataset.contrasts["metric"] == PRIMARY) & ~dataset.contrasts["control"]]
    own = dataset.cells[dataset.cells["server_command"].notna()]["cell"]
    row = table[table["cell"].isin(own)].iloc[0]
    least = ", ".join(f"{value:.1%}" for value in table["least"])
    print(
        f"{run.name}: exit {status}, {took:.0f} s; {row['ratio']:.3f} × [{row['family_low']:.3f}, "
        f"{row['family_high']:.3f}] {row['verdict']}; smallest differences {least}",
        flush=True,
    )
    return bool(row["verdict"] == WORSE)


if __name__ == "__main__":
    main()
