"""When requests are due, by table."""

from collections import Counter
from itertools import islice, pairwise, takewhile

import pytest

from contracts.declared import PARAMETERS
from pyloadgen.pacing import Arrival, arrivals

SECOND = 1_000_000_000


def until(end_ns: int, law: str, rate: float, turns: range, phase: float = 0, seed: int = 71) -> list[Arrival]:
    return list(takewhile(lambda arrival: arrival[0] < end_ns, arrivals(law, rate, phase, seed, 0, turns)))


@pytest.mark.parametrize(
    ("rate", "phase", "active", "expected"),
    [
        (1000, 0, 2, [(0, 0), (1_000_000, 1), (2_000_000, 0)]),
        (4, 0.5, 3, [(125_000_000, 0), (375_000_000, 1), (625_000_000, 2)]),
        (0.5, 0.75, 1, [(1_500_000_000, 0), (3_500_000_000, 0), (5_500_000_000, 0)]),
    ],
)
def test_fixed(rate: float, phase: float, active: int, expected: list[Arrival]) -> None:
    assert list(islice(arrivals("fixed", rate, phase, 71, 0, range(0, active, 1)), 3)) == expected


@pytest.mark.parametrize("law", PARAMETERS["arrival"].words)
def test_no_rate_or_no_connection_is_no_arrival(law: str) -> None:
    assert until(SECOND, law, 0, range(0, 5, 1)) == []
    assert until(SECOND, law, 100, range(0, 0, 1)) == []
    assert until(SECOND, law, 100, range(5, 5, 16)) == []


@pytest.mark.parametrize("processes", [1, 3, 16, 100])
def test_the_parts_of_a_fixed_law_are_the_whole(processes: int) -> None:
    whole = until(2 * SECOND, "fixed", 777, range(0, 100, 1), phase=0.25)
    parts = [until(2 * SECOND, "fixed", 777, range(first, 100, processes), phase=0.25) for first in range(processes)]
    assert sorted(arrival for part in parts for arrival in part) == whole
    assert [number for _, number in whole] == [i % 100 for i in range(len(whole))]


@pytest.mark.parametrize("law", ["poisson", "uniform"])
@pytest.mark.parametrize("processes", [1, 4, 7])
def test_the_parts_of_a_law_of_chance_have_the_whole_rate(law: str, processes: int) -> None:
    parts = [until(20 * SECOND, law, 1000, range(first, 50, processes)) for first in range(processes)]
    total = sum(map(len, parts))
    assert abs(total - 20_000) < 5 * 20_000**0.5
    for first, part in enumerate(parts):
        assert part == sorted(part, key=lambda arrival: arrival[0])
        assert {number for _, number in part} == set(range(first, 50, processes))
        each = Counter(number for _, number in part).values()
        assert max(each) - min(each) <= 1


def test_the_gaps_of_a_poisson_law() -> None:
    times = [at for at, _ in until(20 * SECOND, "poisson", 1000, range(0, 1, 1))]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(1e6, rel=0.05)
    assert deviation == pytest.approx(1e6, rel=0.05)


def test_the_seed_decides() -> None:
    turns = range(0, 3, 1)
    assert until(SECOND, "poisson", 100, turns) == until(SECOND, "poisson", 100, turns)
    assert until(SECOND, "poisson", 100, turns) != until(SECOND, "poisson", 100, turns, seed=72)
    assert until(SECOND, "poisson", 100, turns) != until(SECOND, "poisson", 100, range(1, 3, 3))
