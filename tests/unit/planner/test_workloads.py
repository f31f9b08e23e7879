"""The parameters of the load generator: workloads, hostile clients, generators, sources, ports, and the calibration."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from planner import admission
from planner import plan as planning
from planner.cells import Request, resolve
from planner.parameters import Refused
from server.catalog import load
from tests.schemas import validator
from tests.unit.planner.test_plan import HERE, SHARED

ROOT = Path(__file__).parents[3]
CATALOG = load()


def request(**given: Any) -> Request:
    return resolve(given, CATALOG, ["c10k"], [])


def plan(references: bool, **given: Any) -> dict[str, Any]:
    made = planning.make(
        "20261122T190312Z-3f9a1c", 7, request(**given), CATALOG, SHARED, {"boot_id": HERE}, "/var/lib/c10k", None, None,
        references,
    )  # fmt: skip
    validator("plan").validate(made)
    return made


def rates(**given: Any) -> list[int]:
    return [cell["rate"] for cell in request(workload="capacity", **given).cells]


def test_a_ladder_doubles_around_its_rate() -> None:
    assert rates() == [1250, 2500, 5000, 10000, 20000, 40000, 80000]
    assert rates(rate=100, rungs=2) == [50, 100]
    assert rates(rate=3, rungs=7) == [1, 3, 6, 12, 24]  # none below 1, and none twice
    with pytest.raises(Refused, match="fewer rungs"):
        rates(rate=100_000_000)


def test_hostile_clients_are_a_kind_and_a_number() -> None:
    assert request(hostile="reset:5").cells[0]["hostile"] == {"kind": "reset", "connections": 5}
    assert request(hostile="none").cells[0]["hostile"] is None
    assert [cell["hostile"] for cell in request(hostile="none,mute:1").cells] == [
        None,
        {"kind": "mute", "connections": 1},
    ]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"hostile": "slow_reed:5"}, "did you mean `slow_read`"),
    ({"hostile": "mute"}, "how many, as in mute:100"),
    ({"hostile": "mute:0"}, "out of range"),
    ({"think_time": 1}, "belongs to the workload `closed`"),
    ({"steps": 5}, "belongs to the workload `ramp`"),
    ({"rungs": 5, "workload": "closed"}, "belongs to the workload `capacity`"),
    ({"workload": "ramp", "connections": 5}, "a step opens at least one"),
    ({"server_port": 65535, "server_ports": 2}, "end at 65536"),
    ({"server_command": "x {host} {port}", "server_ports": 2}, "one port"),
    ({"strategy": "null_server"}, "answers nothing"),
    ({"generator": "asyncio", "hostile": "mute:1"}, "`asyncio` takes hostile=none only"),
    ({"generator": "pool", "workload": "churn"}, "`pool` has no workload churn"),
    ({"generator": "threads", "pipeline": 2}, "`threads` takes pipeline=1 only"),
    ({"generator": "golang"}, "go, goroutine, pool"),
    ({"sources": "1,2"}, "1 to 1024"),
]


@pytest.mark.parametrize(("given", "sentence"), REFUSED)
def test_what_cannot_be_is_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        request(**given)


def test_a_think_time_is_of_the_closed_cells_alone() -> None:
    cells = request(workload="open,closed", think_time=0.5).cells
    assert [(cell["workload"], cell["think_time"]) for cell in cells] == [("open", 0), ("closed", 0.5)]


def test_the_calibration_comes_last_and_belongs_to_no_cell() -> None:
    trials = plan(True, strategy="poll,epoll", repetitions=2)["trials"]
    last = trials[-1]
    assert (last["n"], last["kind"], last["cell"], last["control"]) == (
        len(trials),
        "calibration",
        "calibration",
        False,
    )
    assert last["block"] == 3
    assert last["server"]["strategy"] == "null_server"
    assert (last["load"]["workload"], last["load"]["connections"], last["load"]["duration"]) == ("calibrate", 2000, 1)
    assert all(trial["kind"] == "measure" for trial in trials[:-1])
    for made in (plan(True, calibrate="false"), plan(False)):
        assert all(trial["kind"] == "measure" for trial in made["trials"])


def server(arch: str) -> dict[str, Any]:
    return {"name": "server", "probe": {"facts": {"arch": arch}}}


def test_c_programs_need_a_compiler_and_the_same_architecture() -> None:
    def answer(asked: Request, arch: str, compiler: bool) -> tuple[bool, str | None]:
        return admission.references(asked, CATALOG, server(arch), "x86_64", compiler)

    assert answer(request(calibrate="false"), "aarch64", False) == (False, None)
    assert answer(request(), "x86_64", True) == (True, None)
    wanted, sentence = answer(request(), "x86_64", False)
    assert not wanted
    assert sentence is not None
    assert "no `cc`" in sentence
    wanted, sentence = answer(request(strategy="c_epoll"), "aarch64", True)
    assert not wanted
    assert sentence is not None
    assert "c_epoll" in sentence
    assert "aarch64" in sentence
    assert admission.programs_asked(request(strategy="c_epoll,poll,go_goroutine"), CATALOG) == ["c_epoll"]


def test_servers_in_go_are_built_for_the_servers_architecture_whatever_the_controllers() -> None:
    asked = request(strategy="poll,go_goroutine")
    assert admission.go_servers(request(), CATALOG, server("aarch64")) == (None, None)
    assert admission.go_servers(asked, CATALOG, server("aarch64")) == ("arm64", None)
    assert admission.go_servers(asked, CATALOG, server("x86_64")) == ("amd64", None)
    arch, sentence = admission.go_servers(asked, CATALOG, server("riscv64"))
    assert arch is None
    assert sentence is not None
    assert all(word in sentence for word in ("go_goroutine", "server is a riscv64", "aarch64"))


SOURCES: list[tuple[str, list[str], int, list[str]]] = [
    ("198.18.0.11", [], 1, ["198.18.0.11"]),
    ("127.0.0.11", [], 3, ["127.0.0.11", "127.1.0.11", "127.2.0.11"]),
    ("198.18.0.11", ["198.18.0.11", "198.19.1.0/29"], 3, ["198.18.0.11", "198.19.1.1", "198.19.1.2"]),
    ("198.18.0.11", ["198.19.1.1", "198.19.1.0/30"], 2, ["198.19.1.1", "198.19.1.2"]),
]


@pytest.mark.parametrize(("address", "listed", "count", "expected"), SOURCES)
def test_a_client_uses_the_first_of_its_sources(
    address: str, listed: list[str], count: int, expected: list[str]
) -> None:
    assert admission.sources("client1", address, listed, count) == expected


@pytest.mark.parametrize(
    ("listed", "count", "sentence"),
    [
        ([], 2, "client1 has 1"),
        (["198.19.1.0/30"], 3, "client1 has 2"),
        (["me"], 1, "neither an address nor a network"),
        (["10.0.0.0/8"], 1, "more than 65,536"),
    ],
)
def test_sources_that_are_not_there_are_refused(listed: list[str], count: int, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        admission.sources("client1", "198.18.0.11", listed, count)


def test_every_port_of_the_server_is_judged() -> None:
    assert admission.ports(request(server_port="9000,9100", server_ports=2)) == [9000, 9001, 9100, 9101]


def test_what_belongs_to_one_workload_makes_no_second_cell_of_another() -> None:
    cells = request(workload="open,ramp", steps="5,20").cells
    assert [(cell["workload"], cell["steps"]) for cell in cells] == [("open", 10), ("ramp", 5), ("ramp", 20)]


def test_the_calibration_does_not_depend_on_the_random_order() -> None:
    found = set()
    for seed in range(20):
        asked = request(payload_bytes="64,65536", server_port="9000,9100")
        trials = planning.make(
            "20261122T190312Z-3f9a1c", seed, asked, CATALOG, SHARED, {"boot_id": HERE}, "/b", None, None, True
        )["trials"]
        found.add((trials[-1]["load"]["payload_bytes"], trials[-1]["server"]["server_port"]))
    assert found == {(64, 9000)}


def client(sources: int) -> dict[str, Any]:
    return {"name": "client1", "role": "client", "weight": 1, "sources": ["198.18.0.11"] * sources}


def test_ports_are_needed_by_the_cell_that_has_the_fewest_for_its_connections() -> None:
    cells = [{"connections": 60000, "server_ports": 3}, {"connections": 1000}]
    asked = resolve({"cells": cells}, CATALOG, ["c10k"], [])
    assert admission.needs(asked, [client(1)])["ports"] == 20000
    assert admission.needs(asked, [client(4)])["ports"] == 5000


def test_hostile_clients_need_ports_and_descriptors_too() -> None:
    need = admission.needs(request(connections=28000, hostile="none,mute:5000"), [client(1)])
    assert (need["ports"], need["descriptors"]) == (33000, 109_000)


def test_a_thousand_stolen_ports_are_one_sentence() -> None:
    facts = {
        "arch": "x86_64", "python": "3.11.2", "port_range": [32768, 60999], "reserved_ports": "40003", "root": True,
        "base_writable": True,
    }  # fmt: skip
    host = {"name": "server", "role": "server", "base": "/b"}
    (sentence,) = admission.problems_of_one(request(server_port=40000, server_ports=1000), host, facts)
    assert "server_port=40000-40002,40004-40999 is inside the ephemeral range of server" in sentence


def test_the_copy_that_proves_a_host_prepared_is_the_last() -> None:
    """A host that failed after it would be measured, with its kernel already put back."""
    plays = yaml.safe_load((ROOT / "playbooks/prepare.yml").read_text())
    (block,) = plays[-1]["tasks"]
    assert [task.get("register") for task in block["block"]] == [None, "c10k_tuned", "c10k_shipped"]
