"""What breaks first: how many connections each search for a limit held, where it broke, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis import format as show
from analysis.answers import series
from analysis.answers.objective import Objective, bars, objective
from analysis.cells import labels, series_key
from analysis.checks.shared import hosts, server_of
from analysis.environment import document
from analysis.estimates import invalid_trials
from analysis.findings import Finding, parsed
from analysis.ingest.plan import traits
from analysis.model import Dataset
from contracts.judge import LEAST_ANSWERED

APART = ("connections",)  # what tells the cells of a series apart
BUSY = 0.9  # of a CPU: from here on requests wait for it
QUEUE, GENERATOR = ("SV1",), ("GN1", "GN2")
"""Findings that say so: the accept queue overflowed; a generator had not the CPU that it needed. Those by which it may
be one thing or another (NW2, GN3, LG1) name nothing that broke."""
OF_A_HOST = {"descriptors": "descriptors", "ports": "source ports", "memory": "memory", "processes": "processes"}


@dataclass(frozen=True)
class Broken:
    """What broke, in a few words; what was seen of it, and what mends it, in sentences; and the host that was out of
    descriptors (each of these may be empty)."""

    what: str
    seen: str = ""
    remedy: str = ""
    short: str = ""


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per block of each search for a limit: label and strategy (of the series), block, held (the most
    connections with which the objective was met), queue_at (the fewest of those beside an accept queue that
    overflowed), broke_at (the fewest with which it was not), of these what, seen, remedy and short as of Broken,
    `doubt` (the findings that forbid to say whether it was met), objective."""
    cells = dataset.cells
    is_searched = cells["workload"].map(lambda name: traits(name).searches == "connections").astype(bool)
    everyone = cells["active"] == cells["connections"]
    own = cells[is_searched].assign(active=cells["active"].where(~everyone, -1))
    if own.empty:
        return pd.DataFrame()
    key, label = series_key(own, APART), pd.Series(labels(cells, (*APART, "active")), index=cells.index)
    rows: list[dict[str, Any]] = []
    for one in key.unique():
        members = own[key == one]
        trials = dataset.trials[
            (dataset.trials["run"] == members["run"].iloc[0])
            & dataset.trials["cell"].isin(members["cell"])
            & ~dataset.trials["control"].fillna(False)
        ]
        slo = dataset.runs.loc[dataset.runs["run"] == members["run"].iloc[0], "slo"]
        goal = objective(slo.iloc[0] if len(slo) else None)
        for block, rungs in trials.groupby("block"):
            whose = {"label": label[members.index[0]], "strategy": members["strategy"].iloc[0], "block": int(block)}
            rows.append({**whose, **_search(dataset, rungs.sort_values("connections"), goal), "objective": str(goal)})
    return pd.DataFrame(rows)


def _search(dataset: Dataset, rungs: pd.DataFrame, goal: Objective) -> dict[str, Any]:
    """What one search found; nan where no rung was met, or none broke."""
    invalid = invalid_trials(dataset.findings).get(str(rungs["run"].iloc[0]), set())
    # What a finding holds against a rung that broke is why it broke.
    counts = rungs["outcome"].isin(["dnf", "crashed"])
    rungs = rungs[counts | (rungs["outcome"].eq("ok") & ~rungs["trial"].isin(invalid))]
    loaded = rungs[rungs["planned_requests"].fillna(0) > 0]
    known = pd.Series(series.percentiles(dataset, loaded, goal.percent), index=loaded.index, dtype=float)
    responses = known.reindex(rungs.index)
    answered = (rungs["answered_requests"] / rungs["planned_requests"]).astype(float) >= LEAST_ANSWERED
    is_met = rungs["outcome"].eq("ok") & answered & (responses <= goal.limit_ns)
    is_unknown = rungs["outcome"].eq("ok") & answered & responses.isna()
    broken = rungs[~is_met & ~is_unknown]
    first = broken.iloc[0].to_dict() if len(broken) else None
    met = rungs[is_met]
    best = met.iloc[-1].to_dict() if len(met) else None
    asked = [row for row in (best, first) if row and row["outcome"] == "ok"]
    doubt = dict.fromkeys(c for row in asked for c in bars(dataset, row["run"], row["cell"], goal))
    return {
        "held": float(best["connections"]) if best else np.nan,
        "queue_at": _overflowed(dataset, met),
        "broke_at": float(first["connections"]) if first else np.nan,
        **asdict(why(dataset, first, goal) if first else Broken("")),
        "doubt": ", ".join(doubt),
    }


def _overflowed(dataset: Dataset, met: pd.DataFrame) -> float:
    """The objective is about requests: that connecting took seconds meanwhile breaks nothing, and has to be said."""
    named = {(one.run, n) for one in parsed(dataset.findings) if one.check in QUEUE for n in one.trials}
    own = zip(met["run"], met["trial"], met["connections"], strict=True)
    return float(min((size for run, n, size in own if (run, n) in named), default=np.nan))


def why(dataset: Dataset, trial: Mapping[Any, Any], goal: Objective) -> Broken:
    """What broke in a trial that did not hold its connections within the objective: by what was recorded of it, the
    most definite first."""
    if pd.notna(trial["limit"]):
        return Broken(f"a limit of the strategy's own, {show.visible(str(trial['limit']))}")
    errors = dataset.errors[(dataset.errors["run"] == trial["run"]) & (dataset.errors["trial"] == trial["trial"])]
    errors = errors.sort_values("count", ascending=False, kind="stable").fillna({"first": "", "remedy": ""})
    for row in errors[errors["phase"] == "budget"].to_dict("records"):
        return _lacking(row)
    if trial["outcome"] == "crashed":
        return Broken("the server", show.visible(f"{trial['reason']}."))
    findings = [one for one in parsed(dataset.findings) if one.run == trial["run"] and trial["trial"] in one.trials]
    if trial["outcome"] == "dnf":
        for row in errors[errors["cause"].isin(list(OF_A_HOST))].to_dict("records"):
            return _lacking(row)
        return _found(findings, QUEUE, "the accept queue") or Broken("connecting", show.visible(f"{trial['reason']}."))
    server = server_of(dataset).get(trial["run"])
    cpus, used = len(server.usable or ()) if server else 0, float(trial["server_cpu_share"])
    if cpus and used >= BUSY * cpus:
        own = f"{cpus} CPU{'s' if cpus > 1 else ''}"
        return Broken("the server's CPU", f"Its processes used {show.number(used, most=2)} of {own}.")
    if found := _found(findings, GENERATOR, "a generator's CPU"):
        return found
    barred = ", ".join(bars(dataset, trial["run"], trial["cell"], goal))
    return Broken(f"the objective, {goal}" + (f", of which nothing may be claimed ({barred})" if barred else ""))


def _lacking(row: Mapping[Any, Any]) -> Broken:
    """What a host had too little of, by an error that it told."""
    host, cause = str(row["host"]), row["cause"]
    what = f"the {OF_A_HOST.get(cause, cause)} of {host}"
    return Broken(what, row["first"], row["remedy"], host if cause == "descriptors" else "")


def _found(findings: list[Finding], checks: tuple[str, ...], what: str) -> Broken | None:
    """What the first of these findings says."""
    return next((Broken(what, one.message, one.remedy) for one in findings if one.check in checks), None)


def caption(frame: pd.DataFrame) -> str:
    """Of each series how many connections it held, where it broke and by what; and how often that was seen."""
    return " ".join(_told(str(label), rows) for label, rows in frame.groupby("label", sort=False))


def _told(label: str, rows: pd.DataFrame) -> str:
    goal, n = rows["objective"].iloc[0], len(rows)
    doubt = ", ".join(dict.fromkeys(", ".join(filter(None, rows["doubt"])).split(", "))) if rows["doubt"].any() else ""
    within = f" (whether within {goal} cannot be told: {doubt})" if doubt else f" within {goal}"
    held = rows["held"]
    first = f"{label} held {_range(held)} connections{within}" if held.notna().any() else f"{label} held none{within}"
    queue = ""
    if rows["queue_at"].notna().any():
        queue = (
            f"Already at {_range(rows['queue_at'].dropna())} an accept queue overflowed while connecting, so clients "
            f"waited to be taken in ({QUEUE[0]})."
        )
    broke = rows.dropna(subset="broke_at")
    if broke.empty:
        return f"{first}, and nothing broke; go on with a higher search_to or search_budget. {queue}".strip()
    counts = broke["what"].value_counts(sort=True)
    often = f" in {counts.iloc[0]} of {n} searches" if n > 1 else ""
    row = broke[broke["what"] == counts.index[0]].iloc[0]
    parts = [f"{first}. At {_range(broke['broke_at'])} the first thing to break was {row['what']}{often}"]
    parts = [": ".join(filter(None, [parts[0], row["seen"].rstrip(".")])) + ".", row["remedy"]]
    unsure = "One search does not tell how sure that is." if n == 1 else ""
    return " ".join(filter(None, [*parts, queue, unsure]))


def _range(values: pd.Series) -> str:
    least, most = (show.count(float(value)) for value in (values.min(), values.max()))
    return least if least == most else f"{least} to {most}"


def keep(dataset: Dataset) -> list[str]:
    """The lines of a run that searched for a limit with which its hosts keep what they had: each file, with the hosts
    that it is for, and its lines. The descriptors that broke first are not a value to keep, and it says so."""
    found = data(dataset)
    if found.empty:
        return []
    lines: list[str] = []
    for run in dataset.runs.to_dict("records"):
        by_text: dict[tuple[str, ...], list[str]] = {}
        for name, entry in document(run["tuning"]).items():
            keys = entry.get("keys") if isinstance(entry, dict) else None
            text = tuple(f"{k['key']} = {k['after']}" for k in keys or () if isinstance(k, dict) and k.get("after"))
            by_text.setdefault(text, []).append(str(name))
        for text, names in by_text.items():
            of = ", ".join(names)
            lines += [f"# /etc/sysctl.d/90-c10k.conf of {of}", *text] if text else [f"# no sysctl of {of} was changed"]
        if found["queue_at"].notna().any():
            lines.append("# an accept queue overflowed: raise net.core.somaxconn and the server's backlog, both")
        by_limit: dict[float, list[str]] = {}
        for (of, name), host in hosts(dataset).items():
            if of == run["run"] and host.descriptors == host.descriptors:
                by_limit.setdefault(host.descriptors, []).append(name)
        for limit, names in by_limit.items():
            short = [name for name in names if name in found["short"].tolist()]
            lines += [f"# /etc/security/limits.d/90-c10k.conf of {', '.join(names)}; of a service LimitNOFILE="]
            lines += [f"# too few of {', '.join(short)}, where it broke first: write more than this"] if short else []
            lines += [f"{who} - nofile {limit:.0f}" for who in ("*", "root")]  # * means nobody with uid 0
    return [show.visible(line) for line in lines]
