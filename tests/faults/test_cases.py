"""One fault of each kind, and ten seeds of chaos; tests.bench.faults and tests.bench.chaos make all of them."""

import pytest

from tests.bench import chaos
from tests.faults import cases

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]


@pytest.mark.parametrize("case", [case for case in cases.CASES if case.ci], ids=lambda case: case.name)
def test_a_fault_is_told_and_leaves_nothing(case: cases.Case) -> None:
    _, found = cases.check(case)
    assert not found


@pytest.mark.parametrize("seed", range(1, 11))
def test_no_fault_at_any_instant_breaks_an_invariant(seed: int) -> None:
    told, found = chaos.one(seed)
    assert not found, told
