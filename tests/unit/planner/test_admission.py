"""May the run begin, and what is asked of each kernel?"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from planner import admission
from planner.cells import Request
from planner.parameters import Refused
from tests.unit.planner.asking import CATALOG, request
from tests.unit.planner.asking import probed as host

ROOT = Path(__file__).parents[3]
PROFILES = ROOT / "playbooks/profiles"
PROFILE = yaml.safe_load((PROFILES / "c10k.yml").read_text())
CONTROLLER = {"boot_id": "here", "netns": 1}


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


def test_an_inventory_may_say_itself_why_it_has_no_host() -> None:
    with pytest.raises(Refused, match=r"^nobody is up$"):
        admission.check_groups({"c10k_server": [], "c10k_clients": []}, "nobody is up")
    with pytest.raises(Refused, match="no host in the group c10k_clients"):
        admission.check_groups({"c10k_server": ["a"]}, "nobody is up")


def test_what_earlier_runs_left_is_one_line_a_host() -> None:
    left = host(tuned_by=["run-1"], agent={"run": "run-2"}, uncollected=["run-3", "run-4"])
    line = admission.leftovers(left, False, {"run-1", "run-2", "run-3", "run-4"}.__contains__)
    assert line and "\n" not in line
    for word in ("client1", "run-1", "playbooks/stop.yml", "collect.yml -e run=run-4", "1 more"):
        assert word in line
    assert admission.leftovers(host(), False, {"run-1", "run-2", "run-3", "run-4"}.__contains__) is None


def test_the_logs_of_another_checkout_are_not_told_of() -> None:
    """The defect: a fresh clone was told to collect the runs of somebody else."""
    assert admission.leftovers(host(uncollected=["run-3"]), False, set().__contains__) is None
    line = admission.leftovers(host(uncollected=["run-3", "run-4"]), False, {"run-3"}.__contains__)
    assert line and "run-3 were" in line and "run-4" not in line


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
    assert tuned(here, backlog=9999)[0]["server"] == ["net.core.somaxconn"]
    reserved_first = ["net.ipv4.ip_local_reserved_ports", "net.ipv4.ip_local_port_range"]
    assert tuned(here, connections=30000)[0]["client1"] == reserved_first
    assert len(tuned(here, tune="required")[0]["server"]) == len(PROFILE)


def test_the_syn_backlog_counts_only_where_no_cookies_are_sent() -> None:
    """A listener (4096) kept 300 of 300 unfinished handshakes with tcp_max_syn_backlog 16; without cookies 13."""
    without = [host(name, boot_id="here", netns=1, syncookies=0) for name in ("server", "client1")]
    keys = ["net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog"]
    assert tuned(without, backlog=9999)[0]["server"] == keys


def test_a_namespace_of_the_controllers_machine_is_not_its_own_but_the_global_keys_are() -> None:
    chosen, _ = tuned([host("server", boot_id="here"), host(boot_id="here")])
    scopes = {entry["key"]: entry["scope"] for entry in PROFILE}
    assert {scopes[key] for key in chosen["server"]} == {"netns"}


def test_without_root_nothing_is_asked_and_one_line_says_so() -> None:
    chosen, lines = tuned([host("server", root=False), host(root=False)])
    assert chosen == {"server": [], "client1": []}
    assert len(lines) == 1 and "server, client1" in lines[0]
    assert tuned([host("server"), host()], tune="off") == ({"server": [], "client1": []}, [])


def test_a_profile_of_nothing_says_what_is_too_small() -> None:
    given, hosts = request(backlog=9999), [host("server", boot_id="here", netns=1), host()]
    chosen, lines = admission.tuning(given, hosts, CONTROLLER, [])
    assert chosen == {"server": [], "client1": []}
    (line,) = lines
    assert "tunes nothing, and net.core.somaxconn is less" in line
    assert admission.tuning(request(), hosts, CONTROLLER, [])[1] == []


@pytest.mark.parametrize("name", ["none", "c10k", "c100k", "c1m"])
def test_a_profile_says_why_and_spares_the_default_port(name: str) -> None:
    profile = yaml.safe_load((PROFILES / f"{name}.yml").read_text())
    for entry in profile:
        assert {"key", "value", "scope", "why"} <= set(entry) <= {"key", "value", "scope", "why", "at_least"}
        assert entry["scope"] in ("netns", "global")
    for entry in profile:
        if entry["key"].endswith("port_range"):
            low, high = entry["value"].split()
            assert int(low) > 9000
            assert (int(high) - int(low)) % 2 == 1


def test_c_programs_need_a_compiler_and_the_same_architecture() -> None:
    def answer(asked: Request, arch: str, compiler: bool) -> tuple[bool, str]:
        wanted, sentence = admission.references(asked, CATALOG, host("server", arch=arch), "x86_64", compiler)
        return wanted, str(sentence)

    assert answer(request(calibrate="false"), "aarch64", False) == (False, "None")
    assert answer(request(), "x86_64", True) == (True, "None")
    wanted, sentence = answer(request(), "x86_64", False)
    assert not wanted and "no `cc`" in sentence
    wanted, sentence = answer(request(strategy="c_epoll"), "aarch64", True)
    assert not wanted and "c_epoll" in sentence and "aarch64" in sentence
    assert admission.programs_asked(request(strategy="c_epoll,poll,go_goroutine"), CATALOG) == ["c_epoll"]


def test_servers_in_go_are_built_for_the_servers_architecture_whatever_the_controllers() -> None:
    def answer(asked: Request, arch: str) -> tuple[str | None, str | None]:
        return admission.go_servers(asked, CATALOG, host("server", arch=arch))

    asked = request(strategy="poll,go_goroutine")
    assert answer(request(), "aarch64") == (None, None)
    assert answer(asked, "aarch64") == ("arm64", None)
    assert answer(asked, "x86_64") == ("amd64", None)
    arch, sentence = answer(asked, "riscv64")
    assert arch is None
    assert all(word in str(sentence) for word in ("go_goroutine", "server is a riscv64", "aarch64"))


def test_ports_are_needed_by_the_cell_that_has_the_fewest_for_its_connections() -> None:
    cells = [{"connections": 60000, "server_ports": 3}, {"connections": 1000}]
    asked = request(cells=cells)
    assert admission.needs(asked, [host()])["ports"] == 20000
    assert admission.needs(asked, [{**host(), "sources": ["198.18.0.11"] * 4}])["ports"] == 5000


def test_hostile_clients_need_ports_and_descriptors_too() -> None:
    need = admission.needs(request(connections=28000, hostile="none,mute:5000"), [host()])
    assert (need["ports"], need["descriptors"]) == (33000, 109_000)


def test_the_copy_that_proves_a_host_prepared_is_the_last() -> None:
    """A host that failed after it would be measured, with its kernel already put back."""
    plays = yaml.safe_load((ROOT / "playbooks/prepare.yml").read_text())
    (block,) = plays[-1]["tasks"]
    assert [task.get("register") for task in block["block"]] == [None, "c10k_tuned", "c10k_shipped"]
