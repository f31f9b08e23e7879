"""Checks of the data: is all there, does it add up, does it say what it seems to say?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis import format as show
from analysis.checks.base import Observation, seen, threshold
from analysis.checks.shared import (
    KEY,
    PACED,
    WITHOUT_RESULT,
    by_trial,
    client_rows,
    contender,
    number,
    trials,
    where,
)
from analysis.environment import document
from analysis.model import Dataset
from analysis.statistics.series import moved
from contracts.declared import OUTCOMES, PASSED, SETTLED, WRONG

SPOILT = tuple(name for name in OUTCOMES if name not in (*PASSED, *WITHOUT_RESULT))
PROOF = ("kernel", "server", "clients")
OF_A_TRIAL = re.compile(r"^(?:hosts/(?P<host>[^/]+)|trials)/0*(?P<trial>\d{1,9})/")
WORST_STATE = {"missing": 3.0, "truncated": 2.0, "changed": 1.0}


def dt1_incomplete(dataset: Dataset) -> Iterable[Observation]:
    """Files that are not as the manifest lists them, and runs whose log has no end."""
    for row in where(dataset.files, dataset.files["state"] != "whole").drop_duplicates().to_dict("records"):
        path, state = str(row["path"]), str(row["state"])
        found = OF_A_TRIAL.match(path)
        detail = "" if pd.isna(row["detail"]) else f" ({row['detail']})"
        host = (found["host"],) if found and found["host"] else ()
        # Every figure is computed from events.jsonl; the hosts' own logs are its witnesses.
        severity = "invalid" if path == "events.jsonl" and state == "changed" else None
        at, size = {"run": row["run"], "trial": found and found["trial"]}, WORST_STATE.get(state, 0.0)
        yield seen(at, f"{path} is {state}{detail}", size, hosts=host, severity=severity, path=path, state=state)
    left = trials(dataset, WITHOUT_RESULT).groupby("run").size().to_dict()
    for run in where(dataset.runs, ~dataset.runs["is_whole"])["run"].unique():
        text = f"events.jsonl ends before the run did: {left.get(run, 0):,} trials have no result"
        yield seen({"run": run}, text, 4.0, trials_without_result=left.get(run, 0))


def dt11_moved_value(dataset: Dataset) -> Iterable[Observation]:
    """Values that tuning had set and that restoring found otherwise: every trial lies between."""
    for run in dataset.runs.drop_duplicates("run").to_dict("records"):
        for host, entry in document(run["tuning"]).items():
            found = [one for one in listed(document(entry).get("moved")) if isinstance(one, dict)]
            for row in where(dataset.trials, dataset.trials["run"] == run["run"]).to_dict("records") if found else ():
                first = found[0]
                text = f"{first.get('key')} of {host} was set to {first.get('set')} and later was {first.get('found')}"
                yield seen(row, text, len(found), hosts=(str(host),), values=len(found))


def dt12_resumed(dataset: Dataset) -> Iterable[Observation]:
    """Runs that were broken off and went on later."""
    for run in dataset.runs.drop_duplicates("run").to_dict("records"):
        for utc, part in document(run["resumed"]).items():
            missing, rebooted = (listed(document(part).get(name)) for name in ("missing", "rebooted"))
            text = f"The run was broken off, and {len(missing)} of its trials were measured from {utc} on"
            if rebooted:
                text += f"; {', '.join(map(str, rebooted))} had started anew in between"
            yield seen(run, text, len(missing), missing=len(missing))


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def dt8_seconds_missing(dataset: Dataset) -> Iterable[Observation]:
    known = dataset.intervals.dropna(subset=["k"])
    own = known.groupby([*KEY, "host"], observed=True)["k"].agg(["min", "max", "nunique"]).reset_index()
    for row in own.merge(trials(dataset)[KEY], on=KEY).to_dict("records"):
        missing = row["max"] - row["min"] + 1 - row["nunique"]
        if missing > 0:
            text = f"{row['host']} has no record of {missing:,} of its seconds"
            yield seen(row, text, missing, missing=missing)


def dt2_conservation(dataset: Dataset) -> Iterable[Observation]:
    table = trials(dataset, ("ok", "invalid", "partial"))
    parts = [f"{part}_requests" for part in SETTLED]
    for row in table.dropna(subset=["planned_requests", *parts]).to_dict("records"):
        planned, settled = row["planned_requests"], sum(row[part] for part in parts)
        if settled != planned:
            text = f"Of {show.count(planned)} planned requests {show.count(settled)} are accounted for"
            yield seen(row, text, abs(settled - planned), planned=planned, settled=settled)
    yield from _echoed(dataset)


def _echoed(dataset: Dataset) -> Iterable[Observation]:
    """Replies that the server never sent. It sends more than are counted: arming and proving are echoes too. But a
    worker that was ended (`disturb: restart`) may have sent one chunk that it did not come to count."""
    sent = dataset.workers.drop_duplicates([*KEY, "worker"]).groupby(KEY)["bytes_out"].sum(min_count=1).dropna()
    seconds = dataset.seconds.drop_duplicates([*KEY, "k"])
    answered = seconds.groupby(KEY)["answered_requests"].sum().rename("answered").reset_index()
    asked = trials(dataset)
    ends = asked["disturb"].astype("string").str.startswith("restart").fillna(False)
    asked = asked.assign(ended=asked["disturbed"].fillna(0).where(ends, 0))
    table = asked[[*KEY, "payload_bytes", "ended"]].dropna().merge(sent.reset_index(), on=KEY)
    for row in table.merge(answered, on=KEY).to_dict("records"):
        claimed, echoed = row["answered"] * row["payload_bytes"], row["bytes_out"]
        if claimed > echoed + row["ended"] * threshold("uncounted_bytes"):
            text = f"The clients got {claimed:,} bytes of replies, the server sent {echoed:,}"
            yield seen(row, text, claimed / max(1, echoed), answered_bytes=claimed, echoed_bytes=echoed)


def dt3_integrity(dataset: Dataset) -> Iterable[Observation]:
    wrong = dataset.generators.drop_duplicates([*KEY, "host"]).groupby(KEY)[list(WRONG)].sum().reset_index()
    table = trials(dataset, ("ok", *SPOILT))
    table = table[[*KEY, "mismatched_requests", "surplus_replies"]].merge(wrong, on=KEY, how="left")
    for row in table.to_dict("records"):
        counts = {name: int(number(row[name], 0.0)) for name in ("mismatched_requests", "surplus_replies", *WRONG)}
        bad: dict[str, Any] = {name.split("_")[0]: count for name, count in counts.items() if count}
        if bad:
            told = ", ".join(f"{count:,} {name}" for name, count in bad.items())
            yield seen(row, f"Replies were not what was asked for: {told}", sum(bad.values()), **bad)


def dt4_beyond_range(dataset: Dataset) -> Iterable[Observation]:
    for row in client_rows(dataset):
        if number(row["over_60s"], 0.0):
            text = f"{row['host']} recorded {row['over_60s']:,} values above 60 s as 60 s"
            yield seen(row, text, row["over_60s"], values=row["over_60s"])


def dt5_thin_tail(dataset: Dataset) -> Iterable[Observation]:
    for row in trials(dataset).to_dict("records"):
        tails = {name: row[f"response_{column}_tail_requests"] for name, column in (("p99", "p99"), ("p99.9", "p99_9"))}
        thin = {name: tail for name, tail in tails.items() if tail < threshold("thin_tail")}
        if thin:
            told = " and ".join(f"the {name} on {show.number(tail, most=2)}" for name, tail in thin.items())
            # The thinnest is the worst.
            yield seen(row, f"Too few requests lie beyond a percentile: {told}", -min(thin.values()), **thin)


def dt6_drift(dataset: Dataset) -> Iterable[Observation]:
    """The window's second half against its first."""
    seconds = where(dataset.seconds, dataset.seconds["phase"] == "load").drop_duplicates([*KEY, "k"])
    table = seconds.merge(trials(dataset)[[*KEY, "workload"]], on=KEY).sort_values([*KEY, "k"])
    for run, trial, own in by_trial(table):
        if len(own) < threshold("drift_seconds"):
            continue
        answered = own["answered_requests"].to_numpy(dtype=float, na_value=np.nan)
        planned = own["planned_requests"].to_numpy(dtype=float, na_value=np.nan)
        # How many are planned in a second is random: an open loop is judged by what became of them.
        done = answered / np.where(planned > 0, planned, np.nan) if own["workload"].iloc[0] in PACED else answered
        p = threshold("drift_p")
        medians = own["response_p50_ns"].to_numpy(dtype=float)
        figures: dict[str, Any] = {"median": moved(medians, p), "throughput": moved(done, p)}
        for name, allowed in (("median", "drift"), ("throughput", "drift_throughput")):
            if abs(figures[name]) > threshold(allowed):
                what = "median response" if name == "median" else "throughput"
                text = f"The {what} of the window's second half is {_change(figures[name])} the first's"
                yield seen({"run": run, "trial": trial}, text, abs(figures[name]), **figures)
                break


def _change(share: float) -> str:
    return f"{1 + share:.3g} times" if np.isfinite(share) else "beyond the timeout, unlike"


def dt7_failed(dataset: Dataset) -> Iterable[Observation]:
    for row in trials(dataset, SPOILT).to_dict("records"):
        reason = "no reason is recorded" if pd.isna(row["reason"]) else str(row["reason"])
        word = row["outcome"] if row["outcome"] == "crashed" else f"is {row['outcome']}"
        yield seen(row, f"{contender(row)} {word}: {reason}", 1.0, outcome=row["outcome"], reason=reason)


def pr1_lost(dataset: Dataset) -> Iterable[Observation]:
    """Connections that were there before the load and not after it, by the proofs; else by what the clients count."""
    table = trials(dataset, OUTCOMES)
    before, after = (
        where(dataset.proofs, dataset.proofs["moment"] == moment).drop_duplicates(KEY, keep="last")
        for moment in ("barrier", "end")
    )
    proved = set()
    # Of a client that was lost the connections are gone too: the outcome says that.
    both = before.merge(after, on=KEY, suffixes=("", "_after")).merge(table.loc[table["outcome"] != "partial", KEY])
    for row in both.to_dict("records"):
        gone = {name: number(row[name], 0.0) - number(row[f"{name}_after"], number(row[name], 0.0)) for name in PROOF}
        fell = {name: n for name, n in gone.items() if n > 0}
        if fell:
            proved.add((row["run"], row["trial"]))
            counts: dict[str, Any] = {name: [row[name], row[f"{name}_after"]] for name in PROOF}
            # A connection that the kernel still has is not lost: its server, or its client, says nothing more.
            is_there = not pd.isna(row["kernel_after"]) and "kernel" not in fell
            what = "Connections no longer answer" if is_there else "Connections were lost under load"
            yield seen(row, f"{what}: {_proof(row, tuple(fell))}", max(fell.values()), **counts)
    for row in client_rows(dataset):
        if number(row["lost"], 0.0) and (row["run"], row["trial"]) not in proved:
            text = f"{row['host']} lost {row['lost']:,} of {number(row['armed'], 0.0):,.0f} connections under load"
            yield seen(row, text, row["lost"], lost=row["lost"])


def _proof(row: Mapping[Any, Any], names: tuple[str, ...]) -> str:
    """These counts of a trial's connections, before and after the load."""
    return ", ".join(f"{name} {row[name]:,} before and {row[f'{name}_after']:,} after" for name in names)


def dt10_log_cut(dataset: Dataset) -> Iterable[Observation]:
    for row in trials(dataset, OUTCOMES).to_dict("records"):
        dropped = number(row["log_dropped_bytes"], 0.0)
        if dropped:
            text = f"{contender(row)} wrote so much that {show.count(dropped)} bytes of server.log are left out"
            yield seen(row, text, dropped, dropped_bytes=dropped)


def dt13_undisturbed(dataset: Dataset) -> Iterable[Observation]:
    for row in trials(dataset).to_dict("records"):
        if not pd.isna(row["disturb"]) and not number(row["disturbed"], 0.0):
            yield seen(row, f"No worker of {contender(row)} was disturbed as disturb={row['disturb']} asks", 1.0)


def lt1_late(dataset: Dataset) -> Iterable[Observation]:
    for row in client_rows(dataset, OUTCOMES):
        if number(row["late"], 0.0):
            text = f"{row['host']} got {row['late']:,} right replies after their requests had timed out"
            yield seen(row, text, row["late"], late=row["late"])
