"""Does a host fit the run? What is said where it does not."""

import dataclasses
from typing import Any

import pytest

from planner import commands, fitness, room
from planner.check import DOUBTFUL, FITS, REFUSED, Check, doubts, refusals
from tests.unit.planner.asking import CATALOG, probed, request


def wrong(given: dict[str, Any], of: dict[str, Any]) -> list[tuple[str, str]]:
    """Verdict and sentence of every check of one host that is not met; the host stands beside another."""
    other = probed("client2") if of["name"] == "server" else probed("server", boot_id="elsewhere")
    found = fitness.checks_of(request(**given), CATALOG, [of, other])
    return [(check.verdict, check.sentence) for check in found if check.host == of["name"] and check.verdict != FITS]


REFUSALS: list[tuple[dict[str, Any], dict[str, Any], str | None]] = [
    ({}, probed(), None),
    ({}, probed("server"), None),
    ({}, probed(problem="has no Python at /usr/bin/python3: install it."), "client1 has no Python at"),
    ({}, {**probed(), "probe": None}, "leave --limit away"),
    ({}, probed(arch="riscv64"), "client1 is a riscv64"),
    ({}, probed("server", arch="riscv64"), None),
    ({}, probed("server", python="3.8.10"), "server has Python 3.8.10 but the server needs 3.9"),
    ({}, probed(python="3.8.10"), None),
    ({"python": "3.13"}, probed("server"), None),
    ({"python": "3.13,3.14t"}, probed("server"), "server: of Python 3.14t it has none that its user may run"),
    ({"python": "/opt/old"}, probed("server"), "server: of /opt/old it has 3.8.1 there, and the servers need 3.9"),
    ({"python": "3.14t"}, probed(), None),
    ({}, probed(base_writable=False, root=False), "may neither write /var/lib/c10k nor become root"),
    ({}, probed(base_writable=False, obstacle="/srv is a link, or no directory"), "since /srv is a link"),
    ({}, probed(base_writable=False), None),
    ({}, probed(obstacle="/var/lib/c10k/client1 is there, and belongs to another"), None),
    ({"tune": "required"}, probed(root=False), "tune=required"),
    ({"tune": "auto"}, probed(root=False), None),
    ({"server_port": 40000}, probed("server"), "below 32768"),
    ({"server_port": 40000}, probed("server", reserved_ports="1,39999-40001"), None),
    ({"server_port": 40000}, probed(), None),
    ({"server_cpus": "0,9"}, probed("server"), "server_cpus names CPU 9, which it does not have; it has 0-3."),
    ({"client_cpus": "4"}, probed(), "client1: client_cpus names CPU 4, which it does not have; it has 0-3."),
    ({"server_cpus": "0,9", "client_cpus": "3"}, probed(), None),
    (
        {}, probed("server", ports_held=[{"port": 9000, "why": "is in use by nginx (process 7)"}]),
        "server: port 9000 of 198.18.0.10 is in use by nginx (process 7); stop that",
    ),
    # A run that is going on is named by its lock.
    ({}, probed("server", ports_held=[{"port": 9000, "why": "is in use"}], agent={"run": "r"}), None),
    ({}, probed(address_problem="Cannot assign requested address"), "cannot use its c10k_load_address 198.18.0.11"),
    ({}, probed(disk_free_bytes=1 << 20), "has 1 MiB free, and programs and logs need 64 MiB"),
    ({}, probed(noexec=True), "noexec, where go cannot run"),
    ({"generator": "asyncio"}, probed(noexec=True), None),
    ({}, probed("server", noexec=True), None),
    ({"strategy": "poll,c_epoll,uvloop"}, probed("server", noexec=True), "noexec, where c_epoll, uvloop cannot run"),
    ({}, probed("server", nofile_hard=4096), "epoll needs 10,064 descriptors in one process, and the hard limit"),
    # A limit of the strategy is a result, and several processes share the connections.
    ({"strategy": "select,poll", "connections": 4000}, probed("server", nofile_hard=4096), None),
    ({"strategy": "workers,select"}, probed("server", nofile_hard=4096), None),
    ({"server_command": "./mine {host} {port}"}, probed("server", nofile_hard=4096), None),
    ({"server_command": "/opt/mine {host} {port}"}, probed("server"), None),
    (
        {"server_command": "/opt/mine {host} {port}"}, probed("server", absent=["/opt/mine"]),
        "server has no /opt/mine that its user may run: put it there, and name it",
    ),
    (
        {"server_command": "python3 /opt/mine.py {host} {port}"}, probed("server", absent=["/opt/mine.py"]),
        "server has no /opt/mine.py that its user may read",
    ),
    ({"server_command": "/opt/mine {host} {port}"}, probed(absent=["/opt/mine"]), None),
    ({}, probed(nofile_hard=80), None),
    ({}, probed(nofile_hard=64), "its share of 10,000 connections needs 74 descriptors in each of 1024 processes"),
    ({"generator": "threads"}, probed(nofile_hard=64), None),
    ({"connections": 3_000_000}, probed("server", nofile_hard=9_000_000, memory_bytes=8 << 30), "need 22.9 GiB of its"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "of", "sentence"), REFUSALS)
def test_a_host_that_does_not_fit_is_named(given: dict[str, Any], of: dict[str, Any], sentence: str | None) -> None:
    found = wrong(given, of)
    if sentence is None:
        assert found == []
    else:
        assert [verdict for verdict, _ in found] == [REFUSED]
        assert sentence in found[0][1]


OWN = {"name": "bench", "uid": 1001, "user": 1000, "reached": True, "root": False}


@pytest.mark.parametrize(
    ("of", "sentence"),
    [
        ({}, None),
        ({"uid": None, "reached": False}, "server has no account bench: make it there"),
        (
            {"name": "root", "uid": 0},
            "server: its c10k_account root has the user id 0, so it may do everything: give another account",
        ),
        ({"uid": 1000}, "server: bench is the user that SSH logs in with"),
        ({"reached": False}, "may not run programs as bench without a password"),
        ({"root": True}, "bench may become root by sudo without a password, so it is no boundary"),
    ],
)
def test_an_account_that_is_no_boundary_is_refused(of: dict[str, Any], sentence: str | None) -> None:
    server = probed("server")
    server["probe"]["account"] = {**OWN, **of}
    found = wrong({}, server)
    assert [verdict for verdict, _ in found] == ([REFUSED] if sentence else [])
    assert all((sentence or "") in text for _, text in found)


def test_the_base_is_the_accounts() -> None:
    server = probed("server", base_writable=False, obstacle="/var/lib/c10k/server is there, and belongs to another")
    server["probe"]["account"] = OWN
    assert "bench may not write /var/lib/c10k/server" in wrong({}, server)[0][1]


CGROUP = {"memory_bytes": None, "pids": None}
DOUBTS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"disk_free_bytes": 100 << 20}, "has 100 MiB free"),
    ({}, {"memory_available_bytes": 30 << 20}, "need 39.1 MiB of its kernel's memory at least, and it has 30 MiB left"),
    ({}, {"cgroup": {**CGROUP, "memory_bytes": 20 << 20}}, "its session's cgroup (memory.max) has 20 MiB left"),
    ({}, {"cgroup": {**CGROUP, "pids": 100}}, "room for 100 processes and threads (pids.max)"),
    (
        {},
        {"conntrack": {"max": 8192, "count": 10}},
        "do not fit into the 8,182 free entries of its connection tracking",
    ),
]


@pytest.mark.parametrize(("given", "facts", "sentence"), DOUBTS)
def test_what_is_only_likely_to_fail_is_a_doubt(given: dict[str, Any], facts: dict[str, Any], sentence: str) -> None:
    ((verdict, said),) = wrong(given, probed(**facts))
    assert verdict == DOUBTFUL and said.startswith("client1: ") and sentence in said


def test_enough_is_no_doubt() -> None:
    facts: dict[str, Any] = {
        "conntrack": {"max": 65536, "count": 10},
        "cgroup": {"memory_bytes": 1 << 30, "pids": 9000},
    }
    assert wrong({}, probed(**facts)) == []


@pytest.mark.parametrize(("ahead_s", "words"), [(-3600.0, "3600 s behind"), (90.0, "90 s ahead of"), (4.0, None)])
def test_a_clock_that_is_wrong_is_a_doubt(ahead_s: float, words: str | None) -> None:
    of = probed()
    of["probe"]["clock_ahead_s"] = ahead_s
    found = wrong({}, of)
    assert (words is None and found == []) or (words and words in found[0][1] and found[0][0] == DOUBTFUL)


def test_hosts_on_one_kernel_share_its_memory() -> None:
    hosts = [probed("server"), probed("client1"), probed("client2")]
    found = fitness.checks_of(request(), CATALOG, hosts)
    assert {check.need for check in found if check.what == "memory"} == {"78.1 MiB"}


def test_a_share_is_by_weight() -> None:
    hosts = [probed("server"), {**probed("client1"), "weight": 3}, probed("client2")]
    assert [room.ends(request(), hosts, host) for host in hosts] == [10_000, 7_500, 2_500]
    assert room.ends(request(hostile="mute:5000"), hosts, hosts[0]) == 15_000


def test_all_problems_of_all_hosts_are_told_at_once() -> None:
    hosts = [probed("server", python="3.7.1", noexec=True), probed(arch="riscv64", disk_free_bytes=0)]
    found = fitness.checks_of(request(strategy="c_epoll"), CATALOG, hosts)
    assert sum(check.verdict == REFUSED for check in found) == 4


def test_every_check_has_words_for_need_and_have() -> None:
    for check in fitness.checks_of(request(), CATALOG, [probed("server"), probed()]):
        assert all(dataclasses.astuple(check)[:5]), check
        assert (check.verdict == FITS) == (check.sentence == "")


def test_every_port_of_the_server_is_judged() -> None:
    assert fitness.ports(request(server_port="9000,9100", server_ports=2)) == [9000, 9001, 9100, 9101]


def test_a_thousand_stolen_ports_are_one_sentence() -> None:
    ((_, sentence),) = wrong({"server_port": 40000, "server_ports": 1000}, probed("server", reserved_ports="40003"))
    assert "server_port=40000-40002,40004-40999 is inside its ephemeral range" in sentence


@pytest.mark.parametrize(
    ("command", "programs", "scripts"),
    [
        ("/opt/mine --on {host}:{port}", ["/opt/mine"], []),
        ("python3.12 /opt/mine.py {host} {port}", ["python3.12"], ["/opt/mine.py"]),
        ("/usr/bin/python3 -m mine {host} {port}", ["/usr/bin/python3"], []),
        ("sh {host}:{port}", ["sh"], []),
        ("'/opt/my server' {host} {port}", ["/opt/my server"], []),
    ],
)
def test_what_a_command_names(command: str, programs: list[str], scripts: list[str]) -> None:
    assert commands.words(request(server_command=command)) == {"programs": programs, "scripts": scripts}
    assert commands.words(request()) == {"programs": [], "scripts": []}


def test_hosts_that_cannot_be_reached_for_one_reason_are_named_together() -> None:
    said = {
        "a": " cannot be reached: x.",
        "b": " has no Python.",
        "c": " cannot be reached: x.",
        "d": " cannot be reached: y.",
    }
    checks = [Check(name, "reached", "yes", "no", REFUSED, name + rest) for name, rest in said.items()]
    assert refusals([*checks, Check("e", "clock", "", "", DOUBTFUL, "e is late.")]) == [
        "a, c cannot be reached: x.", "b has no Python.", "d cannot be reached: y.",
    ]  # fmt: skip


def test_what_holds_of_several_hosts_is_told_once() -> None:
    """The defect: four lines on one earlier run, a line a host."""
    own = [Check(name, "x", "", "", verdict, f"{name}{text}") for name, verdict, text in (
        ("server", DOUBTFUL, ": logs of a were not collected"), ("client1", DOUBTFUL, " is slow"),
        ("client2", DOUBTFUL, ": logs of a were not collected"), ("client3", REFUSED, " is off"),
    )]  # fmt: skip
    assert doubts(own) == ["server, client2: logs of a were not collected", "client1 is slow"]
