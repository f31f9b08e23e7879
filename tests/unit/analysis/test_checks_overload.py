"""Was the load sustained, and do clients and server count alike? Each check on a case where it speaks, and one where it
must not."""

from typing import Any

import pytest

from tests.unit.analysis.check_data import MS, RUN, SECONDS, Rows, change, found, healthy, ids, told


def arriving(rows: Rows, *per_s: float, **others: int) -> Rows:
    """So many replies in each second of trial 1, in turn; 900 are asked for in each."""
    mine = [row for row in rows["seconds"] if row["trial"] == 1]
    for i, row in enumerate(mine):
        row["arrived_requests"] = int(per_s[i % len(per_s)])
        row.update(others)
    return rows


def test_a_backlog_that_grows_through_the_window_is_overload() -> None:
    rows = arriving(healthy(), 200)
    assert told("SV6", rows) == [1]
    (finding,) = [row for row in found(rows) if row["check"] == "SV6"]
    assert finding["severity"] == "warn"
    assert finding["message"] == "Of 900 requests/s 200/s came back: the backlog grew by 8,400 in the window."


def test_one_percent_beyond_capacity_is_seen_as_soon_as_it_counts() -> None:
    assert told("SV6", arriving(healthy(), 900 * 0.97)) == [1]
    assert told("SV6", arriving(healthy(), 900 * 0.99)) == []


def test_a_pause_at_the_end_is_no_overload() -> None:
    rows = arriving(healthy(), 900)
    last = [row for row in rows["seconds"] if row["trial"] == 1][-1]
    last["arrived_requests"] = 300
    assert told("SV6", rows) == []


def test_jitter_around_the_rate_is_no_overload() -> None:
    assert told("SV6", arriving(healthy(), 880, 920, 905, 895)) == []


def test_what_the_server_does_not_owe_is_no_backlog() -> None:
    assert told("SV6", arriving(healthy(), 700, failed_requests=150, mismatched_requests=50)) == []
    assert told("SV6", arriving(healthy(), 700, unsent_late_requests=200)) == []
    assert told("SV6", arriving(healthy(), 700, unsent_waiting_requests=200)) == [1]


def client_by_client(rows: Rows, **arrived: int) -> Rows:
    """So many replies in each second of trial 1 at these clients; at the others all that were asked for."""
    mine = [row for row in rows["intervals"] if row["trial"] == 1]
    for row in mine:
        row["arrived_requests"] = arrived.get(row["host"], row["planned_requests"])
    share = sum(row["arrived_requests"] for row in mine) / sum(row["planned_requests"] for row in mine)
    return arriving(rows, 900 * share)


def test_what_is_owed_to_one_client_alone_is_no_overload() -> None:
    slow = client_by_client(healthy(), client2=0)
    assert told("SV6", slow) == [], "the other clients were served at once"
    assert told("SV6", client_by_client(healthy(), client1=100, client2=100, client3=100)) == [1]
    assert told("SV6", client_by_client(healthy(), client1=200, client2=0)) == [1]


def test_a_closed_loop_is_never_overloaded() -> None:
    assert told("SV6", change(arriving(healthy(), 200), "trials", 1, workload="closed")) == []


def samples(rows: Rows, per_s: int) -> Rows:
    for row in rows["server_samples"]:
        if row["trial"] == 1:
            row["bytes_out"] = int(64 * per_s * row["t_s"])
    return rows


def test_an_older_run_is_judged_by_what_the_server_sent() -> None:
    assert told("SV6", samples(healthy(), 200)) == [1]
    assert told("SV6", samples(healthy(), 900)) == []
    hostile = change(samples(healthy(), 200), "trials", 1, hostile="reset:10")
    assert told("SV6", hostile) == [], "the echoes of hostile clients are nobody's requests"


def test_an_overloaded_server_is_no_late_client() -> None:
    rows = arriving(healthy(), 200)
    change(rows, "trials", 1, lag_p99_ns=900.0 * MS, response_p99_ns=1000.0 * MS)
    for row in rows["generators"]:
        if row["trial"] == 1:
            row["lag_p99_ns"] = 900.0 * MS
    assert not {"GN3", "LG1"} & set(ids(rows))


@pytest.mark.parametrize(("share", "expected"), [(0.95, [1]), (0.85, [])])
def test_a_full_core_bounds_the_cost_that_can_be_seen(share: float, expected: list[int]) -> None:
    rows = change(healthy(), "trials", 1, server_cpu_share=share, requests_per_s=20_000.0)
    assert told("SV7", rows) == expected
    if expected:
        (finding,) = [row for row in found(rows) if row["check"] == "SV7"]
        assert "at 20,000 requests/s no cost above 50.0 µs can show" in finding["message"]


def counted(came_per_s: float, echoed_per_s: float, **fields: Any) -> Rows:
    told: dict[str, Any] = {"requests_per_s": came_per_s, "echoed_requests": echoed_per_s * SECONDS}
    return change(healthy(), "trials", 1, **{"counted_by": "arrival"} | told | fields)


def test_clients_and_server_that_count_differently() -> None:
    assert told("DT9", counted(900, 900 * 0.94)) == [1]
    assert told("DT9", counted(900, 900 * 1.06)) == [1]
    assert told("DT9", counted(900, 900 * 0.96)) == []
    # Nor is a loop forgiven that tells its count ten times a second, and is 5.3 % behind in 2 s.
    assert told("DT9", counted(2008, 2008, window_s=2.0, echoed_requests=3815.0)) == [1]
    (finding,) = [row for row in found(counted(900, 450, counted_by="intended time")) if row["check"] == "DT9"]
    assert (
        "10,800 replies were due in the window and answered, the server sent 5,400 in it: 100 % apart"
        in (finding["message"])
    )
    assert finding["run"] == RUN


def test_unsent_requests_that_waited_are_not_the_generators() -> None:
    rows = change(healthy(), "trials", 1, sent_requests=5000, unsent_waiting_requests=5800, unsent_late_requests=0)
    assert not {"GN1", "GN4"} & set(ids(rows))
    late = change(healthy(), "trials", 1, sent_requests=5000, unsent_waiting_requests=0, unsent_late_requests=5800)
    assert {"GN1", "GN4"} & set(ids(late))


def test_a_churn_is_a_closed_loop() -> None:
    assert told("DS7", change(healthy(), "trials", 1, workload="churn")) == [1]
