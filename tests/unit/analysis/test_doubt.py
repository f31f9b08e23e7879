"""What findings forbid, by cell and metric."""

import math
import re
from pathlib import Path

import pytest

from analysis.answers.doubt import CONTRASTS, doubts, named, warnings
from analysis.answers.objective import bars, objective
from analysis.checks.base import CHECKS
from analysis.metrics import METRICS
from tests.unit.analysis.chart_data import MS, dataset_of, struck, trial

ROOT = Path(__file__).parents[3]


def warned(check: str, trials: str, severity: str = "warn") -> dict[str, str]:
    return struck("epoll", f"{check} was seen.", check) | {"severity": severity, "cells": "[]", "trials": trials}


TRIALS = [trial(1), trial(2, "poll")]


def test_a_warning_forbids_the_figures_of_its_trials_only() -> None:
    found = doubts(dataset_of(trials=TRIALS, findings=[warned("GN3", "[2]"), warned("SV5", "[2]")]))
    assert found == {("r1", "c-poll", "p99"): ("GN3", "SV5"), ("r1", "c-poll", "p99_9"): ("GN3", "SV5")}


def test_a_finding_of_the_whole_run_is_about_every_cell() -> None:
    found = doubts(dataset_of(trials=TRIALS, findings=[warned("DS4", "[]")]))
    assert found == {("r1", f"c-{name}", CONTRASTS): ("DS4",) for name in ("epoll", "poll")}


def test_a_remark_and_an_unknown_check_forbid_nothing() -> None:
    findings = [warned("GN3", "[1]", "info"), warned("XX1", "[1]")]
    assert doubts(dataset_of(trials=TRIALS, findings=findings)) == {}


def test_the_worst_in_words() -> None:
    findings = [warned("GN3", "[1]"), warned("CK1", "[1]"), warned("GN1", "[2]", "invalid")]
    assert warnings(dataset_of(trials=TRIALS, findings=findings), 2) == [
        "These trials do not count: GN1 was seen. (GN1)",
        "Do not use the p99 response and p99.9 response of epoll: GN3 was seen. (GN3)",
    ]


def test_what_the_table_shows_comes_before_how_it_was_connected() -> None:
    """The defect: of a server whose CPUs others had used the worst was its accept queue."""
    found = warnings(dataset_of(trials=TRIALS, findings=[warned("SV2", "[1]"), warned("SV5", "[1]")]), 2)
    assert [one[-4:] for one in found] == ["SV5)", "SV2)"]


def test_what_is_forbidden_has_a_name() -> None:
    assert {name for check in CHECKS.values() for name in check.forbids} <= {*METRICS, CONTRASTS}
    assert named(("p50", CONTRASTS)) == "median response and comparisons"


def test_pages_that_words_refer_to_exist() -> None:
    texts = [(ROOT / "analysis/checks/checks.yml").read_text(), (ROOT / "analysis/checks/thresholds.yml").read_text()]
    for folder in ("answers", "checks", "report", "commands"):
        texts += [path.read_text() for path in (ROOT / "analysis" / folder).rglob("*.py")]
    links = {link for text in texts for link in re.findall(r"\b(?:docs/)?[\w-]+\.md(?:#[\w-]+)?", text)}
    assert not [text for text in texts if "DESIGN" in text]  # no page of this repository
    for link in links:
        name, _, anchor = link.partition("#")
        page = ROOT / ("" if name.startswith("docs/") or name == "README.md" else "docs") / name
        assert page.is_file(), link
        titles = [line.lstrip("# ").lower() for line in page.read_text().splitlines() if line.startswith("#")]
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in titles}, link


@pytest.mark.parametrize(
    ("check", "response_ms", "left"),
    [
        ("GN3", 1.4, ()), ("SV5", 9.9, ()), ("GN3", 10.1, ("GN3",)), ("SV5", math.inf, ("SV5",)),
        ("GN3", math.nan, ("GN3",)), ("GN10", 1.4, ("GN10",)),
    ],
)  # fmt: skip
def test_what_only_lengthens_leaves_no_doubt_that_an_objective_was_met(
    check: str, response_ms: float, left: tuple[str, ...]
) -> None:
    """The defect: "2 cannot be told: GN3" of p99s of 1.6 and 0.85 ms, which were to be below 10 ms."""
    data = dataset_of(trials=[trial(1, response_p99_ns=response_ms * MS)], findings=[warned(check, "[1]")])
    assert bars(data, "r1", "c-epoll", objective("p99=10ms")) == left


@pytest.mark.parametrize(
    ("clients_ms", "left"),
    [((3.0, 1.0), ()), ((3.0, 11.0), ("GN7",)), ((3.0, math.nan), ("GN7",)), ((), ("GN7",))],
)
def test_clients_that_disagree_leave_no_doubt_where_each_of_them_met_the_objective(
    clients_ms: tuple[float, ...], left: tuple[str, ...]
) -> None:
    """The defect: "whether within p99 ≤ 10 ms cannot be told: GN7", where the slowest client's p99 was 1.3 ms."""
    clients = [
        {"run": "r1", "trial": 1, "host": f"client{n}", "response_p99_ns": ms * MS} for n, ms in enumerate(clients_ms)
    ]
    data = dataset_of(trials=TRIALS, generators=clients, findings=[warned("GN7", "[1]")])
    assert bars(data, "r1", "c-epoll", objective("p99=10ms")) == left
    assert bars(data, "r1", "c-epoll", objective("p99.9=10ms")) == ("GN7",)
    also = dataset_of(trials=TRIALS, generators=clients, findings=[warned("GN7", "[1]"), warned("SV5", "[1]")])
    assert bars(also, "r1", "c-epoll", objective("p99=10ms")) == (*left, "SV5")
