"""What a host says of itself: of its kind, or told to make no sense."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from planner.facts import ACCOUNT, FACTS, wrong
from plugins.module_utils.c10k_host import facts
from plugins.module_utils.c10k_python import ask, interpreters

MORE = {"absent": [], "interpreters": interpreters([sys.executable, "3.99"])}
HERE: dict[str, Any] = json.loads(json.dumps(facts(Path("/var/lib/c10k/server"), "127.0.0.1", [9000]) | MORE))


def test_every_fact_of_a_host_is_judged_and_those_of_this_one_are_right() -> None:
    assert set(FACTS) == set(HERE)
    assert wrong(HERE) is None


@pytest.mark.parametrize("name", sorted(FACTS))
def test_none_may_be_missing_or_of_another_kind(name: str) -> None:
    assert wrong({key: value for key, value in HERE.items() if key != name}) == name
    bad: list[object] = [{"a": {}}, [{}], -1, float("nan"), "\x1b[2J", "\ud800", "x" * 5000, 1 << 70]
    for value in bad:
        assert wrong({**HERE, name: value}) == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("libc", ["glibc", "2.36/../../../../tmp/x"]),  # it stands in a path of the controller
        ("libc", ["glibc", "2.999999999"]),  # and so many platforms would be tried
        ("libc", ["glibc", ""]),
        ("libc", ["glibc"]),
        ("arch", "x86_64/../../tmp"),
        ("python", "3.11.2/../.."),
        ("python", "three"),
        ("executable", "python3"),
        ("interpreters", {"3.13": {}}),
        ("interpreters", {"3.13": {**(ask(sys.executable) or {}), "executable": "python3"}}),
        ("uncollected", ["$(id)"]),  # it stands in a command that a person is told to type
        ("agent", {"run": "x; id"}),
        ("agent", []),
        ("cpus", list(range(100_000))),
        ("port_range", [1]),
        ("ports_held", [{"port": "9000", "why": "is in use"}]),
        ("cgroup", {"memory_bytes": "all", "pids": None}),
        ("hostname", "a\nserver fits"),
        ("root", 1),
        ("user", True),
    ],
)
def test_what_would_mislead(name: str, value: object) -> None:
    assert wrong({**HERE, name: value}) == name


@pytest.mark.parametrize(("name", "value"), [("libc", ["", ""]), ("libc", ["musl", "1.2.5"]), ("python", "3.14.0rc2+")])
def test_what_other_hosts_rightly_say(name: str, value: object) -> None:
    assert wrong({**HERE, name: value}) is None


@pytest.mark.parametrize("facts", [None, [], "x", 3])
def test_no_facts_at_all(facts: object) -> None:
    assert wrong(facts) == next(iter(FACTS))


def test_what_is_said_of_an_account() -> None:
    assert ACCOUNT({"name": "bench", "uid": 1001, "reached": True})
    assert ACCOUNT({"name": "bench", "uid": None, "reached": False})
    assert not ACCOUNT(None) and not ACCOUNT({"uid": "0", "reached": True}) and not ACCOUNT({"uid": 1, "reached": "no"})
