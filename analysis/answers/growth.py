"""The C10K question itself: what the same requests cost as more and more connections are held beside them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.answers.doubt import doubts
from analysis.answers.full import BOUND, CHECK, full
from analysis.answers.shown import bracketed, undetermined
from analysis.cells import labels, series_key, standing
from analysis.estimates import by_block, figures_of_trials
from analysis.model import Dataset
from analysis.statistics.interval import centre
from analysis.statistics.scaling import LEAST_LEVELS, growth

METRIC = "cpu"
FITTED = ("constant", "line")  # models that have a line to draw
BOUNDED = "bounded"  # a model that cannot be told
APART = ("connections", "connect_rate")  # what tells the cells of a series apart
PER = 1000  # connections


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per good cell of a series that differs in connections only (three numbers of them or more, `active`
    fixed): label (the series'), strategy, connections, cpu_us, low_us, high_us and `why` nothing may rest on it,
    or only that it costs so much at least;
    `next_us`, the growth to the next size for each PER connections (nan at the last); and of the series `model`,
    `misfit`, slope_us with its interval and the fitted fit_start_us + fit_rise_us, likewise for each PER connections,
    and its `repetitions`."""
    good = standing(dataset.cells.assign(series=labels(dataset.cells, APART)))
    good = good[good["outcome"].ne("dnf")]
    key = series_key(good, APART)
    is_full = full(dataset)
    figures = figures_of_trials(dataset)
    figures = figures[(figures["metric"] == METRIC) & ~figures["control"] & figures["value"].notna()]
    rows, doubt = [], doubts(dataset)
    for one in key.unique():
        members = good[key == one].sort_values("connections")
        size = dict(zip(members["cell"], members["connections"].astype(float), strict=True))
        own = figures[(figures["run"] == members["run"].iloc[0]) & figures["cell"].isin(size)]
        members = members[members["cell"].isin(own["cell"])]
        if members["connections"].nunique() < LEAST_LEVELS:
            continue
        found = growth(
            [([size[c] for c in block["cell"]], block["value"].tolist()) for _, block in own.groupby("block")]
        )
        if found is None:
            continue
        # What a full CPU hides bends every line.
        is_bounded = any(one in is_full for one in zip(members["run"], members["cell"], strict=True))
        model = BOUNDED if is_bounded else found.model
        series = {"model": model, "misfit": found.misfit, "slope_us": found.slope.value * PER,
                  "slope_low_us": found.slope.low * PER, "slope_high_us": found.slope.high * PER,
                  "fit_start_us": found.start, "fit_rise_us": found.rise * PER,
                  "repetitions": own["block"].nunique()}  # fmt: skip
        local = dict(zip(sorted(set(size.values())), found.local, strict=False))
        for row in members.to_dict("records"):
            figure = centre(by_block(own[own["cell"] == row["cell"]]))  # of those that may be used
            forbid = " ".join(doubt.get((row["run"], row["cell"], METRIC), ()))
            rows.append(
                {
                    "label": row["series"],
                    "strategy": row["strategy"],
                    "connections": int(row["connections"]),
                    "active": int(row["active"]),
                    "cpu_us": figure.value,
                    "low_us": figure.low,
                    "high_us": figure.high,
                    "why": undetermined(figure.low, figure.high, forbid)
                    or (BOUND if (row["run"], row["cell"]) in is_full else ""),
                    "next_us": local.get(float(row["connections"]), float("nan")) * PER,
                    **series,
                }
            )
    return pd.DataFrame(rows)


def slope_text(row: Mapping[Hashable, Any]) -> str:
    """What the series of a row is, in short: `flat within 3 %`, `+8.0 [7.8, 8.2] µs per 1,000`, or `no straight
    line`."""
    if row["model"] == "constant":
        return f"flat within {_misfit(row)} %"
    if row["model"] == BOUNDED:
        return "its CPUs were full"
    if row["model"] == "neither":
        return "no straight line"
    if row["model"] == "unclear":
        return "no law to be told"
    value, low, high = (float(row[f"slope{part}_us"]) for part in ("", "_low", "_high"))
    return f"{'+' if value > 0 else ''}{bracketed(value, low, high)} µs per {PER:,}"


def _misfit(row: Mapping[Hashable, Any]) -> int:
    """In percent."""
    return max(1, math.ceil(100 * float(row["misfit"])))


def caption(frame: pd.DataFrame) -> str:
    """Each strategy's growth in words, with what is known of its law; and nothing beyond what was measured."""
    parts = []
    for label, rows in frame.groupby("label", sort=False):
        ordered = rows.sort_values("connections").to_dict("records")
        first, last = ordered[0], ordered[-1]
        factor = f"{show.number(float(last['cpu_us'] / first['cpu_us']), most=2)} ×"
        times = f"{label} {factor}"
        misfit = _misfit(last)
        if last["model"] == "constant":
            parts.append(f"{times} (no growth to be told, flat within {misfit} %)")
        elif last["model"] == "unclear":
            parts.append(f"{times} (no law can be told, so much do the repetitions differ)")
        elif last["model"] == BOUNDED:
            sizes = ", ".join(f"{row['connections']:,}" for row in ordered if row["why"] == BOUND)
            # Only a dividend that is a bound makes the quotient one.
            least = "at least " if first["why"] != BOUND == last["why"] else ""
            parts.append(
                f"{label} {least}{factor} (at {sizes} its CPUs were full, so how it grows cannot be told ({CHECK}); "
                f"try a lower rate)"
            )
        elif last["model"] == "line":
            parts.append(f"{times} ({slope_text(last)} connections, a straight line within {misfit} %)")
        else:
            steps = ", ".join(
                f"{show.number(float(row['next_us']), most=2)} µs from {row['connections']:,}" for row in ordered[:-1]
            )
            parts.append(f"{times} (no straight line, {misfit} % off; for each {PER:,} connections more {steps} on)")
    least, most = frame["connections"].min(), frame["connections"].max()
    active = f" with {frame['active'].iloc[0]:,} active" if frame["active"].nunique() == 1 else ""
    unsure = " One repetition does not tell how sure that is." if frame["repetitions"].min() < 2 else ""
    return (
        f"From {least:,} to {most:,} connections{active}, a request's server CPU time grows: {', '.join(parts)}. "
        f"Nothing follows for more than {most:,}.{unsure}"
    )
