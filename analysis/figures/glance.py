"""At a glance: one row per cell, best first, every figure with its interval; and the one sentence above it all."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from analysis import format as show
from analysis.cells import cell_table
from analysis.estimates import invalid_trials
from analysis.figures import series
from analysis.figures.base import Figure
from analysis.metrics import METRICS, PRIMARY
from analysis.model import Dataset

NAME, TITLE = "glance", "At a glance"
READ = (
    "A row is a strategy (or what else was varied), best first by requests per server-CPU-second. The bar spans the "
    "95 % interval of the repetitions, its mark is their centre; where the bars of two rows overlap widely, do not "
    "tell them apart. Percentiles are over all planned requests. The word against the baseline holds beside all the "
    "other words, and asks for more than the ratio's own interval. A row that met a limit stands below those that held "
    "every connection, and what is struck is no measurement of the server."
)
SHOWN = ("efficiency", "throughput", "p50", "p99", "p99_9", "cpu", "memory")


def make(dataset: Dataset) -> Figure | None:
    frame = data(dataset)
    return None if frame.empty else Figure(NAME, TITLE, finding(frame), READ, frame, None)


def data(dataset: Dataset) -> pd.DataFrame:
    """Columns: label, strategy, run, cell, outcome, struck, why, held_connections, asked_connections, errors_share; of
    each metric m of SHOWN m_value, m_low, m_high, m_quality; and ratio, ratio_low, ratio_high and verdict of the
    efficiency against the baseline."""
    cells = cell_table(dataset)
    if cells.empty:
        return pd.DataFrame()
    estimates = series.estimates(dataset)
    own = dataset.contrasts[(dataset.contrasts["metric"] == PRIMARY)]
    against = {(row["run"], row["cell"]): row for row in own.to_dict("records") if row["cell"] != row["baseline"]}
    bases = {(row["run"], row["baseline"]) for row in own.to_dict("records")}
    rows = []
    for cell in cells.to_dict("records"):
        key = (cell["run"], cell["cell"])
        row: dict[str, Any] = {name: cell[name] for name in ("label", "strategy", "run", "cell", "outcome", "struck")}
        mine = dataset.trials[(dataset.trials["run"] == key[0]) & (dataset.trials["cell"] == key[1])]
        counted = _counted(dataset, mine)
        planned = float(counted["planned_requests"].sum())
        row |= {
            "why": _why(dataset, cell, mine) or _how_many(counted, mine),
            "held_connections": cell["held_connections"],
            "asked_connections": cell["connections"],
            "rate_per_s": cell["rate_per_s"],
            "errors_share": float(counted["errors_requests"].sum()) / planned if planned else float("nan"),
        }
        row |= _against(against.get(key), "baseline" if key in bases else "")
        for name in SHOWN:
            found = estimates.get((*key, name))
            for part in ("value", "low", "high"):
                row[f"{name}_{part}"] = float("nan") if found is None else float(found[part])
            row[f"{name}_quality"] = "absent" if found is None else str(found["quality"])
        rows.append(row)
    return _ranked(pd.DataFrame(rows))


def _counted(dataset: Dataset, trials: pd.DataFrame) -> pd.DataFrame:
    """The repetitions that the figures of a row rest on."""
    invalid = invalid_trials(dataset.findings)
    is_good = [(run, number) not in invalid for run, number in zip(trials["run"], trials["trial"], strict=True)]
    own = trials[~trials["control"].fillna(False) & trials["outcome"].isin(["ok", "dnf"])]
    return own[np.array(is_good, dtype=bool)[trials.index.get_indexer(own.index)]]


def _how_many(counted: pd.DataFrame, mine: pd.DataFrame) -> str:
    planned = int((~mine["control"].fillna(False)).sum())
    return f"{len(counted)} of {planned} repetitions count" if len(counted) < planned else ""


def _against(contrast: dict[Any, Any] | None, otherwise: str) -> dict[str, Any]:
    nan = float("nan")
    if contrast is None:
        return {"verdict": otherwise, "ratio": nan, "ratio_low": nan, "ratio_high": nan}
    ends = {"ratio_low": contrast["low"], "ratio_high": contrast["high"]}
    return {"verdict": contrast["verdict"], "ratio": contrast["ratio"], **ends}


def _ranked(frame: pd.DataFrame) -> pd.DataFrame:
    """Good cells first, then those that met a limit, then what is struck; each by load, then the best first: by
    efficiency, or by how many it held."""
    order = pd.DataFrame(
        {
            "group": frame["struck"].astype(int) * 2 + (frame["outcome"] == "dnf").astype(int),
            "connections": frame["asked_connections"].astype(float),
            "rate": frame["rate_per_s"].astype(float),
            "best": -frame[f"{PRIMARY}_value"].fillna(frame["held_connections"]),
        }
    )
    by = ["group", "connections", "rate", "best"]
    return frame.loc[order.sort_values(by, kind="stable").index].reset_index(drop=True)


def _why(dataset: Dataset, cell: dict[Any, Any], mine: pd.DataFrame) -> str:
    """Why a row is struck or below the others: its limit, the finding, or what became of its trials."""
    if cell["outcome"] == "dnf":
        limit = "" if pd.isna(cell["limit"]) else f" ({show.visible(str(cell['limit']))})"
        return f"stopped at {show.count(float(cell['held_connections']))}{limit}"
    if not cell["struck"]:
        return ""
    invalid = dataset.findings[(dataset.findings["severity"] == "invalid") & (dataset.findings["run"] == cell["run"])]
    for row in invalid.to_dict("records"):
        if cell["cell"] in json.loads(row["cells"]):
            return show.visible(str(row["message"]))
    reasons = mine["reason"].dropna()
    return show.visible(str(reasons.iloc[0])) if len(reasons) else str(cell["outcome"])


def finding(frame: pd.DataFrame) -> str:
    """How many held all that was asked, how many met a limit, how many are struck."""
    is_struck = frame["struck"].astype(bool)
    limited, struck = int(((frame["outcome"] == "dnf") & ~is_struck).sum()), int(is_struck.sum())
    held = len(frame) - limited - struck
    parts = [f"{held} of {len(frame)} held every connection asked for"]
    parts += [f"{limited} met a limit of {'its' if limited == 1 else 'their'} own"] if limited else []
    parts += [f"{struck} {'is' if struck == 1 else 'are'} struck, with the reason"] if struck else []
    good = frame[~is_struck & (frame["outcome"] != "dnf") & frame[f"{PRIMARY}_value"].notna()]
    if len(good) > 1:
        ranked = good.sort_values(f"{PRIMARY}_value", ascending=False)
        first, last = ranked.iloc[0], ranked.iloc[-1]
        metric = METRICS[PRIMARY]
        parts.append(
            f"{metric.title} reach from {_number(last)} ({last['label']}) to {_number(first)} ({first['label']})"
        )
    return "; ".join(parts) + "."


def _number(row: pd.Series) -> str:
    low, high = float(row[f"{PRIMARY}_low"]), float(row[f"{PRIMARY}_high"])
    return show.number(float(row[f"{PRIMARY}_value"]), (high - low) / 2 if high == high else 0.0)
