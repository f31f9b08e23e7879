"""One fault of each kind, ten seeds of chaos, and the kills of one tuning; tests.bench makes all of them."""

import pytest

from tests.bench import chaos, tuning
from tests.faults import cases, suffered

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]


@pytest.mark.parametrize("case", [case for case in cases.CASES if case.ci], ids=lambda case: case.name)
def test_a_fault_is_told_and_leaves_nothing(case: suffered.Case) -> None:
    _, found = suffered.check(case)
    assert not found


@pytest.mark.parametrize("seed", range(1, 11))
def test_no_fault_at_any_instant_breaks_an_invariant(seed: int) -> None:
    told, found = chaos.one(seed)
    assert not found, told


def test_a_tuning_that_is_killed_between_any_two_writes_is_put_back() -> None:
    assert not tuning.check("c10k", every=3)
