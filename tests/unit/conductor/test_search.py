"""The search of a capacity: which rates it asks for, and what meets its rule."""

import pytest
from hdrh.histogram import HdrHistogram

from conductor import progress
from conductor.plan import PassRule, Search
from conductor.search import judged, next_value, told
from contracts.declared import COUNTS

RULE = PassRule(99, 10_000_000, 0.99)


def rates(knee: float, begins_with: int = 1000, to: int = 1_000_000, resolution: float = 1.1) -> list[int]:
    """What is asked of a server that meets every rate up to its knee."""
    search = Search(begins_with, to, resolution, 90, 40, RULE)
    rungs: list[tuple[int, bool]] = []
    while rate := next_value(search, rungs):
        rungs.append((rate, rate <= knee))
        assert len(rungs) < 40
    return [rate for rate, _ in rungs]


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        (rates(6000), [1000, 2000, 4000, 8000, 5657, 6727, 6169]),
        (rates(300), [1000, 500, 250, 354, 297, 324]),
        (rates(1e9, to=5000), [1000, 2000, 4000, 5000]),
        (rates(1e9, begins_with=5000, to=5000), [5000]),
        (rates(0, begins_with=5), [5, 2, 1]),
        (rates(1, begins_with=1), [1, 2]),
        (rates(6000, resolution=2), [1000, 2000, 4000, 8000]),
    ],
)
def test_the_rates_of_a_search(found: list[int], asked: list[int]) -> None:
    assert found == asked


@pytest.mark.parametrize("knee", [1, 2, 3, 7, 99, 1000, 1001, 33_333, 999_999])
def test_the_knee_lies_between_the_last_met_and_the_first_missed(knee: int) -> None:
    asked = rates(knee)
    met, missed = max(rate for rate in asked if rate <= knee), min(rate for rate in asked if rate > knee)
    assert missed / met <= 1.1 or missed == met + 1
    assert len(set(asked)) == len(asked)


def tally(answered: int, milliseconds: float, planned: int = 1000) -> progress.Tally:
    histogram = HdrHistogram(100, 60_000_000_000, 3)
    for _ in range(answered):
        histogram.record_value(int(milliseconds * 1e6))
    counts = dict.fromkeys(COUNTS, 0) | {"planned": planned, "sent": planned, "answered": answered}
    made = progress.Tally()
    made.take("client1", {"k": 0, "phase": "load", **counts, "response": histogram.encode().decode()})
    return made


@pytest.mark.parametrize(
    ("made", "rule", "passed", "why"),
    [
        (tally(1000, 2), RULE, True, "p99 2 ms, 1,000 of 1,000 answered"),
        (tally(990, 2), RULE, True, "p99 2 ms, 990 of 1,000 answered"),
        (tally(989, 2), RULE, False, "p99 > timeout, 989 of 1,000 answered"),
        (tally(1000, 11), RULE, False, "p99 11 ms, 1,000 of 1,000 answered"),
        (tally(700, 2), PassRule(50, 10_000_000, 0.99), False, "p50 2 ms, 700 of 1,000 answered"),
        (tally(0, 2, planned=0), RULE, False, "p99 > timeout, 0 of 0 answered"),
    ],
)
def test_a_rung_is_met_by_its_percentile_over_planned_requests_and_by_what_was_answered(
    made: progress.Tally, rule: PassRule, passed: bool, why: str
) -> None:
    assert judged(rule, made) == (passed, why)


@pytest.mark.parametrize(
    ("rungs", "words"),
    [
        ([(1000, True), (2000, False), (1414, True)], "p99 within 10 ms: met at 1,414/s and missed at 2,000/s"),
        ([(1000, True)], "p99 within 10 ms: met at 1,000/s"),
        ([(1000, False), (500, False)], "p99 within 10 ms: missed at 500/s"),
        ([], "p99 within 10 ms: not tried to the end at any"),
    ],
)
def test_what_a_search_found_in_words(rungs: list[tuple[int, bool]], words: str) -> None:
    assert told(Search(1, 2, 1.1, 90, 40, RULE), rungs) == words


def test_a_search_for_connections_does_not_say_that_the_objective_was_missed() -> None:
    """The defect: "p99 within 10 ms: … missed at 20,000", which had not even begun for want of descriptors."""
    words = told(Search(1, 2, 1.1, 90, 40, RULE, "connections"), [(1000, True), (2000, False)])
    assert words == "all held, p99 within 10 ms: met at 1,000 connections and missed at 2,000 connections"
