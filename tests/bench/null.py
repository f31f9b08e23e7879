"""Null comparisons, measured and not simulated: how often a server is called different from itself.

    .venv/bin/python -m tests.bench.null [--pairs 100] [--seed 1] [-i inventory/lab] [-e duration=2 …]

Each pair is a run of its own (`null=1`): one strategy, its control and its repetition as a rival, in blocks of random
order. The seed fixes the series beforehand: pair n of a series has the seed `seed * 1000 + n`. Nothing is discarded: a
pair is written down when it begins and when it ends, one that failed or was broken off stays in the series without a
verdict, and the same command goes on where the last one stopped. A pair whose run was refused before anything was
measured ends the command, is counted, and is made by the next one. Verdicts are of one metric, which is named here.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from analysis.answers.headline import headline
from analysis.dataset import load
from analysis.metrics import PRIMARY
from analysis.statistics.verdict import BETTER, NOT_COMPARABLE, VERDICTS, WORSE
from analysis.unreadable import Unreadable
from tests.bench.common import ROOT
from tests.bench.headline import NAMED
from tests.bench.runs import play
from tests.unit.analysis.simulated import upper_bound

LEDGERS = ROOT / ".cache/bench/null"
REFUSED = "refused"
SHORT = {
    "strategy": "epoll", "connections": 500, "rate": 2000, "repetitions": 5, "warmup": 1, "duration": 2,
    "calibrate": "false",
}  # fmt: skip
Line = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="of the series, fixed beforehand")
    parser.add_argument("--show", action="store_true", help="measure nothing, say what there is")
    parser.add_argument("-i", "--inventory", default="inventory/local")
    parser.add_argument("-e", "--extra-vars", action="append", default=[], metavar="NAME=VALUE", dest="given")
    options = parser.parse_args()
    given = SHORT | dict(text.split("=", 1) for text in options.given)
    LEDGERS.mkdir(parents=True, exist_ok=True)
    ledger = LEDGERS / f"{options.seed}.jsonl"
    series = {"series": options.seed, "inventory": options.inventory, "given": {k: str(v) for k, v in given.items()}}
    lines = read(ledger)
    if not lines:
        write(ledger, series)
    elif lines[0] != series:
        sys.exit(
            f"{ledger} is of another series: {json.dumps(lines[0])}. Give what it was begun with, or another seed."
        )
    last = {line["pair"]: line["state"] for line in lines if "pair" in line}
    for pair in range(1, options.pairs + 1):
        if last.get(pair, REFUSED) == REFUSED and not options.show:
            write(ledger, {"pair": pair, "state": "begun"})
            seed = options.seed * 1000 + pair
            found = measured(options, given, seed)
            write(ledger, {"pair": pair, "state": "ended" if found["run"] else REFUSED, **found})
            if not found["run"]:
                sys.exit(f"Pair {pair} was refused: see {log_of(seed)}. Then give the same command.")
    report(read(ledger))


def log_of(seed: int) -> Path:
    return LEDGERS / f"{seed}.log"


def read(ledger: Path) -> list[Line]:
    return [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []


def write(ledger: Path, line: Line) -> None:
    """On the disk before anything else happens."""
    with ledger.open("a") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def measured(options: argparse.Namespace, given: Line, seed: int) -> Line:
    """One run, and what is said of it."""
    run, status = play(options.inventory, {**given, "null": 1, "seed": seed}, log_of(seed))
    if run is None:
        return {"run": None, "exit": status, "verdict": None}
    try:
        dataset = load([str(run)])
    except Unreadable as problem:
        return {"run": run.name, "exit": status, "verdict": None, "why": str(problem)}
    table = dataset.contrasts
    rows = table[(table["metric"] == PRIMARY) & ~table["control"]].to_dict("records")
    if len(rows) != 1:
        return {"run": run.name, "exit": status, "verdict": None, "why": f"{len(rows)} comparisons"}
    row = rows[0]
    sentence = headline(dataset).sentence
    return {
        "run": run.name, "exit": status, "verdict": row["verdict"], "ratio": row["ratio"],
        "low": row["family_low"], "high": row["family_high"], "least": row["least"], "headline": sentence,
        "names": NAMED in sentence,
    }  # fmt: skip


def report(lines: list[Line]) -> None:
    ended = {line["pair"]: line for line in lines if line.get("state") == "ended"}
    begun = {line["pair"] for line in lines if "pair" in line}
    refused = sum(line.get("state") == REFUSED for line in lines)
    words = [line["verdict"] for line in ended.values() if line["verdict"] not in (None, NOT_COMPARABLE)]
    print(f"{len(begun)} pairs begun, {len(words)} with a verdict in {PRIMARY}")
    print(f"  {json.dumps(lines[0])}")
    if refused:
        print(f"  {refused} times a run was refused before anything was measured; the pair was made later")
    print("  " + ", ".join(f"{words.count(word)} {word}" for word in VERDICTS if word in words))
    if not words:
        return
    false = sum(word in (BETTER, WORSE) for word in words)
    named = sum(bool(line.get("names")) for line in ended.values())
    for what, count in (("false verdicts", false), ("false headlines", named)):
        print(f"  {what}: {count} of {len(words)} (upper 95 % bound {upper_bound(count, len(words)):.1%})")
    for line in ended.values():
        if line.get("names") or line["verdict"] in (BETTER, WORSE):
            print(f"  pair {line['pair']}, {line['run']}: {line['verdict']}; {line['headline']}")


if __name__ == "__main__":
    main()
