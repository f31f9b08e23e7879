"""CPU time and memory, on counters worked out by hand."""

import math

import pandas as pd
import pytest

from analysis.ingest.resources import grown, rss_per_connection


def samples(*rows: tuple[float, float, float, float, int], held: tuple[float, ...] = ()) -> pd.DataFrame:
    """Rows of t, user, system, rss, processes; and the connections held."""
    table = pd.DataFrame(rows, columns=["t_ns", "cpu_user_ns", "cpu_system_ns", "rss_bytes", "processes"])
    return table.assign(
        open=pd.Series(held or [0.0] * len(rows), dtype="Float64"), established=pd.Series(pd.NA, table.index, "Int64")
    )


STEPS = samples((0, 0, 0, 100, 1), (1000, 100, 300, 100, 1), (2000, 200, 700, 100, 1), (3000, 200, 800, 100, 1))


def cpu_between(table: pd.DataFrame, start: float, end: float) -> tuple[float, float]:
    return grown(table, "cpu_user_ns", start, end), grown(table, "cpu_system_ns", start, end)


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
    assert math.isnan(cpu_between(fell, 0, 1000)[0])
    assert all(map(math.isnan, cpu_between(STEPS.iloc[:0], 0, 1000)))


MB, STEP = 1_000_000, 128 * 1024


def test_memory_is_of_the_connections_that_came_between_two_samples() -> None:
    """The first sample holds 3,500 of 10,000 already: their memory is in it."""
    table = samples((1, 0, 0, 20 * MB, 1), (2, 0, 0, 21 * MB, 1), (3, 0, 0, 21_430_000, 1), (4, 0, 0, 21_430_000, 1),
                    held=(3500, 8500, 10_000, 10_000))  # fmt: skip
    assert rss_per_connection(table, 3, 4) == (220, STEP / 6500)


def test_memory_begins_when_all_the_processes_are_there() -> None:
    table = samples((0, 0, 0, 0, 0), (1, 0, 0, 10 * MB, 1), (2, 0, 0, 40 * MB, 3), (3, 0, 0, 43 * MB, 3),
                    held=(0, 0, 0, 1000))  # fmt: skip
    assert rss_per_connection(table, 3, 4) == (3000, 3 * STEP / 1000)


def test_memory_of_a_process_for_each_connection_counts_the_processes() -> None:
    table = samples((1, 0, 0, 10 * MB, 1), (2, 0, 0, 110 * MB, 101), held=(0, 100))
    assert rss_per_connection(table, 2, 3)[0] == MB


def test_memory_without_a_window_is_the_largest() -> None:
    table = samples((1, 0, 0, 10 * MB, 1), (2, 0, 0, 30 * MB, 1), (3, 0, 0, 20 * MB, 1), held=(0, 1000, 500))
    assert rss_per_connection(table, math.nan, math.nan)[0] == 20_000


def test_connections_of_a_users_server_are_the_kernels() -> None:
    table = samples((1, 0, 0, 10 * MB, 1), (2, 0, 0, 30 * MB, 1))
    table = table.assign(open=table["established"], established=[0, 1000])
    assert rss_per_connection(table, 2, 3)[0] == 20_000


@pytest.mark.parametrize(
    ("rss", "held"), [(MB + 60_000, 10), (1000, 10), (9 * MB, 0)], ids=["tiny", "negative", "nobody came"]
)
def test_no_memory_of_what_cannot_be_told(rss: int, held: int) -> None:
    table = samples((0, 0, 0, MB, 1), (1, 0, 0, rss, 1), held=(0, held))
    assert all(map(math.isnan, rss_per_connection(table, 1, 2)))


def test_memory_between_two_samples_is_on_the_line_from_one_to_the_other() -> None:
    edges = samples((0, 0, 0, 10 * MB, 300), (4, 0, 0, 30 * MB, 300), held=(0, 1000))
    assert rss_per_connection(edges, 1, 3)[0] == 20_000
    assert math.isnan(rss_per_connection(edges, 5, 7)[0]), "after the last sample nothing is known"
