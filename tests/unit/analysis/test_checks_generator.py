"""Checks of the generators: each just below and just above its threshold, and nothing else with it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from analysis import histograms
from analysis.checks.agreement import distance, p99_ns
from analysis.ingest.trials import BY_ARRIVAL, BY_INTENDED_TIME
from tests.unit.analysis.build import encode
from tests.unit.analysis.check_data import CLIENTS, MS, RATE, RUN, Rows, S, change, found, healthy, ids, told


def everywhere(rows: Rows, table: str, trial: int, **fields: Any) -> Rows:
    """The fields set at every client of a trial."""
    for host in CLIENTS:
        change(rows, table, trial, host, **fields)
    return rows


def late(lag_ms: float, *, gap_ms: float = 50.0, server: float = 0.4, p50_ms: float = 0.2) -> Rows:
    rows = everywhere(healthy(), "generators", 1, lag_p50_ns=lag_ms * MS, max_loop_gap_ns=gap_ms * MS)
    return change(rows, "trials", 1, server_cpu_share=server, response_p50_ns=p50_ms * MS)


def test_a_healthy_run_has_no_finding() -> None:
    assert found(healthy()) == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (late(1.0), []),  # the threshold is more than 1 ms
        (late(1.1), ["GN1"]),
        (late(1.1, p50_ms=11.1), []),  # a tenth of the median is 1.11 ms
        (late(1.1, p50_ms=10.9), ["GN1"]),
        (late(1.1, server=0.9), []),  # one thread: its CPU is full
        (late(1.1, server=0.89), ["GN1"]),
        (late(60.0, gap_ms=50), []),  # later than any turn of a loop: it waited behind a busy connection
        (late(49.0, gap_ms=50), ["GN1"]),
    ],
)
def test_saturated(rows: Rows, expected: list[str]) -> None:
    assert told("GN1", rows) == [1] * len(expected)


def test_a_saturated_generator_is_one_finding_with_its_figures() -> None:
    rows = late(2.0)
    everywhere(rows, "generators", 1, cpu_user_ns=11 * S, lag_p99_ns=30 * MS)
    change(rows, "trials", 1, lag_p99_ns=30 * MS, response_p99_ns=40 * MS)
    (one,) = found(rows)
    assert (one["check"], one["severity"], one["trials"], one["cells"]) == ("GN1", "invalid", [1], [])
    assert one["evidence"][0]["lag_ns"] == 2_000_000
    assert one["evidence"][0]["busy"] == pytest.approx(12.2 / 12)  # 11 s and 1.2 s of 12 s, one CPU


def unsent(count: int, *, gap_ms: float, server: float = 0.95) -> Rows:
    """So many of the 10,800 requests of trial 1 never sent, with a median lag of 20 ms."""
    rows = late(20.0, gap_ms=gap_ms, server=server)
    return change(rows, "trials", 1, sent_requests=10_800 - count, answered_requests=10_800 - count,
                  timed_out_requests=count)  # fmt: skip


def test_unsent_by_cause() -> None:
    assert told("GN4", unsent(107, gap_ms=9)) == []
    (held,) = [row for row in found(unsent(109, gap_ms=9)) if row["check"] != "SV7"]
    assert held["severity"] == "warn", "a run that does not say whose doing it was"
    assert held["check"] == "GN4" and "waited behind connections" in held["message"] and "1.01 %" in held["message"]
    (own,) = [row for row in found(unsent(109, gap_ms=30)) if row["check"] != "SV7"]
    assert own["check"] == "GN4" and "the generators came late" in own["message"]
    assert ids(unsent(109, gap_ms=30, server=0.4)) == ["GN1"]


def test_unsent_explains_an_invalid_trial() -> None:
    rows = change(unsent(5000, gap_ms=9), "trials", 1, outcome="invalid", reason="5,000 of 10,800 were never sent")
    assert ids(rows) == ["GN4"]


def test_a_closed_loop_has_no_schedule_to_be_late_for() -> None:
    rows = change(healthy(), "trials", 1, lag_p99_ns=30 * MS, response_p99_ns=40 * MS, workload="closed")
    everywhere(rows, "generators", 1, lag_p99_ns=30 * MS, lag_p50_ns=5 * MS)
    assert ids(rows) == ["DS7"]


def test_generators_on_one_cpu_are_busy_together() -> None:
    rows = healthy()
    everywhere(rows, "generators", 1, cpu_user_ns=2.5 * S)  # with 1.2 s: 0.308 of a CPU each
    assert ids(rows) == []
    for host in rows["hosts"][1:]:
        host["facts"] = json.dumps(json.loads(host["facts"]) | {"boot_id": "shared"})
    (one,) = found(rows)
    assert one["check"] == "GN2" and one["hosts"] == list(CLIENTS) and "92.5 %" in one["message"]


def test_ports_are_those_in_force_and_of_each_source() -> None:
    rows = change(healthy(), "generators", 1, "client1", connections_share=16_000)
    assert told("GN5", rows) == [1]  # of 20,000
    tuned = {"client1": {"keys": [{"key": "net.ipv4.ip_local_port_range", "after": "15000 64999"}]}}
    rows["runs"][0]["tuning"] = json.dumps(tuned)
    assert told("GN5", rows) == []  # of 50,000
    rows["runs"][0]["tuning"] = "{}"
    rows["hosts"][1]["facts"] = rows["hosts"][1]["facts"].replace('["198.18.0.11"]', '["198.18.0.11", "198.18.0.12"]')
    assert told("GN5", rows) == []  # 8,000 of 20,000 for each source


@pytest.mark.parametrize(("cause", "check"), [("ports", "GN5"), ("descriptors", "GN6")])
def test_refused_at_a_client(cause: str, check: str) -> None:
    rows = healthy()
    rows["errors"].append({"run": RUN, "trial": 1, "host": "client1", "phase": "connect", "cause": cause, "count": 12})
    (one,) = found(rows)
    assert (one["check"], one["severity"], one["trials"]) == (check, "invalid", [1]) and "12 times" in one["message"]
    rows["errors"][0]["host"] = "server"
    assert ids(rows) == []


def test_of_two_clients_nobody_knows_which_is_wrong() -> None:
    rows = change(healthy(), "generators", 1, "client2", response_p99_ns=50 * MS)
    rows["generators"] = [row for row in rows["generators"] if row["host"] != "client3"]
    assert told("GN7", rows) == []


def histograms_of(tail_ms: float, tail: int, requests: int = 10_100) -> Rows:
    """Trial 1: each client has so many answers, 126 of 2 ms and the others of 1; client3 `tail` more, of `tail_ms`."""
    rows = healthy()
    for host in CLIENTS:
        values = {1 * MS: requests - 126, 2 * MS: 126}
        if host == "client3":
            values[int(tail_ms * MS)] = tail
        counts = histograms.decode(encode(values))
        rows["histograms"] += [
            {"run": RUN, "trial": 1, "host": host, "kind": "response", "slot": int(slot), "count": int(counts[slot])}
            for slot in np.flatnonzero(counts)
        ]
    return rows


def test_a_p99_that_hangs_on_one_client() -> None:
    # Of 30,600 answers 306 lie beyond the p99: 300 are of the tail, so that it is 2 ms with them and without.
    assert told("GN7", histograms_of(tail_ms=9, tail=300)) == []
    (one,) = found(histograms_of(tail_ms=9, tail=320))  # of 30,620 it is the 307th from above: one of the 320
    assert one["check"] == "GN7" and one["hosts"] == ["client3"] and "Without client3" in one["message"]
    assert told("GN7", histograms_of(tail_ms=2.4, tail=320)) == []  # from 2.4 to 2 ms: by a sixth
    assert told("GN7", histograms_of(tail_ms=9, tail=330, requests=9_900)) == []  # under 100 beyond that of a client


def test_p99_by_rank() -> None:
    counts = histograms.decode(encode({100 * MS: 99, 200 * MS: 1}))
    assert p99_ns(counts.astype(float)) == pytest.approx(100 * MS, rel=1e-3)  # rank 99 of 100
    counts = histograms.decode(encode({100 * MS: 98, 200 * MS: 2}))
    assert p99_ns(counts.astype(float)) == pytest.approx(200 * MS, rel=1e-3)


def test_no_calibration() -> None:
    rows = healthy()
    rows["generators"] = [row for row in rows["generators"] if "ceiling_per_s" not in row]
    (one,) = found(rows)
    assert (one["check"], one["severity"], one["scope"]) == ("GN8", "info", "run")


@pytest.mark.parametrize(("ceiling", "expected"), [(429, []), (428, ["GN9"])])
def test_near_the_ceiling(ceiling: float, expected: list[str]) -> None:
    rows = healthy()  # 300/s sent: 70 % of 428.6
    rows["generators"][-1]["ceiling_per_s"] = ceiling
    assert bool(told("GN9", rows)) is bool(expected)


def test_a_ceiling_that_a_trial_exceeds_is_none() -> None:
    rows = healthy()
    rows["generators"][-1]["ceiling_per_s"] = RATE  # 100 % of it is still possible
    assert told("GN9", rows) and not told("GN8", rows)
    rows["generators"][-1]["ceiling_per_s"] = RATE - 1
    assert told("GN9", rows) == []
    (one,) = found(rows)
    assert (one["check"], one["severity"]) == ("GN8", "info")
    assert "client3 sent 300 requests/s in trial" in one["message"] and "only 299/s when it was" in one["message"]


def test_a_run_that_counts_late_sends_by_when_they_were_due_knows_no_rate_of_them() -> None:
    rows = change(healthy(), "generators", 1, "client3", sent_per_s=5e4, lag_p99_ns=0.13 * S)
    rows["trials"][0]["counted_by"] = BY_INTENDED_TIME
    assert told("GN9", rows) == [] == told("GN8", rows)
    rows["trials"][0]["counted_by"] = BY_ARRIVAL
    assert told("GN8", rows) == [None]


def test_arrival_law() -> None:
    even = json.dumps([S / RATE] * 500)
    (one,) = found(change(healthy(), "generators", 1, "client1", send_gaps_ns=even))
    # All gaps are the mean: the exponential law has 1 - 1/e below it.
    assert one["check"] == "GN10" and one["evidence"][0]["distance"] == pytest.approx(1 - np.exp(-1))
    for fine in ([S / RATE] * 99, [249_000] * 500):
        assert told("GN10", change(healthy(), "generators", 1, "client1", send_gaps_ns=json.dumps(fine))) == []
    for damaged in ("[", "{}", "[[1], 2]", '["x"]', "[-1, 5]", "[]"):
        assert told("GN10", change(healthy(), "generators", 1, "client1", send_gaps_ns=damaged)) == []


def test_distance_from_a_fixed_rate() -> None:
    gaps = np.array([1.0] * 98 + [4.0, 4.0])  # mean 1.06: the two are off by more than a half
    assert distance(gaps, "fixed") == pytest.approx(0.02)
    assert distance(gaps, "uniform") == 0.0
