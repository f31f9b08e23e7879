"""What was claimed before a run, and whether the run bears it out: each answer with its interval.

All answers of a claim share one risk of a false word. What a finding forbids is not said, unless that can only have
moved the figure away from the word: a full CPU hides how much more a request costs, never how much less, and a request
that was sent late is answered no earlier.
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
from analysis.answers.full import CHECK as FULL
from analysis.answers.full import full
from analysis.answers.shown import bracketed, times
from analysis.answers.stated import PER, Stated, bound_text, one_cell, picked, read
from analysis.cells import standing
from analysis.checks.base import CHECKS
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
ABOVE, BELOW = 1, -1
STANDS = {  # a word and a bound, and to which side of what was found the true figure may lie without another word
    (HOLDS, "at_least"): {ABOVE}, (OPEN, "at_least"): {ABOVE}, (FAILS, "at_least"): {BELOW},
    (HOLDS, "at_most"): {BELOW}, (OPEN, "at_most"): {BELOW}, (FAILS, "at_most"): {ABOVE},
}  # fmt: skip
NO_WAY: set[int] = set()
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
    of, to = picked(cells, one.of), picked(cells, one.to) if one.estimate == "ratio" else []
    word = one.bound.word(found.low, found.high)
    if not why and (struck := {*of, *to} - set(standing(cells)["cell"])):
        why = f"a finding strikes {', '.join(sorted(struck))}"
    moved = _moved(dataset, run, one, _leanings(one, of, to, cells))
    bars = [check for check, ways in moved.items() if not ways <= STANDS.get((word, one.bound.kind), NO_WAY)]
    if not why and bars == [FULL]:
        why = f"its CPUs were full, so what it costs can be more ({FULL})"
    if not why and bars:
        why = f"{', '.join(check for check in bars if check != FULL)} forbids it"
    if why:
        return Answer(one, found, OPEN, why)
    # The interval of a level that is above 0 was made of logarithms, as that of a factor.
    is_factor = one.estimate == "ratio" or (one.estimate == "level" and found.low > 0)
    more = needed(found, one.bound, is_factor=is_factor) if word == OPEN else None
    return Answer(one, found, word, "", more)


def _leanings(one: Stated, of: Sequence[str], to: Sequence[str], cells: pd.DataFrame) -> dict[str, set[int]]:
    """To which side what is found goes as the figure of a cell rises: below where something is divided by it. A slope
    rises with what is found at the largest size and falls with that at the smallest; between them it may do either."""
    if one.estimate != "slope":
        return {cell: {ABOVE} for cell in of} | {cell: {BELOW} for cell in to}
    size = {cell: n for cell, n in zip(cells["cell"], cells["connections"], strict=True) if cell in of}
    ends = {max(size.values(), default=0): {ABOVE}, min(size.values(), default=0): {BELOW}}
    return {cell: ends.get(n, {ABOVE, BELOW}) for cell, n in size.items()}


def _moved(dataset: Dataset, run: str, one: Stated, leanings: Mapping[str, set[int]]) -> dict[str, set[int]]:
    """By finding, the worst first, to which sides of what was found the true figure may lie."""
    barred, cells_full = doubts(dataset), full(dataset)
    names = (one.metric.name, *([CONTRASTS] if one.estimate == "ratio" else []))
    moved: dict[str, set[int]] = {}
    for cell, signs in leanings.items():
        seen = {check: CHECKS[check].adds for name in names for check in barred.get((run, cell, name), ())}
        ways = {check: {BELOW} if adds else {ABOVE, BELOW} for check, adds in seen.items()}
        if one.metric.is_cost and (run, cell) in cells_full:
            ways[FULL] = {BELOW if one.metric.higher_is_better else ABOVE}
        for check, sides in ways.items():
            moved.setdefault(check, set()).update(sign * side for sign in signs for side in sides)
    return moved


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
