"""What a run has to say beside its table: the control, errors, steps of a ramp, the next rates to try, ceilings, its
end."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.answers import capacity
from analysis.ceilings import ceilings
from analysis.cells import by_key
from analysis.environment import document
from analysis.ingest.trials import MISSING, NOT_RUN, UNFINISHED
from analysis.metrics import METRICS, PRIMARY
from analysis.model import Dataset
from contracts.declared import PASSED

MOST_STEPS = 12
EXITS = {0: None, 2: "refused before load", 4: "a host was not restored", 130: "interrupted"}


def of_control(dataset: Dataset) -> list[str]:
    """A line for each A/A control: the ratio of the baseline to itself, and what counts as equal for that."""
    own = dataset.contrasts[dataset.contrasts["metric"] == PRIMARY]
    labels, lines = by_key(dataset.cells), []
    duets = set(by_key(dataset.cells[dataset.cells["duet"].fillna(False)]))
    for row in own[own["cell"] == own["baseline"]].to_dict("records"):
        against = f"A/A control: {labels[row['run'], row['cell']]} against itself"
        against += " side by side" if (row["run"], row["cell"]) in duets else ""
        if pd.isna(row["ratio"]):
            lines.append(f"{against}: {row['why']}")
            continue
        low, high = (show.number(float(row[name])) for name in ("low", "high"))
        floor = "fewer than 3 blocks give no noise floor"
        if not pd.isna(row["noise_floor"]):
            share = show.number(100 * float(row["noise_floor"]), most=2)
            floor = f"an interval within {share} % of 1 tells no difference"
        lines.append(
            f"{against} {show.number(float(row['ratio']))} [{low}, {high}] in {METRICS[PRIMARY].title}: {floor}"
        )
    known = set(zip(own["run"], own["cell"], strict=True))
    planned = dataset.trials[dataset.trials["control"].fillna(False).astype(bool)]
    for key in dict.fromkeys(zip(planned["run"], planned["cell"], strict=True)):
        if key in labels and key not in known:
            lines.append(f"A/A control: {labels[key]} against itself: the control has no figure to compare")
    return lines


def of_errors(dataset: Dataset) -> list[str]:
    """A line for each cell: the kinds of errors in the repetitions that count."""
    lines = []
    names = [*(f"{name}_requests" for name in MISSING), "planned_requests", "surplus_replies"]
    for row in dataset.cells.fillna(dict.fromkeys(names, 0)).to_dict("records"):
        parts = [f"{show.count(n)} {name.replace('_', ' ')}" for name in MISSING if (n := row[f"{name}_requests"]) > 0]
        parts += [f"{show.count(row['surplus_replies'])} surplus replies"] if row["surplus_replies"] > 0 else []
        if parts:
            lines.append(f"{row['label']}: {', '.join(parts)} of {show.count(row['planned_requests'])} planned")
    return lines


def of_ramps(dataset: Dataset) -> list[str]:
    """A line for each cell: how long each step took to arm (median of its trials), or what was held where that is
    less."""
    steps = dataset.proofs[dataset.proofs["moment"].fillna("").str.startswith("step ")]
    trials = dataset.trials[~dataset.trials["control"].fillna(False)]
    steps = steps.merge(trials[["run", "trial", "cell"]], on=["run", "trial"]).dropna(subset=["asked"])
    labels, lines = by_key(dataset.cells), []
    for (run, cell), members in steps.groupby(["run", "cell"], sort=False):
        texts = [_step(own) for _, own in members.groupby("asked")]
        if len(texts) > MOST_STEPS:
            texts = [*texts[: MOST_STEPS - 1], f"… ({len(texts) - MOST_STEPS} more)", texts[-1]]
        lines.append(f"{labels[str(run), str(cell)]}: connections were armed in steps, {' · '.join(texts)}")
    return lines


def _step(members: pd.DataFrame) -> str:
    """Such as `2,000 in 0.41 s`, or `3,000 (2,312 held)` where not all of them were."""
    asked, held = members["asked"].iloc[0], members["clients"].min()
    if pd.notna(held) and held < asked:
        return f"{asked:,} ({held:,} held)"
    return f"{asked:,} in {show.time(float(members['arm_s'].median()) * 1e9)}"


def of_capacity(dataset: Dataset) -> list[str]:
    """For each ladder of rates the rates to try next, and how a search goes on that ended before a miss; the headline
    says what they show."""
    frame = capacity.data(dataset)
    if frame.empty:
        return []
    limits = document(dataset.runs["parameters"].iloc[0])
    told = []
    for label, rows in frame.groupby("label", sort=False):
        row = rows.iloc[0].to_dict()
        text = _further(row, float(rows["rate"].max()), limits) if row["is_search"] else capacity.next_rates(row)
        told += [f"{label}: {text}"] if text else []
    return told


def _further(row: dict[Hashable, Any], highest: float, limits: dict[str, Any]) -> str:
    """How a search goes on that found no miss, or no rate that meets the objective."""
    if math.isnan(row["below_per_s"]):
        return capacity.next_rates(row)
    if row["is_bounded"]:
        return ""
    name = "search_to" if highest >= (limits.get("search_to") or math.inf) else "search_budget"
    unit = " s" if name == "search_budget" else "/s"
    had = f" than {limits[name]:,}{unit}" if isinstance(limits.get(name), (int, float)) else ""
    begin = f"-e rate={row['below_per_s']:.0f}"
    return f"the search ended before a miss; go on with the same command, {begin} and a higher {name}{had}"


def of_calibration(dataset: Dataset) -> list[str]:
    """How fast each generator can send at all, to a server that swallows."""
    table = ceilings(dataset)
    known = table[~table["is_refuted"]]
    if known.empty:
        return []
    clients = dataset.hosts.loc[dataset.hosts["role"] == "client", ["run", "host"]]
    told = clients.merge(known, on=["run", "host"], how="left")[["host", "ceiling_per_s", "ceiling_per_cpu_s"]]
    texts = [
        f"{host} {show.number(rate)}" + ("" if pd.isna(rate) else f" records/s ({show.number(of_cpu)} per CPU second)")
        for host, rate, of_cpu in told.itertuples(index=False)
    ]
    return [f"the generators' ceiling, against a server that swallows: {', '.join(texts)}"]


def of_complaints(dataset: Dataset) -> list[str]:
    """What agents said of trials that never ended, what they had to drop, and the reasons that no finding gives."""
    unended = dataset.trials[dataset.trials["outcome"].isin([UNFINISHED, NOT_RUN])]
    errors = dataset.errors[dataset.errors["first"].notna()]
    is_dropped = errors["cause"].eq("dropped").fillna(False).astype(bool)
    is_open = errors["trial"].isna() | errors["trial"].isin(unended["trial"]) | is_dropped
    lines = [
        f"{_where(row['trial'])}{row['host']}, {row['phase']}: {row['first']} {row['remedy']}"
        for row in errors[is_open].fillna({"remedy": ""}).to_dict("records")
    ]
    stopped = dataset.trials[(dataset.trials["outcome"] == "interrupted") & dataset.trials["reason"].notna()]
    labels = by_key(dataset.cells)
    for row in stopped.to_dict("records"):
        label = labels.get((row["run"], row["cell"]), row["strategy"])
        lines.append(f"{_where(row['trial'])}{label}, interrupted: {row['reason']}")
    return [line.strip() for line in lines]


def _where(trial: Any) -> str:
    return "" if pd.isna(trial) else f"trial {trial}, "


def of_end(dataset: Dataset) -> list[str]:
    """How the run ended, where that was not at its end."""
    run, trials = dataset.runs.iloc[0], dataset.trials
    if pd.notna(run["exit"]):
        said = EXITS.get(int(run["exit"]), "trials failed")
        return [f"the run ended with exit {run['exit']}: {said}."] if said else []
    total, begun = len(trials), trials[trials["outcome"] != NOT_RUN]
    unfinished = trials[trials["outcome"] == UNFINISHED]
    if len(unfinished):
        trial = unfinished.iloc[-1]
        where = f"in mid-trial {trial['trial']} of {total} ({trial['strategy']})"
    elif not len(begun):
        where = f"before trial {trials['trial'].iloc[0]} of {total}"
    else:
        where = f"after {len(begun)} of {total} trials" if len(begun) < total else "after its last trial"
    return [f"the run ended {where}: its controller went away (or is still at work)."]


def of_next(dataset: Dataset, given: str) -> str:
    """Where to look next: at the first trial that failed, else at the trials one by one."""
    failed = dataset.trials[~dataset.trials["outcome"].isin([*PASSED, NOT_RUN])]
    if len(failed):
        n = int(failed["trial"].iloc[0])
        return f"next: trials/{n:03d}/trial.json and hosts/*/{n:03d}/*.log in {given} say more of trial {n}."
    return f"next: python -m analysis summary {given} --csv trials.csv writes one row per trial."
