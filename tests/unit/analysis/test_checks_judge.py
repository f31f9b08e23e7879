"""The one judge: what makes a trial suspect, from the figures alone; what an older conductor found is not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.checks import findings_table, validity
from analysis.dataset import load
from tests.unit.analysis.build import MS as BUILT_MS
from tests.unit.analysis.build import Document, encode, ended, event, started, trial, whole, write
from tests.unit.analysis.check_data import MS, RATE, RUN, Rows, change, dataset, found, healthy, told


def proofs(end: dict[str, int | None], **before: int | None) -> Rows:
    """Trial 1 with 3,000 connections before the load, counted three ways, and with these after it."""
    rows = healthy()
    counts: dict[str, int | None] = {"kernel": 3000, "server": 3000, "clients": 3000}
    rows["proofs"] = [
        {"run": RUN, "trial": 1, "moment": "barrier", **counts, **before},
        {"run": RUN, "trial": 1, "moment": "end", **counts, **end},
    ]
    return rows


def skewed(ms: float, **fields: Any) -> Rows:
    return change(healthy(), "trials", 1, start_skew_ms=ms, **fields)


def lag_of_client(workload: str) -> Rows:
    return change(change(healthy(), "trials", 1, workload=workload), "generators", 1, "client1", lag_p99_ns=10.5 * MS)


def suspect(rows: Rows) -> list[int]:
    """The trials that the findings make suspect."""
    data = dataset(rows | {"findings": []})
    data = type(data)(**data.tables | {"findings": findings_table(data)}, notes=())
    words = validity(data)
    assert set(words.dropna()) <= {"valid", "suspect"}
    return [int(n) for n in data.trials.loc[(words == "suspect").fillna(False), "trial"]]


# Each client sends 300 a second: seven mean gaps are 23.3 ms.
@pytest.mark.parametrize(
    ("rows", "check", "is_found"),
    [
        (skewed(33.3), "CL2", False),
        (skewed(33.4), "CL2", True),
        (skewed(33.4, workload="ramp"), "CL2", True),
        (skewed(33.4, workload="closed"), "CL2", False),
        (skewed(33.4, workload="churn"), "CL2", False),
        (lag_of_client("open"), "LG1", True),
        (lag_of_client("capacity"), "LG1", True),
        (lag_of_client("churn"), "LG1", False),
        (lag_of_client("closed"), "LG1", False),
        (proofs({}), "PR1", False),
        (proofs({"kernel": 2999}), "PR1", True),
        (proofs({"server": None}), "PR1", False),
        (proofs({"server": 2999}, server=None), "PR1", False),
        (proofs({"kernel": 3001}), "PR1", False),
        (change(proofs({"clients": 2000}), "trials", 1, outcome="partial"), "PR1", False),  # a client was lost
    ],
)
def test_what_makes_a_trial_suspect(rows: Rows, check: str, is_found: bool) -> None:
    assert told(check, rows) == [1] * is_found
    assert 1 in suspect(rows) or not is_found


def test_the_client_that_sends_least_often_may_begin_latest() -> None:
    rows = skewed(600.0)
    assert told("CL2", rows) == [1]
    assert told("CL2", change(rows, "generators", 1, "client3", rate_share_per_s=10.0)) == []  # 10 + 700 ms
    assert told("CL2", change(rows, "generators", 1, "client3", rate_share_per_s=0.0)) == [1]  # it only holds


def test_lost_connections_are_told_by_the_proofs_and_once() -> None:
    rows = change(proofs({"kernel": 2990, "clients": 2995}), "generators", 1, "client1", lost=5)
    (one,) = found(rows)
    assert (one["check"], one["severity"], one["trials"]) == ("PR1", "warn", [1])
    assert one["message"] == (
        "Connections were lost under load: kernel 3,000 before and 2,990 after, clients 3,000 before and 2,995 after."
    )


def test_late_replies_leave_the_trial_valid() -> None:
    rows = change(change(healthy(), "generators", 1, "client1", late=5), "generators", 2, "client1", late=7)
    (one,) = found(rows)
    assert (one["check"], one["severity"], one["trials"], one["hosts"]) == ("LT1", "info", [1, 2], ["client1"])
    assert one["message"] == (
        "client1 got 7 right replies after their requests had timed out (trial 2, the worst of 2)."
    )
    assert "overloaded" in one["matters"] and one["remedy"] and suspect(rows) == []


def test_a_full_accept_queue_leaves_the_trial_valid() -> None:
    kernel = {"run": RUN, "trial": 1, "host": "server", "counter": "TcpExt.ListenOverflows", "value": 120}
    rows = change(healthy() | {"kernel": [kernel]}, "trials", 1, outcome="dnf")
    assert [one["check"] for one in found(rows)] == ["LQ1"] and suspect(rows) == []


@pytest.mark.parametrize("outcome", ["dnf", "invalid", "partial", "crashed", "interrupted"])
def test_every_trial_that_ended_is_judged(outcome: str) -> None:
    rows = change(healthy(), "clocks", 1, "client1", bound_ns=6 * MS)
    change(rows, "generators", 1, "client1", lag_p99_ns=11 * MS, late=1)
    change(rows, "trials", 1, outcome=outcome, start_skew_ms=1000.0 / RATE * 7 + 11)
    assert [check for check in ("CL1", "CL2", "LG1", "LT1") if told(check, rows) == [1]] == ["CL1", "CL2", "LG1", "LT1"]


def test_a_calibration_is_no_trial_of_a_server() -> None:
    rows = healthy()
    n = rows["generators"][-1]["trial"]
    rows["clocks"].append({"run": RUN, "trial": n, "host": "client1", "bound_ns": 60.0 * MS})
    rows["kernel"].append({"run": RUN, "trial": n, "host": "server", "counter": "TcpExt.ListenOverflows", "value": 9})
    assert found(rows) == []


def test_a_finding_of_the_design_makes_no_trial_suspect() -> None:
    rows = change(healthy(), "trials", 1, workload="closed")
    assert [one["check"] for one in found(rows)] == ["DS7"] and suspect(rows) == []


def test_a_trial_without_a_result_is_neither_valid_nor_suspect() -> None:
    data = dataset(change(healthy(), "trials", 18, outcome="not run"))
    assert validity(data).isna().tolist() == [False] * 17 + [True]


def test_a_stored_result_of_schema_1_is_judged_anew(tmp_path: Path) -> None:
    planned = trial(1)
    moon = {"id": "ZZ9", "severity": "warn", "message": "The moon is full.", "evidence": {}, "remedy": ""}
    write(tmp_path / "r", [planned], whole(planned, findings=[moon], validity="suspect"))
    data = load([str(tmp_path / "r")])
    assert "ZZ9" not in set(data.findings["check"]) and list(data.trials["validity"]) == ["valid"]


def test_a_lag_in_the_logs_makes_a_trial_suspect(tmp_path: Path) -> None:
    planned = trial(1)
    events = whole(planned)
    for one in events:
        if one["event"] == "done":
            one["lag"] = encode({30_000: 980, 11 * BUILT_MS: 20})
    write(tmp_path / "r", [planned], events)
    data = load([str(tmp_path / "r")])
    assert "LG1" in set(data.findings["check"]) and list(data.trials["validity"]) == ["suspect"]


def never_armed(cause: str, **fields: Any) -> list[Document]:
    planned = trial(1)
    failed = {"client1": {f"connect/{cause}": 2999}, "client2": {}}
    armed = [
        event("armed", host, 1, connected=1, verified=1, failed=causes, retries=0) for host, causes in failed.items()
    ]
    return [started(planned), *armed, *fields.get("more", []), ended(planned, fields["outcome"], reason="a sentence")]


@pytest.mark.parametrize(("cause", "check"), [("ports", "GN5"), ("descriptors", "GN6")])
def test_what_ran_out_is_counted_and_not_read_in_a_sentence(tmp_path: Path, cause: str, check: str) -> None:
    write(tmp_path / "r", [trial(1)], never_armed(cause, outcome="invalid"))
    findings = load([str(tmp_path / "r")]).findings.set_index("check")
    assert "client1" in findings["message"][check] and "2,999 times" in findings["message"][check]
    assert findings["severity"][check] == "invalid" and "DT7" not in findings.index


def test_connections_beyond_a_limit_are_no_errors(tmp_path: Path) -> None:
    limit = event("limit", "server", 1, resource="FD_SETSIZE", held=1015)
    write(tmp_path / "r", [trial(1)], never_armed("descriptors", outcome="dnf", more=[limit]))
    data = load([str(tmp_path / "r")])
    assert data.errors.empty and "GN6" not in set(data.findings["check"])
