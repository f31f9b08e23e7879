"""The C10K question itself: what the same requests cost as more and more connections are held beside them."""

from __future__ import annotations

import math

import pandas as pd

from analysis import format as show
from analysis.cells import series_key, standing
from analysis.estimates import figures_of_trials
from analysis.model import Dataset
from analysis.statistics.scaling import LEAST_LEVELS, exponent

METRIC = "cpu"


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per good cell of a series that differs in connections only (three numbers of them or more, `active`
    fixed): label, strategy, connections, cpu_us, low_us, high_us, and the series' exponent with its interval."""
    good = standing(dataset.cells)
    good = good[good["outcome"].ne("dnf")]
    key = series_key(good, ("connections", "connect_rate"))
    figures = figures_of_trials(dataset)
    figures = figures[(figures["metric"] == METRIC) & ~figures["control"] & figures["value"].notna()]
    estimates = dataset.estimates[dataset.estimates["metric"] == METRIC].set_index(["run", "cell"])
    rows = []
    for one in key.unique():
        members = good[key == one].sort_values("connections")
        if members["connections"].nunique() < LEAST_LEVELS:
            continue
        size = dict(zip(members["cell"], members["connections"].astype(float), strict=True))
        own = figures[(figures["run"] == members["run"].iloc[0]) & figures["cell"].isin(size)]
        slope = exponent(
            [([size[c] for c in block["cell"]], block["value"].tolist()) for _, block in own.groupby("block")]
        )
        for row in members.to_dict("records"):
            found = estimates.loc[(row["run"], row["cell"])]
            rows.append(
                {
                    "label": row["strategy"],
                    "strategy": row["strategy"],
                    "connections": int(row["connections"]),
                    "active": int(row["active"]),
                    "cpu_us": float(found["value"]),
                    "low_us": float(found["low"]),
                    "high_us": float(found["high"]),
                    "exponent": slope.value if slope else math.nan,
                    "exponent_low": slope.low if slope else math.nan,
                    "exponent_high": slope.high if slope else math.nan,
                }
            )
    return pd.DataFrame(rows).dropna(subset=["cpu_us"]) if rows else pd.DataFrame()


def slope_text(row: dict[object, object]) -> str:
    """Such as `∝ N^0.50 [0.48, 0.52]`; nothing where it is not known."""
    value, low, high = (float(str(row[name])) for name in ("exponent", "exponent_low", "exponent_high"))
    if math.isnan(value):
        return ""
    return f"∝ N^{value:.2f}" + ("" if math.isnan(low) else f" [{low:.2f}, {high:.2f}]")


def caption(frame: pd.DataFrame) -> str:
    """Each strategy's growth, in words and as an exponent."""
    parts = []
    for label, rows in frame.groupby("label", sort=False):
        first, last = rows.sort_values("connections").iloc[[0, -1]].to_dict("records")
        times = last["cpu_us"] / first["cpu_us"]
        slope = slope_text(last)
        parts.append(f"{label} {show.number(times, most=2)} ×{f' ({slope})' if slope else ''}")
    least, most = frame["connections"].min(), frame["connections"].max()
    return (
        f"From {least:,} to {most:,} connections with {frame['active'].iloc[0]:,} active, a request's server "
        f"CPU time grows: {', '.join(parts)}."
    )
