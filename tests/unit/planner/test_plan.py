"""The plan: order, seeds, the A/A pair, and who runs on which core."""

import re
from pathlib import Path
from typing import Any

import pytest

from conductor.plan import parse_plan
from conductor.specs import server_spec
from planner.parameters import Refused
from planner.plan import segments, whole_load_s
from tests.schemas import validator
from tests.unit.planner.asking import ELSEWHERE, SHARED, THERE, host, plan, request

APART = [host("server", THERE), host("client1", ELSEWHERE), host("client2", ELSEWHERE)]


def cpus(made: dict[str, Any]) -> tuple[Any, ...]:
    server, client = made["hosts"]["server"], made["hosts"]["client1"]
    return server["cpus"], server["agent_cpus"], client["cpus"], made["conductor_cpus"]


def test_it_meets_its_schema() -> None:
    several: dict[str, Any] = {"strategy": "seed", "connections": "10,20", "hostile": "none,mute:5"}
    mine: dict[str, Any] = {"server_command": "x {host} {port}", "connect_rate": "burst"}
    for given in (several, mine, {"workload": "capacity,open"}):
        validator("plan").validate(plan(references=True, **given))


def test_the_plan_says_where_each_interpreter_is() -> None:
    made = plan(references=True, strategy="epoll,c_epoll", python="3.9,3.13")
    validator("plan").validate(made)
    assert made["hosts"]["server"]["interpreters"] == {
        "3.9": "/opt/3.9.2/bin/python3", "3.13": "/opt/3.13.0/bin/python3",
    }  # fmt: skip
    asked = {(one["server"]["strategy"], one["server"]["python"]) for one in made["trials"]}
    assert asked == {("epoll", "3.9"), ("epoll", "3.13"), ("c_epoll", None), ("null_server", None)}
    told = parse_plan(made)
    specs = {server_spec(told, trial)["interpreter"] for trial in told.trials}
    assert specs == {"/opt/3.9.2/bin/python3", "/opt/3.13.0/bin/python3", None}
    assert "interpreters" not in plan(strategy="epoll")["hosts"]["server"]


def test_the_trials_of_one_profile_stand_together_and_each_block_tunes_anew() -> None:
    levels = ["c10k", "c10k-fs.file-max", "c10k-net.core.somaxconn"]
    made = plan(strategy="epoll,poll", profile=levels, tune="required", repetitions=8)
    validator("plan").validate(made)
    found = segments(made["trials"])
    numbers = [n for segment in found for n in segment["trials"]]
    assert numbers == [trial["n"] for trial in made["trials"]]
    orders = set()
    for block in range(1, 9):
        own = [trial for trial in made["trials"] if trial["block"] == block]
        order = list(dict.fromkeys(trial["profile"] for trial in own))
        assert sorted(order) == levels
        assert [trial["profile"] for trial in own] == [level for level in order for _ in range(3)]  # and the control
        orders.add(tuple(order))
    assert len(orders) > 2
    assert len(found) == 24, "one tuning served two blocks, or two one"
    ended = plan(strategy="epoll", profile=levels, tune="required", references=True, repetitions=2)["trials"]
    assert ended[-1]["kind"] == "calibration"
    assert [len(segment["trials"]) for segment in segments(ended)] == [1] * 5 + [2]


def test_each_block_holds_every_cell_once_and_the_first_strategy_twice() -> None:
    trials = plan(strategy="poll,epoll", connections="10,20", repetitions=3)["trials"]
    assert [trial["n"] for trial in trials] == list(range(1, 19))
    for block in (1, 2, 3):
        held = sorted((t["cell"], t["control"]) for t in trials if t["block"] == block)
        assert held == [("c1", False), ("c1", True), ("c2", False), ("c2", True), ("c3", False), ("c4", False)]
    assert {t["server"]["strategy"] for t in trials if t["control"]} == {"poll"}


@pytest.mark.parametrize(
    "given",
    [{"strategy": "poll,epoll", "repetitions": 1}, {"strategy": "poll", "repetitions": 9}, {"connections": "1,2"}],
)
def test_no_control_where_there_is_no_noise_floor_to_set(given: dict[str, Any]) -> None:
    assert not any(trial["control"] for trial in plan(**given)["trials"])


def test_null_repeats_the_baseline_as_rivals_of_its_own() -> None:
    made = plan(strategy="epoll", null=2, repetitions=3)
    validator("plan").validate(made)
    told = [(one.cell, one.control, one.null) for one in parse_plan(made).trials if one.block == 1]
    assert sorted(told, key=str) == [("c1", False, None), ("c1", True, None), ("c2", False, 1), ("c3", False, 2)]
    assert len({repr(trial["server"]) for trial in made["trials"]}) == 1
    assert not any("null" in trial for trial in plan(strategy="epoll,poll")["trials"])


@pytest.mark.parametrize(("given", "share"), [("3%", 0.03), ("0.05", 0.05), (0.25, 0.25), ("2.5 %", 0.025)])
def test_the_margin_is_a_share(given: object, share: float) -> None:
    assert request(margin=given).run_wide["margin"] == share


@pytest.mark.parametrize("given", ["3", "0%", "-1%", "30%", "x", "", True, "nan"])
def test_what_is_no_margin(given: object) -> None:
    with pytest.raises(Refused, match="margin"):
        request(margin=given)


def test_the_seed_alone_decides_the_order() -> None:
    given: dict[str, Any] = {"strategy": "all", "repetitions": 4}
    assert plan(seed=1, **given) == plan(seed=1, **given)
    orders = {tuple(t["cell"] for t in plan(seed=seed, **given)["trials"]) for seed in range(20)}
    assert len(orders) > 15


def test_every_trial_has_a_seed_of_its_own() -> None:
    seeds = [trial["load"]["seed"] for trial in plan(strategy="all", repetitions=10)["trials"]]
    assert len(set(seeds)) == len(seeds)


PINNING = [
    ("one machine for all: half and half", SHARED, {}, ([0, 1], [2, 3], [2, 3], [2, 3])),
    ("two cores", [host("server", cores=2), host("client1", cores=2)], {}, ([0], [1], [1], [1])),
    ("one core", [host("server", cores=1), host("client1", cores=1)], {}, (None, None, None, None)),
    ("a machine each", APART, {}, (None, None, None, None)),
    ("server beside the conductor", [host("server"), host("client1", ELSEWHERE)], {}, ([0, 1], [2, 3], None, [2, 3])),
    (
        "server beside a client, elsewhere",
        [host("server", THERE), host("client1", THERE)],
        {},
        ([0, 1], [2, 3], [2, 3], None),
    ),
    ("asked: none", SHARED, {"server_cpus": "none", "client_cpus": "none"}, (None, None, None, None)),
    ("asked: the server's", SHARED, {"server_cpus": "0-2"}, ([0, 1, 2], [3], [3], [3])),
    ("asked: the clients'", SHARED, {"client_cpus": "1-3"}, ([0], [1, 2, 3], [1, 2, 3], [1, 2, 3])),
    ("asked: both", SHARED, {"server_cpus": "0", "client_cpus": "2"}, ([0], [2], [2], [2])),
    ("asked, on machines apart", APART, {"server_cpus": "1", "client_cpus": "2"}, ([1], [0, 2, 3], [2], None)),
]


@pytest.mark.parametrize(("hosts", "given", "expected"), [p[1:] for p in PINNING], ids=[p[0] for p in PINNING])
def test_who_runs_where(hosts: list[dict[str, Any]], given: dict[str, Any], expected: tuple[Any, ...]) -> None:
    assert cpus(plan(hosts, **given)) == expected


def workers(hosts: list[dict[str, Any]] = SHARED, **given: Any) -> int:
    return int(plan(hosts, **given)["trials"][0]["server"]["workers"])


def test_workers_only_where_the_strategy_has_them() -> None:
    assert workers(strategy="epoll") == 1
    assert workers(strategy="workers", workers=8) == 8
    assert workers([host("server", THERE, 6), host("client1", ELSEWHERE)], strategy="workers") == 6
    assert workers([host("server", cores=2), host("client1", cores=2)], strategy="workers") == 2


def test_as_many_workers_as_the_connections_ask_for() -> None:
    """Of 20,000 descriptors a process has 19,936 for connections, of 1024 select has 960; a quarter is left over."""
    assert [workers(strategy="workers", connections=n) for n in (31_000, 100_000)] == [2, 7]
    assert [workers(strategy="prefork_select", connections=n) for n in (1_000, 10_000)] == [2, 14]
    assert workers(strategy="prefork_accept", connections=100_000) == 2
    assert workers(strategy="workers", connections=100_000, workers=3) == 3


def test_threads_of_one_process_are_as_many_as_the_cores_or_as_asked_for() -> None:
    """More of them would have no more descriptors."""
    assert workers(strategy="thread_per_core", connections=100_000) == 2
    assert workers(strategy="thread_per_core", connections=100_000, workers=3) == 3


def test_the_calibration_comes_last_and_belongs_to_no_cell() -> None:
    trials = plan(references=True, strategy="poll,epoll", repetitions=2)["trials"]
    last = trials[-1]
    found = [last[name] for name in ("n", "kind", "cell", "control", "block")]
    assert found == [len(trials), "calibration", "calibration", False, 3]
    assert last["server"]["strategy"] == "null_server"
    assert (last["load"]["workload"], last["load"]["connections"], last["load"]["duration"]) == ("calibrate", 2000, 1)
    assert all(trial["kind"] == "measure" for trial in trials[:-1])
    for made in (plan(references=True, calibrate="false"), plan()):
        assert all(trial["kind"] == "measure" for trial in made["trials"])


def test_the_calibration_disturbs_nobody() -> None:
    given: dict[str, Any] = {"strategy": "prefork_reuseport", "workload": "churn", "disturb": "restart"}
    trials = plan(references=True, duration=2, **given)["trials"]
    assert [trial["server"]["disturb"] for trial in trials[-2:]] == ["restart/1s", None]


def test_the_calibration_does_not_depend_on_the_random_order() -> None:
    given: dict[str, Any] = {"references": True, "payload_bytes": "64,65536", "server_port": "9000,9100"}
    lasts = [plan(seed=seed, **given)["trials"][-1] for seed in range(20)]
    assert {(last["load"]["payload_bytes"], last["server"]["server_port"]) for last in lasts} == {(64, 9000)}


def test_a_capacity_is_one_search_in_each_block_with_numbers_of_its_own() -> None:
    given: dict[str, Any] = {"workload": "capacity,open", "warmup": 1, "duration": 2, "search_budget": 31}
    trials = plan(references=True, repetitions=2, rate=500, search_to=9000, slo="p99.9=20ms", **given)["trials"]
    searches = [trial for trial in trials if trial["load"]["workload"] == "capacity"]
    assert [trial["block"] for trial in searches] == [1, 2]
    assert searches[0]["search"] == {
        "over": "rate", "from": 500, "to": 9000, "resolution": 1.1, "budget_s": 31, "most_rungs": 10,
        "pass_rule": {"percentile": 99.9, "at_most_ns": 20_000_000, "answered_share": 0.99},
    }  # fmt: skip
    numbers = [n for t in trials for n in range(t["n"], t["n"] + t.get("search", {"most_rungs": 1})["most_rungs"])]
    assert numbers == list(range(1, 2 * 10 + 2 + 2))
    assert all("search" not in trial for trial in trials if trial not in searches)
    assert plan(workload="capacity", search_budget=86_400)["trials"][0]["search"]["most_rungs"] == 40


def test_a_limit_is_found_closer_than_a_rate() -> None:
    search = plan(workload="limit", connections=500)["trials"][0]["search"]
    assert (search["over"], search["from"], search["resolution"]) == ("connections", 500, 1.02)


def test_what_nobody_asked_for_is_repeated_often_enough_to_decide_and_what_was_asked_for_is_kept() -> None:
    script = (Path(__file__).parents[3] / "script/benchmark").read_text()
    (words,) = re.findall(r"\|\| set -- (.*)", script)
    asked = dict(word.split("=") for word in words.split() if word != "-e")
    for given in (asked, {"strategy": "poll,epoll"}):
        trials = plan(**given)["trials"]
        assert max(trial["block"] for trial in trials) >= 3
        assert any(trial["control"] for trial in trials)
    trials = plan(strategy="poll", repetitions=1, duration=10)["trials"]
    assert [(trial["block"], trial["load"]["duration"]) for trial in trials] == [(1, 10)]


def test_a_duet_has_the_baseline_beside_each_rival_and_each_control() -> None:
    made = plan(strategy="epoll,poll,selectors", connections="10,20", repetitions=3, null=1, duet=True)
    validator("plan").validate(made)
    trials = {trial["n"]: trial for trial in made["trials"]}
    assert all(trials[t["beside"]]["beside"] == n and abs(t["beside"] - n) == 1 for n, t in trials.items())
    for block in (1, 2, 3):
        held = [t for t in trials.values() if t["block"] == block]
        rivals = [t for t in held if t["server"]["strategy"] != "epoll" or t["control"] or "null" in t]
        assert len(rivals) == 2 * (2 + 1 + 1) and len(held) == 2 * len(rivals)
        for rival in rivals:
            baseline = trials[rival["beside"]]
            assert (baseline["server"]["strategy"], baseline["control"]) == ("epoll", False)
            assert baseline["load"]["connections"] == rival["load"]["connections"]
            assert {baseline["server"]["server_port"], rival["server"]["server_port"]} == {9000, 9001}
    assert parse_plan(made).turns == [pair for pair in parse_plan(made).turns if len(pair) == 2]
    assert not any("beside" in trial for trial in plan(strategy="epoll,poll")["trials"])


def test_which_of_a_pair_is_the_first_is_left_to_chance() -> None:
    trials = plan(strategy="epoll,poll", repetitions=100, duet=True)["trials"]
    polls = [trial for trial in trials if trial["server"]["strategy"] == "poll"]
    assert 30 < sum(trial["server"]["server_port"] == 9000 for trial in polls) < 70
    assert all((t["server"]["server_port"] == 9000) == (t["beside"] == t["n"] + 1) for t in polls)


def test_the_second_server_of_a_duet_listens_behind_all_ports_of_the_first() -> None:
    made = plan(strategy="epoll,prefork_reuseport", server_ports=3, duet=True)
    assert {t["server"]["server_port"] for t in made["trials"]} == {9000, 9003}
    assert parse_plan(made)
    made["trials"][1]["server"]["server_port"] = made["trials"][0]["server"]["server_port"] = 9000
    with pytest.raises(ValueError, match="ports are those of the other"):
        parse_plan(made)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"strategy": "epoll"}, "two strategies"),
        ({"strategy": "epoll,poll", "workload": "churn"}, "not churn"),
        ({"strategy": "epoll,poll", "workload": "open,capacity"}, "not capacity"),
        ({"strategy": "epoll,poll", "workload": "closed"}, "not closed"),
        ({"strategy": "epoll,poll", "server_port": [9000, 9100]}, "one server_port"),
        (
            {
                "cells": [{"strategy": "epoll"}, {"strategy": "poll"}, {"strategy": "epoll", "rate": 7}],
                "repetitions": 1,
            },
            "give repetitions=2",
        ),
        ({"strategy": "epoll,poll", "server_port": 65_535}, "65536"),
        ({"cells": [{"strategy": "epoll"}, {"strategy": "poll", "connections": 7}]}, "poll beside"),
    ],
)
def test_what_cannot_be_measured_side_by_side(given: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        request(duet=True, **given)


def test_beside_so_many_workers_stand_as_many() -> None:
    made = plan(strategy="prefork_reuseport,prefork_select,epoll", workers="2,4", repetitions=3, duet=True)
    workers = {trial["n"]: trial["server"]["workers"] for trial in made["trials"]}
    for trial in made["trials"]:
        if trial["server"]["strategy"] != "epoll" and made["trials"][trial["beside"] - 1]["server"]["workers"] != 1:
            assert workers[trial["n"]] == workers[trial["beside"]]
    assert sorted({t["cell"] for t in made["trials"] if t["server"]["strategy"] == "prefork_reuseport"}) == ["c1", "c2"]


def test_rivals_that_differ_in_what_they_are_stand_beside_one_baseline() -> None:
    given: dict[str, Any] = {
        "cells": [
            {"strategy": "selectors", "python": "3.13"},
            {"strategy": "asyncio_protocol", "python": ["3.9", "3.13"], "read_bytes": [4096, 16384]},
            {"strategy": "c_epoll"},
        ]
    }
    trials = plan(repetitions=2, duet=True, references=True, calibrate="false", **given)["trials"]
    beside = {(trial["cell"], trials[trial["beside"] - 1]["cell"]) for trial in trials if trial["cell"] != "c1"}
    assert beside == {(f"c{i}", "c1") for i in range(2, 7)}
    assert sum(trial["control"] for trial in trials) == 2


def test_a_pair_of_a_plan_is_two_neighbours_that_name_each_other() -> None:
    made = plan(strategy="epoll,poll", repetitions=1, duet=True)
    made["trials"][0]["beside"] = 7
    with pytest.raises(ValueError, match="trial 7 is not the one beside it"):
        parse_plan(made)
    del made["trials"][0]["beside"]
    with pytest.raises(ValueError, match="trial 1 is not the one beside it"):
        parse_plan(made)


@pytest.mark.parametrize(
    ("names", "connections", "first"),
    [
        ("select,poll,epoll", 10_000, "poll"),
        ("select,poll,epoll", 900, "select"),
        ("poll,select", 10_000, "poll"),
        ("select", 10_000, "select"),
    ],
)
def test_a_strategy_that_must_stop_is_not_what_others_are_compared_with(
    names: str, connections: int, first: str
) -> None:
    """The defect: with README's own strategy=select,poll,epoll nothing was ranked."""
    trials = plan(strategy=names, connections=connections, repetitions=2)["trials"]
    assert {trial["server"]["strategy"] for trial in trials if trial["control"]} == ({first} if "," in names else set())


def test_the_two_of_a_duet_are_under_load_at_once() -> None:
    """The defect: --check announced 481 s of load, and the whole run took 310 s."""
    given: dict[str, Any] = {"strategy": "epoll,poll", "warmup": 1, "duration": 4, "repetitions": 3}
    assert whole_load_s(plan(**given)["trials"]) == 3 * 3 * 5  # epoll, its control and poll
    assert whole_load_s(plan(duet=True, **given)["trials"]) == 3 * 2 * 5
