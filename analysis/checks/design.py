"""Checks of the plan: can these trials support the comparison that they are used for?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from analysis.cells import RUNG
from analysis.checks.base import Observation, seen, threshold
from analysis.checks.shared import PACED, WITHOUT_RESULT, contender, shares_cpus, trials, where
from analysis.duet import beside
from analysis.environment import differences, environment
from analysis.model import Dataset
from analysis.statistics.series import moved, succession
from contracts.declared import PASSED


def ds1_few_repetitions(dataset: Dataset) -> Iterable[Observation]:
    table = dataset.trials[~dataset.trials["control"].fillna(False)]
    for run, members in table.groupby("run", sort=False):
        # A rung is tried where the search of its block comes to it: what is repeated is the search.
        is_rung = members["cell"].str.contains(RUNG).fillna(False).astype(bool)
        least = members.groupby(members["cell"].str.split(RUNG).str[0])["block"].nunique().min()
        if least < threshold("repetitions"):
            severity = "warn" if least < 2 else None
            text = f"Cells have {least} repetition{'s' if least > 1 else ''}"
            if is_rung.all():
                text = f"Each search was made {'once' if least < 2 else f'{least} times'}"
            yield seen({"run": run}, text, -least, severity=severity, repetitions=int(least))


def ds11_one_number(dataset: Dataset) -> Iterable[Observation]:
    rows = dataset.trials.groupby("run")["trial"].nunique()
    for run, planned in dataset.runs.drop_duplicates("run").set_index("run")["trials_planned"].dropna().items():
        again = int(planned) - int(rows.get(run, 0))
        if again > 0:
            what = f"{again:,} trial{'s' if again > 1 else ''} of the plan"
            text = f"{what} {'have' if again > 1 else 'has'} the number of another one, and is not counted"
            yield seen({"run": run}, text, again, again=again)


def ds2_no_control(dataset: Dataset) -> Iterable[Observation]:
    for run, members in dataset.trials.groupby("run", sort=False):
        # Of one block nothing is compared, and the plan has no control: DS1 says that.
        if (
            members["strategy"].nunique() > 1
            and members["block"].nunique() > 1
            and not members["control"].fillna(False).any()
        ):
            strategies = members["strategy"].nunique()
            yield seen({"run": run}, "No strategy was run against itself", strategies=strategies)


def ds3_not_run(dataset: Dataset) -> Iterable[Observation]:
    cut = set(where(dataset.runs, ~dataset.runs["is_whole"])["run"])  # DT1 says how many are left
    left = trials(dataset, WITHOUT_RESULT)
    for row in left[~left["run"].isin(cut)].to_dict("records"):
        yield seen(row, f"{contender(row)} has no result: {row['outcome']}", 1.0, outcome=row["outcome"])


def ds4_same_order(dataset: Dataset) -> Iterable[Observation]:
    ran = dataset.trials.dropna(subset=["position", "block"]).sort_values("position")
    for run, members in ran.groupby("run", sort=False):
        names = members["cell"] + members["control"].fillna(False).map({True: " control", False: ""}).astype("string")
        others = beside(members.assign(name=names), "name").fillna("")
        # Two that run side by side have one place in the order.
        names = pd.Series([" ".join(sorted(pair)) for pair in zip(names, others, strict=True)], members.index)
        members = members[~(members["beside"] < members["trial"]).fillna(False)]
        orders = {block: tuple(names[own.index]) for block, own in members.groupby("block")}
        if len(orders) < 2 or len(set(orders.values())) > 1:
            continue
        length = len(next(iter(orders.values())))
        chance = math.exp(-(len(orders) - 1) * math.lgamma(length + 1))
        if chance < threshold("order_by_chance"):
            text = f"All {len(orders)} blocks ran their {length} trials in the same order"
            yield seen({"run": run}, text, length, blocks=len(orders), trials=length)


def ds5_environments(dataset: Dataset) -> Iterable[Observation]:
    """What differs between runs or between hosts of one role. Parameters are left out: they name the cells."""
    table = differences(environment(dataset))
    table = where(table, ~table["key"].str.startswith("parameter "))
    for (run, between), members in table.groupby(["run", "between"], sort=False):
        keys = list(dict.fromkeys(members["key"]))
        shown = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
        place = "between hosts of one role" if between == "hosts" else "from the other runs"
        names = tuple(sorted({str(host) for host in members["host"] if host})) if between == "hosts" else ()
        yield seen({"run": run}, f"Differs {place} in {shown}", len(keys), hosts=names, keys=keys)


def ds6_dirty(dataset: Dataset) -> Iterable[Observation]:
    for run in where(dataset.runs, dataset.runs["git_dirty"])["run"].unique():
        yield seen({"run": run}, "The checkout had changes that no commit holds")


def ds7_closed_loop(dataset: Dataset) -> Iterable[Observation]:
    table = trials(dataset)
    for row in where(table, table["workload"].notna() & ~table["workload"].isin(PACED)).to_dict("records"):
        loop = "A churn keeps so many connections in flight: it" if row["workload"] == "churn" else "A closed loop"
        yield seen(row, f"{loop} asks less the slower the server is")


def ds12_side_by_side(dataset: Dataset) -> Iterable[Observation]:
    for run in dataset.trials.loc[dataset.trials["beside"].notna(), "run"].unique():
        yield seen({"run": run}, "Each trial shared the server's CPUs with the one beside it")


def ds8_shared_cpus(dataset: Dataset) -> Iterable[Observation]:
    good = set(trials(dataset, PASSED)["run"])
    for run in sorted(shares_cpus(dataset) & good):
        yield seen({"run": run}, "Server and clients may use the same CPUs of one machine")


def ds9_restless(dataset: Dataset) -> Iterable[Observation]:
    """What a request cost in each block, of what is usual for its cell: does it move, are neighbours alike?"""
    known = trials(dataset).dropna(subset=["block", "cpu_us_per_request"])
    known = known[known["cpu_us_per_request"] > 0]
    for run, members in known.groupby("run", sort=False):
        usual = members.groupby("cell")["cpu_us_per_request"].transform("median")
        blocks = (members["cpu_us_per_request"] / usual).groupby(members["block"]).median().to_numpy(dtype=float)
        share, (likeness, p) = moved(blocks, threshold("restless_p")), succession(blocks.tolist())
        figures: dict[str, Any] = {"blocks": len(blocks), "moved": share, "correlation": likeness, "p": p}
        if abs(share) > threshold("restless"):
            text = f"In the run's second half a request cost {1 + share:.3g} times what it cost in the first"
            yield seen({"run": run}, text, abs(share), **figures)
        elif p < threshold("restless_p"):
            text = f"What a request cost went up and down over the run: neighbouring blocks correlate by {likeness:.2f}"
            yield seen({"run": run}, text, likeness, **figures)
