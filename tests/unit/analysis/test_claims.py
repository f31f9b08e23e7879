"""Claims: of each kind of estimate one planted effect and one planted null come out right; and nothing is said that a
broken seal, a finding or a full CPU forbids."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.answers.claims import Claim, claims, words
from analysis.commands.claim import lines
from analysis.estimates import estimates_table, metrics_table
from analysis.model import Dataset
from analysis.statistics.claim import FAILS, HOLDS, OPEN, Bound, needed
from analysis.statistics.paired import Estimate
from contracts.claim import seal
from tests.unit.analysis import duets
from tests.unit.analysis.chart_data import dataset_of, struck
from tests.unit.analysis.test_contrasts import Row, trials

BLOCKS = 6


def dataset(
    rows: Iterable[Row], answers: dict[str, Any], findings: Sequence[Row] = (), told: str | None = None,
    changed: Sequence[str] = (), **more: Any,
) -> Dataset:  # fmt: skip
    stated = {
        "name": "a_claim",
        "question": "Is it so?",
        "source": "somebody",
        "changed": list(changed),
        **more,
        "answers": [
            {"name": name, **answer} if isinstance(answer, dict) else answer for name, answer in answers.items()
        ],
    }
    sealed = seal(stated)
    raw = dataset_of(
        runs=[{"run": "r", "claim": json.dumps({**stated, "seal": sealed}), "claim_seal": told or sealed}],
        trials=[{"trial": n, **row} for n, row in enumerate(rows, 1)], findings=list(findings),
    )  # fmt: skip
    data = replace(raw, metrics=metrics_table(raw))
    return replace(data, estimates=estimates_table(data))


def one(*args: Any, **kwargs: Any) -> Claim:
    (found,) = claims(dataset(*args, **kwargs))
    return found


def cpu(cell: str, strategy: str, middle: float, spread: float = 0.02, seed: int = 1, **factors: Any) -> list[Row]:
    """Figures that spread by so much about the true one."""
    draw = np.random.default_rng([seed, sum(map(ord, cell))])
    values = [middle * math.exp(x) for x in draw.normal(0, spread, BLOCKS)]
    return trials(cell, strategy, values, column="cpu_us_per_request", **factors)


def ratio(bound: str, number: float, of: str = "b") -> dict[str, Any]:
    return {"says": "it is so", "estimate": "ratio", "metric": "cpu", "of": {"strategy": of}, "to": {"strategy": "a"},
            bound: number}  # fmt: skip


def level(bound: str, number: float) -> dict[str, Any]:
    return {"says": "it is so", "estimate": "level", "metric": "cpu", "of": {"strategy": "b"}, bound: number}


def slope(bound: str, number: float) -> dict[str, Any]:
    return {"says": "it is so", "estimate": "slope", "metric": "cpu", "of": {"strategy": "b"}, bound: number}


def grows(per_thousand: float) -> list[Row]:
    """20 µs, and so much for each thousand connections."""
    sizes = (100, 2500, 5000, 10_000)
    return [
        row for i, size in enumerate(sizes)
        for row in cpu(f"c{i}", "b", 20 + per_thousand * size / 1000, 0.01, connections=size)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "answer", "word"),
    [
        (cpu("c1", "a", 10) + cpu("c2", "b", 20), ratio("at_least", 1.5), HOLDS),
        (cpu("c1", "a", 10) + cpu("c2", "b", 10), ratio("at_least", 1.5), FAILS),
        (cpu("c1", "a", 10) + cpu("c2", "b", 10), ratio("within", 0.1), HOLDS),
        (cpu("c1", "a", 10) + cpu("c2", "b", 12), ratio("within", 0.1), FAILS),
        (cpu("c1", "a", 10) + cpu("c2", "b", 5), ratio("at_most", 0.8), HOLDS),
        (cpu("c1", "a", 10) + cpu("c2", "b", 10, 0.3), ratio("within", 0.1), OPEN),
        (cpu("c2", "b", 20), level("at_least", 15), HOLDS),
        (cpu("c2", "b", 10), level("at_least", 15), FAILS),
        (cpu("c2", "b", 15, 0.2), level("at_least", 15), OPEN),
        (grows(8), slope("at_least", 2), HOLDS),
        (grows(0), slope("at_least", 2), FAILS),
        (grows(0), slope("at_most", 0.5), HOLDS),
    ],
)
def test_what_was_planted_comes_out(rows: list[Row], answer: dict[str, Any], word: str) -> None:
    found = one(rows, {"x": answer})
    assert [answer.word for answer in found.answers] == [word], found.answers[0].sentence
    assert words(found) == f"claimed before the run: 1 of 1 {word}."


def test_several_answers_are_told_in_the_plural() -> None:
    rows = cpu("c1", "a", 10) + cpu("c2", "b", 20)
    found = one(rows, {"x": ratio("at_least", 1.5), "y": ratio("at_least", 1.2), "z": ratio("at_most", 1)})
    assert words(found) == "claimed before the run: 2 of 3 hold, 1 of 3 does not hold."


def test_a_claim_that_was_changed_after_the_run_says_nothing() -> None:
    rows = cpu("c1", "a", 10) + cpu("c2", "b", 20)
    found = one(rows, {"x": ratio("at_least", 1.5)}, told="sha256:" + "0" * 64)
    assert found.answers == () and "not what was claimed before" in found.broken


def test_an_interval_that_says_nothing_is_no_number() -> None:
    rows = trials("c1", "a", [1.0, 30.0], column="cpu_us_per_request")
    rows += trials("c2", "b", [70.0, 60.0], column="cpu_us_per_request")
    (answer,) = one(rows, {"x": ratio("at_least", 1.5)}).answers
    assert answer.word == OPEN
    assert "found about 12 ×, give or take a factor of 100 or more, 2 repetitions" in answer.sentence


def test_a_terminal_is_not_wider_than_it_is() -> None:
    (found,) = claims(dataset(THREE, {"x": level("at_least", 5), "long": level("at_most", 99)}, pairs=PAIRS))
    told = lines(found, 60)
    assert max(map(len, told)) <= 60
    assert "".join(told).count("holds") == 2 and told[-1] == "  b below c."


def test_a_run_that_was_changed_is_said_to_be_another() -> None:
    data = dataset(cpu("c1", "a", 10) + cpu("c2", "b", 20), {"x": ratio("at_least", 1.5)}, changed=["rate"])
    assert words(claims(data)[0]).startswith("claimed before the run, of a run that differs in rate: 1 of 1")


def side_by_side(own: float) -> list[Row]:
    """Rivals `b` and `c`, which costs so many times what `b` does, in duets with `a` on a machine that is now twice as
    slow, now not: the state of each duet is another."""
    draw = np.random.default_rng(3)
    states = {cell: draw.choice([1.0, 2.0], BLOCKS) for cell in ("c1", "c2")}
    costs = {"c1": 20.0, "c2": 20.0 * own}
    figures = {
        cell: [(costs[cell] * state * draw.normal(1, 0.01), 10 * state) for state in states[cell]] for cell in costs
    }
    names = {"s0": "a", "s1": "b", "s2": "c"}
    made = duets.trials(figures, column="cpu_us_per_request")
    return [{**row, "run": "r", "strategy": names[row["strategy"]]} for row in made]


@pytest.mark.parametrize(("own", "word"), [(1.3, HOLDS), (1.0, FAILS)])
def test_two_rivals_of_a_duet_are_compared_over_what_stood_beside_them(own: float, word: str) -> None:
    answer = ratio("at_least", 1.1, "c") | {"to": {"strategy": "b"}}
    (found,) = one(side_by_side(own), {"x": answer}).answers
    assert found.word == word, found.sentence
    assert found.found.high / found.found.low < 1.1


PAIRS = {"metric": "cpu", "margin": 0.05}
THREE = cpu("c1", "a", 10, 0.01) + cpu("c2", "b", 10.1, 0.01) + cpu("c3", "c", 20, 0.01)


def test_every_pair_that_differs_by_the_margin_is_named_and_no_other() -> None:
    (found,) = claims(dataset(THREE, {"x": level("at_least", 5)}, pairs=PAIRS))
    assert found.apart is not None
    assert [(pair.less, pair.more) for pair in found.apart.pairs] == [("a", "c"), ("b", "c")]
    assert all(pair.factor.high < 0.6 and pair.factor.n == BLOCKS for pair in found.apart.pairs)
    assert found.apart.sentences == [
        "2 of 3 pairs differ by 5 % or more in server CPU time per request:", "a below c;", "b below c.",
    ]  # fmt: skip


def test_of_equal_cells_no_pair_is_named() -> None:
    rows = [row for i in range(5) for row in cpu(f"c{i}", f"s{i}", 10, 0.02)]
    (found,) = claims(dataset(rows, {"x": level("at_least", 5)}, pairs=PAIRS))
    assert found.apart is not None and found.apart.pairs == ()
    assert found.apart.sentences == ["0 of 10 pairs differ by 5 % or more in server CPU time per request."]


def test_a_cell_that_a_finding_forbids_is_in_no_pair() -> None:
    of_c3 = struck("b", "m") | {"run": "r", "cells": '["c3"]'}
    (found,) = claims(dataset(THREE, {"x": level("at_least", 5)}, [of_c3], pairs=PAIRS))
    assert found.apart is not None and (found.apart.compared, found.apart.pairs) == (1, ())


@pytest.mark.parametrize("pairs", [None, {}, [], {"metric": "x", "margin": 0.05}, {"metric": "cpu", "margin": "5"}])
def test_no_pair_is_told_where_none_is_asked_for(pairs: Any) -> None:
    (found,) = claims(dataset(THREE, {"x": level("at_least", 5)}, pairs=pairs))
    assert found.apart is None and not found.broken


def test_all_answers_share_the_risk() -> None:
    rows = cpu("c1", "a", 10) + cpu("c2", "b", 20)
    alone = one(rows, {"x": level("at_least", 15)}).answers[0].found
    beside = one(rows, {f"x{i}": level("at_least", 15) for i in range(5)}).answers[0].found
    assert beside.low < alone.low and beside.high > alone.high


def test_what_a_finding_forbids_is_not_said() -> None:
    rows = cpu("c1", "a", 10) + cpu("c2", "b", 20)
    (answer,) = one(rows, {"x": ratio("at_least", 1.5)}, [struck("b", "m") | {"run": "r", "cells": '["c2"]'}]).answers
    assert answer.word == OPEN and answer.why


@pytest.mark.parametrize(
    ("full", "bound", "number", "word"),
    [
        ("c2", "at_least", 1.5, HOLDS),
        ("c2", "at_most", 3, OPEN),
        ("c2", "at_least", 3, OPEN),
        ("c2", "at_most", 1.5, FAILS),
        ("c1", "at_least", 1.5, OPEN),
        ("c1", "at_most", 3, HOLDS),
        ("c1", "at_most", 1.5, OPEN),
        ("c1", "at_least", 3, FAILS),
    ],
)
def test_a_full_cpu_hides_on_one_side_only(full: str, bound: str, number: float, word: str) -> None:
    rows = cpu("c1", "a", 10) + cpu("c2", "b", 20)
    first = {"c1": 1, "c2": 1 + BLOCKS}[full]
    named = struck("b", "m", "SV7") | {
        "run": "r", "severity": "info", "cells": "[]", "trials": json.dumps(list(range(first, first + BLOCKS))),
    }  # fmt: skip
    (answer,) = one(rows, {"x": ratio(bound, number)}, [named]).answers
    assert answer.word == word, answer.sentence


@pytest.mark.parametrize("check", ["GN3", "GN7"])
@pytest.mark.parametrize(
    ("late", "estimate", "bound", "number", "word"),
    [
        ("c2", "ratio", "at_most", 3, HOLDS),
        ("c2", "ratio", "at_least", 1.5, OPEN),
        ("c2", "ratio", "at_least", 3, FAILS),
        ("c2", "ratio", "at_most", 1.5, OPEN),
        ("c2", "ratio", "within", 3, OPEN),
        ("c1", "ratio", "at_least", 1.5, HOLDS),
        ("c1", "ratio", "at_most", 3, OPEN),
        ("c2", "level", "at_most", 30, HOLDS),
        ("c2", "level", "at_least", 15, OPEN),
        ("c1", "level", "at_least", 15, HOLDS),
    ],
)
def test_late_sending_can_only_have_made_a_p99_larger(
    check: str, late: str, estimate: str, bound: str, number: float, word: str
) -> None:
    rows = [
        {**row, "response_p99_ns": row["cpu_us_per_request"], "response_p99_tail_requests": 100.0}
        for row in cpu("c1", "a", 10) + cpu("c2", "b", 20)
    ]
    asked = {**(ratio if estimate == "ratio" else level)(bound, number), "metric": "p99"}
    named = struck("b", "m", check) | {"run": "r", "severity": "warn", "cells": f'["{late}"]', "trials": json.dumps(
        list(range(1, 1 + BLOCKS) if late == "c1" else range(1 + BLOCKS, 1 + 2 * BLOCKS)))}  # fmt: skip
    (answer,) = one(rows, {"x": asked}, [named]).answers
    touched = late == "c2" or estimate == "ratio"
    assert answer.word == (word if check == "GN3" or not touched else OPEN), answer.sentence


@pytest.mark.parametrize(
    ("full", "bound", "number", "word"),
    [
        (3, "at_least", 1, HOLDS),  # at the largest size: the slope can only be steeper
        (3, "at_most", 20, OPEN),
        (3, "at_most", 1, FAILS),
        (0, "at_least", 1, OPEN),
        (0, "at_most", 20, HOLDS),
        (1, "at_least", 1, OPEN),
        (2, "at_most", 20, OPEN),
    ],
)
def test_how_a_cost_grows_is_hidden_where_the_cpu_was_full(full: int, bound: str, number: float, word: str) -> None:
    trials_of = json.dumps(list(range(1 + full * BLOCKS, 1 + (full + 1) * BLOCKS)))
    named = struck("b", "m", "SV7") | {"run": "r", "severity": "info", "cells": "[]", "trials": trials_of}
    (answer,) = one(grows(5), {"x": slope(bound, number)}, [named]).answers
    assert answer.word == word, answer.sentence
    assert word != OPEN or "SV7" in answer.why


def test_cells_that_are_not_there_are_said_so() -> None:
    (answer,) = one(cpu("c1", "a", 10), {"x": ratio("at_least", 1.5)}).answers
    assert (answer.word, answer.why) == (OPEN, "no cell has strategy b")


@pytest.mark.parametrize("value", [None, [], "x", {"estimate": "ratio"}, {"estimate": [], "metric": {}, "at_least": 1}])
def test_a_plan_may_claim_anything(value: Any) -> None:
    assert one(cpu("c1", "a", 10), {"x": value}).broken


def test_how_many_repetitions_a_level_would_take_is_told_on_the_scale_of_its_interval() -> None:
    """An interval of [0.5, 5.0] ms about 1.6 ms was said to take 22 repetitions to lie above 0.5 ms: it takes 6."""
    (answer,) = one(cpu("c1", "a", 10) + cpu("c2", "b", 20, 1.0), {"x": level("at_least", 15)}).answers
    assert answer.word == OPEN
    half, distance = math.log(answer.found.high / answer.found.low) / 2, abs(math.log(answer.found.value / 15))
    assert answer.repetitions == math.ceil(BLOCKS * (half / distance) ** 2)


def test_how_many_repetitions_would_decide() -> None:
    # Half an interval of ln 2 where ln 2 / 2 is asked for: four times as many.
    found = Estimate(math.sqrt(2), math.sqrt(2) / 2, math.sqrt(2) * 2, 0.95, 6, "")
    assert needed(found, Bound("at_least", 1.0), is_factor=True) == 24
    assert needed(found, Bound("at_least", math.sqrt(2)), is_factor=True) is None
