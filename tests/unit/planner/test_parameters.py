"""What a person types becomes typed cells, or one sentence for each thing that is wrong."""

from dataclasses import replace
from typing import Any

import pytest

from planner import profiles
from planner.cells import Request, keep_honoured
from planner.parameters import Refused
from tests.unit.planner.asking import CATALOG, request


def strategies(asked: Request) -> list[str]:
    return [cell["strategy"] for cell in asked.cells]


def test_without_arguments_it_is_the_defaults() -> None:
    asked = request()
    (cell,) = asked.cells
    assert (cell["strategy"], cell["connections"], cell["active"], cell["rate"]) == ("epoll", 10000, 10000, 10000)
    assert asked.run_wide["tune"] == "auto"
    assert asked.parameters["slo"] == "p99=10ms"


REFUSALS = [
    ({"connections": "ten"}, "connections=ten is not a whole number; it takes 1 to 10,000,000."),
    ({"connections": "-1"}, "connections=-1 is out of range; it takes 1 to 10,000,000."),
    ({"connections": True}, "connections=True is not a whole number; it takes 1 to 10,000,000."),
    ({"connections": ""}, "connections is empty; it takes 1 to 10,000,000."),
    ({"connections": []}, "connections is an empty list; it takes 1 to 10,000,000."),
    ({"connections": "100,,200"}, "connections= is not a whole number"),
    ({"rate": "1,500"}, "rate=1,500 could be the number 1500 or the values 1, 500: write rate=1500, or give a list"),
    ({"rate": "10,000,20,000"}, "rate=000 is out of range"),
    ({"rate": "10.000"}, "rate=10.000 could be 10 or 10000: write the one that you mean"),
    ({"duration": "1.000.000"}, "duration=1.000.000 could be 1 or 1000000: write the one that you mean"),
    ({"rate": "1.5"}, "rate=1.5 is not a whole number"),
    ({"rate": "1.0001k"}, "rate=1.0001k is not a whole number"),
    ({"duration": "1500ms"}, "duration=1500ms is not a whole number"),
    ({"duration": "10x"}, "duration=10x is not a whole number"),
    ({"connections": "10s"}, "connections=10s is not a whole number"),
    ({"timeout": "10x"}, "timeout=10x is not a number of seconds"),
    ({"connections": 10, "active": 11}, "active=11 is more than connections=10"),
    ({"rate": "0"}, "rate=0 is out of range"),
    ({"rate": 0.5}, "rate=0.5 is not a whole number"),
    ({"payload_bytes": "8"}, "payload_bytes=8 is out of range; it takes 32 to 1,048,576 bytes."),
    ({"warmup": "1.5"}, "warmup=1.5 is not a whole number; it takes 0 to 3600 whole seconds."),
    ({"timeout": "0.01"}, "timeout=0.01 is out of range; it takes 0.1 to 60 s."),
    ({"timeout": "nan"}, "timeout=nan is not a number of seconds"),
    ({"disturb": "stall"}, "disturb=stall is neither a stall nor a restart; it takes `none`, stall:<time>/<period> "),
    ({"disturb": "stall:100ms"}, "neither a stall nor a restart"),
    ({"disturb": "stall:600ms/1s"}, "disturb=stall:600ms/1s is out of range"),
    ({"disturb": "stall:0ms/1s"}, "out of range"),
    ({"disturb": "restart/1ms"}, "disturb=restart/1ms is out of range"),
    ({"disturb": "restart/2h"}, "disturb=restart/2h is out of range; it takes"),
    ({"disturb": "restart/soon"}, "disturb=restart/soon has a time that is not understood"),
    ({"disturb": "stall:10.5ms/1s"}, "has a time that is no whole number of milliseconds"),
    (
        {"disturb": "stall:100ms/1s", "strategy": "poll"},
        "disturb=stall:100ms/1s needs several worker processes. That is not known of poll; it is of ",
    ),
    ({"disturb": "stall:100ms/1s", "strategy": "interpreter_per_core"}, "That is not known of interpreter_per_core;"),
    (
        {"disturb": "restart", "strategy": "sendfd"},
        "disturb=restart/1s needs worker processes that have successors. That is not known of sendfd; it is of ",
    ),
    ({"disturb": "restart", "server_command": "./mine {host} {port}"}, "That is not known of a server_command;"),
    (
        {"disturb": "restart", "strategy": "prefork_reuseport"},
        "disturb=restart/1s ends connections, and with workload=open none comes again: choose churn or newcomers.",
    ),
    (
        {"disturb": "stall:1s/20s", "strategy": "prefork_reuseport", "duration": 10},
        "disturb=stall:1s/20s may disturb nobody within duration=10: its period is longer.",
    ),
    ({"workers": 1}, "workers=1 is out of range; it takes 2 to 1024, or `auto`."),
    (
        {"workers": 4, "strategy": "poll"},
        "workers would change nothing: no server of this run (poll) has several processes.",
    ),
    (
        {"workers": 4, "cells": [{"strategy": "poll"}, {"strategy": "epoll"}]},
        "no server of this run (poll, epoll) has several processes.",
    ),
    ({"connect_rate": "brust"}, "connect_rate=brust is not a whole number"),
    ({"arrival": "poison"}, "did you mean `poisson`?"),
    ({"tune": "auto,off"}, "it takes one of auto, required, off."),
    ({"tune": ["auto", "off"]}, "tune holds for the whole run"),
    ({"keep_tuned": "perhaps"}, "keep_tuned=perhaps is neither true nor false"),
    ({"profile": "c10kk"}, "There is no profile `c10kk`; did you mean `c10k`?"),
    ({"slo": "p99"}, "slo=p99 is not a percentile and a time; it takes pN=<time>, such as p99=10ms."),
    ({"server_cpus": "3-1"}, "server_cpus=3-1 is not a list of CPUs"),
    ({"server_port": 70000}, "server_port=70000 is out of range"),
    ({"seed": 2**32}, "seed=4294967296 is out of range"),
    ({"requests": 5}, "requests belongs to the workload `churn`"),
    (
        {"strategy": "pol"},
        f"There is no strategy `pol`; did you mean `poll`? There are: {', '.join(CATALOG)}, seed, all.",
    ),
    ({"strategy": "poll,sendall"}, "`sendall` is a lesson, a server with a mistake, and belongs in no ranking: "),
    ({"cells": [{"strategy": "sendall"}]}, "Cell 1: `sendall` is a lesson"),
    ({"stratgy": "poll"}, "There is no parameter `stratgy`; did you mean `strategy`?"),
    ({"rungs": 7}, "There is no parameter `rungs`; a capacity is searched from `rate` to `search_to`"),
    ({"frobnicate": 1}, "There is no parameter `frobnicate`; docs/contracts.md lists them"),
    ({"server_command": "./mine"}, "does not hold {host} and {port}"),
    ({"server_command": "./mine '{host} {port}"}, "is not a command line"),
    ({"server_command": "./mine {host} {port}", "strategy": "poll"}, "where a scenario names one, add `-e strategy=`"),
    ({"_raw_params": "x --port {port}"}, "quote it once more"),
    ({"cells": {}}, "cells must be a list of mappings"),
    ({"cells": [{"rate": 0}]}, "Cell 1: rate=0 is out of range"),
    ({"cells": [{"tune": "off"}]}, "Cell 1: tune holds for the whole run, so it does not belong in a cell."),
    ({"cells": [{"rte": 5}]}, "Cell 1: There is no parameter `rte`; did you mean `rate`?"),
    ({"hostile": "slow_reed:5"}, "did you mean `slow_read`"),
    ({"hostile": "mute"}, "how many, as in mute:100"),
    ({"hostile": "mute:0"}, "out of range"),
    ({"think_time": 1}, "belongs to the workload `closed`"),
    ({"steps": 5}, "belongs to the workload `ramp`"),
    ({"search_to": 5, "workload": "closed"}, "search_to belongs to the workload `capacity`, `limit`"),
    (
        {"workload": "limit", "connections": 2000, "search_to": 1000},
        "begins at connections=2000, which is above search_to=1000",
    ),
    ({"search_budget": 5, "cells": [{"workload": "open"}, {}]}, "search_budget belongs to the workload `capacity`"),
    ({"workload": "capacity", "search_budget": "5,9"}, "is not a number of seconds"),
    (
        {"workload": "open,capacity", "null": 3},
        "null=3 repeats what is measured at one load, and the workload `capacity`",
    ),
    ({"workload": "capacity", "rate": 2000, "search_to": 1000}, "begins at rate=2000, which is above search_to=1000"),
    (
        {"workload": "capacity", "warmup": 2, "duration": 10, "search_budget": 11},
        "search_budget=11 has no room for one rung, which takes 12 s",
    ),
    ({"workload": "ramp", "connections": 5}, "a step opens at least one"),
    ({"server_port": 65535, "server_ports": 2}, "end at 65536"),
    ({"server_command": "x {host} {port}", "server_ports": 2}, "one port"),
    ({"strategy": "null_server"}, "answers nothing"),
    ({"generator": "asyncio", "hostile": "mute:1"}, "`asyncio` takes hostile=none only"),
    ({"generator": "threads", "pipeline": 2}, "`threads` takes pipeline=1 only"),
    ({"generator": "golang"}, "go, goroutine, pool"),
    ({"sources": "1,2"}, "1 to 1024"),
]


@pytest.mark.parametrize(("given", "sentence"), REFUSALS, ids=[str(given) for given, _ in REFUSALS])
def test_what_cannot_be_is_refused_in_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        request(**given)
    assert any(sentence in problem for problem in refused.value.problems), refused.value.problems


WRITTEN = [
    ("connections", "10k", [10_000]),
    ("connections", "10,000", [10_000]),
    ("connections", "1e4", [10_000]),
    ("connections", "1,050", [1050]),
    ("connections", "1k,10k", [1000, 10_000]),
    ("connections", "500,1000", [500, 1000]),
    ("rate", "625,750,875", [625, 750, 875]),  # as a number it is out of range
    ("rate", "1.5k", [1500]),
    ("rate", "2M", [2_000_000]),
    ("rate", "1_500", [1500]),
    ("payload_bytes", "64Ki", [65_536]),
    ("duration", "10s,1m30s", [10, 90]),
    ("timeout", "250ms,1.5s,2", [0.25, 1.5, 2]),
]


@pytest.mark.parametrize(("name", "text", "values"), WRITTEN)
def test_numbers_are_read_as_people_and_the_generator_write_them(name: str, text: str, values: list[float]) -> None:
    assert [cell[name] for cell in request(**{name: text, "active": "all"}).cells] == values


def test_one_number_for_the_whole_run_may_be_grouped() -> None:
    assert request(search_to="1,500", rate=1000, workload="capacity").run_wide["search_to"] == 1500


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Refused) as refused:
        request(connections="ten", rate=0, stratgy="poll")
    assert len(refused.value.problems) == 3


def test_names_that_are_not_ours_are_not_judged() -> None:
    assert request(ansible_user="me", run="x", purge="true").cells


def test_lists_make_the_product_in_the_order_of_the_table() -> None:
    asked = request(connections=[100, "200"], strategy=["poll", "epoll"])
    assert [(cell["strategy"], cell["connections"]) for cell in asked.cells] == [
        ("poll", 100), ("poll", 200), ("epoll", 100), ("epoll", 200),
    ]  # fmt: skip
    assert asked.parameters["connections"] == [100, 200]
    assert asked.parameters["active"] == [100, 200]


def test_the_original_four_and_all() -> None:
    assert strategies(request(strategy="seed")) == ["workers", "select", "poll", "epoll_edge"]
    assert strategies(request(strategy="poll,seed")) == ["poll", "workers", "select", "epoll_edge"]
    everything = request(strategy="all")
    assert strategies(everything) == everything.optional == [name for name in CATALOG if name != "null_server"]


def test_a_command_with_commas_is_one_command() -> None:
    command = "./mine --listen {host},{port}"
    asked = request(server_command=command)
    assert [(cell["strategy"], cell["server_command"]) for cell in asked.cells] == [(None, command)]
    assert asked.optional == []


def test_cells_of_a_scenario_hold_only_what_they_say() -> None:
    asked = request(
        cells=[{"strategy": "poll"}, {"server_command": "x {host} {port}", "rate": 5}], rate=7, strategy="epoll"
    )
    assert [(c["strategy"], c["server_command"], c["rate"]) for c in asked.cells] == [
        ("poll", None, 7), (None, "x {host} {port}", 5),
    ]  # fmt: skip


def test_yaml_may_read_off_as_false() -> None:
    assert request(tune=False).run_wide["tune"] == "off"


def test_churn_with_requests_has_no_warm_up_and_a_burst_no_rate() -> None:
    (cell,) = request(workload="churn", requests="10_000", connect_rate="burst").cells
    assert (cell["warmup"], cell["requests"], cell["connect_rate"]) == (0, 10000, None)


def test_what_a_strategy_does_not_honour_is_refused_where_it_is_named_and_at_its_default_elsewhere() -> None:
    catalog = {**CATALOG, "poll": replace(CATALOG["poll"], honours=("backlog",))}

    cells: list[dict[str, Any]] = [{"strategy": name, "backlog": 7} for name in ("poll", "epoll", None, "epoll")]
    assert keep_honoured(cells, catalog, [], ["backlog"]) == []
    assert [cell["backlog"] for cell in cells] == [7, 4096, 4096, 4096]
    (sentence,) = keep_honoured(cells, catalog, ["backlog"], ["backlog"])
    assert sentence == "backlog is not honoured by epoll, a server_command. It is by poll."
    assert keep_honoured(cells[:1], catalog, ["backlog"], ["backlog"]) == []


def test_the_default_backlog_of_the_original_can_be_asked_for() -> None:
    assert [cell["backlog"] for cell in request(backlog="0,4096").cells] == [0, 4096]


def test_an_interpreter_is_a_version_or_a_path_and_of_strategies_in_python_alone() -> None:
    cells = request(strategy="epoll,c_epoll", python="3.9,/opt/pypy/bin/pypy3").cells
    assert [(cell["strategy"], cell["python"]) for cell in cells] == [
        ("epoll", "3.9"), ("epoll", "/opt/pypy/bin/pypy3"), ("c_epoll", None),
    ]  # fmt: skip
    assert [cell["python"] for cell in request(python=[3.13, "3.10", "3.14t", "pypy3.10"]).cells][:2] == [
        "3.13",
        "3.10",
    ]
    for wrong, why in {"python3": "neither", "3": "neither", "bin/python": "neither", "/a b": "neither",
                       "2.7": "older than 3.9", 3.1: "YAML reads 3.10 as 3.1", True: "neither"}.items():  # fmt: skip
        with pytest.raises(Refused, match=f"python={wrong} is .*{why}"):
            request(python=wrong)
    for given in ({"strategy": "c_epoll"}, {"server_command": "x {host} {port}"}):
        with pytest.raises(Refused, match="python would change nothing: no server of this run"):
            request(python="3.13", **given)


def test_the_accept_batch_varies_where_a_loop_has_one_and_is_refused_elsewhere() -> None:
    cells = request(strategy="poll,epoll_edge", accept_batch="1,64").cells
    assert [(cell["strategy"], cell["accept_batch"]) for cell in cells] == [
        ("poll", 1), ("poll", 64), ("epoll_edge", 1), ("epoll_edge", 64),
    ]  # fmt: skip
    assert {cell["accept_batch"] for cell in request(strategy="all").cells} == {64}
    for given in ({"strategy": "epoll,prefork_accept"}, {"server_command": "x {host} {port}"}):
        with pytest.raises(Refused, match=r"accept_batch is not honoured by (prefork_accept|a server_command)\."):
            request(accept_batch=1, **given)
    for batch in (0, 65_537):
        with pytest.raises(Refused, match="accept_batch"):
            request(accept_batch=batch)


def test_cpus_are_read_as_people_write_them() -> None:
    wide = request(server_cpus="0-2,6", client_cpus=[3, "4-5"]).run_wide
    assert (wide["server_cpus"], wide["client_cpus"]) == ([0, 1, 2, 6], [3, 4, 5])


def test_a_search_holds_for_the_run_beside_other_workloads() -> None:
    made = request(search_to=50_000, cells=[{"workload": "capacity"}, {"workload": "open"}])
    assert made.run_wide["search_to"] == 50_000
    assert all("search_to" not in cell for cell in made.cells)


def test_hostile_clients_are_a_kind_and_a_number() -> None:
    mute = {"kind": "mute", "connections": 1}
    assert [cell["hostile"] for cell in request(hostile="none,mute:1").cells] == [None, mute]


def test_what_belongs_to_one_workload_makes_no_second_cell_of_another() -> None:
    cells = request(workload="open,ramp,closed", steps="5,20", think_time=0.5).cells
    assert [(cell["workload"], cell["steps"], cell["think_time"]) for cell in cells] == [
        ("open", 10, 0), ("ramp", 5, 0), ("ramp", 20, 0), ("closed", 10, 0.5),
    ]  # fmt: skip


def test_a_disturbance_is_written_in_one_way_and_makes_one_cell() -> None:
    common: dict[str, Any] = {"strategy": "prefork_reuseport", "workload": "churn", "duration": 9}
    cells = request(disturb="restart/1s,restart/1000ms,restart", **common).cells
    assert [cell["disturb"] for cell in cells] == ["restart/1s"]
    (stalled,) = request(disturb="stall:0.1s/1.5s", **common).cells
    assert stalled["disturb"] == "stall:100ms/1500ms"


PROFILES: profiles.Profiles = {
    "c10k": [{"key": "a.b", "value": 1}, {"key": "c.d", "value": 2}], "none": [], "c100k": [{"key": "a.b", "value": 9}],
    "b": [{"key": "e.f-g", "value": 3}, {"key": "a.b", "value": 4}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("level", "values"),
    [
        ("c10k", {"a.b": 1, "c.d": 2}),
        ("c10k-a.b", {"c.d": 2}),
        ("none+c.d+a.b", {"a.b": 1, "c.d": 2}),
        ("c100k+c.d", {"a.b": 9, "c.d": 2}),
        ("c100k-a.b+a.b", {"a.b": 1}),
        ("none+a.b+e.f-g", {"a.b": 1, "e.f-g": 3}),
        ("b-e.f-g-a.b", {}),
        ("b-e.f-g+c.d", {"a.b": 4, "c.d": 2}),
    ],
)
def test_a_profile_less_or_more_a_key(level: str, values: dict[str, int]) -> None:
    found = profiles.entries(level, PROFILES)
    assert {entry["key"]: entry["value"] for entry in found} == values
    assert [entry["key"] for entry in found] == sorted(values)


@pytest.mark.parametrize(
    ("level", "sentence"),
    [("c10k-a.c", "c10k has no key a.c; did you mean `a.b`?"), ("none-a.b", "none has no key a.b."),
     ("none+x", "no profile has a key x. There are a.b, c.d, e.f-g.")],
)  # fmt: skip
def test_a_key_that_the_profile_has_not_is_refused(level: str, sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        profiles.entries(level, PROFILES)
    (told,) = refused.value.problems
    assert told.startswith(f"profile={level}: {sentence}")
    assert "There are ." not in told


def test_several_profiles_are_tuned_whole_or_refused() -> None:
    cells = request(profile="c10k,c10k-net.core.somaxconn", tune="required").cells
    assert [cell["profile"] for cell in cells] == ["c10k", "c10k-net.core.somaxconn"]
    with pytest.raises(Refused, match=r"add -e tune=required\."):
        request(profile="c10k,c10k-net.core.somaxconn")
    with pytest.raises(Refused, match="keep_tuned would keep a random one"):
        request(profile="c10k,c10k-net.core.somaxconn", tune="required", keep_tuned=True)
    with pytest.raises(Refused, match="There is no profile `c11k`; did you mean `c10k`"):
        request(profile="c11k-net.core.somaxconn")
    with pytest.raises(Refused, match="is no profile"):
        request(profile="c10k-$(id)")
