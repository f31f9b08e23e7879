"""Trials to rows of the summary: the median of a cell's repetitions with their least and most, and the A/A control."""

import json
from typing import Any

import pandas as pd

from analysis.tables import FACTORS, MISSING, natural
from analysis.trials import PERCENTILES

# What is shown of a cell. Errors are summed instead: a median would hide those of one repetition in three.
METRICS = (
    "held", "requests_per_s", *(f"{name}_ns" for name in PERCENTILES),
    "cpu_us_per_request", "cpu_user_us_per_request", "cpu_system_us_per_request", "rss_bytes_per_connection",
)  # fmt: skip
# Set per strategy, or without effect on what is measured: a column only where they vary within one strategy.
INCIDENTAL = ("port", "workers", "arm_timeout")


def varying(trials: pd.DataFrame) -> list[str]:
    """The factors that tell the rows of a table apart, besides the strategy."""
    shown = []
    for name in FACTORS[1:]:
        values = trials[name].map(json.dumps)
        per_strategy = values.groupby(trials["strategy"]).nunique().max()
        if per_strategy > 1 or (values.nunique() > 1 and name not in (*INCIDENTAL, "command")):
            shown.append(name)
    # `active` is all of them unless somebody said otherwise.
    if "active" in shown and (trials["active"] == trials["connections"]).all():
        shown.remove("active")
    return shown


def cells(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per cell, in the order of the plan, controls left out.

    Figures are those of the trials that are `ok`; where none is, of whatever there is, and the outcome says so.
    """
    rows = []
    measured = trials[~trials["control"].astype(bool)]
    for cell in sorted(measured["cell"].unique(), key=natural):
        members = measured[measured["cell"] == cell]
        good = members[members["outcome"] == "ok"]
        used = good if len(good) else members
        row = {name: members[name].iloc[0] for name in ("cell", *FACTORS, "asked")}
        row |= {"trials": len(members), "used": len(used), "outcome": outcome(members)}
        for name in METRICS:
            values = used[name].astype(float)
            row |= {name: values.median(), f"{name}_min": values.min(), f"{name}_max": values.max()}
        for name in PERCENTILES:
            row[f"{name}_tail"] = used.loc[used[f"{name}_ns"].notna(), f"{name}_tail"].astype(float).min()
        for name in ("errors", "planned", "surplus", *MISSING):
            row[name] = members[name].astype(float).sum(min_count=1)
        rows.append(row)
    return pd.DataFrame(in_order_of_rate(rows), dtype=object)


def in_order_of_rate(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rungs of one ladder of rates together and ascending, where its first stands; all others where they are."""
    first: dict[str, int] = {}
    keys = []
    for place, row in enumerate(rows):
        is_rung = row["workload"] == "capacity"
        rest = [row[name] for name in FACTORS if name != "rate"] if is_rung else [place]
        ladder = json.dumps([is_rung, rest])
        keys.append((first.setdefault(ladder, place), row["rate"] if is_rung else 0, place))
    return [rows[place] for _, _, place in sorted(keys)]


def outcome(members: pd.DataFrame) -> str:
    """What became of a cell's trials: `3 ok`, `2 ok, 1 suspect`, `dnf at FD_SETSIZE`, `1 ok, 2 not run`."""
    said: dict[str, int] = {}
    for trial in members.to_dict("records"):
        text = str(trial["outcome"])
        if text == "dnf" and isinstance(trial["limit"], str):
            text = f"dnf at {trial['limit']}"
        if trial["validity"] == "suspect":
            text = "suspect" if text == "ok" else f"{text}, suspect"
        said[text] = said.get(text, 0) + 1
    if len(members) == 1:
        return next(iter(said))
    return ", ".join(f"{count} {text}" for text, count in said.items())


def controls(trials: pd.DataFrame) -> pd.DataFrame:
    """The A/A pairs: CPU time per request of the control over that of its twin in the same block, per set of factors.

    Columns: strategy, the factors, pairs (how many), ratio (their median), ratio_min, ratio_max.
    """
    key = trials[list(FACTORS)].map(json.dumps).agg("|".join, axis=1)
    costs = trials.assign(key=key, cost=trials["cpu_us_per_request"].astype(float)).loc[trials["outcome"] == "ok"]
    is_control = trials["control"].astype(bool)
    rows = []
    for wanted in key[is_control].unique():
        same = costs[costs["key"] == wanted]
        by_block = [
            same[same["control"].astype(bool) == which].groupby("block")["cost"].first() for which in (True, False)
        ]
        ratios = (by_block[0] / by_block[1]).dropna()
        first = trials[is_control & (key == wanted)].iloc[0]
        rows.append(
            {name: first[name] for name in FACTORS}
            | {"pairs": len(ratios), "ratio": ratios.median(), "ratio_min": ratios.min(), "ratio_max": ratios.max()}
        )
    return pd.DataFrame(rows, columns=[*FACTORS, "pairs", "ratio", "ratio_min", "ratio_max"])
