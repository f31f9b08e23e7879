"""The sentences of the page that are not a figure's: may I trust it, what it cannot say, how it was made, where."""

from __future__ import annotations

from numbers import Real

import pandas as pd

from analysis import format as show
from analysis.environment import differences, document, environment
from analysis.ingest.plan import traits
from analysis.model import FACTORS, Dataset
from analysis.report.tables import Table, of_frame


def limits(dataset: Dataset) -> tuple[str, ...]:
    """What was varied, what was not, and what follows for what may be claimed."""
    cells = dataset.cells
    if cells.empty:
        return ()
    varied = [name for name in FACTORS if cells[name].nunique(dropna=False) > 1]
    varied = [name for name in varied if name not in ("server_port", "server_command")]
    fixed = {name: cells[name].iloc[0] for name in FACTORS if name not in varied and pd.notna(cells[name].iloc[0])}
    words = ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in fixed.items())
    lines = [
        f"Varied: {', '.join(name.replace('_', ' ') for name in varied) or 'nothing'}. Everything else was the "
        f"same, and what it would be otherwise is not known: {words}."
    ]
    boots = {document(facts).get("boot_id") for facts in dataset.hosts["facts"]} - {None}
    if len(boots) == 1 and len(dataset.hosts) > 1:
        lines.append(
            "All hosts share one machine: server, generators and conductor compete for its caches and memory, and no "
            "network card took part. Ratios between strategies carry over to other machines better than absolute "
            "times do."
        )
    if cells["duet"].any():
        lines.append(
            "Each server ran beside another on the same CPUs: that tells the ratio of what a request costs them, and "
            "not how long a request takes, how many are answered, or what either costs alone. The two share caches: "
            "one that spoils them for the other makes both dearer, and the ratio comes out a little too near 1."
        )
    if any(not its.paced for its in map(traits, cells["workload"])):
        lines.append(
            "In a closed loop, and a churn is one, a slow answer delays the next question: its percentiles say nothing "
            "of what users who do not wait would see."
        )
    lines.append(
        "An echo is the least that a server can do: what an application does with a request comes on top, and "
        "makes strategies more alike."
    )
    if dataset.runs["run"].nunique() > 1:
        lines.append(
            "Several runs are shown together: what differs between them may be due to the time at which they were made."
        )
    return tuple(lines)


def _value(value: object) -> str:
    if isinstance(value, Real) and not isinstance(value, bool):
        return f"{float(value):,.10g}"
    return show.visible(str(value))


def methods(dataset: Dataset) -> tuple[str, ...]:
    """How the numbers were made; general first, then of these runs."""
    lines = [
        "The unit is the repetition: a server started anew with connections of its own. Requests within one are "
        "never taken as independent measurements.",
        _counting(dataset) + " Histograms of all clients are added slot by slot, never averaged. "
        "Percentiles are over all planned requests: those never answered count as infinitely late, and print as > "
        "timeout.",
        "~ marks a percentile with fewer than 100 requests beyond it; with fewer than 10 it is withheld.",
        "Of 6 repetitions or more a figure is the median with the interpolated order-statistic interval; of "
        "fewer the geometric mean with Student's interval of the logarithms, of two with their range. All other "
        "intervals are of 95 %, and none is narrower than what the figure is known to.",
        "Strategies are compared block by block: Hodges and Lehmann's estimate with the exact signed-rank interval "
        "from 6 blocks, Student's on the logarithms below. The word rests on the interval at the level of Holm's "
        "step, which holds for all comparisons of a metric together; equivalent rests on that of its first step and "
        "the margin stated before the run. The noise floor, which the A/A control measures, only withholds better and "
        "worse.",
        "Throughput is of the replies that arrived in the window, and a request's cost the CPU time of the server's "
        "whole process tree within the window over these. Memory is growth between two samples over the connections "
        "that came between them.",
    ]
    if dataset.cells["duet"].any():
        lines.append(
            "Side by side: each trial of a rival ran at the same time as one of the baseline, on the same CPUs under "
            "the same load, and is compared with that one alone; so is the A/A control. What disturbs one disturbs the "
            "other (Bulej et al., Duet Benchmarking, ICPE 2020). A figure of the baseline rests on its blocks, each "
            "the geometric mean of its trials."
        )
    for run in dataset.runs.to_dict("records"):
        text = f"Run {run['run']}: {run['trials_planned']} trials in {run['repetitions']} block"
        text += "s" if run["repetitions"] != 1 else ""
        text += f", seed {run['seed']}" if pd.notna(run["seed"]) else ""
        text += f", commit {run['git_commit'][:12]}" if pd.notna(run["git_commit"]) else ""
        text += " with changes" if pd.notna(run["git_commit"]) and run["git_dirty"] is True else ""
        lines.append(f"{text}, begun {run['started_utc'] if pd.notna(run['started_utc']) else 'at an unknown time'}.")
    return tuple(lines)


def _counting(dataset: Dataset) -> str:
    """From when a response counts, by the workloads that there are."""
    paced = {traits(name).paced for name in dataset.cells["workload"]}
    parts = []
    if True in paced or not paced:
        parts.append(
            "A response counts from the moment at which the request was meant to be sent, so a server that stalls "
            "cannot hide it (no coordinated omission)."
        )
    if False in paced:
        parts.append(
            "In a closed loop and in a churn a request begins when the one before it has ended: a server that stalls "
            "is asked less, and the percentiles hide it (coordinated omission)."
        )
    return " ".join(parts)


def places(dataset: Dataset) -> tuple[Table | None, Table | None]:
    """The environment, one row per key with the hosts that share a value, and what of it differs."""
    told = environment(dataset)
    if told.empty:
        return None, None
    places = told["host"].where(told["host"] != "", told["run"]).groupby([told["key"], told["value"]], sort=False)
    rows = (
        places.agg(lambda its: ", ".join(dict.fromkeys(its))).rename_axis(["what", "value"]).reset_index(name="where")
    )
    apart = of_frame(differences(told), "What differs between hosts of one role, or between runs", most=200)
    return of_frame(rows, "Where the run took place", most=400), apart if apart.rows else None
