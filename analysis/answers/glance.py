"""At a glance: one row per cell, every figure with its interval and what forbids a claim on it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.answers import series
from analysis.answers.comparison import question
from analysis.answers.doubt import CONTRASTS, doubts
from analysis.answers.objective import kept
from analysis.cells import by_key
from analysis.ingest.plan import traits
from analysis.metrics import METRICS, PRIMARY
from analysis.model import Dataset
from analysis.statistics.verdict import BETTER, WORSE

SHOWN = (
    "efficiency",
    "throughput",
    "p50",
    "p99",
    "p99_9",
    "cpu",
    "cpu_user",
    "cpu_system",
    "memory",
    "connect_p99",
    "lag",
)
OF_CELL = [
    "label",
    "strategy",
    "workload",
    "run",
    "cell",
    "outcome",
    "outcomes",
    "struck",
    "why",
    "held_connections",
    "rate",
    "duet",
]
LEAST_FINEST, MOST_FINEST = 0.001, 0.1
FULLER = {PRIMARY: "requests per CPU second"}


def data(dataset: Dataset) -> pd.DataFrame:
    """Columns: OF_CELL, asked_connections, errors_share, errors_requests; of each metric m of SHOWN m_value, m_low,
    m_high, m_quality and m_doubt (the findings that forbid it); slo (the objective), kept (in words) and kept_doubt;
    ratio, ratio_low, ratio_high, verdict, ratio_doubt, ratio_metric, against (the baseline's label) of what the run
    compares, and finest, the least difference that the ratio's metric must show."""
    wide = series.wide(dataset, SHOWN)
    planned = wide["planned_requests"].where(wide["planned_requests"] > 0)
    counted = wide["counted"].astype(str) + " of " + wide["trials"].astype(str) + " repetitions count"
    frame = wide[OF_CELL].assign(
        why=wide["why"].fillna(counted.where(wide["counted"] < wide["trials"], "")),
        asked_connections=wide["connections"],
        errors_requests=wide["errors_requests"],
        errors_share=wide["errors_requests"] / planned,
    )
    keys = list(zip(wide["run"], wide["cell"], strict=True))
    doubt, held = doubts(dataset), kept(dataset)
    frame["slo"] = [str(held[key].goal) if key in held else "" for key in keys]
    frame["kept"] = [str(held[key]) if key in held else "" for key in keys]
    frame["kept_doubt"] = [" ".join(held[key].doubt) if key in held else "" for key in keys]
    of_metrics = [f"{name}_{part}" for name in SHOWN for part in series.PARTS]
    of_doubt = pd.DataFrame(
        {f"{name}_doubt": [" ".join(doubt.get((*key, name), ())) for key in keys] for name in SHOWN}, index=wide.index
    )
    return _ordered(pd.concat([frame, wide[of_metrics], of_doubt, _against(dataset, wide)], axis=1))


def _against(dataset: Dataset, cells: pd.DataFrame) -> pd.DataFrame:
    """What each cell comes to against the baseline by the metric of the run's question, and the word for it."""
    _, metric = question(dataset.cells)
    own = dataset.contrasts[dataset.contrasts["metric"] == metric]
    bases = set(zip(own["run"], own["baseline"], strict=True))
    names = {"low": "ratio_low", "high": "ratio_high"}
    own = own.loc[own["cell"] != own["baseline"], ["run", "cell", "baseline", "ratio", *names, "verdict"]]
    found = cells[["run", "cell"]].merge(own.rename(columns=names), on=["run", "cell"], how="left")
    keys = list(zip(found["run"], found["cell"], strict=True))
    is_base = pd.Series([key in bases for key in keys], dtype=bool)
    doubt, labels = doubts(dataset), by_key(dataset.cells)
    doubted = []
    for row in found.to_dict("records"):
        sides = [row["cell"]] if pd.isna(row["baseline"]) else [row["cell"], row["baseline"]]
        told = [one for c in sides for m in (metric, CONTRASTS) for one in doubt.get((row["run"], c, m), ())]
        doubted.append("" if pd.isna(row["baseline"]) else " ".join(dict.fromkeys(told)))
    least = (found["ratio"].astype(float) - 1).abs().fillna(MOST_FINEST).min()
    return found.drop(columns=["run", "cell", "baseline"]).assign(
        verdict=found["verdict"].fillna(pd.Series(np.where(is_base, "baseline", ""), dtype="string")),
        ratio_doubt=doubted, ratio_metric=metric, finest=min(max(least, LEAST_FINEST), MOST_FINEST),
        against=[labels.get((run, base), "") for run, base in zip(found["run"], found["baseline"], strict=True)],
    )  # fmt: skip


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Good cells first, then those that met a limit, then what is struck; each by load, then what the contrasts
    decide: better than the baseline, the baseline and what is not told apart from it, worse; else as planned. Of those
    that met a limit the ones that held more come first."""
    is_limited = frame["outcome"] == "dnf"
    decided = frame["verdict"].where(frame["ratio_doubt"] == "", "").map({BETTER: 0, WORSE: 2}).fillna(1)
    order = pd.DataFrame(
        {
            "group": frame["struck"].astype(int) * 2 + is_limited.astype(int),
            "connections": frame["asked_connections"].astype(float),
            "rate": frame["rate"].astype(float),
            "decided": decided.astype(float),
            "held": (-frame["held_connections"].astype(float)).where(is_limited, 0.0),
        }
    )
    return frame.loc[order.sort_values(list(order.columns), kind="stable").index].reset_index(drop=True)


def ratio_title(frame: pd.DataFrame) -> str:
    """What the ratio is of, and against what, such as `requests per CPU second ÷ epoll's`."""
    metric = str(frame["ratio_metric"].iloc[0])
    bases = sorted({base for base in frame["against"] if base})
    against = bases[0] if len(bases) == 1 else "the baseline"
    against += " beside it" if frame["duet"].all() else ""
    return f"{FULLER.get(metric, METRICS[metric].title)}, ÷ {against}"


def in_doubt(known: pd.DataFrame) -> str:
    """Of how many of these rows a finding forbids to say whether they kept the objective, in brackets; or nothing."""
    doubtful = int(known["kept_doubt"].ne("").sum())
    return f" ({doubtful} cannot be told: {of_doubt(known)})" if doubtful else ""


def of_doubt(known: pd.DataFrame) -> str:
    """The findings that forbid it."""
    return ", ".join(dict.fromkeys(" ".join(known["kept_doubt"]).split()))


def caption(frame: pd.DataFrame) -> str:
    """How many held all that was asked, met a limit, are struck, and meet the objective."""
    is_struck = frame["struck"].astype(bool)
    limited, struck = int(((frame["outcome"] == "dnf") & ~is_struck).sum()), int(is_struck.sum())
    held = len(frame) - limited - struck
    holds = all(traits(name).holds for name in frame["workload"])
    parts = [f"{held} of {len(frame)} {'held every connection asked for' if holds else 'ran to the end'}"]
    parts += [f"{limited} met a limit"] if limited else []
    parts += [f"{struck} {'is' if struck == 1 else 'are'} struck, with the reason"] if struck else []
    known = frame[~is_struck & frame["kept"].ne("")]
    if len(known):
        met = int((known["kept"].eq("met") & known["kept_doubt"].eq("")).sum())
        parts.append(f"{met} of {len(known)} met {known['slo'].iloc[0]}{in_doubt(known)}")
    return "; ".join(parts) + "."
