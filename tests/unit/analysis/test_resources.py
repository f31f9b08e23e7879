"""CPU time and memory, on counters worked out by hand."""

import math

import pandas as pd
import pytest

from analysis.ingest.resources import cpu_between, rss_per_connection


def samples(*rows: tuple[float, float, float, float, int]) -> pd.DataFrame:
    """Rows of t, user, system, rss, processes."""
    return pd.DataFrame(rows, columns=["t_ns", "cpu_user_ns", "cpu_system_ns", "rss_bytes", "processes"])


STEPS = samples((0, 0, 0, 100, 1), (1000, 100, 300, 100, 1), (2000, 200, 700, 100, 1), (3000, 200, 800, 100, 1))


def test_counters_are_interpolated_at_both_edges() -> None:
    # At 500: 50 and 150. At 2250: 200 and 725.
    assert cpu_between(STEPS, 500, 2250) == (150, 575)


def test_edges_on_samples_are_those_samples() -> None:
    assert cpu_between(STEPS, 1000, 3000) == (100, 500)


@pytest.mark.parametrize(("start", "end"), [(-500, 2000), (500, 3500), (2000, 2000), (3000, 1000)])
def test_no_figure_outside_the_samples(start: float, end: float) -> None:
    assert all(map(math.isnan, cpu_between(STEPS, start, end)))


def test_a_sample_a_little_early_will_do() -> None:
    assert cpu_between(STEPS, 0, 3010) == (200, 800)


def test_a_counter_that_fell_gives_no_figure() -> None:
    fell = samples((0, 500, 0, 1, 1), (1000, 100, 0, 1, 1))
    assert all(map(math.isnan, cpu_between(fell, 0, 1000)))
    assert all(map(math.isnan, cpu_between(STEPS.iloc[:0], 0, 1000)))


MB = 1_000_000
GROWN = samples(
    (0, 0, 0, 0, 0), (1, 0, 0, 10 * MB, 1), (2, 0, 0, 14 * MB, 1), (3, 0, 0, 12 * MB, 1), (4, 0, 0, 13 * MB, 1),
    (5, 0, 0, 30 * MB, 1),
)  # fmt: skip


def test_memory_is_the_growth_from_the_first_living_sample() -> None:
    # In the window 14, 12 and 13 MB: the median is 13, 3 MB more than at the start.
    assert rss_per_connection(GROWN, 1000, 2, 4) == 3000
    assert rss_per_connection(GROWN, 1000, math.nan, math.nan) == 20_000


@pytest.mark.parametrize("held", [0, float("nan")])
def test_no_memory_per_connection_of_none(held: float) -> None:
    assert math.isnan(rss_per_connection(GROWN, held, 2, 4))


def test_tiny_and_negative_growth_is_no_figure() -> None:
    assert math.isnan(rss_per_connection(samples((0, 0, 0, MB, 1), (1, 0, 0, MB + 60_000, 1)), 10, 0, 2))
    assert math.isnan(rss_per_connection(samples((0, 0, 0, MB, 1), (1, 0, 0, 1000, 1)), 10, 1, 2))


def test_memory_between_two_samples_is_on_the_line_from_one_to_the_other() -> None:
    edges = samples((0, 0, 0, 10 * MB, 300), (4, 0, 0, 30 * MB, 300))
    assert rss_per_connection(edges, 1000, 1, 3) == 10_000
    assert math.isnan(rss_per_connection(edges, 1000, 5, 7)), "after the last sample nothing is known"
