"""May the run begin, and what is asked of each kernel?"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from planner import admission
from planner.cells import Request, resolve
from planner.parameters import Refused
from tests.unit.planner.test_parameters import CATALOG

ROOT = Path(__file__).parents[3]
PROFILE = yaml.safe_load((ROOT / "playbooks/profiles/c10k.yml").read_text())
CONTROLLER = {"boot_id": "here", "netns": 1}


def request(**given: Any) -> Request:
    return resolve(given, CATALOG, ["c10k"], [])


def host(name: str = "client1", problem: str | None = None, **facts: Any) -> dict[str, Any]:
    found = {
        "python": "3.11.2", "arch": "x86_64", "base_writable": True, "root": True, "port_range": [32768, 60999],
        "reserved_ports": "", "boot_id": "there", "netns": 2, "somaxconn": 4096, "syn_backlog": 4096,
        "file_max": 1_000_000, "tuned_by": [], "agent": None, "uncollected": [], **facts,
    }  # fmt: skip
    return {
        "name": name, "role": "server" if name == "server" else "client", "base": "/var/lib/c10k", "weight": 1,
        "sources": ["198.18.0.11"], "probe": {"problem": problem, "facts": found},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ({"c10k_clients": ["a"]}, "no host in the group c10k_server"),
        ({"c10k_server": ["a"], "c10k_clients": []}, "no host in the group c10k_clients"),
        ({"c10k_server": ["a", "b"], "c10k_clients": ["c"]}, r"has 2 hosts \(a, b\)"),
        ({"c10k_server": ["a"], "c10k_clients": ["a"]}, "a is in both"),
    ],
)
def test_an_inventory_that_cannot_be_measured_is_refused(groups: dict[str, list[str]], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        admission.check_groups(groups)


PROBLEMS = [
    ({}, host(), None),
    ({}, host(problem="has no Python at /usr/bin/python3: install it."), "client1 has no Python at"),
    ({}, {**host(), "probe": None}, "leave --limit away"),
    ({}, host(arch="riscv64"), "client1 is a riscv64"),
    ({}, host("server", arch="riscv64"), None),
    ({}, host("server", python="3.8.10"), "server has Python 3.8.10 but the server needs 3.9"),
    ({}, host(python="3.8.10"), None),
    ({}, host(base_writable=False, root=False), "may neither write /var/lib/c10k nor become root"),
    ({"tune": "required"}, host(root=False), "tune=required"),
    ({"tune": "auto"}, host(root=False), None),
    ({"server_port": 40000}, host("server"), "below 32768"),
    ({"server_port": 40000}, host("server", reserved_ports="1,39999-40001"), None),
    ({"server_port": 40000}, host(), None),
]


@pytest.mark.parametrize(("given", "of", "sentence"), PROBLEMS)
def test_a_host_that_does_not_fit_is_named(given: dict[str, Any], of: dict[str, Any], sentence: str | None) -> None:
    found = admission.problems_of(request(**given), [of])
    assert (found == []) if sentence is None else sentence in " ".join(found)


def test_what_earlier_runs_left_is_one_line_a_host() -> None:
    left = host(tuned_by=["run-1"], agent={"run": "run-2"}, uncollected=["run-3", "run-4"])
    line = admission.leftovers(left, keep_tuned=False)
    assert line and "\n" not in line
    for word in ("client1", "run-1", "playbooks/stop.yml", "collect.yml -e run=run-4", "1 more"):
        assert word in line
    assert admission.leftovers(host(), keep_tuned=False) is None


def tuned(hosts: list[dict[str, Any]], **given: Any) -> tuple[dict[str, list[str]], list[str]]:
    """The keys that each host is asked for, and the lines about them."""
    chosen, lines = admission.tuning(request(**given), hosts, CONTROLLER, PROFILE)
    return {name: [entry["key"] for entry in entries] for name, entries in chosen.items()}, lines


def test_a_host_of_its_own_gets_the_whole_profile() -> None:
    chosen, lines = tuned([host("server"), host()])
    assert (chosen["server"], lines) == ([entry["key"] for entry in PROFILE], [])


def test_the_controllers_own_kernel_is_touched_only_where_it_must_be() -> None:
    here = [host(name, boot_id="here", netns=1) for name in ("server", "client1")]
    chosen, lines = tuned(here)
    assert chosen["server"] == []
    assert len(lines) == 1 and "nothing" in lines[0]
    assert tuned(here, backlog=9999)[0]["server"] == ["net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog"]
    assert tuned(here, connections=30000)[0]["client1"] == ["net.ipv4.ip_local_port_range"]
    assert len(tuned(here, tune="required")[0]["server"]) == len(PROFILE)


def test_a_namespace_of_the_controllers_machine_is_not_its_own_but_the_global_keys_are() -> None:
    chosen, _ = tuned([host("server", boot_id="here"), host(boot_id="here")])
    scopes = {entry["key"]: entry["scope"] for entry in PROFILE}
    assert {scopes[key] for key in chosen["server"]} == {"netns"}


def test_without_root_nothing_is_asked_and_one_line_says_so() -> None:
    chosen, lines = tuned([host("server", root=False), host(root=False)])
    assert chosen == {"server": [], "client1": []}
    assert len(lines) == 1 and "server, client1" in lines[0]
    assert tuned([host("server"), host()], tune="off") == ({"server": [], "client1": []}, [])


def test_the_profile_says_why_and_spares_the_default_port() -> None:
    for entry in PROFILE:
        assert {"key", "value", "scope", "why"} <= set(entry) <= {"key", "value", "scope", "why", "at_least"}
        assert entry["scope"] in ("netns", "global")
    low, high = next(e["value"] for e in PROFILE if e["key"].endswith("port_range")).split()
    assert int(low) > 9000
    assert (int(high) - int(low)) % 2 == 1
