import itertools
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.plan import Host, Load
from conductor.shares import Share, heights, shares, split


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (10_000, [1, 1, 1], [3334, 3333, 3333]),
        (2, [1, 1, 1], [1, 1, 0]),
        (10, [3, 1], [8, 2]),
        (7, [0, 1, 0], [0, 7, 0]),
        (5000, [3334, 3333, 3333], [1667, 1667, 1666]),
    ],
)
def test_largest_remainder_with_ties_to_the_earlier(total: int, weights: list[int], parts: list[int]) -> None:
    assert split(total, weights) == parts


@given(st.integers(1, 10_000_000), st.lists(st.fractions(Fraction(1, 100), 100), min_size=1, max_size=30))
def test_nothing_is_rounded_away(total: int, weights: list[Fraction]) -> None:
    parts = split(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * weight / sum(weights)) < 1


def load(connections: int, active: int, rate: int, hostile: dict[str, Any] | None = None) -> Load:
    return Load(
        "open", "go", connections, active, rate, None, 10, hostile, 5000,
        warmup=2, duration=10, timeout=5, arm_timeout=30, given={},
    )  # fmt: skip


def clients(weights: list[int]) -> list[Host]:
    return [
        Host(
            f"client{j}",
            "client",
            "local",
            None,
            "python3",
            "127.0.0.1",
            "/b",
            None,
            None,
            [],
            ["127.0.0.1"],
            Fraction(weight),
        )
        for j, weight in enumerate(weights)
    ]


@given(st.data(), st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 20_000), st.integers(1, 99_999))
def test_shares_fit_together(data: st.DataObject, weights: list[int], connections: int, rate: int) -> None:
    active = data.draw(st.integers(1, connections))
    parts = list(shares(load(connections, active, rate), clients(weights)).values())
    assert sum(part.connections for part in parts) == connections
    assert sum(part.active for part in parts) == active
    assert sum(part.load["rate"] for part in parts) == rate
    assert all(part.active <= part.connections for part in parts)
    assert all(part.active or not part.load["rate"] for part in parts)
    assert [part.first_connection for part in parts] == [
        sum(p.connections for p in parts[:j]) for j in range(len(parts))
    ]
    assert [part.phase for part in parts] == [j / len(parts) for j in range(len(parts))]


def test_a_client_without_active_connections_only_holds() -> None:
    parts = list(shares(load(10_000, 1, 500), clients([1, 1, 1])).values())
    assert [(part.active, part.load["rate"]) for part in parts] == [(1, 500), (0, 0), (0, 0)]


def storm(connections: int) -> dict[str, Any]:
    return {"kind": "storm", "connections": connections}


def test_a_share_of_the_pace_of_connecting_may_be_a_fraction_or_nothing() -> None:
    parts = shares(load(9, 9, 5), clients([2, 1, 0])).values()
    assert [part.load["connect_rate"] for part in parts] == [pytest.approx(10_000 / 3), pytest.approx(5_000 / 3), 0]
    assert shares(replace(load(9, 9, 5), connect_rate=None), clients([1]))["client0"].load["connect_rate"] is None


def test_hostile_clients_are_split_by_weight_and_none_is_none() -> None:
    parts = shares(load(10_000, 10_000, 500, storm(5)), clients([3, 1, 0])).values()
    assert [part.load["hostile"] for part in parts] == [storm(4), storm(1), None]
    assert shares(load(10, 10, 5), clients([1]))["client0"].load["hostile"] is None


def test_the_stairs_of_a_ramp_are_exact_for_each_client() -> None:
    parts = shares(load(10, 10, 5), clients([1, 1]))
    assert list(heights(parts, 3)) == [
        {"client0": 2, "client1": 2},
        {"client0": 4, "client1": 4},
        {"client0": 5, "client1": 5},
    ]


def test_one_client_climbs_by_the_rule_that_loadgen_has_too() -> None:
    for vector in json.loads((Path(__file__).parents[2] / "contract/vectors/stairs.json").read_text(encoding="utf-8")):
        parts = {"client0": Share({"connections": vector["connections"]}, 0, 0.0)}
        assert [step["client0"] for step in heights(parts, vector["steps"])] == vector["open"]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 20_000), st.integers(1, 100))
def test_stairs_climb_evenly_to_the_whole_share(weights: list[int], connections: int, steps: int) -> None:
    parts = shares(load(connections, 1, 1), clients(weights))
    climb = list(heights(parts, steps))
    assert len(climb) == steps
    assert climb[-1] == {name: part.connections for name, part in parts.items()}
    for name in parts:
        steps_of = [0, *(step[name] for step in climb)]
        rises = {after - before for before, after in itertools.pairwise(steps_of)}
        assert max(rises) - min(rises) <= 1
