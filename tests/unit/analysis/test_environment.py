"""What a run ran on, and what of it differs."""

import json
from typing import Any

import pandas as pd

from analysis.environment import differences, environment
from analysis.model import Dataset, union

Facts = dict[str, Any]


def dataset(
    run: str = "r1", hosts: dict[str, Facts] | None = None, tuning: Any = None, cpus: dict[str, str] | None = None,
    **fields: Any,
) -> Dataset:  # fmt: skip
    """A run whose hosts have these facts; `server` is the server, the others are clients."""
    rows = [
        {"run": run, "host": name, "role": "server" if name == "server" else "client", "facts": json.dumps(facts),
         "cpus": (cpus or {}).get(name)}
        for name, facts in (hosts or {}).items()
    ]  # fmt: skip
    return Dataset.of(runs=[{"run": run, "tuning": json.dumps(tuning), **fields}], hosts=rows)


def pairs(frame: pd.DataFrame, *columns: str) -> list[tuple[str, ...]]:
    return [tuple(row) for row in frame[list(columns)].itertuples(index=False)]


def test_every_key_of_a_run_and_of_its_hosts() -> None:
    found = environment(
        dataset(
            hosts={"server": {"kernel": "Linux 6.1", "cpus": [0, 1], "memory_bytes": 25276514304, "governor": None,
                              "somaxconn": 4096, "port_range": [15000, 64999]}, "c1": {}, "c2": {}},
            tuning={"server": {"keys": [
                {"key": "net.core.somaxconn", "before": "4096", "after": "65535"},
                {"key": "net.ipv4.tcp_tw_reuse", "before": "2", "after": None},
            ]}},
            cpus={"server": "[0]"}, git_commit="abc", git_dirty=True,
            versions=json.dumps({"python": "3.11.7"}), parameters=json.dumps({"rate": 10, "requests": None}),
        )
    )  # fmt: skip
    assert list(found.columns) == ["run", "host", "role", "key", "value"]
    assert set(found["run"]) == {"r1"}
    assert pairs(found[found["host"] == ""], "role", "key", "value") == [
        ("", "git commit", "abc"), ("", "git dirty", "yes"), ("", "version python", "3.11.7"),
        ("", "parameter rate", "10"), ("", "parameter requests", "null"), ("", "number of clients", "2"),
    ]  # fmt: skip
    # 25276514304 B are 23.54 GiB. The tuned value is the one in force; a value that was left is the one before.
    assert sorted(pairs(found[found["host"] == "server"], "key", "value")) == [
        ("cpus", "[0, 1]"), ("kernel", "Linux 6.1"), ("memory", "23.5 GiB"), ("pinned cpus", "[0]"),
        ("sysctl net.core.somaxconn", "65535"), ("sysctl net.ipv4.ip_local_port_range", "15000 64999"),
        ("sysctl net.ipv4.tcp_tw_reuse", "2"),
    ]  # fmt: skip
    assert set(found[found["host"] == "server"]["role"]) == {"server"}


def test_a_run_that_tells_nothing() -> None:
    assert environment(dataset(tuning=[1], parameters="{broken", versions="[]")).empty
    assert differences(environment(Dataset.of())).empty
    damaged = dataset(hosts={"server": {}}, tuning={"server": {"keys": [None, {"key": "a.b"}]}})
    assert environment(damaged).empty


def test_hosts_of_one_role_are_held_against_each_other() -> None:
    same = {"kernel": "Linux 6.1", "boot_id": "a", "netns": 1, "hostname": "x", "load_address": "198.18.0.1"}
    other = {"kernel": "Linux 6.1", "boot_id": "b", "netns": 2, "hostname": "y", "load_address": "198.18.0.2"}
    cpus = {"c1": "[1]", "c2": "[2]"}
    assert differences(environment(dataset(hosts={"c1": same, "c2": other}, cpus=cpus))).empty
    # A server is no client; a client that does not tell is no difference.
    assert differences(environment(dataset(hosts={"c1": same, "c2": {}, "server": {"kernel": "Linux 6.6"}}))).empty
    found = differences(environment(dataset(hosts={"c1": same, "c2": other | {"kernel": "Linux 5.15"}})))
    assert pairs(found, "run", "host", "role", "key", "value", "between") == [
        ("r1", "c1", "client", "kernel", "Linux 6.1", "hosts"), ("r1", "c2", "client", "kernel", "Linux 5.15", "hosts"),
    ]  # fmt: skip


def test_the_weights_of_one_run_are_its_plan_and_those_of_another_run_a_difference() -> None:
    of = [{"server": {}, "c1": {"weight": 1}, "c2": {"weight": weight}} for weight in (2, 3)]
    assert differences(environment(dataset("r1", of[0]))).empty
    both = differences(environment(union([dataset("r1", of[0]), dataset("r2", of[1])])))
    assert set(pairs(both, "key", "between")) == {("weight", "runs")}


def test_runs_are_held_against_each_other() -> None:
    facts = {"kernel": "Linux 6.1", "cpus": [0, 1]}
    old = dataset("r1", {"server": facts, "c1": facts}, git_commit="abc", parameters=json.dumps({"seed": 1, "rate": 5}))
    new = dataset(
        "r2", {"server": facts | {"kernel": "Linux 6.6", "governor": "powersave"}, "c1": facts, "c2": facts},
        git_commit="def", parameters=json.dumps({"seed": 2, "rate": 5}), cpus={"c1": "[1]"},
    )  # fmt: skip
    found = differences(environment(union([old, new])))
    assert set(found["between"]) == {"runs"}
    # The seed is drawn; the governor is known of one run only, and the pinned CPUs too.
    assert sorted(pairs(found, "run", "host", "key", "value")) == [
        ("r1", "", "git commit", "abc"), ("r1", "", "number of clients", "1"), ("r1", "server", "kernel", "Linux 6.1"),
        ("r2", "", "git commit", "def"), ("r2", "", "number of clients", "2"), ("r2", "server", "kernel", "Linux 6.6"),
    ]  # fmt: skip


def test_the_same_run_twice_is_one_run() -> None:
    one = dataset(hosts={"server": {"kernel": "Linux 6.1"}}, git_commit="abc")
    both = environment(union([one, one]))
    assert len(both) == len(environment(one))
    assert differences(both).empty
