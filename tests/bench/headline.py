"""How often the first sentence of a report names a winner that is none: a table of docs/verdict.md.

    .venv/bin/python -m tests.bench.headline [RUNS]

Each run has a baseline with its control and other strategies; repetitions spread by 3 % within blocks that differ by
8 %. The contrasts and the sentence are made by the product's own functions; who is named is read from the text, as a
person reads it. tests/unit/analysis/test_headline.py asserts that a whole run, from its trials on, says the same.
"""

import re
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.answers.comparison import Compared, Pair, sentences
from analysis.contrasts import MARGIN
from analysis.metrics import PRIMARY
from tests.unit.analysis.simulated import BASE, DIFFERENT, drawn, rows, upper_bound

NAMED = " as many requests per CPU second as "
RATIO = r"[\d.,]+ × \[[^\]]*\]"
# Either `b answers 1.2 × […], c 1.1 × […] as many … as a`, or `a answers 1.2 × […] as many … as b, 1.1 × […] as c`.
CLAIM = re.compile(
    rf"((?:\w+ (?:answers )?{RATIO},? ?)+)as many requests per CPU second as (\w+)((?:, {RATIO} as \w+)*)"
)
ONE = re.compile(r"(\w+) (?:answers )?([\d.,]+) ×")
TURNED = re.compile(r", ([\d.,]+) × \[[^\]]*\] as (\w+)")
FIGURES = ("ratio", "low", "high", "confidence", "family_confidence", "least")
Row = dict[str, Any]


def said(found: Sequence[Row]) -> str:
    """What the report's first sentence, and the ones beside it, say of these contrasts."""
    pairs = [
        Pair(
            **{name: row.get(name, np.nan) for name in FIGURES},
            run="r1", cell=row["cell"], baseline=row["baseline"], name=row["cell"], base=row["baseline"],
            margin=MARGIN, n=row["n"], verdict=row["verdict"], why=row["why"] or "", is_reference=False,
        )
        for row in found if row["cell"] != row["baseline"]
    ]  # fmt: skip
    return " ".join(sentences(Compared("strategy", PRIMARY, tuple(pairs)), ""))


def named(text: str) -> dict[str, str]:
    """Who is said to be better or worse than the baseline, read from the text."""
    found: dict[str, str] = {}
    for claim in CLAIM.finditer(text):
        pairs = [(name, float(ratio)) for name, ratio in ONE.findall(claim[1])]
        if pairs[0][0] == BASE:
            pairs = [(claim[2], 1 / pairs[0][1])]
            pairs += [(name, 1 / float(ratio)) for ratio, name in TURNED.findall(claim[3])]
        found |= {name: "better" if ratio > 1 else "worse" for name, ratio in pairs}
    return found


def outcome(draw: np.random.Generator, blocks: int, effects: Sequence[float]) -> tuple[dict[str, str], dict[str, str]]:
    """Who is named in the text of one run, and who is decided by its contrasts."""
    found = rows(drawn(draw, blocks, effects))
    decided = {row["cell"]: row["verdict"] for row in found[1:] if row["verdict"] in DIFFERENT}
    return named(said(found)), decided


def line(blocks: int, compared: int, runs: int) -> str:
    draw = np.random.default_rng([5, blocks, compared])
    without = [outcome(draw, blocks, [0.0] * compared) for _ in range(runs)]
    with_one = [outcome(draw, blocks, [0.1] + [0.0] * (compared - 1)) for _ in range(runs)]
    none = sum(bool(names) for names, _ in without)
    found = sum(names.get("c1") == "better" for names, _ in with_one)
    wrong = sum(names not in ({}, {"c1": "better"}) for names, _ in with_one)
    other = sum(names != decided for names, decided in [*without, *with_one])
    told = (share(none, runs), f"{found / runs:6.1%}", share(wrong, runs), f"{other} of {2 * runs:,}")
    return "   ".join([f"  {blocks:>2} blocks, {compared} compared", *told])


def share(count: int, of: int) -> str:
    return f"{count / of:6.2%} (≤ {upper_bound(count, of):5.2%})"


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print("None differs: anybody is named. One answers 10 % more: it is named, and anybody wrongly. Named ≠ decided")
    for blocks in (1, 3, 5, 10):
        for compared in (1, 2, 4, 8):
            print(line(blocks, compared, runs), flush=True)


if __name__ == "__main__":
    main()
