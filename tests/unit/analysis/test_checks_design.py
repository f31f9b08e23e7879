"""Checks of the plan, and of what several runs have in common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.checks import findings_table
from analysis.checks.base import CHECKS, THRESHOLDS
from analysis.checks.explain import FAMILIES, explain
from analysis.checks.findings import OBSERVERS
from analysis.model import Dataset
from tests.unit.analysis.check_data import CLIENTS, RUN, Rows, change, dataset, found, healthy, ids, told


def without(rows: Rows, table: str, **fields: Any) -> Rows:
    kept = [row for row in rows[table] if any(row.get(name) != value for name, value in fields.items())]
    assert len(kept) < len(rows[table])
    rows[table] = kept
    return rows


@pytest.mark.parametrize(("blocks", "severity"), [(5, "info"), (2, "info"), (1, "warn")])
def test_few_repetitions(blocks: int, severity: str) -> None:
    rows = healthy()
    rows["trials"] = [row for row in rows["trials"] if row["block"] <= blocks]
    (one,) = found(rows)
    assert (one["check"], one["severity"], one["scope"]) == ("DS1", severity, "run")
    assert one["message"] == f"Cells have {blocks} repetition{'s' if blocks > 1 else ''}."


def test_of_a_search_its_repetitions_count_not_those_of_a_rung() -> None:
    rows = healthy()
    for n, row in enumerate(rows["trials"]):
        row["cell"] = f"{row['cell']}@{1000 + n}"  # each block came to other rates
    assert told("DS1", rows) == []
    for blocks, words in ((2, "made 2 times"), (1, "made once")):
        rows["trials"] = [row for row in rows["trials"] if row["block"] <= blocks]
        assert [one.text for one in OBSERVERS["DS1"](dataset(rows))] == [f"Each search was {words}"]


def test_no_control() -> None:
    assert ids(without(healthy(), "trials", control=True)) == ["DS2"]
    one_strategy = healthy()
    one_strategy["trials"] = [
        row for row in one_strategy["trials"] if row["strategy"] == "epoll" and not row["control"]
    ]
    assert told("DS2", one_strategy) == []


def test_not_run() -> None:
    rows = change(healthy(), "trials", 18, outcome="not run")
    change(rows, "trials", 17, outcome="interrupted")
    (one,) = found(rows)
    assert (one["check"], one["trials"]) == ("DS3", [17, 18]) and one["message"].endswith("(trial 17 and 1 more).")
    control = next(row["trial"] for row in rows["trials"] if row["control"])
    told = (("not run", "DS3", "has no result: not run."), ("crashed", "DT7", "crashed: x."))
    for outcome, check, text in told:
        (one,) = found(change(healthy(), "trials", control, outcome=outcome, reason="x"))
        assert (one["check"], one["message"]) == (check, f"The A/A control of epoll {text}")


def ordered(blocks: int, cells: int) -> Rows:
    """So many blocks and cells, each block in the order of the first."""
    rows = healthy()
    rows["trials"] = [
        rows["trials"][0] | {"trial": n, "position": n, "block": n // cells + 1, "cell": f"c{n % cells}"}
        for n in range(blocks * cells)
    ]
    for table in ("generators", "seconds", "intervals", "server_samples", "host_samples", "workers", "listen_queue"):
        rows[table] = [row for row in rows[table] if "ceiling_per_s" in row]
    return rows


@pytest.mark.parametrize(
    # Two blocks are alike by chance in 1 of 24 with four cells, and in 1 of 120 with five.
    ("blocks", "cells", "expected"), [(2, 4, False), (2, 5, True), (3, 3, False), (4, 3, True), (6, 1, False)]
)  # fmt: skip
def test_one_order_in_all_blocks(blocks: int, cells: int, expected: bool) -> None:
    assert told("DS4", ordered(blocks, cells)) == [None] * expected


def test_a_shuffled_order() -> None:
    rows = ordered(4, 3)
    rows["trials"][0]["position"], rows["trials"][1]["position"] = 1, 0
    assert told("DS4", rows) == []


def two_runs(**facts: Any) -> Rows:
    rows = healthy()
    for table, own in rows.items():
        rows[table] = own + [row | {"run": "r2"} for row in own]
    for host in rows["hosts"]:
        if host["run"] == "r2":
            host["facts"] = json.dumps(json.loads(host["facts"]) | facts)
    return rows


def test_environments_of_two_runs() -> None:
    assert ids(two_runs()) == []
    both = found(two_runs(kernel="Linux 5"))
    assert [(one["check"], one["run"], one["severity"]) for one in both] == [
        ("DS5", RUN, "warn"), ("DS5", "r2", "warn")
    ]  # fmt: skip
    assert both[0]["message"] == "Differs from the other runs in kernel."


def test_other_parameters_are_other_cells() -> None:
    rows = two_runs()
    rows["runs"][0]["parameters"], rows["runs"][1]["parameters"] = '{"rate": 1}', '{"rate": 2}'
    assert ids(rows) == []


def test_a_client_with_another_kernel() -> None:
    rows = healthy()
    rows["hosts"][1]["facts"] = rows["hosts"][1]["facts"].replace("Linux 6", "Linux 5")
    (one,) = found(rows)
    assert one["message"] == "Differs between hosts of one role in kernel." and one["hosts"] == list(CLIENTS)


def test_uncommitted_changes() -> None:
    rows = healthy()
    rows["runs"][0]["git_dirty"] = True
    assert ids(rows) == ["DS6"]


def test_closed_loop() -> None:
    (one,) = found(change(healthy(), "trials", 1, workload="closed"))
    assert one["check"] == "DS7" and one["trials"] == [1]


def test_a_run_given_twice_is_one_run() -> None:
    rows = change(healthy(), "trials", 1, workload="closed")
    rows = {table: own + own for table, own in rows.items()}
    (one,) = found(rows)
    assert one["trials"] == [1] and len(one["evidence"]) == 1


@pytest.mark.parametrize("missing", sorted(healthy()))
def test_without_any_one_table(missing: str) -> None:
    rows = healthy()
    rows[missing] = []
    assert not {one["severity"] for one in found(rows)} - {"info"}


def test_nothing_at_all() -> None:
    assert findings_table(Dataset.of()).empty


def test_rows_without_their_columns() -> None:
    """What an old run has: keys, and little else."""
    few = (
        "run",
        "trial",
        "host",
        "outcome",
        "block",
        "cell",
        "strategy",
        "control",
        "counter",
        "cause",
        "kind",
        "slot",
        "path",
    )
    rows = {table: [{k: v for k, v in row.items() if k in few} for row in own] for table, own in healthy().items()}
    rows["kernel"] = [{"run": RUN, "trial": 1, "host": "server", "counter": "TcpExt.ListenOverflows"}]
    rows["errors"] = [{"run": RUN, "trial": 1, "host": "client1", "cause": "other"}]
    rows["files"] = [{"run": RUN, "path": "plan.yml"}]
    assert set(ids(rows)) <= {"GN8"}


def test_every_check_has_words_and_something_that_observes_it() -> None:
    assert set(OBSERVERS) == set(CHECKS)
    for check in CHECKS.values():
        assert check.severity in ("invalid", "warn", "info") and check.family in FAMILIES
        assert check.title and check.matters and check.remedy and set(check.covers) <= set(CHECKS)
    assert all(one.unit and one.reason for one in THRESHOLDS.values())


def test_the_page_is_up_to_date() -> None:
    text = Path(__file__).parents[3].joinpath("docs", "findings.md").read_text(encoding="utf-8")
    assert text == explain(), "docs/findings.md: python -m analysis check --explain > docs/findings.md"


def test_hostile_names_are_kept_as_text() -> None:
    name = 'c\x1b[2J<script>"\u202e'
    rows = change(healthy(), "generators", 1, "client1", lost=5)
    for table in ("generators", "hosts"):
        for row in rows[table]:
            if row["host"] == "client1":
                row["host"] = name
    (one,) = found(rows)
    assert one["hosts"] == [name] and one["message"].startswith(name)


def restless(*costs: float) -> Rows:
    """A block for each of these costs of a request; poll's are ten times that."""
    trials = [
        {"run": RUN, "trial": 2 * block + i, "block": block, "cell": name, "outcome": "ok",
         "cpu_us_per_request": times * cost}
        for block, cost in enumerate(costs) for i, (name, times) in enumerate((("epoll", 1.0), ("poll", 10.0)))
    ]  # fmt: skip
    return {"trials": trials}


def said(rows: Rows) -> list[str]:
    return [one.text for one in OBSERVERS["DS9"](dataset(rows))]


def test_a_machine_that_got_slower() -> None:
    # Ten blocks, of which all of the second half cost more than all of the first: p is 2/252. The medians lie between.
    slower = [*(1.0 + i / 1000 for i in range(5)), *(1.2 + i / 1000 for i in range(5))]
    assert said(restless(*slower)) == ["In the run's second half a request cost 1.2 times what it cost in the first"]
    assert said(restless(*slower[1:9])) == []  # of eight blocks it could be chance
    assert said(restless(*(1.0 + i / 1000 for i in range(5)), *(1.04 + i / 1000 for i in range(5)))) == [
        "What a request cost went up and down over the run: neighbouring blocks correlate by 0.95"
    ]


def test_a_machine_that_wanders() -> None:
    wave = (1.0, 1.05, 1.1, 1.2, 1.3, 1.25, 1.15, 1.08, 1.02, 0.98)
    (one,) = said(restless(*wave))
    assert "neighbouring blocks correlate by 0." in one


def test_a_machine_at_rest() -> None:
    assert said(restless(*[1.0, 1.03] * 6)) == []
    assert said(restless(*[1.0] * 12)) == []
