"""What was claimed before a run, and whether the run bears it out: each answer with its interval.

All answers of a claim share one risk of a false word. What a finding forbids is not said, and neither is a cost beyond
the one that a full CPU lets show.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.answers.apart import Told, sides_of
from analysis.answers.apart import told as told_pairs
from analysis.answers.doubt import CONTRASTS, doubts
from analysis.answers.full import full
from analysis.answers.shown import bracketed, times
from analysis.answers.stated import PER, Stated, bound_text, one_cell, picked, read
from analysis.cells import standing
from analysis.contrasts import compared, known_to, measured_blocks, pair_of
from analysis.estimates import by_block, figures_of_trials
from analysis.ingest.fields import mapping
from analysis.metrics import METRICS
from analysis.model import Dataset
from analysis.statistics.claim import FAILS, HOLDS, OPEN, needed
from analysis.statistics.family import ALPHA
from analysis.statistics.interval import centre
from analysis.statistics.paired import Estimate
from analysis.statistics.scaling import growth
from contracts.claim import TEXTS, seal

SEVERAL = {HOLDS: "hold", FAILS: "do not hold"}
NOTHING = Estimate(math.nan, math.nan, math.nan, math.nan, 0, "")


@dataclass(frozen=True)
class Answer:
    """An answer as it was found. `why` it cannot be said; `repetitions` that would decide it, None: not known."""

    stated: Stated
    found: Estimate
    word: str
    why: str = ""
    repetitions: int | None = None

    @property
    def sentence(self) -> str:
        """What was claimed, and what was found of it."""
        claimed = f"{self.stated.says.rstrip('.')} ({bound_text(self.stated)})"
        text, n = figure_text(self), self.found.n
        found = f"found {text}, {n} repetitions" if text else "nothing found"
        if self.why:
            return f"{claimed}: {found}; {self.why}."
        if self.word == OPEN:
            more = f"about {self.repetitions:,}" if self.repetitions else "no known number of"
            return f"{claimed}: {found}; {more} repetitions would decide it."
        return f"{claimed}: {found}."


@dataclass(frozen=True)
class Claim:
    """What one run was to settle. `broken`: why nothing may be said of it, such as a seal that does not fit."""

    run: str
    name: str
    texts: Mapping[str, str]  # question, source, mechanism, changes, figure
    answers: tuple[Answer, ...]
    broken: str = ""
    apart: Told | None = None  # of a claim that asks which pairs can be told apart
    changed: tuple[str, ...] = ()  # parameters of the run that were given otherwise than the claim asks for


def claims(dataset: Dataset) -> list[Claim]:
    """Those of the runs that had one."""
    return [one for row in dataset.runs.to_dict("records") if (one := _of_run(dataset, row))]


def words(claim: Claim) -> str:
    """How many of its answers hold, do not, and cannot be said."""
    if claim.broken:
        return f"claimed before the run, {OPEN}: {claim.broken}."
    found = Counter(answer.word for answer in claim.answers)
    told = ", ".join(
        f"{n} of {len(claim.answers)} {word if n == 1 else SEVERAL.get(word, word)}" for word, n in found.items()
    )
    return f"claimed before the run{otherwise(claim)}: {told}."


def otherwise(claim: Claim) -> str:
    """Where the run was not the one that the claim asks for: in what it differed."""
    return f", of a run that differs in {' and '.join(claim.changed)}" if claim.changed else ""


def _of_run(dataset: Dataset, row: Mapping[Any, Any]) -> Claim | None:
    document = _document(row["claim"])
    if not document:
        return None
    stated = {part: value for part, value in document.items() if part != "seal"}
    texts = {part: str(stated.get(part, "")) for part in TEXTS}
    listed = stated.get("answers")
    told = listed if isinstance(listed, list) else []
    asked = [one for answer in told if (one := read(mapping(answer)))]
    broken = ""
    if not seal(stated) == document.get("seal") == row["claim_seal"]:
        broken = "its seal does not fit: what is claimed now is not what was claimed before the run"
    elif len(asked) < len(told) or not asked:
        broken = "it states answers that this version does not understand"
    run, pairs = str(row["run"]), mapping(stated.get("pairs"))
    own, figures = _of_cells(dataset, run)
    found = () if broken else _answers(dataset, run, own, figures, asked)
    sound = [cell for cell in standing(own)["cell"] if not _forbidden(dataset, run, cell, pairs.get("metric"))]
    apart = None if broken else told_pairs(own[own["cell"].isin(sound)], figures, pairs)
    named = stated.get("changed")
    changed = tuple(str(name) for name in named) if isinstance(named, list) else ()
    return Claim(run, str(stated.get("name", "")), texts, tuple(found), broken, apart, changed)


def _document(text: object) -> dict[str, Any]:
    try:
        return dict(mapping(json.loads(text))) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}


def _forbidden(dataset: Dataset, run: str, cell: str, metric: object) -> bool:
    """Whether a finding forbids to compare this figure of the cell, or its CPUs were full and it is a cost."""
    barred, named = doubts(dataset), METRICS.get(str(metric))
    is_bound = named is not None and named.is_cost and (run, cell) in full(dataset)
    return is_bound or any((run, cell, name) in barred for name in (str(metric), CONTRASTS))


def _of_cells(dataset: Dataset, run: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cells of a run, and the figures of their trials that are known."""
    figures = figures_of_trials(dataset)
    cells = dataset.cells[(dataset.cells["run"] == run) & dataset.cells["null"].isna()]
    return cells, figures[(figures["run"] == run) & figures["value"].notna()]


def _answers(
    dataset: Dataset, run: str, own: pd.DataFrame, figures: pd.DataFrame, asked: Sequence[Stated]
) -> list[Answer]:
    ratios = _ratios([one for one in asked if one.estimate == "ratio"], own, figures, len(asked))
    made = []
    for one in asked:
        if one.estimate == "ratio":
            found, why = ratios[one.name]
        else:
            found, why = _alone(one, own, figures, 1 - ALPHA / len(asked))
        made.append(_judged(dataset, run, one, own, found, why))
    return made


def _ratios(
    asked: Sequence[Stated], cells: pd.DataFrame, figures: pd.DataFrame, of_all: int
) -> dict[str, tuple[Estimate, str]]:
    """By answer the factor between its two cells. Those of one metric and one baseline say of each other how much they
    spread, as in any comparison."""
    measured, steps = measured_blocks(figures), known_to(figures)
    rows = {str(row["cell"]): row for row in cells.to_dict("records")}
    found: dict[str, tuple[Estimate, str]] = {}
    groups: dict[tuple[str, str], list[tuple[Stated, str]]] = {}
    for one in asked:
        (ours, lost), (theirs, no_base) = one_cell(cells, one.of), one_cell(cells, one.to)
        if lost or no_base:
            found[one.name] = NOTHING, lost or no_base
        else:
            groups.setdefault((one.metric.name, theirs), []).append((one, ours))
    for (metric, base), members in groups.items():
        pairs = []
        for one, ours in members:
            sides = sides_of(one.metric, rows[ours], rows[base], measured, steps)
            pairs.append(pair_of(metric, *sides, measured.get((metric, base, True, ""), {})))
        good = iter(compared([pair for pair in pairs if not pair.why], ALPHA * len(members) / of_all))
        for (one, _), pair in zip(members, pairs, strict=True):
            # The strict interval, for it is held against other numbers than 1.
            found[one.name] = (NOTHING, pair.why) if pair.why else (next(good).strict, "")
    return found


def _alone(one: Stated, cells: pd.DataFrame, figures: pd.DataFrame, confidence: float) -> tuple[Estimate, str]:
    own = figures[(figures["metric"] == one.metric.name) & ~figures["control"]]
    if one.estimate == "level":
        cell, lost = one_cell(cells, one.of)
        known = own[own["cell"] == cell]
        if lost or known.empty:
            return NOTHING, lost or f"{one.metric.title} is not known of it"
        found = centre(by_block(known), confidence)
        return found, "" if found.n > 1 else "one repetition says nothing of how much repetitions differ"
    size = dict(zip(cells["cell"], cells["connections"].astype(float), strict=True))
    known = own[own["cell"].isin(picked(cells, one.of))]
    grown = growth(
        [([size[c] for c in block["cell"]], block["value"].tolist()) for _, block in known.groupby("block")], confidence
    )
    if grown is None:
        return NOTHING, "fewer than three numbers of connections were measured"
    slope = grown.slope
    return replace(slope, value=slope.value * PER, low=slope.low * PER, high=slope.high * PER), ""


def _judged(dataset: Dataset, run: str, one: Stated, cells: pd.DataFrame, found: Estimate, why: str) -> Answer:
    """The word, unless something forbids it."""
    concerned = [*picked(cells, one.of), *(picked(cells, one.to) if one.estimate == "ratio" else [])]
    struck = set(cells["cell"]) - set(standing(cells)["cell"])
    barred = doubts(dataset)
    bars = dict.fromkeys(
        check for cell in concerned for name in (one.metric.name, *([CONTRASTS] if one.estimate == "ratio" else []))
        for check in barred.get((run, cell, name), ())
    )  # fmt: skip
    if not why and (lost := sorted(struck & set(concerned))):
        why = f"a finding strikes {', '.join(lost)}"
    if not why and bars:
        why = f"{', '.join(bars)} forbids it"
    if not why and not bounded_right(one, {c for r, c in full(dataset) if r == run}, cells):
        why = "its CPUs were full, so what it costs can be more (SV7)"
    if why:
        return Answer(one, found, OPEN, why)
    word = one.bound.word(found.low, found.high)
    more = needed(found, one.bound, is_factor=one.estimate == "ratio") if word == OPEN else None
    return Answer(one, found, word, "", more)


def bounded_right(one: Stated, is_full: set[str], cells: pd.DataFrame) -> bool:
    """Whether a full CPU, which hides how much more a request would cost, leaves the claim as it is: where the true
    figure can only lie further on the side that is claimed."""
    if not one.metric.is_cost:
        return True
    ours = bool(is_full & set(picked(cells, one.of)))
    theirs = one.estimate == "ratio" and bool(is_full & set(picked(cells, one.to)))
    if not ours and not theirs:
        return True
    rises = one.bound.kind == ("at_most" if one.metric.higher_is_better else "at_least")
    falls = one.bound.kind == ("at_least" if one.metric.higher_is_better else "at_most")
    return (rises and not theirs) or (falls and not ours)


def figure_text(answer: Answer) -> str:
    """What was found, with its interval; empty where nothing was."""
    found, one = answer.found, answer.stated
    if math.isnan(found.value):
        return ""
    if one.estimate == "ratio":
        if not found.low > 0 or found.high / found.low > show.MOST_FACTOR**2:
            return f"about {show.number(found.value, most=2)} ×, give or take a factor of {show.MOST_FACTOR} or more"
        return times(found.value, found.low, found.high)
    unit = f" {one.metric.unit}" if one.metric.unit not in ("", "ns", "1/s") else ""
    if one.estimate == "slope":
        return f"{bracketed(found.value, found.low, found.high, unit)} for each {PER:,} connections"
    if one.metric.unit == "ns":
        return f"{show.time(found.value)} [{show.time(found.low)}, {show.time(found.high)}]"
    return bracketed(found.value, found.low, found.high, unit)
