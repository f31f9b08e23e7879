"""Checks of the data: just below and just above each threshold, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.analysis.check_data import RUN, Rows, change, found, healthy, told


def file(path: str, state: str) -> Rows:
    rows = healthy()
    rows["files"] = [
        {"run": RUN, "path": "plan.yml", "state": "whole"},
        {"run": RUN, "path": path, "state": state, "detail": "10 of 20 bytes"},
    ]
    return rows


def test_a_whole_file_is_no_finding() -> None:
    assert told("DT1", file("hosts/client1/003/agent.jsonl", "whole")) == []


@pytest.mark.parametrize("state", ["missing", "truncated", "changed"])
def test_a_file_of_a_trial(state: str) -> None:
    (one,) = found(file("hosts/client1/003/agent.jsonl", state))
    assert (one["check"], one["severity"], one["trials"], one["hosts"]) == ("DT1", "warn", [3], ["client1"])
    assert one["message"] == f"hosts/client1/003/agent.jsonl is {state} (10 of 20 bytes)."


def test_a_changed_events_file_strikes_all() -> None:
    (one,) = found(file("events.jsonl", "changed"))
    assert one["severity"] == "invalid" and one["cells"] == ["c-epoll", "c-poll"] and one["trials"] == []
    (one,) = found(file("events.jsonl", "truncated"))
    assert one["severity"] == "warn" and one["cells"] == []


def test_a_run_cut_off_is_told_once() -> None:
    rows = healthy()
    rows["runs"][0]["is_whole"] = False
    change(rows, "trials", 18, outcome="not run")
    change(rows, "trials", 17, outcome="unfinished")
    (one,) = found(rows)
    assert one["check"] == "DT1" and "2 trials have no result" in one["message"]


@pytest.mark.parametrize(("k", "expected"), [(11, []), (5, ["DT8"])])
def test_a_second_that_is_missing_between_others(k: int, expected: list[str]) -> None:
    rows = healthy()
    rows["intervals"] = [row for row in rows["intervals"] if (row["trial"], row["host"], row["k"]) != (1, "client2", k)]
    assert told("DT8", rows) == [1] * len(expected)


@pytest.mark.parametrize(
    ("tuning", "expected"),
    [
        ({"server": {"keys": [], "restored": True}}, []),
        ({"server": {"keys": [], "restored": True, "moved": []}}, []),
        ({"server": {"moved": [{"key": "net.core.somaxconn", "set": "65535", "found": "4096"}]}}, ["DT11"]),
        ({"server": {"moved": 7}, "client1": 7, "client2": {"moved": [3, None]}}, []),
    ],
)
def test_a_tuned_value_that_moved_makes_every_trial_suspect(tuning: dict[str, Any], expected: list[str]) -> None:
    rows = healthy()
    rows["runs"][0]["tuning"] = json.dumps(tuning)
    findings = [one for one in found(rows) if one["check"] == "DT11"]
    assert [one["check"] for one in findings] == expected
    for one in findings:
        assert one["severity"] == "warn" and len(one["trials"]) == len(rows["trials"]) and one["hosts"] == ["server"]
        assert "net.core.somaxconn of server was set to 65535 and later was 4096" in one["message"]


@pytest.mark.parametrize(
    ("resumed", "message"),
    [
        ({}, None),
        (
            {"2026-11-29T10:00:00Z": {"missing": [3, 4], "rebooted": []}},
            "The run was broken off, and 2 of its trials were measured from 2026-11-29T10:00:00Z on.",
        ),
        (
            {"2026-11-29T10:00:00Z": {"missing": [3], "rebooted": ["client1"]}},
            "The run was broken off, and 1 of its trials were measured from 2026-11-29T10:00:00Z on; client1 had "
            "started anew in between.",
        ),
    ],
)
def test_a_run_in_parts_says_so(resumed: dict[str, Any], message: str | None) -> None:
    rows = healthy()
    rows["runs"][0]["resumed"] = json.dumps(resumed)
    assert [one["message"] for one in found(rows) if one["check"] == "DT12"] == ([message] if message else [])


def test_conservation() -> None:
    rows = change(healthy(), "trials", 1, answered_requests=10_799, failed_requests=1)
    assert told("DT2", rows) == []
    (one,) = found(change(rows, "trials", 1, failed_requests=0))
    assert (one["check"], one["severity"], one["trials"]) == ("DT2", "invalid", [1])
    assert one["message"] == "Of 10,800 planned requests 10,799 are accounted for."


def test_a_worker_that_was_ended_may_have_sent_what_it_did_not_count() -> None:
    rows = change(healthy(), "trials", 1, disturb="restart/1s", disturbed=2)
    change(rows, "workers", 1, bytes_out=64 * 10_800 - 2 * 16_384)
    assert told("DT2", rows) == []
    assert told("DT2", change(rows, "workers", 1, bytes_out=64 * 10_799 - 2 * 16_384)) == [1]
    rows = change(healthy(), "trials", 1, disturb="stall:100ms/1s", disturbed=2)  # which ends nobody
    assert told("DT2", change(rows, "workers", 1, bytes_out=64 * 10_799)) == [1]


def test_a_limit_that_was_met_before_the_load_disturbs_nobody() -> None:
    assert told("DT13", change(healthy(), "trials", 1, disturb="restart/1s", disturbed=0, outcome="dnf")) == []


@pytest.mark.parametrize(
    "fields", [{"mismatched_requests": 1, "answered_requests": 10_799}, {"surplus_replies": 2}], ids=str
)
def test_wrong_replies_of_a_trial(fields: dict[str, Any]) -> None:
    rows = change(healthy(), "trials", 1, outcome="invalid", reason="replies were wrong", **fields)
    (one,) = found(rows)
    assert (one["check"], one["severity"], one["trials"]) == ("DT3", "invalid", [1])


def test_the_thinnest_tail_is_told() -> None:
    rows = change(healthy(), "trials", 1, response_p99_9_tail_requests=50.0)
    change(rows, "trials", 2, response_p99_9_tail_requests=7.0, response_p99_tail_requests=70.0)
    (one,) = found(rows)
    assert one["message"] == (
        "Too few requests lie beyond a percentile: the p99 on 70 and the p99.9 on 7.0 (trial 2, the worst of 2)."
    )


def drifting(factor: float, seconds: int = 12) -> Rows:
    rows = healthy()
    rows["seconds"] = [row for row in rows["seconds"] if row["trial"] != 1 or row["k"] < seconds]
    for row in rows["seconds"]:
        if row["trial"] == 1 and row["k"] >= seconds / 2:
            row["response_p50_ns"] *= factor
    return rows


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # Both halves' medians are 0.2015 ms, or 0.201 and 0.202 of five seconds each.
        (drifting(1.09), []),
        (drifting(1.12), ["DT6"]),
        (drifting(0.88), ["DT6"]),
        (drifting(1.12, seconds=10), ["DT6"]),
        (drifting(1.12, seconds=9), []),
    ],
)
def test_drift_of_the_median(rows: Rows, expected: list[str]) -> None:
    assert told("DT6", rows) == [1] * len(expected)


def test_drift_of_the_throughput() -> None:
    def answered(share: float, workload: str = "open") -> Rows:
        rows = change(healthy(), "trials", 1, workload=workload)
        for row in rows["seconds"]:
            if row["trial"] == 1:
                row["answered_requests"] = int(900 * share) if row["k"] >= 6 else 900 - row["k"]
        return rows

    # The first half has 900 to 895 of 900, its median is 897.5: 857 is 4.5 % below, 850 is 5.3 %.
    assert told("DT6", answered(0.9523)) == []
    (one,) = found(answered(0.945))
    assert one["check"] == "DT6" and "0.947 times" in one["message"]


def test_a_trial_without_result() -> None:
    rows = change(healthy(), "trials", 1, outcome="crashed", reason="the server: signal 11")
    change(rows, "generators", 1, "client1", lost=5)
    (one,) = found(rows)
    assert (one["check"], one["severity"], one["trials"], one["cells"]) == ("DT7", "invalid", [1], [])
    assert one["message"] == "epoll crashed: the server: signal 11."


def test_a_cell_is_struck_when_no_good_trial_is_left() -> None:
    rows = healthy()
    of_poll = [row["trial"] for row in rows["trials"] if row["strategy"] == "poll"]
    for trial in of_poll[:-1]:
        change(rows, "trials", trial, outcome="invalid", reason="x")
    (one,) = found(rows)
    assert one["cells"] == [] and one["trials"] == of_poll[:-1] and one["scope"] == "trial"
    # The last one falls to another finding: both strike the cell.
    change(rows, "generators", of_poll[-1], "client1", corrupt=1)
    assert [(one["check"], one["cells"]) for one in found(rows)] == [("DT3", ["c-poll"]), ("DT7", ["c-poll"])]


def test_lost_connections() -> None:
    (one,) = found(change(healthy(), "generators", 1, "client1", lost=5))
    assert one["check"] == "PR1" and one["message"] == "client1 lost 5 of 1,000 connections under load."
