"""Specifications, budgets, errors and shares: what is refused, and in which words."""

import argparse
import errno
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from contracts.declared import PARAMETERS
from pyloadgen import host
from pyloadgen.__main__ import value_of
from pyloadgen.books import SECOND, Books, SendGaps, total
from pyloadgen.crew import CLASSES, processes_for
from pyloadgen.errors import Loss, Lost, PeerClosed, Refusal
from pyloadgen.generator import Addresses
from pyloadgen.spec import NAMES, Spec, parse, target_of

VECTOR = json.loads((Path(__file__).parents[2] / "contract/vectors/loadgen-spec.json").read_text())


def spec(**changes: Any) -> Spec:
    load = {**VECTOR["load"], "generator": "pool"}
    load.update((name, changes.pop(name)) for name in VECTOR["load"] if name in changes)
    return parse(json.dumps({**VECTOR, "load": load, **changes}))


def refusal(**changes: Any) -> dict[str, str]:
    with pytest.raises(Refusal) as caught:
        spec(**changes)
    return dict(caught.value.event)


@pytest.mark.parametrize(
    ("changes", "cause", "words"),
    [
        ({"version": 3}, "version", "must be 2"),
        ({"generator": "go"}, "generator", "pool, threads, asyncio"),
        ({"workload": "endless"}, "workload", "one of open"),
        ({"workload": "calibrate"}, "workload", "no workload calibrate"),
        ({"workload": ["open"]}, "workload", "must be a text"),
        ({"arrival": "late"}, "arrival", "poisson"),
        ({"connections": "many"}, "connections", "a whole number"),
        ({"connections": True}, "connections", "a whole number"),
        ({"connections": -1}, "connections", "0 or more"),
        ({"connections": 0, "active": 0, "requests": 5}, "connections", "1 or more"),
        ({"rate": None}, "rate", "a number"),
        ({"timeout": float("inf")}, "timeout", "a number"),
        ({"cpus": [0, "1"]}, "cpus", "whole numbers, or null"),
        ({"load": 7}, "json", "load"),
        ({"active": 3335}, "active", "0 to connections"),
        ({"phase": 1.0}, "phase", "below 1"),
        ({"dir": "relative/a/b/c/d"}, "dir", "absolute"),
        ({"cpus": []}, "cpus", "processors"),
        ({"targets": ["server:9000"]}, "targets", "server:9000"),
        ({"targets": ["127.0.0.1:0"]}, "targets", "127.0.0.1:0"),
        ({"sources": ["me"]}, "sources", "'me'"),
        ({"sources": ["10.0.0.0/8"]}, "sources", "65536"),
        ({"hostile": {"kind": "mute", "connections": 3}}, "hostile", "has no hostile but none"),
        ({"pipeline": 4}, "pipeline", "has no pipeline but 1"),
        ({"workload": "calibrate"}, "workload", "pool has no workload calibrate"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], cause: str, words: str) -> None:
    event = refusal(**changes)
    assert (event["phase"], event["cause"]) == ("spec", cause)
    assert words in event["message"]
    assert event["remedy"]


@pytest.mark.parametrize("text", ["", "[]", "{", "7"])
def test_what_is_no_specification(text: str) -> None:
    with pytest.raises(Refusal):
        parse(text)


def test_the_vector_is_accepted() -> None:
    assert spec().connections == 3334
    assert spec(generator="asyncio", pipeline=8, workload="churn").pipeline == 8


def test_sources_and_targets_in_turn() -> None:
    given = spec(sources=["127.0.1.0/30", "127.0.0.9"], targets=["127.0.0.1:9000", "127.0.0.1:9001"])
    found = []
    for index in range(8):
        sock, target = Addresses(given).open(index)
        with sock:
            found.append((sock.getsockname()[0], target[1]))
    first, second, third = "127.0.1.1", "127.0.1.2", "127.0.0.9"
    assert found == [
        (first, 9000), (second, 9000), (third, 9000), (first, 9001), (second, 9001), (third, 9001),
        (first, 9000), (second, 9000),
    ]  # fmt: skip
    assert target_of("[::1]:9001") == (socket.AF_INET6, ("::1", 9001))


@pytest.mark.parametrize(
    ("port_range", "reserved", "count"),
    [("32768\t60999\n", "\n", 28_232), ("100 199", "90-109,150,300", 89), ("5 5", "", 1)],
)
def test_ports_are_counted(port_range: str, reserved: str, count: int) -> None:
    assert host.count_ports(port_range, reserved) == count


@pytest.mark.parametrize(
    ("changes", "descriptors", "ports", "cause", "need"),
    [
        ({}, 3397, 9999, "descriptors", "3398"),
        ({"generator": "asyncio", "processes": 2}, 1000, 9999, "descriptors", "1731"),
        ({}, 9999, 3333, "ports", "3334"),
        ({"targets": ["127.0.0.1:1", "127.0.0.1:2"], "sources": ["127.0.0.2/31"]}, 9999, 833, "ports", "834"),
    ],
)
def test_the_budget(changes: dict[str, Any], descriptors: int, ports: int, cause: str, need: str) -> None:
    given = spec(**{"processes": 1, **changes})
    with pytest.raises(Refusal) as caught:
        host.check(given, given.processes or 1, descriptors, f"1 {ports}", "")
    assert caught.value.event["cause"] == cause
    assert need in caught.value.event["message"]
    host.check(given, given.processes or 1, 99_999, "1 99999", "")


def test_too_many_threads_are_refused_before_the_first_socket() -> None:
    with pytest.raises(Refusal) as caught:
        host.check_threads(10_000_000, 1)
    assert (caught.value.event["phase"], caught.value.event["cause"]) == ("budget", "threads")
    assert "10000016" in caught.value.event["message"]
    host.check_threads(10, 1)


@pytest.mark.parametrize(
    ("changes", "descriptors", "count"),
    [
        ({}, 20_000, 16),
        ({"connections": 3, "active": 3}, 20_000, 3),
        ({"connections": 0, "active": 0}, 20_000, 1),
        ({"processes": 2}, 20_000, 2),
        ({"generator": "asyncio"}, 20_000, 1),
        ({"generator": "asyncio"}, 1064, 4),
        ({"generator": "asyncio", "connections": 9_000_000}, 1064, 64),
    ],
)
def test_processes(changes: dict[str, Any], descriptors: int, count: int) -> None:
    assert processes_for(spec(**changes), descriptors) == count


@pytest.mark.parametrize(
    ("error", "phase", "cause", "who"),
    [
        (OSError(errno.EMFILE, ""), "connect", "descriptors", "host"),
        (OSError(errno.EADDRNOTAVAIL, ""), "connect", "ports", "host"),
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), "connect", "refused", "server"),
        (ConnectionResetError(errno.ECONNRESET, ""), "read", "reset", "server"),
        (PeerClosed(), "read", "peer-closed", "server"),
        (TimeoutError(), "connect", "timeout", "network"),
        (TimeoutError(), "read", "timeout", "server"),
        (OSError(errno.ENETUNREACH, ""), "connect", "unreachable", "network"),
        (OSError(errno.EBADF, ""), "read", "other", "generator"),
    ],
)
def test_errors_have_a_cause_and_somebody_to_blame(error: OSError, phase: str, cause: str, who: str) -> None:
    assert (Lost.of(phase, error).name, Lost.of(phase, error).blame) == (f"{phase}/{cause}", who)
    losses = [Loss.of(Lost.of(phase, error), number) for number in (7, 8)]
    assert (losses[0].phase, losses[0].cause, losses[0].errno, losses[0].blame) == (phase, cause, error.errno, who)
    assert losses[0].first.startswith("connection 7: ")


def test_gaps_are_spread_over_the_window() -> None:
    gaps = SendGaps(0, 6400)
    for now in range(-10, 7000):
        gaps.note(now)
    assert gaps.gaps() == [1] * 2048


def test_reports_of_processes_add_up() -> None:
    reports = []
    for n in range(3):
        books = Books(spec())
        books.begin(0, 1, lambda _: None)
        request = books.plan(2 * SECOND)
        request.sent, request.right = 2 * SECOND + 1000 + n, True
        books.sent(request)
        books.judge(request, request.sent + 1000)
        books.connected(1_500_000_000)
        for _ in range(4):
            books.verified()
        for _ in range(2):
            books.lost(Lost("read", "reset", errno.ECONNRESET), n, arming=True)
        reports.append(books.report(still_open=3))
    whole = total(reports)
    assert [at % SECOND for at in whole["sends"] if at] == [1000, 1000, 1001, 1001, 1002, 1002]
    assert whole["connections"] == {"armed": 12, "open": 9, "lost": 3}
    assert whole["left"] == 3
    late = books.plan(2 * SECOND)
    late.sent = 99 * SECOND  # the window was over long before
    books.sent(late)
    assert books.report(still_open=3)["left"] == 1
    assert [whole["kinds"][kind].total for kind in ("lag", "service", "connect", "loop_lag")] == [3, 3, 3, 0]
    assert [(name, row.count, row.first[:12]) for name, row in whole["errors"].items()] == [
        ("read/reset", 6, "connection 0")
    ]
    assert total([books.armed] * 2) == {
        "connected": 2, "verified": 8, "failed": {"read/reset": 4}, "syn_retries": {"1": 2, "2": 0, "3": 0}
    }  # fmt: skip


def test_every_declared_generator_has_its_class() -> None:
    assert list(CLASSES) == NAMES["generator"]


def test_a_share_may_be_fractional_or_nothing() -> None:
    given = spec(rate=0.5, connect_rate=0.25)
    assert (given.rate, given.connect_due_ns(3)) == (0.5, 12_000_000_000)
    assert spec(rate=0, connect_rate=0).connect_due_ns(3) == 3_000_000_000
    assert spec(connect_rate=None).connect_due_ns(3) == 0


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("connections", "10k", 10_000), ("connections", "1.5k", 1500), ("connections", "2M", 2_000_000),
        ("connections", "7", 7), ("connections", "0.5k", 500), ("duration", "5s", 5), ("timeout", "0.5s", 0.5),
        ("active", "all", "all"),
    ],
)  # fmt: skip
def test_values_as_a_person_types_them(name: str, text: str, value: object) -> None:
    assert value_of(PARAMETERS[name])(text) == value


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("connections", "0", "1 to 10,000,000"), ("connections", "10kk", "not a whole number"),
        ("duration", "1.5s", "not a whole number"), ("timeout", "61", "0.1 to 60 s"), ("payload_bytes", "31", "32 to"),
        ("pipeline", "65", "1 to 64"), ("think_time", "-1s", "0 to 3600"), ("rate", "nan", "not a whole number"),
    ],
)  # fmt: skip
def test_ranges_are_judged_where_a_person_types(name: str, text: str, words: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        value_of(PARAMETERS[name])(text)
