"""The knee of a ladder of rates: the highest that meets the objective, the next that does not, and a closer look."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from analysis import format as show
from analysis.events import Log
from analysis.tables import FACTORS, interval_table
from analysis.trials import percentiles

DEFAULT = "p99=10ms"
UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
OBJECTIVE = re.compile(r"p(\d{1,2}(?:\.\d+)?)=(\d+(?:\.\d+)?)(ns|us|ms|s)")
REFINED_BY = 4  # the gap is cut into so many parts


@dataclass(frozen=True)
class Objective:
    """So many percent of all planned requests are answered within `limit_ns`."""

    percent: Fraction
    limit_ns: float

    def __str__(self) -> str:
        size, unit = show.unit_of(self.limit_ns)
        return f"p{float(self.percent):g} ≤ {self.limit_ns / size:g} {unit}"


@dataclass(frozen=True)
class Rung:
    """One rate of a ladder. `response_ns`: the objective's percentile, inf where no trial was good, nan if unknown."""

    rate: int
    response_ns: float


def objective_of(log: Log) -> Objective:
    """The run's own (manifest.json, beside events.jsonl), or the default where that is not told."""
    text: object = None
    try:
        document = json.loads((log.path.parent / "manifest.json").read_text(encoding="utf-8"))
        text = document["parameters"]["slo"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return objective(text)


def objective(text: object) -> Objective:
    """Such as p99=10ms; the default where the text is none."""
    found = OBJECTIVE.fullmatch(text) if isinstance(text, str) else None
    found = found or OBJECTIVE.fullmatch(DEFAULT)
    assert found
    percent, limit, unit = found.groups()
    return Objective(Fraction(percent), float(limit) * UNITS_NS[unit])


def ladders(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The cells of each ladder, in order of rate; a ladder is all that differs in nothing but the rate."""
    rungs = rows[rows["workload"] == "capacity"]
    if rungs.empty:
        return []
    others = [name for name in FACTORS if name != "rate"]
    key = rungs[others].map(json.dumps).agg("|".join, axis=1)
    return [rungs[key == one].sort_values("rate") for one in key.unique()]


def knees(log: Log, trials: pd.DataFrame, rows: pd.DataFrame, label: Callable[[pd.Series], str]) -> list[str]:
    """One line a ladder."""
    objective, lines = objective_of(log), []
    for ladder in ladders(rows):
        rungs = [
            Rung(int(row["rate"]), _response_ns(log, trials[trials["cell"] == row["cell"]], objective.percent))
            for _, row in ladder.iterrows()
        ]
        lines.append(f"{label(ladder.iloc[0])}: {knee(rungs, objective)}")
    return lines


def _response_ns(log: Log, members: pd.DataFrame, percent: Fraction) -> float:
    """The median over the trials that are ok, controls left out; without one the rate was not held at all."""
    good = members[(members["outcome"] == "ok") & ~members["control"].astype(bool)]
    if good.empty:
        begun = members[~members["outcome"].isin(["not run", "unfinished", "interrupted"])]
        return math.inf if len(begun) else math.nan
    intervals = interval_table(log)[0]
    window = intervals[intervals["phase"] == "load"]
    found = [percentiles(window[window["trial"] == n], {"slo": percent})[0]["slo_ns"] for n in good["n"]]
    return float(pd.Series(found, dtype=float).median(skipna=False))


def knee(rungs: list[Rung], objective: Objective) -> str:
    """Where the objective is last met, in words. The rates ascend; one of which nothing is known does not count."""
    known = [rung for rung in rungs if not math.isnan(rung.response_ns)]
    if not known:
        return f"no rate of the ladder says enough of {objective}"
    met = [i for i, rung in enumerate(known) if rung.response_ns <= objective.limit_ns]
    again = "refine it with the same command and -e workload={} -e rate={}"
    if not met:
        lower = again.format("capacity", max(1, known[0].rate // 4)).replace("refine it", "look lower")
        return f"no rate from {known[0].rate:,}/s on meets {objective}; {lower}"
    if met[-1] == len(known) - 1:
        higher = again.format("capacity", known[-1].rate * 4).replace("refine it", "look higher")
        return f"every rate up to {known[-1].rate:,}/s meets {objective}; {higher}"
    below, above = known[met[-1]], known[met[-1] + 1]
    gap = above.rate - below.rate
    between = sorted({below.rate + gap * part // REFINED_BY for part in range(1, REFINED_BY)} - {below.rate})
    says = f"the knee lies between {below.rate:,}/s, which meets {objective} over planned requests "
    says += f"({show.time(below.response_ns)}), and {above.rate:,}/s, which does not ({show.time(above.response_ns)})"
    return f"{says}; {again.format('open', ','.join(map(str, between)))}" if between else says
