"""An A/A pair that is called different is a finding, and what rests on it is marked."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.checks.findings import OBSERVERS, findings_table
from analysis.estimates import metrics_table
from analysis.export import markdown
from analysis.model import frame
from tests.unit.analysis.chart_data import dataset_of
from tests.unit.analysis.test_contrasts import dataset, trials


def said(control: Sequence[float | None], again: Sequence[float | None] = (1, 1.001, 1.002, 1, 1.001, 1)) -> list[str]:
    rows = trials("c1", "epoll", again) + trials("c1", "epoll", control, control=True)
    return [one.text for one in OBSERVERS["DS10"](dataset(rows))]


def test_a_server_that_differs_from_itself() -> None:
    (text,) = said([1.1, 1.101, 1.102, 1.1, 1.1, 1.1])
    assert text.startswith("epoll against itself differs in requests per server-CPU-second: 1.10 × [1.10, 1.10]")
    (row,) = (
        row
        for row in findings_table(
            replace(
                dataset(trials("c1", "epoll", [1] * 6) + trials("c1", "epoll", [2] * 6, control=True)),
                metrics=frame("metrics", ()),  # as a run is read: nothing was derived of it yet
            )
        ).to_dict("records")
        if row["check"] == "DS10"
    )
    assert (row["severity"], row["scope"]) == ("warn", "run")


def test_a_server_that_does_not() -> None:
    assert said([0.99, 1.012, 1.0, 1.01, 0.995, 1.003]) == []
    assert said([1.1, None, None, None, None, None]) == []  # one block says nothing
    assert said([1, 1.001, 1.002, 1, 1.001, 1]) == []  # exactly alike
    assert said([1.01, 1.011, 1.012, 1.01, 1.011, 1.01]) == []  # surely, and within what counts as equal


def test_a_step_of_what_is_measured_is_no_difference() -> None:
    """Memory grows in steps: three and three repetitions without a spread are known to no better than one."""
    told = [
        row | {"rss_resolution_bytes": 200.0}
        for again in (False, True)
        for row in trials(
            "c1", "epoll", [1100 if again else 1000] * 6, control=again, column="rss_bytes_per_connection"
        )
    ]
    assert list(OBSERVERS["DS10"](dataset(told))) == []
    coarse = [row | {"rss_resolution_bytes": 20.0} for row in told]
    assert len(list(OBSERVERS["DS10"](dataset(coarse)))) == 1


def test_without_a_fault_it_is_said_of_few_runs() -> None:
    """Of six blocks and eleven figures, each with noise of its own: all together, not each, err in 5 %."""
    draw, hits, runs = np.random.default_rng(3), 0, 100
    columns = ("requests_per_cpu_s", "requests_per_s", "rss_bytes_per_connection", "cpu_us_per_request")
    for _ in range(runs):
        rows = [
            row | {name: float(np.exp(draw.normal(0, 0.03))) for name in columns}
            for control in (False, True)
            for row in trials("c1", "epoll", [1.0] * 6, control=control)
        ]
        data = dataset_of(trials=[{"trial": n, **row} for n, row in enumerate(rows, 1)])
        hits += bool(list(OBSERVERS["DS10"](replace(data, metrics=metrics_table(data)))))
    assert hits <= 11  # of 100 at 5 % more are seen once in 250 times; each by itself would err in 19


def test_markdown_marks_the_control() -> None:
    figures = {"ratio": 1.336, "low": 1.011, "high": 1.765, "family_low": 1.011, "family_high": 1.765, "p_holm": 0.048}
    data = dataset_of(
        runs=[{"run": "r"}],
        trials=[{"run": "r", "trial": 1, "cell": "c1", "strategy": "epoll", "outcome": "ok", "control": False}],
        contrasts=[{"run": "r", "cell": "c1", "baseline": "c1", "control": True, "metric": "connect_p99", "n": 2,
                    "verdict": "worse"} | figures],
    )  # fmt: skip
    row = "| connect&#95;p99 | 1.336 | 1.011 to 1.765 | 0.048 | 2 | worse |"
    assert f"| <code>epoll</code> (A/A control) | <code>epoll</code> {row}" in markdown.text(data).splitlines()
