"""What the charts draw: the good repetitions of each cell, the cells left out and why, and which few stand out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from analysis import format as show
from analysis import histograms
from analysis.answers.identity import identity
from analysis.cells import standing
from analysis.model import Dataset

KEY = ["run", "cell"]
KEY_OF_TRIAL = ["run", "trial"]
PARTS = ("value", "low", "high", "confidence", "quality")
HIGHLIGHTED = 6
NOTE_LENGTH = 90


def good_trials(dataset: Dataset, outcomes: Sequence[str] = ("ok",)) -> pd.DataFrame:
    """The repetitions that count: of these outcomes, no control, cell not struck; each with its cell's `label`."""
    kept = dataset.trials[dataset.trials["outcome"].isin(outcomes) & ~dataset.trials["control"].fillna(False)]
    return kept.merge(standing(dataset.cells)[[*KEY, "label"]], on=KEY)


def left_out(dataset: Dataset) -> pd.DataFrame:
    """The cells without a good repetition or struck: label, strategy, held_connections and, in `note`, the reason."""
    good = good_trials(dataset)[KEY].drop_duplicates().assign(is_good=True)
    cells = dataset.cells.merge(good, on=KEY, how="left")
    rest = cells[cells["is_good"].isna()]
    return rest[["label", "strategy", "held_connections"]].assign(note=list(map(_reason, rest.to_dict("records"))))


def _reason(row: dict[Hashable, Any]) -> str:
    """Why a cell is left out: its limit, the finding that strikes it, or what became of its trials."""
    if row["outcome"] == "dnf" and not pd.isna(row["limit"]):
        held = row["held_connections"]
        return show.visible(str(row["limit"])) + ("" if pd.isna(held) else f", {show.count(held)} held")
    return short(str(row["outcome"] if pd.isna(row["why"]) else row["why"]))


def short(text: str) -> str:
    """A text of a file, visible and of a length that a sentence bears."""
    text = show.visible(text)
    return text if len(text) <= NOTE_LENGTH else text[: NOTE_LENGTH - 1] + "…"


def left_out_sentence(rows: pd.DataFrame, most: int = 2) -> str:
    """`Left out: select (FD_SETSIZE).`, or nothing; of more than so many only how many, for the table names them."""
    if len(rows) > most:
        return f" {len(rows)} are left out, for the reasons that the table At a glance gives."
    named = [f"{row['label']} ({row['note']})" for row in rows.to_dict("records")]
    return f" Left out: {'; '.join(named)}." if named else ""


def median_trials(trials: pd.DataFrame, column: str) -> pd.DataFrame:
    """Of each label the repetition that is the median in this column (the lower of two), unknown ones last."""
    ranked = trials.sort_values(column, kind="stable", na_position="last")
    counts = ranked.groupby("label")[column].transform("count").clip(lower=1)
    return ranked[ranked.groupby("label").cumcount() == (counts - 1) // 2]


def spread(ranked: Sequence[str], most: int = HIGHLIGHTED, colours: Mapping[str, str] | None = None) -> list[str]:
    """At most so many of the names, evenly from the first to the last; where colours are given, each time the nearest
    name whose colour is not taken yet."""
    if len(ranked) <= most:
        return list(ranked)
    found: dict[int, str] = {}
    first, *inner, last = np.linspace(0, len(ranked) - 1, most)
    for middle in (first, last, *inner):
        near = sorted(set(range(len(ranked))) - set(found), key=lambda place: abs(place - middle))
        taken = set(found.values())
        free = [place for place in near if colours and colours[ranked[place]] not in taken]
        place = (free or near)[0]
        found[place] = colours[ranked[place]] if colours else ""
    return [ranked[place] for place in sorted(found)]


def colours(trials: pd.DataFrame) -> dict[str, str]:
    """The colour of each label."""
    named = trials[["label", "strategy"]].drop_duplicates("label")
    return {label: identity(name).colour for label, name in named.itertuples(index=False)}


def counts(rows: pd.DataFrame) -> histograms.Counts:
    """Rows of the table `histograms`, added at every slot."""
    weights = rows["count"].to_numpy(dtype=float)  # exact below 2^53
    return np.bincount(rows["slot"].to_numpy(dtype=np.int64), weights, histograms.SLOTS).astype(np.int64)


def wide(dataset: Dataset, metrics: Sequence[str]) -> pd.DataFrame:
    """The cells, and beside each of its figures m: m_value, m_low, m_high, m_confidence (nan where there is none) and
    m_quality."""
    table = dataset.cells
    known = dataset.estimates[dataset.estimates["value"].notna()]
    for name in metrics:
        own = known.loc[known["metric"] == name, [*KEY, *PARTS]]
        renamed = {part: f"{name}_{part}" for part in PARTS}
        table = table.merge(own.rename(columns=renamed), on=KEY, how="left")
        table[f"{name}_quality"] = table[f"{name}_quality"].fillna("absent")
    return table


def percentiles(dataset: Dataset, trials: pd.DataFrame, percent: Fraction) -> list[float]:
    """Of each of these trials the response's percentile over planned requests, clients merged; ns, nan where it rests
    on too few requests, inf among those never answered."""
    table = dataset.histograms[dataset.histograms["kind"] == "response"]
    sums = {key: counts(rows) for key, rows in table.merge(trials[KEY_OF_TRIAL], on=KEY_OF_TRIAL).groupby(KEY_OF_TRIAL)}
    found = []
    for row in trials.to_dict("records"):
        planned = int(row["planned_requests"])
        is_thin = histograms.tail(planned, percent) < histograms.WITHHELD_BELOW
        own = sums.get((row["run"], row["trial"]), histograms.empty())
        found.append(np.nan if is_thin else histograms.percentile_ns(own, planned, percent))
    return found


def digits(values: pd.Series, figures: int = 4) -> pd.Series:
    """The numbers to so many significant figures: a chart's file holds no digits that nobody can see."""
    return values.astype(float).map(lambda value: float(f"{value:.{figures}g}"))


def stacked(values: Sequence[float], gap: float) -> list[float]:
    """Places for the labels of these rising values: each at its value, or `gap` above the label before it."""
    places: list[float] = []
    for value in values:
        places.append(max(value, places[-1] + gap) if places else value)
    return places


def dodged(values: Sequence[float], gap: float) -> list[float]:
    """Places for the labels of these values, at least `gap` apart and around them, in the order given."""
    order = np.argsort(values, kind="stable")
    rising = np.array(values, dtype=float)[order]
    places = np.array(stacked(rising.tolist(), gap))
    made = np.empty(len(places))
    made[order] = places - (places - rising).mean()  # half of what was pushed up comes down again
    return [float(place) for place in made]
