"""The report's one sentence: what the contrasts decide, by how much and how sure; or of one strategy whether it held,
how fast, at what cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.answers import alone, capacity, comparison, growth, limit
from analysis.answers.comparison import MOST_NAMED, Compared
from analysis.answers.doubt import doubts
from analysis.answers.full import CHECK, full
from analysis.answers.objective import kept
from analysis.answers.shown import with_unit
from analysis.cells import standing
from analysis.checks.shared import WITHOUT_RESULT
from analysis.findings import some
from analysis.ingest.plan import traits
from analysis.metrics import METRICS
from analysis.model import Dataset
from analysis.statistics.verdict import BETTER, WORSE

# What became of a cell of which nothing counts, of one and of several; of any other outcome a finding strikes it.
FATES = dict.fromkeys(WITHOUT_RESULT, ("was not run to its end", "were not run to their end"))
FATES |= {"crashed": ("crashed", "crashed")}
NOT_VALID = ("is not valid", "are not valid")
MOST_EXPLAINED = 2
LEAST_RATE = 100  # requests/s, of which a tenth may be measured
COSTS = ("efficiency", "cpu")


@dataclass(frozen=True)
class Headline:
    """`sentence` is the answer; `more` what belongs to it: what is not decided, what stopped. Either is plain text."""

    sentence: str
    more: str = ""


def headline(dataset: Dataset) -> Headline:
    """What the runs say, in a sentence."""
    cells = dataset.cells
    if cells.empty:
        return Headline("No trial of this run was planned.")
    good = standing(cells)
    if len(good) and (good["workload"] == "ramp").all():
        return Headline(_ramp(good), _struck(cells))
    searched = limit.data(dataset)
    if not searched.empty:
        return Headline(limit.caption(searched), _struck(cells))
    good = good[good["outcome"].ne("dnf") & good["good"].gt(0)]
    failed = _failed(cells, good)
    if good.empty:
        only = cells.to_dict("records")[0]
        if len(cells) == 1 and only["outcome"] == "dnf" and not only["struck"]:
            return Headline(alone.limited(only))
        if len(cells) == 1 and only["outcome"] not in WITHOUT_RESULT:
            return Headline(f"{_spoiled(only)}.")
        return Headline("Nothing was measured to the end.", failed)
    if len(good) == 1:
        return Headline(alone.sentence(dataset, good), f"{alone.room(dataset, good)} {failed}".strip())
    for answer in (capacity, growth):
        frame = answer.data(dataset)
        if not frame.empty:
            return Headline(str(answer.caption(frame)), failed)
    sentence, more = _compared(dataset, good)
    return Headline(sentence, " ".join(filter(None, [more, _all_held(good), failed])))


def _compared(dataset: Dataset, good: pd.DataFrame) -> tuple[str, str]:
    """The comparisons of the run's question; without one what was measured, and why nothing is ranked."""
    found = comparison.compared(dataset)
    is_one_load = good["connections"].nunique() == good["rate"].nunique(dropna=False) == 1
    load = f"At {alone.load(good.to_dict('records')[0])} " if is_one_load else ""
    sentence, more = comparison.sentences(found, load)
    if not sentence:
        return _unranked(dataset, good, found, load), more
    if found.factor == "hostile":
        beside, _ = comparison.sentences(comparison.compared(dataset, "throughput"), "")
        more = f"{more} {beside}".strip()
    if missed := _missed(dataset, found):
        sentence = f"{sentence.removesuffix('.')}; {missed}."
    return sentence, f"{_full(dataset, found)} {more}".strip()


def _full(dataset: Dataset, found: Compared) -> str:
    """Whose cost the rate alone decides, of those whose costs the sentence compares: a server that has no CPU time left
    serves more requests a turn, and so for less each."""
    if found.metric not in COSTS:
        return ""
    is_full = full(dataset)
    names: dict[str, None] = {}
    for pair in found.of(BETTER, WORSE):
        sides = ((pair.cell, pair.name), (pair.baseline, pair.base))
        names |= dict.fromkeys(name for cell, name in sides if (pair.run, cell) in is_full)
    if not names:
        return ""
    return (
        f"{some(names, ', ', MOST_NAMED)} left hardly any CPU time: at this rate no request can be seen to cost more "
        f"there, and another rate gives another factor ({CHECK}); see a lower one too{_lower(dataset)}."
    )


def _lower(dataset: Dataset) -> str:
    """A tenth of the rate that was offered, where that is one."""
    rates = dataset.cells["rate"].dropna().unique()
    return f" (-e rate={rates[0] // 10:.0f})" if len(rates) == 1 and rates[0] >= LEAST_RATE else ""


def _all_held(good: pd.DataFrame) -> str:
    """That all of them held what was asked for, where that is so."""
    is_held = good["workload"].map(lambda name: traits(name).holds).astype(bool)
    if not is_held.all() or (good["held_connections"] != good["connections"]).any():
        return ""
    asked = good["connections"].unique()
    what = f"all {show.count(float(asked[0]))} connections" if len(asked) == 1 else "every connection asked for"
    return f"{some(dict.fromkeys(good['label']), ', ', MOST_NAMED)} held {what}."


def _missed(dataset: Dataset, found: Compared) -> str:
    """Of those whom the sentence puts first, who missed the objective, else who may have, as a finding forbids to tell:
    that is no recommendation."""
    if found.factor != "strategy":
        return ""
    first = []
    for one in found.by_baseline():
        better = [((pair.run, pair.cell), pair.name) for pair in one.of(BETTER)]
        first += better or [((pair.run, pair.baseline), pair.base) for pair in one.of(WORSE)][:1]
    held = kept(dataset)
    missed = [(name, held[key]) for key, name in first if key in held and held[key].is_missed]
    if not missed:
        return ""
    sure = [(name, one) for name, one in missed if not one.doubt]
    those = sure or missed
    names = some([name for name, _ in those], ", ", MOST_NAMED)
    goal, of = those[0][1].goal, those[0][1]
    if not sure:
        bars = dict.fromkeys(check for _, one in missed for check in one.doubt)
        return f"whether {names} would keep {goal} cannot be told ({', '.join(bars)}), so this is no recommendation"
    often = "" if len(sure) > 1 or of.met == 0 else f" in {of.of - of.met} of {of.of} repetitions"
    return f"{names} missed {goal}{often}, so this is no recommendation"


def _unranked(dataset: Dataset, good: pd.DataFrame, found: Compared, load: str) -> str:
    """What was measured of each, in the order of the plan, where nothing could be compared."""
    names, told = comparison.sides(dataset, found.factor), []
    doubt = doubts(dataset)
    for row in good.to_dict("records"):
        key = row["run"], row["cell"]
        figure = alone.estimate(dataset, row, found.metric)
        if figure is not None and not doubt.get((*key, found.metric)):
            value = with_unit(found.metric, float(figure["value"]), 0.0).removesuffix("/s")
            told.append(f"{names[key]} {value}")
    once = good["counted"].max() <= 1
    why = "With one repetition nothing is ranked" if once else "Nothing is ranked"
    if barred := _without_baseline(dataset, found.metric):
        why = f"{why}, since {barred}"
    begin = f"{load[0].lower()}{load[1:]}" if load else ""
    if not told:
        held = some(good["label"], ", ", MOST_NAMED)
        return f"{why}: {begin}{held} were measured, and no {METRICS[found.metric].title} may be claimed."
    return (
        f"{why}: {begin.rstrip()}{', ' if begin else ''}{METRICS[found.metric].title}: {some(told, '; ', MOST_NAMED)}."
    )


def _without_baseline(dataset: Dataset, metric: str) -> str:
    """That the one that all others are compared with met a limit, where that is so."""
    own = dataset.contrasts[dataset.contrasts["metric"] == metric]
    bases = set(zip(own["run"], own["baseline"], strict=True))
    for row in dataset.cells[dataset.cells["outcome"] == "dnf"].to_dict("records"):
        if (row["run"], row["cell"]) in bases:
            return f"all are compared with {row['label']}, which met a limit (name another first)"
    return ""


def _ramp(cells: pd.DataFrame) -> str:
    """What broke first, and what did not break."""
    limited, whole = cells[cells["outcome"] == "dnf"], cells[cells["outcome"] == "ok"]
    parts = []
    for row in limited.to_dict("records"):
        at = show.count(float(row["held_connections"]))
        parts.append(f"{row['label']} stopped at {at}" + ("" if pd.isna(row["limit"]) else f" ({row['limit']})"))
    if len(whole):
        names = some(whole["label"], ", ", MOST_NAMED)
        most = show.count(float(whole["connections"].min()))
        stopped = "stopped where they were asked to" if len(whole) > 1 else "stopped where it was asked to"
        parts.append(f"{names} {stopped}: nothing broke up to {most} connections")
    return f"{show.visible('; '.join(parts))}." if parts else "Nothing was measured to the end."


def _struck(cells: pd.DataFrame) -> str:
    struck = cells[cells["struck"].fillna(True).astype(bool)]
    return (
        f"{some(struck['label'], ', ', MOST_NAMED)} {'is' if len(struck) == 1 else 'are'} not valid."
        if len(struck)
        else ""
    )


def _failed(cells: pd.DataFrame, good: pd.DataFrame) -> str:
    """The strategies that did not hold; those of which nothing counts, a few of them with what happened."""
    parts = []
    limited = cells[cells["outcome"] == "dnf"]
    if len(limited):
        named = zip(limited["label"], limited["held_connections"], strict=True)
        parts.append(some([f"{label} stopped at {show.count(float(n))}" for label, n in named], ", ", MOST_NAMED))
    stood = {*zip(limited["run"], limited["cell"], strict=True), *zip(good["run"], good["cell"], strict=True)}
    lost = [row for row in cells.to_dict("records") if (row["run"], row["cell"]) not in stood]
    if len(lost) <= MOST_EXPLAINED:
        parts += map(_spoiled, lost)
    else:
        fates: dict[tuple[str, str], list[str]] = {}
        for row in lost:
            fates.setdefault(FATES.get(row["outcome"], NOT_VALID), []).append(row["label"])
        for (one, several), names in fates.items():
            parts.append(f"{some(names, ', ', MOST_NAMED)} {one if len(names) == 1 else several}")
    return f"{'; '.join(parts)}." if parts else ""


def _spoiled(row: dict[Any, Any]) -> str:
    """Why nothing of this row counts; what became of its trials names it already."""
    why, strategy = str(row["why"]).rstrip("."), f"{row['strategy']} "
    if row["outcome"] in FATES and (row["outcome"] in WITHOUT_RESULT or why == row["outcome"]):
        return f"{row['label']} {FATES[row['outcome']][0]}"
    return f"{row['label']} {why.removeprefix(strategy) if why.startswith(strategy) else f'is not valid: {why}'}"
