"""What several checks ask of a dataset. A run that was given twice is one run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
import pandas as pd

from analysis import format as show
from analysis.environment import document
from analysis.ingest.plan import traits
from analysis.ingest.trials import NOT_RUN, UNFINISHED
from analysis.model import Dataset
from contracts.declared import WORKLOADS

KEY = ["run", "trial"]
# Requests have a time at which they are due; elsewhere the server decides when one is sent.
PACED = tuple(name for name, workload in WORKLOADS.items() if workload.paced)
OF_TRIAL = ("workload", "arrival", "window_s", "counted_by", "server_ports", "connect_p99_ns")
SYN_RETRIES = ["syn_retries_1", "syn_retries_2", "syn_retries_3"]
OVERFLOWS = "TcpExt.ListenOverflows"
RANGE, SOMAXCONN = "net.ipv4.ip_local_port_range", "net.core.somaxconn"
WITHOUT_RESULT = (NOT_RUN, UNFINISHED, "interrupted")
MANY_TIMES = 9.99
EDGE_S = 0.5  # samples are taken each second, aligned to go: the nearest to an edge of the window is the edge's

# What is made of a dataset is made once; of the one before it is forgotten soon.
once = lru_cache(maxsize=8)


@dataclass(frozen=True)
class Host:
    """What is known of a host. `pinned`: CPUs of the plan; `usable`: these, or all; `ports`: how many ephemeral, nan:
    unknown, as `descriptors`, the hard limit of a process."""

    name: str = ""
    role: str = ""
    machine: str | None = None
    pinned: tuple[int, ...] = ()
    usable: tuple[int, ...] = ()
    sources: int = 1
    ports: float = np.nan
    descriptors: float = np.nan
    somaxconn: float = np.nan

    @property
    def cpus(self) -> int:
        """How many it can use; one where that is unknown."""
        return max(1, len(self.usable))


UNKNOWN = Host()


@once
def trials(dataset: Dataset, outcomes: tuple[str, ...] = ("ok",)) -> pd.DataFrame:
    """The trials of these outcomes, controls too."""
    table = dataset.trials.drop_duplicates(KEY)
    return where(table, table["outcome"].isin(outcomes))


def paced(table: pd.DataFrame) -> pd.DataFrame:
    """The rows whose workload has a schedule."""
    return where(table, table["workload"].isin(PACED))


@once
def clients(dataset: Dataset, outcomes: tuple[str, ...] = ("ok",)) -> pd.DataFrame:
    """What each client of those trials says of itself, and beside it of the trial OF_TRIAL."""
    own = dataset.generators.drop_duplicates([*KEY, "host"])
    return own.merge(trials(dataset, outcomes)[[*KEY, *OF_TRIAL]], on=KEY)


@once
def client_rows(dataset: Dataset, outcomes: tuple[str, ...] = ("ok",)) -> list[dict[Any, Any]]:
    """The rows of `clients` as values: most checks go through them."""
    return clients(dataset, outcomes).to_dict("records")


def by_trial(table: pd.DataFrame) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Run, number and rows of each trial in a table."""
    for key, own in table.groupby(KEY, observed=True, sort=False):
        run, trial = cast(tuple[str, int], key)
        yield str(run), int(trial), own


@once
def hosts(dataset: Dataset) -> dict[tuple[str, str], Host]:
    """By run and host."""
    tuning = {run["run"]: document(run["tuning"]) for run in dataset.runs.to_dict("records")}
    found = {}
    for row in dataset.hosts.to_dict("records"):
        name, facts = str(row["host"]), document(row["facts"])
        pinned = _whole_numbers(_json(row["cpus"]))
        tuned = document(tuning.get(row["run"], {}).get(name))
        hard, machine = facts.get("nofile_hard"), facts.get("boot_id")
        found[str(row["run"]), name] = Host(
            name=name, role="" if pd.isna(row["role"]) else str(row["role"]),
            machine=machine if isinstance(machine, str) else None,
            pinned=pinned, usable=pinned or _whole_numbers(facts.get("cpus")),
            sources=max(1, len(facts["sources"])) if isinstance(facts.get("sources"), list) else 1,
            somaxconn=_in_force(facts, tuned, "somaxconn", SOMAXCONN)[0],
            ports=_ports(facts, tuned), descriptors=float(hard) if isinstance(hard, int) and hard > 0 else np.nan,
        )  # fmt: skip
    return found


def host_of(dataset: Dataset, row: Mapping[Any, Any]) -> Host:
    """The host that a row is of."""
    return hosts(dataset).get((row["run"], row["host"]), UNKNOWN)


def _json(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _whole_numbers(value: Any) -> tuple[int, ...]:
    return tuple(sorted({one for one in value if isinstance(one, int)})) if isinstance(value, list) else ()


def _ports(facts: dict[str, Any], tuning: dict[str, Any]) -> float:
    """Size of the ephemeral range in force: as tuned, else as found."""
    first, *last = _in_force(facts, tuning, "port_range", RANGE)
    return last[0] - first + 1 if len(last) == 1 else np.nan


def _in_force(facts: dict[str, Any], tuning: dict[str, Any], fact: str, key: str) -> tuple[float, ...]:
    """The numbers of a kernel value, rising: as tuned, else as found; one nan where it is not known, as where it was
    another with each profile."""
    if any(isinstance(entry, dict) and entry.get("key") == key for entry in _of_profiles(tuning)):
        return (np.nan,)
    found, entries = facts.get(fact), tuning.get("keys")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("key") == key and isinstance(entry.get("after"), str | int):
            found = [int(part) for part in str(entry["after"]).split() if part.isdecimal()]
    return tuple(map(float, _whole_numbers(found if isinstance(found, list) else [found]))) or (np.nan,)


def _of_profiles(tuning: dict[str, Any]) -> Iterator[Any]:
    """What was tuned in turn, of a run that compares profiles."""
    for keys in document(tuning.get("profiles")).values():
        yield from keys if isinstance(keys, list) else ()


def server_of(dataset: Dataset) -> dict[str, Host]:
    """By run."""
    return {run: host for (run, _), host in hosts(dataset).items() if host.role == "server"}


def shares_cpus(dataset: Dataset) -> set[str]:
    """The runs whose clients may work on the server's CPUs: on the same machine, and not pinned apart."""
    servers = server_of(dataset)
    return {
        run for (run, _), host in hosts(dataset).items()
        if host.role == "client" and run in servers and host.machine is not None
        and host.machine == servers[run].machine and not _apart(host, servers[run])
    }  # fmt: skip


def _apart(one: Host, other: Host) -> bool:
    return bool(one.pinned and other.pinned) and not set(one.pinned) & set(other.pinned)


def of_server(dataset: Dataset, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the server's host."""
    servers = {(run, host.name) for run, host in server_of(dataset).items()}
    return table[np.array([pair in servers for pair in zip(table["run"], table["host"], strict=True)], dtype=bool)]


def growth(dataset: Dataset, samples: pd.DataFrame, column: str) -> pd.DataFrame:
    """How much a counter grew in the window of each good trial, from which second to which: run, trial, growth, t0, t1
    and span_s."""
    known = samples.dropna(subset=[column])[[*KEY, "t_s", column]].drop_duplicates([*KEY, "t_s"])
    table = known.merge(trials(dataset)[[*KEY, "warmup", "window_s", "duration"]], on=KEY)
    start = table["warmup"].fillna(0)
    end = start + table["window_s"].fillna(table["duration"])
    table = table[(table["t_s"] >= start - EDGE_S) & (table["t_s"] <= end + EDGE_S)].sort_values([*KEY, "t_s"])
    edges = table.groupby(KEY).agg(first=(column, "first"), last=(column, "last"), t0=("t_s", "min"), t1=("t_s", "max"))
    edges = edges[edges["t1"] > edges["t0"]].reset_index()
    return edges[[*KEY, "t0", "t1"]].assign(
        growth=(edges["last"] - edges["first"]).astype(float), span_s=(edges["t1"] - edges["t0"]).astype(float)
    )


@once
def counters(dataset: Dataset) -> pd.DataFrame:
    """The kernel's counters at the end of each trial: run, trial, host, counter, value."""
    return totals(dataset.kernel)


def totals(kernel: pd.DataFrame) -> pd.DataFrame:
    """What each counter came to: run, trial, host, counter, value."""
    return kernel.groupby([*KEY, "host", "counter"], observed=True)["value"].max().reset_index()


@once
def overflows(dataset: Dataset) -> pd.DataFrame:
    """How often an accept queue was full, as the kernels count it: rows of the table `kernel`. The kernel counts for
    all listeners of its host; a trial whose server had room for every connection that was asked for has none, and of
    two that ran side by side one whose clients had no handshake to repeat."""
    table = dataset.kernel[dataset.kernel["counter"] == OVERFLOWS]
    limits = dataset.listen_queue.groupby(KEY, as_index=False).agg(room=("limit", "min"))
    asked = dataset.trials.drop_duplicates(KEY).merge(limits, on=KEY)
    holds = asked["workload"].map(lambda name: traits(name).holds) & asked["hostile"].isna()
    never = asked[holds.astype(bool) & (asked["connections"] <= asked["room"]).fillna(False)]
    full = set(zip(never["run"], never["trial"], strict=True))
    retries = dataset.generators.groupby(KEY)[SYN_RETRIES].sum().sum(axis=1)
    waited = set(retries[retries > 0].index)
    duets = dataset.trials[dataset.trials["beside"].notna()]
    full |= set(zip(duets["run"], duets["trial"], strict=True)) - waited
    return table[np.array([key not in full for key in zip(table["run"], table["trial"], strict=True)], dtype=bool)]


def server_threads(dataset: Dataset) -> dict[tuple[str, int], float]:
    """The most threads that the server of a trial had."""
    known = dataset.server_samples.dropna(subset=["threads"])
    return {(run, trial): float(own["threads"].max()) for run, trial, own in by_trial(known)}


def where(table: pd.DataFrame, is_wanted: pd.Series) -> pd.DataFrame:
    """The rows for which it is true; what is missing is not."""
    return table[is_wanted.fillna(False).to_numpy(dtype=bool)]


def contender(row: Mapping[Any, Any]) -> str:
    """What a trial measures, as a sentence begins with it."""
    return f"The A/A control of {row['strategy']}" if number(row["control"], 0.0) else str(row["strategy"])


def number(value: Any, otherwise: float) -> float:
    return otherwise if pd.isna(value) else float(value)


def percent(share: float) -> str:
    text = f"{100 * share:.3g}" if share < MANY_TIMES else show.number(100 * share)  # without a power of ten
    return show.NOTHING if np.isnan(share) else f"{text} %"
