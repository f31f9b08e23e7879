"""One trial after another, each with figures worked out by hand; build.py says what `whole` holds."""

import math
from pathlib import Path
from typing import Any

import pytest

from analysis.dataset import load
from analysis.ingest import trials as ingest_trials
from analysis.ingest.events import read
from analysis.ingest.latency import interval_table, latency
from analysis.ingest.run import ingest
from analysis.ingest.samples import sample_tables
from analysis.ingest.trials import trial_rows
from analysis.model import frame
from tests.unit.analysis.build import (
    MS,
    RUN,
    S,
    done,
    ended,
    event,
    interval,
    sample,
    started,
    trial,
    went,
    whole,
    write,
)

Row = dict[Any, Any]


def rows(folder: Path, trials: list[Row], events: list[Row], end: int | None = 0) -> tuple[list[Row], list[str]]:
    log = read(str(write(folder, trials, events, end=end)))
    intervals, cut = interval_table(log)
    samples = frame("server_samples", sample_tables(log)["server_samples"])
    found, notes = trial_rows(log, intervals, latency(log, intervals), samples)
    return found, [*cut, *notes]


def test_a_whole_trial(tmp_path: Path) -> None:
    planned = trial(1)
    (row,), notes = rows(tmp_path, [planned], whole(planned))
    assert notes == []
    assert {name: row[name] for name in ("run", "trial", "strategy", "outcome", "held_connections", "window_s")} == {
        "run": RUN, "trial": 1, "strategy": "epoll", "outcome": "ok", "held_connections": 1000, "window_s": 2,
    }  # fmt: skip
    # Two clients, two seconds of 250 answers each; the warm-up's 500 do not count.
    assert (row["planned_requests"], row["answered_requests"], row["errors_requests"], row["requests_per_s"]) == (
        1000,
        1000,
        0,
        500,
    )
    assert row["response_p50_ns"] == row["response_p99_ns"] == pytest.approx(1 * MS, rel=1e-3)
    assert (row["response_p99_tail_requests"], row["response_p99_9_tail_requests"]) == (10, 1)
    assert math.isnan(row["response_p99_9_ns"]), "one request in the tail is too few"
    # From 1 s to 3 s the counters rise by 10 and 30 ms, over 1000 answers; memory by 4 MB over 1000 connections.
    assert row["cpu_user_us_per_request"] == pytest.approx(10)
    assert row["cpu_system_us_per_request"] == pytest.approx(30)
    assert row["cpu_us_per_request"] == pytest.approx(40)
    assert row["rss_bytes_per_connection"] == 4000


def overloaded(planned: Row) -> list[Row]:
    """Offered 100,000/s, served 22,000/s, 1 core busy: what was due in the window is answered long after it."""
    events = [started(planned), sample(1, -1, 0, 0) | {"open": 0, "bytes_out": 0}, went(1)]
    for k in range(4):
        events.append(sample(1, k, 200 * k, 800 * k) | {"bytes_out": 64 * 22_000 * k})
    for k in range(3):
        told = {"arrived": 11_000, "unsent_waiting": 0, "unsent_late": 0}
        events += [interval(1, host, k, {900 * MS: 50_000}) | told for host in ("client1", "client2")]
    return [*events, done(1, "client1"), done(1, "client2"), ended(planned)]


def test_one_span_for_both_sides_of_every_ratio(tmp_path: Path) -> None:
    """Throughput and cost are of the replies that came in the window, whenever they were asked for."""
    planned = trial(1, rate=100_000)
    (row,), _ = rows(tmp_path, [planned], overloaded(planned))
    assert (row["requests_per_s"], row["counted_by"]) == (22_000, "arrival")
    # From 1 s to 3 s 2 s of CPU time for 44,000 echoes.
    assert row["cpu_us_per_request"] == pytest.approx(2e6 / 44_000)
    assert row["server_cpu_share"] == pytest.approx(1)
    assert row["echoed_requests"] == row["arrived_requests"] == 44_000
    assert row["answered_requests"] == 200_000


def test_an_older_run_counts_by_intended_time_and_says_so(tmp_path: Path) -> None:
    planned = trial(1)
    (row,), _ = rows(tmp_path, [planned], whole(planned))
    assert (row["requests_per_s"], row["counted_by"]) == (500, "intended time")
    assert math.isnan(row["arrived_requests"])


def test_hostile_clients_make_echoes_that_nobody_counts(tmp_path: Path) -> None:
    planned = trial(1, rate=100_000, hostile={"kind": "reset", "connections": 10})
    (row,), _ = rows(tmp_path, [planned], overloaded(planned))
    assert math.isnan(row["echoed_requests"])


def test_a_sample_that_came_late_is_no_account_of_the_window(tmp_path: Path) -> None:
    """Between two samples the server need not have sent evenly: nothing is said of an edge without one near."""
    planned = trial(1, rate=100_000)
    events = overloaded(planned)
    late = next(event for event in events if event.get("event") == "sample" and event["bytes_out"] == 64 * 22_000)
    late["t"] += 50 * MS
    (row,), _ = rows(tmp_path, [planned], events)
    assert math.isnan(row["echoed_requests"])


def test_cpu_at_edges_between_samples(tmp_path: Path) -> None:
    planned = trial(1)
    window = {"start_ns": 500 * MS, "end_ns": 1500 * MS}
    events = [started(planned), went(1)]
    events += [sample(1, 0, 0, 0), sample(1, 1, 10, 20), sample(1, 2, 40, 80), interval(1, "client1", 1, {MS: 100})]
    (row,), _ = rows(tmp_path, [planned], [*events, ended(planned, window=window)])
    # User time is 5 ms at 0.5 s and 25 ms at 1.5 s; system time 10 and 50 ms: 60 ms over 100 answers.
    assert row["cpu_user_us_per_request"] == pytest.approx(200)
    assert row["cpu_system_us_per_request"] == pytest.approx(400)


def test_a_tree_that_was_looked_at_at_the_edges_only(tmp_path: Path) -> None:
    """Of the samples between, the processes' figures are null: its cost is the slope from edge to edge."""
    planned = trial(1)
    begin, first, last = (
        sample(1, -1, 0, 0, 20_000_000),
        sample(1, 0, 0, 0, 24_000_000),
        sample(1, 4, 40, 80, 32_000_000),
    )
    nulls = dict.fromkeys(("processes", "cpu_user_ns", "cpu_system_ns", "rss_bytes", "threads", "fds"))
    between = [sample(1, k, 0, 0) | nulls | {"edges_only": True} for k in (1, 2, 3)]
    events = [started(planned), went(1), begin, first, *between, last]
    events += [interval(1, "client1", k, {MS: 100}) for k in (1, 2)]
    (row,), _ = rows(tmp_path, [planned], [*events, ended(planned)])
    # In the window's 2 of 4 seconds: 20 and 40 ms over 200 answers; at its middle 28 MB, 8 MB more than at first.
    assert row["cpu_user_us_per_request"] == pytest.approx(100)
    assert row["cpu_system_us_per_request"] == pytest.approx(200)
    assert row["rss_bytes_per_connection"] == pytest.approx(8000)


def test_missing_requests_are_beyond_the_percentile(tmp_path: Path) -> None:
    planned = trial(1)
    events = [started(planned), went(1)]
    events.append(interval(1, "client1", 1, {1 * MS: 1940}, timed_out=20))
    events.append(interval(1, "client2", 1, {2 * MS: 30}, dropped=4, mismatched=3, failed=2, censored=1))
    (row,), _ = rows(tmp_path, [planned], [*events, ended(planned)])
    assert row["errors_requests"] == 30
    assert row["planned_requests"] == 2000
    assert row["response_p50_ns"] == pytest.approx(1 * MS, rel=1e-3)
    # Rank 1980 of 2000, and only 1970 were answered.
    assert row["response_p99_ns"] == math.inf


def test_a_limit_is_a_result(tmp_path: Path) -> None:
    planned = trial(1, "select")
    events = [started(planned), event("limit", "server", 1, resource="FD_SETSIZE", held=1015)]
    events += [sample(1, -3, 0, 0, 10_000_000), sample(1, -1, 9, 9, 12_030_000) | {"open": 1015}]
    end = ended(planned, "dnf", held=1015, window=None, reason="select reached FD_SETSIZE at 1015")
    (row,), _ = rows(tmp_path, [planned], [*events, end])
    assert (row["outcome"], row["limit"], row["held_connections"]) == ("dnf", "FD_SETSIZE", 1015)
    assert math.isnan(row["requests_per_s"])
    assert math.isnan(row["response_p99_ns"])
    assert row["rss_bytes_per_connection"] == 2000


def test_a_trial_without_an_end_counts_its_whole_seconds(tmp_path: Path) -> None:
    planned = trial(1, duration=10)
    events = [*whole(planned)[:-3], interval(1, "client1", 3, {1 * MS: 250})]
    (row, _), _ = rows(tmp_path, [planned, trial(2, "poll")], events, end=None)
    # client2 never reported second 3: two seconds are complete.
    assert (row["outcome"], row["window_s"], row["requests_per_s"]) == ("unfinished", 2, 500)
    assert row["held_connections"] == 1000
    assert row["cpu_us_per_request"] == pytest.approx(40)


def test_a_gap_ends_what_an_unfinished_trial_counts(tmp_path: Path) -> None:
    planned = trial(1, duration=10)
    events = [
        started(planned),
        went(1),
        *(interval(1, c, k, {MS: 100}) for c in ("client1", "client2") for k in (1, 2, 4)),
    ]
    (row,), _ = rows(tmp_path, [planned], events, end=None)
    assert (row["window_s"], row["answered_requests"]) == (2, 400)


def test_a_client_that_only_holds_is_not_waited_for(tmp_path: Path) -> None:
    planned = trial(1)
    begun = started(planned)
    begun["shares"]["client2"]["rate"] = 0
    (row,), _ = rows(tmp_path, [planned], [begun, went(1), interval(1, "client1", 1, {MS: 100})], end=None)
    assert (row["window_s"], row["answered_requests"]) == (1, 100)


def test_a_lost_client_leaves_no_cost_per_request(tmp_path: Path) -> None:
    planned = trial(1)
    events = whole(planned, outcome="partial", reason="client2 was lost")
    (row,), _ = rows(tmp_path, [planned], events)
    assert (row["outcome"], row["requests_per_s"]) == ("partial", 500)
    assert math.isnan(row["cpu_us_per_request"])


def test_churn_for_so_many_requests_lasts_to_the_last_done(tmp_path: Path) -> None:
    """10 connections and 5 requests gave 6,770/s in the table, from the first send to the last one, and 238/s live."""
    planned = trial(1, workload="churn", requests=1000, connections=100)
    events = [started(planned), went(1), sample(1, 0, 5, 5), interval(1, "client1", 0, {}), sample(1, 1, 50, 60)]
    events += [interval(1, c, 0, {MS: 500}) | {"phase": "load"} for c in ("client1", "client2")]
    events += [done(1, "client1", 0.25, 0.5), done(1, "client2", 0.5, 0.75)]
    events.append(ended(planned, held=None, window={"start_ns": 0, "end_ns": 800 * MS}))
    (row,), _ = rows(tmp_path, [planned], events)
    assert row["window_s"] == 0.8
    assert row["requests_per_s"] == 1250
    assert math.isnan(row["held_connections"])
    # From 10 ms at go; all that follows, to the last sample, belongs to the requests.
    assert row["cpu_us_per_request"] == pytest.approx((110 - 10) * 1000 / 1000)


def test_an_unreadable_histogram_takes_its_interval_along(tmp_path: Path) -> None:
    planned = trial(1)
    spoilt = interval(1, "client1", 1, {1 * S: 900}) | {"response": "HISTFAAAACl4"}
    events = [started(planned), went(1), spoilt, interval(1, "client2", 1, {1 * MS: 1000}), ended(planned)]
    (row,), notes = rows(tmp_path, [planned], events)
    assert row["answered_requests"] == 1900
    assert row["response_p99_ns"] == pytest.approx(1 * MS, rel=1e-3)
    assert "1 histogram(s) cannot be read" in notes[0]


def test_a_record_that_disagrees_with_its_intervals_is_told(tmp_path: Path) -> None:
    planned = trial(1)
    names = ("planned", "sent", "answered", "timed_out", "censored", "dropped", "mismatched", "failed")
    counts = dict.fromkeys(names, 0) | {"planned": 1000, "sent": 1000, "answered": 999}
    _, notes = rows(tmp_path, [planned], whole(planned, counts=counts))
    assert notes == ["trial 1: its record says 999 answered, its intervals 1,000."]


def test_an_interval_said_twice_counts_once_and_one_without_fields_not_at_all(tmp_path: Path) -> None:
    planned = trial(1)
    once = interval(1, "client1", 1, {MS: 100})
    (row,), notes = rows(
        tmp_path, [planned], [started(planned), went(1), once, once, {**once, "sent": "x"}, ended(planned)]
    )
    assert row["answered_requests"] == 100
    assert notes == ["1 interval event(s) lack fields, or hold what cannot be counted, and are left out."]


def test_what_never_began(tmp_path: Path) -> None:
    planned = [trial(1), trial(2, None, server_command="./mine --port {port}")]
    (_, second), _ = rows(tmp_path, planned, whole(planned[0]), end=None)
    assert (second["outcome"], second["strategy"], second["limit"]) == ("not run", "own server", None)
    assert math.isnan(second["held_connections"])


def test_a_search_is_the_rungs_that_it_began_each_with_its_rate(tmp_path: Path) -> None:
    """Of ten numbers two were used; an entry that began none is one trial that was not run."""
    entry = trial(1, workload="capacity", rate=1000) | {"search": {"most_rungs": 10}}
    later = trial(11, workload="capacity", rate=1000, block=2) | {"search": {"most_rungs": 10}}
    rungs = [trial(n, cell=f"c1@{rate}", workload="capacity", rate=rate) for n, rate in ((1, 1000), (2, 2000))]
    events = [e for rung in rungs for e in whole(rung)]
    for e in events:
        if e.get("state") == "started":
            e["cell"] = f"c1@{e['load']['rate']}"
    found, notes = rows(tmp_path, [entry, later], events)
    assert notes == []
    assert [(row["trial"], row["cell"], row["block"], row["rate"], row["outcome"]) for row in found] == [
        (1, "c1@1000", 1, 1000, "ok"), (2, "c1@2000", 1, 2000, "ok"), (11, "c1", 2, 1000, "not run"),
    ]  # fmt: skip


@pytest.mark.parametrize("search", [None, 3, {}, {"most_rungs": "many"}, {"most_rungs": -1}, {"most_rungs": 2**62}])
def test_a_search_that_is_none_is_a_trial(tmp_path: Path, search: Any) -> None:
    planned = trial(1) | {"search": search}
    (row,), _ = rows(tmp_path, [planned], whole(planned))
    assert (row["trial"], row["cell"], row["outcome"]) == (1, "c1", "ok")


def test_trials_of_one_number_are_one_and_a_finding(tmp_path: Path) -> None:
    trials = [trial(1, block=1), trial(1, block=2), trial(1, block=3), trial(2, "poll", cell="c2")]
    dataset = load([str(write(tmp_path / "run", trials, [*whole(trials[0]), *whole(trials[3])]))])
    assert dataset.trials["trial"].tolist() == [1, 2] and dataset.trials["block"].tolist() == [1, 1]
    assert dataset.cells["trials"].tolist() == [1, 1]
    (message,) = dataset.findings.loc[dataset.findings["check"] == "DS11", "message"]
    assert "2 trials of the plan have the number of another one" in message


def test_another_number_each_is_no_finding(tmp_path: Path) -> None:
    trials = [trial(1), trial(2, "poll", cell="c2")]
    dataset = load([str(write(tmp_path / "run", trials, [line for one in trials for line in whole(one)]))])
    assert "DS11" not in dataset.findings["check"].tolist()


def test_of_trials_that_never_began_what_follows_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [trial(n, cell=f"c{n % 7}", block=n, connections=n) for n in range(1, 500)]
    made: list[object] = []
    inner = ingest_trials._server

    def counted(*given: Any) -> Any:
        made.append(given)
        return inner(*given)

    monkeypatch.setattr(ingest_trials, "_server", counted)
    table = ingest(str(write(tmp_path / "run", trials, whole(trials[0])))).trials
    assert len(made) == 2  # that of the trial that ran, and of one that did not
    assert table["outcome"].tolist() == ["ok"] + ["not run"] * 498
    assert table["asked_connections"].tolist() == list(range(1, 500))
    assert table["requests_per_s"].notna().sum() == 1
