import base64
import json
import re
import resource
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram

from conductor import output, progress
from contracts.declared import COUNTS

VECTOR = json.loads((Path(__file__).parents[2] / "contract/vectors/histogram.json").read_text())
NONE = dict.fromkeys(COUNTS, 0)


def interval(k: int, phase: str = "load", **counts: int) -> dict[str, Any]:
    got = {"planned": 4, "sent": 4, "arrived": 4, "answered": 4, **counts}
    return {"event": "interval", "k": k, "phase": phase, **NONE, **got, "response": VECTOR["base64"]}


def test_histograms_of_clients_are_added_and_percentiles_are_over_planned_requests() -> None:
    merged = progress.empty_histogram()
    for _ in range(3):
        progress.add(merged, VECTOR["base64"])
    assert merged.get_total_count() == 12
    found = [progress.percentile_ms(merged, q, planned) for q, planned in ((50, 12), (99, 12), (50, 24))]
    assert found == pytest.approx([1.0, 2000, 2000], rel=1e-3)
    assert progress.percentile_ms(merged, 51, 24) is None


@pytest.mark.parametrize("text", ["", "!!!", "AAAA", VECTOR["base64"][:-8], VECTOR["base64"][:20] + "AAAA"])
def test_an_unreadable_histogram_is_left_out(text: str) -> None:
    histogram = progress.empty_histogram()
    progress.add(histogram, text)
    assert histogram.get_total_count() == 0


def test_how_far_all_clients_are_with_what_they_do() -> None:
    said = [{"event": "progress", "of": "arm", "done": n} for n in (143_000, 287_000)]
    line = progress.phase_line("trial 2/12 poll", "arming", 12, said, 1_000_000)
    assert line == "trial 2/12 poll  arming 12.0 s   430,000 of 1,000,000"
    # What was said of an earlier order is not how far this one is.
    assert progress.phase_line("trial 2/12 poll", "proving", 0.5, said, 1_000_000) == "trial 2/12 poll  proving 0.5 s"
    assert progress.phase_line("trial 2/12 poll", "meeting", 1, said, 9) == "trial 2/12 poll  meeting 1.0 s"


def test_only_a_second_that_all_have_reported_is_shown() -> None:
    tally = progress.Tally()
    tally.take("client1", interval(0))
    tally.take("client1", interval(1))
    tally.settle(["client1", "client2"])
    assert tally.second is None
    tally.take("client2", interval(0, timed_out=3, answered=1, arrived=3))
    tally.settle(["client1", "client2"])
    assert tally.second is not None
    assert tally.second[0]["answered"] == 5
    assert tally.errors == 3
    line = progress.load_line("trial 2/12 poll", 4.2, 12, 10_000, tally)
    assert line == "trial 2/12 poll  load  4/12 s   10,000 connected   7 req/s   errors 3"


@pytest.mark.parametrize(
    ("planned", "told"), [(19, ""), (20, "p50"), (99, "p50"), (100, "p90"), (999, "p90"), (1000, "p99")]
)
def test_a_percentile_of_a_second_rests_on_ten_requests(planned: int, told: str) -> None:
    tally = progress.Tally()
    tally.take("client1", interval(0, planned=planned))
    tally.settle(["client1"])
    assert re.findall(r"p\d+", progress.load_line("trial 1/1 epoll", 1, 9, None, tally)) == [told][: len(told)]


def test_connected_is_what_was_counted_since_the_load_began() -> None:
    """8,297 was printed of 10,000 that were proved: the last sample before the load had met the clients connecting."""
    early, late = {"t": 999, "open": 8297}, {"t": 1000, "open": 9990}
    assert progress.connected(early, 1000, 10_000) == 10_000
    assert progress.connected(early, 1000, None) is None
    assert progress.connected(late, 1000, 10_000) == 9990
    assert progress.connected({"t": 999, "open": None}, 1000, 10_000) is None  # a server that does not count
    assert progress.connected(None, 1000, 10_000) is None


def test_a_ceiling_that_a_client_did_not_tell_is_no_zero() -> None:
    result = {
        "outcome": "ok", "reason": None, "held": None, "asked": {"connections": 1}, "window": None, "counts": None,
        "ceiling": {"client1": {"sends_per_s": 81_234.4}, "client2": {"sends_per_s": None}},
    }  # fmt: skip
    line = progress.end_line("trial 9/9 calibration", result, progress.Tally())
    assert line.endswith("client1 sends at most 81,234/s   client2 did not tell its ceiling")


def test_throughput_is_what_arrived_in_the_window_and_not_what_was_answered_after_it() -> None:
    result = {
        "outcome": "ok", "reason": None, "held": 1000, "asked": {"connections": 1000}, "ceiling": None,
        "window": {"start_ns": 10**9, "end_ns": 3 * 10**9},
        "counts": NONE | {"planned": 200_000, "answered": 200_000, "arrived": 44_000},
    }  # fmt: skip
    line = progress.end_line("trial 1/1 epoll", result, progress.Tally())
    assert "22,000 req/s" in line
    assert "not answered" not in line


def test_a_result_without_answers_says_so_beside_its_ok() -> None:
    result = {
        "outcome": "ok", "reason": None, "held": 20, "asked": {"connections": 20}, "ceiling": None,
        "window": {"start_ns": 10**9, "end_ns": 3 * 10**9}, "counts": NONE | {"planned": 599, "failed": 599},
    }  # fmt: skip
    assert progress.end_line("trial 1/1 own server", result, progress.Tally()).endswith(
        "599 of 599 not answered in time"
    )


def test_warm_up_is_not_in_the_window() -> None:
    tally = progress.Tally()
    tally.take("client1", interval(0, phase="warmup"))
    tally.take("client1", interval(1))
    assert tally.window.get_total_count() == 4
    assert tally.window_counts["planned"] == 4


@pytest.mark.parametrize(("seconds", "text"), [(9, "9 s"), (250, "4 min 10 s"), (7_265, "2 h 1 min")])
def test_durations(seconds: float, text: str) -> None:
    assert progress.show_duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "> timeout"), (1.2399, "1.24 ms"), (0.0512, "0.0512 ms"), (1234.5, "1,234 ms")]
)
def test_milliseconds(value: float | None, text: str) -> None:
    assert progress.show_ms(value) == text


def test_what_a_host_says_is_shown_and_not_executed_by_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with open(1, "w", closefd=False) as stream:
        output.say("trial 1/1\nclient1: \x1b]0;mine\x07", stream)
    assert capfd.readouterr().out == "trial 1/1\nclient1: \\u001b]0;mine\\u0007\n"


def test_a_line_of_text_does_not_become_gigabytes() -> None:
    """Of a client's agent; on one machine the measured server can write to its stdout."""
    whole = base64.b64decode(progress.empty_histogram().encode())
    bomb = zlib.compress(bytes(200 << 20), 9)
    text = base64.b64encode(whole[:4] + struct.pack(">I", len(bomb)) + bomb).decode()
    assert len(text) < 1 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    histogram = progress.empty_histogram()
    progress.add(histogram, text)
    assert histogram.get_total_count() == 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000, "it was unpacked"


def test_a_histogram_of_another_range_is_left_out() -> None:
    other = HdrHistogram(1, 1 << 50, 4)
    other.record_value(1_000_000)
    histogram = progress.empty_histogram()
    progress.add(histogram, other.encode().decode())
    assert histogram.get_total_count() == 0
