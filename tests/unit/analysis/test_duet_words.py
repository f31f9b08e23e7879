"""What is said of a duet: that the two ran side by side, and nothing of what each would have shown alone."""

from dataclasses import replace
from typing import Any

import pytest

from analysis.answers import glance, remarks
from analysis.answers.headline import headline
from analysis.answers.objective import kept
from analysis.answers.trust import trust
from analysis.charts import effects
from analysis.checks import findings_table
from analysis.commands.gate import lines
from analysis.compare import gate
from analysis.compare.side import of_dataset
from analysis.contrasts import contrasts_table
from analysis.estimates import estimates_table, metrics_table
from analysis.model import Dataset
from analysis.report import words
from analysis.terminal import ending, facts, grid
from analysis.unreadable import Unreadable
from tests.unit.analysis import duets
from tests.unit.analysis.chart_data import MS, dataset_of

GOOD = [(1.1, 1.0), (2.2, 2.0), (1.1, 1.0), (3.3, 3.0), (1.1, 1.0), (1.1, 1.0)]
EQUAL = [(theirs, theirs) for _, theirs in GOOD]


def dataset(**factors: Any) -> Dataset:
    rows = duets.trials({"c1": GOOD, "c2": EQUAL, "c0": EQUAL}, **factors)
    figures = {"requests_per_s": 10.0, "response_p99_ns": 20.0 * MS, "response_p99_tail_requests": 500.0,
               "response_p50_ns": 1.0 * MS, "response_p50_tail_requests": 500.0, "window_s": 4.0,
               "planned_requests": 40, "server_cpu_share": 0.3, "held_connections": 100,
               "pipeline": 1, "server_ports": 1, "think_time": 0, "generator": "go"}  # fmt: skip
    rows = [row | {"cpu_us_per_request": 1e6 / row["requests_per_cpu_s"]} | figures for row in rows]
    raw = dataset_of(runs=[{"run": "r1", "slo": "p99=10ms", "is_whole": True, "repetitions": 6}], trials=rows)
    data = replace(raw, findings=findings_table(raw))
    data = replace(data, metrics=metrics_table(data))
    data = replace(data, estimates=estimates_table(data))
    return replace(data, contrasts=contrasts_table(data))


def solo() -> Dataset:
    return dataset(beside=None, control=False)


def test_the_sentence_says_that_they_ran_side_by_side() -> None:
    said = headline(dataset())
    assert said.sentence == (
        "At 100 connections and 10 requests/s s1 answers 1.10 × [1.10, 1.10] as many requests per CPU second as s0 "
        "(95 %, 6 repetitions side by side)."
    )
    assert "s2 and s0 are equal within 3 %" in said.more and "6 repetitions side by side" in said.more
    assert "side by side" not in f"{headline(solo()).sentence} {headline(solo()).more}"


def test_the_objective_is_not_judged() -> None:
    data = dataset()
    assert kept(data) == {} and len(kept(solo())) == 3
    told = ending(data, glance.data(data), "results/r1")
    assert "The objective is not judged: a duet does not tell how long a request takes." in " ".join(told)
    assert "10 ms" not in " ".join(told) and "recommendation" not in " ".join(told)
    assert "missed" in " ".join(ending(solo(), glance.data(solo()), "results/r1"))
    assert "met" not in glance.caption(glance.data(data))


def test_what_a_duet_does_not_tell_is_marked() -> None:
    frame = glance.data(dataset()).set_index("label")
    for metric in ("p50", "p99", "throughput"):
        assert set(frame[f"{metric}_doubt"]) == {"DS12"}
    for metric in ("efficiency", "cpu", "ratio"):
        assert set(frame[f"{metric}_doubt"]) == {""}


def test_table_and_remarks_say_it() -> None:
    data = dataset()
    assert facts(data)[-1] == "36 trials side by side"
    _, legend = grid(glance.data(data), 200)
    assert "ratio: requests per CPU second, ÷ s0 beside it" in legend
    (control,) = remarks.of_control(data)
    assert control.startswith("A/A control: s0 against itself side by side 1.00")
    assert any("caches" in line for line in words.limits(data)) and not any("caches" in x for x in words.limits(solo()))
    assert any(line.startswith("Side by side:") for line in words.methods(data))


@pytest.mark.parametrize(("data", "is_said"), [(dataset(), False), (solo(), True)])
def test_few_pairs_are_not_said_to_tell_large_differences_only(data: Dataset, is_said: bool) -> None:
    few = dataset_of(runs=data.runs, trials=data.trials[data.trials["block"] <= 3].to_dict("records"))
    assert trust(few).startswith("3 of 3 rows were measured to the end")
    assert ("only large differences" in trust(few)) is is_said


def test_each_point_of_the_chart_is_a_pair() -> None:
    frame = effects.data(dataset())
    assert {row["label"]: row["_blocks"] for row in frame.to_dict("records")} == {
        "s1": pytest.approx([1.1] * 6), "s2": pytest.approx([1.0] * 6)
    }  # fmt: skip


def test_alone_after_a_duet_nothing_is_said_of_its_limits() -> None:
    """Where the other cells failed."""
    data = dataset()
    rows = [row | {"outcome": "ok" if row["cell"] == "c0" else "crashed"} for row in data.trials.to_dict("records")]
    raw = dataset_of(runs=data.runs, trials=rows, hosts=[{"run": "r1", "host": "s", "role": "server", "cpus": "[0]"}])
    raw = replace(raw, findings=findings_table(raw))
    one = replace(raw, metrics=metrics_table(raw))
    said = headline(replace(one, estimates=estimates_table(one)))
    assert "had room" not in said.more and "DS12" in said.sentence and "within" not in said.sentence


def test_a_gate_says_it() -> None:
    rows = gate.rows_of(dataset(), ["efficiency"])
    assert lines(rows)[-1].endswith("Old and new ran side by side.")
    assert "side by side" not in lines(gate.rows_of(solo(), ["efficiency"]))[-1]
    code, why = gate.status(gate.rows_of(dataset(), ["p99"]), 0.03, fails_undecided=False)
    assert code == 3 and "measured side by side" in why


def test_a_duet_is_not_compared_with_other_runs() -> None:
    with pytest.raises(Unreadable, match="r1 is a duet"):
        of_dataset(dataset())
    assert of_dataset(solo())
