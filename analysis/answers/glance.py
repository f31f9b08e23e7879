"""At a glance: one row per cell, best first, every figure with its interval; and the one sentence above it all."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis import format as show
from analysis.answers import series
from analysis.answers.shown import spread_of
from analysis.metrics import METRICS, PRIMARY
from analysis.model import Dataset

SHOWN = ("efficiency", "throughput", "p50", "p99", "p99_9", "cpu", "cpu_user", "cpu_system", "memory")
OF_CELL = ["label", "strategy", "run", "cell", "outcome", "outcomes", "struck", "why", "held_connections", "rate"]


def data(dataset: Dataset) -> pd.DataFrame:
    """Columns: OF_CELL, asked_connections, errors_share, errors_requests; of each metric m of SHOWN m_value, m_low,
    m_high, m_quality; and ratio, ratio_low, ratio_high and verdict of the efficiency against the baseline."""
    wide = series.wide(dataset, SHOWN)
    planned = wide["planned_requests"].where(wide["planned_requests"] > 0)
    counted = wide["counted"].astype(str) + " of " + wide["trials"].astype(str) + " repetitions count"
    frame = wide[OF_CELL].assign(
        why=wide["why"].fillna(counted.where(wide["counted"] < wide["trials"], "")),
        asked_connections=wide["connections"],
        errors_requests=wide["errors_requests"],
        errors_share=wide["errors_requests"] / planned,
    )
    of_metrics = [f"{name}_{part}" for name in SHOWN for part in ("value", "low", "high", "quality")]
    return _ranked(pd.concat([frame, wide[of_metrics], _against(dataset, wide)], axis=1))


def _against(dataset: Dataset, cells: pd.DataFrame) -> pd.DataFrame:
    """The efficiency of each cell against the baseline, and the word for it."""
    own = dataset.contrasts[dataset.contrasts["metric"] == PRIMARY]
    bases = set(zip(own["run"], own["baseline"], strict=True))
    names = {"low": "ratio_low", "high": "ratio_high"}
    own = own.loc[own["cell"] != own["baseline"], ["run", "cell", "ratio", *names, "verdict"]].rename(columns=names)
    found = cells[["run", "cell"]].merge(own, on=["run", "cell"], how="left")
    is_base = pd.Series([key in bases for key in zip(cells["run"], cells["cell"], strict=True)], dtype=bool)
    return found.drop(columns=["run", "cell"]).assign(
        verdict=found["verdict"].fillna(pd.Series(np.where(is_base, "baseline", ""), dtype="string"))
    )


def _ranked(frame: pd.DataFrame) -> pd.DataFrame:
    """Good cells first, then those that met a limit, then what is struck; each by load, then the best first: by
    efficiency, or by how many it held."""
    order = pd.DataFrame(
        {
            "group": frame["struck"].astype(int) * 2 + (frame["outcome"] == "dnf").astype(int),
            "connections": frame["asked_connections"].astype(float),
            "rate": frame["rate"].astype(float),
            "best": -frame[f"{PRIMARY}_value"].fillna(frame["held_connections"]),
        }
    )
    by = ["group", "connections", "rate", "best"]
    return frame.loc[order.sort_values(by, kind="stable").index].reset_index(drop=True)


def caption(frame: pd.DataFrame) -> str:
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
        least, most = (f"{_number(row)} ({row['label']})" for row in (ranked.iloc[-1], ranked.iloc[0]))
        parts.append(f"{METRICS[PRIMARY].title} reach from {least} to {most}")
    return "; ".join(parts) + "."


def _number(row: pd.Series) -> str:
    spread = spread_of(float(row[f"{PRIMARY}_low"]), float(row[f"{PRIMARY}_high"]))
    return show.number(float(row[f"{PRIMARY}_value"]), spread)
