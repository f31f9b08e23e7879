"""The command that a report prints for a run is planned again, and gives the same trials."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.splitter import parse_kv

from analysis.ingest.events import Log
from analysis.ingest.plan import plan_rows
from analysis.model import Dataset
from analysis.report.again import USUAL_HOSTS, commands
from planner import plan as planning
from planner.cells import resolve
from server.catalog import load
from tests.unit.planner.asking import SHARED

ROOT = Path(__file__).parents[3]
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yml"))
PROFILES = [path.stem for path in (ROOT / "playbooks/profiles").glob("*.yml")]
MINE = """sh -c 'exec ./it'\\''s "mine" --at {host}:{port}; rm -rf $HOME `id` \\\\ %s # ü'"""

ODD: dict[str, dict[str, Any]] = {
    "nothing": {},
    "the rest": {
        "strategy": "workers", "workers": 3, "connections": 50, "active": 7, "connect_rate": "burst", "tune": False,
        "calibrate": "no", "keep_tuned": True, "slo": "p99.9=0.5ms", "timeout": 0.5, "server_cpus": "0-1", "warmup": 0,
        "client_cpus": "none", "sources": 3, "repetitions": 2, "payload_bytes": 1024, "backlog": 0, "hostile": "mute:5",
    },
    "closed": {"workload": "closed", "think_time": "0,0.5", "generator": "asyncio,go"},
    "all": {"strategy": "all", "connections": "100,1000"},
    "not every combination": {"workload": "open,churn", "requests": 500, "connections": [100, 200]},
    "workers": {"strategy": "epoll,workers", "workers": "2,4"},
    "batches": {"strategy": "epoll,epoll_edge", "accept_batch": "1,64"},
    "active": {"connections": [100, 200], "active": 100},
    "hostile": {"hostile": ["none", "mute:5"], "connect_rate": "burst,100"},
    "cells": {
        "rate": 100,
        "cells": [
            {"strategy": "poll", "connections": 100}, {"strategy": "epoll", "connections": [20, 200]},
            {"server_command": MINE, "connections": 100}, {"workload": "churn", "requests": 9, "connections": 3},
        ],
    },
    "own server": {"server_command": MINE, "arrival": "fixed"},
    "own servers": {"server_command": [MINE, "a,b {host} {port}"], "rate": "5,6"},
    "ladders": {"workload": "capacity", "rate": [100, 200], "strategy": "poll,epoll", "search_budget": 30},
}  # fmt: skip


def planned(given: dict[str, Any], seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters as in a manifest, and the plan."""
    request = resolve(given, load(), PROFILES, [])
    run, here = "20261122T190312Z-3f9a1c", {"boot_id": "here"}
    made = planning.make(run, seed, request, load(), SHARED, here, references=True)
    return json.loads(json.dumps(request.parameters)), made


def printed(parameters: dict[str, Any], seed: int, plan: dict[str, Any]) -> str:
    for trial in plan["trials"]:  # as the conductor names the rungs of a search
        trial["cell"] += f"@{trial['load']['rate']}" if "search" in trial else ""
    rows = plan_rows(Log(Path("events.jsonl"), "r1", plan, [], trailer=True))
    run = {"run": "r1", "parameters": json.dumps(parameters), "seed": seed}
    (line,) = commands(Dataset.of(runs=[run], trials=rows))
    return line


def typed(line: str) -> dict[str, Any]:
    """What Ansible makes of the command line."""
    words = shlex.split(line)
    assert words[:2] == ["ansible-playbook", "run_benchmark.yml"]
    assert words[2::2] == ["-e"] * (len(words[2:]) // 2)
    given: dict[str, Any] = {}
    for text in words[3::2]:
        given |= yaml.safe_load(text) if text.startswith("{") else parse_kv(text)
    return given


@pytest.mark.parametrize(
    "given",
    [*(yaml.safe_load(path.read_text()) for path in SCENARIOS), *ODD.values()],
    ids=[*(path.stem for path in SCENARIOS), *ODD],
)
def test_the_same_again_is_the_same_plan(given: dict[str, Any]) -> None:
    parameters, plan = planned(given, 71)
    wanted = json.loads(json.dumps(plan["trials"]))
    again = typed(printed(parameters, 71, plan))
    assert int(again.pop("seed")) == 71
    others, repeated = planned(again, 71)
    assert repeated["trials"] == wanted
    wide = ("repetitions", "calibrate", "tune", "keep_tuned", "profile", "slo", "server_cpus", "client_cpus", "sources")
    assert {name: others[name] for name in wide} == {name: parameters[name] for name in wide}


def test_it_is_as_short_as_a_person_would_write_it() -> None:
    parameters, plan = planned({"strategy": "epoll,poll", "rate": 100, "server_cpus": "0,1"}, 7)
    line = printed(parameters, 7, plan)
    assert line == "ansible-playbook run_benchmark.yml -e strategy=epoll,poll -e rate=100 -e server_cpus=0,1 -e seed=7"


def test_a_duet_again_is_a_duet_on_the_port_that_was_asked_for() -> None:
    """Each of the two has a port of its own, which the planner derives."""
    parameters, plan = planned({"strategy": "epoll,poll", "duet": True, "server_port": 7000}, 7)
    for place, trial in enumerate(plan["trials"]):
        trial["server"] = trial["server"] | {"server_port": 7000 + place % 2}
    line = printed(parameters, 7, plan)
    assert line.endswith("run_benchmark.yml -e strategy=epoll,poll -e server_port=7000 -e duet=true -e seed=7")
    assert planned(typed(line), 7)[0]["duet"] is True


@pytest.mark.parametrize(
    ("inventory", "words"),
    [
        ({"sources": ["inventory/lab"], "limit": None}, "-i inventory/lab "),
        ({"sources": ["inventory/a b", "h1,"], "limit": "servers:!h2"}, "-i 'inventory/a b' -i h1, -l 'servers:!h2' "),
        ({"sources": ["inventory/local"], "limit": None}, ""),
        ({"sources": "x", "limit": 5}, ""),
        ({}, ""),  # a run from before it was recorded
    ],
)
def test_it_names_the_hosts(inventory: dict[str, Any], words: str) -> None:
    run = {"run": "r1", "seed": 7, "inventory": json.dumps(inventory)}
    assert commands(Dataset.of(runs=[run])) == (f"ansible-playbook {words}run_benchmark.yml -e seed=7",)


def test_the_usual_hosts_are_those_of_the_configuration() -> None:
    assert f"inventory = {USUAL_HOSTS[0]}\n" in (ROOT / "ansible.cfg").read_text()


def test_a_run_without_a_plan_or_parameters_has_its_seed() -> None:
    assert commands(Dataset.of(runs=[{"run": "r1", "seed": 7}])) == ("ansible-playbook run_benchmark.yml -e seed=7",)
