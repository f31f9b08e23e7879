"""A gate within one run: what fails a build, what passes, and what says that it could not be told."""

from pathlib import Path
from typing import Any

import pytest

from analysis.__main__ import main
from analysis.compare import gate
from tests.unit.analysis.build import MS, trial, whole, write
from tests.unit.analysis.test_contrasts import Row, dataset, trials

OLD = trials("c1", "own server", [1.0, 1.001, 0.999, 1.0, 1.001, 1.0], server_command="./old")


def new(times: float, spread: float = 0.001, **fields: Any) -> list[Row]:
    values = [times * (1 + spread * sign) for sign in (1, -1, 0, 1, -1, 0.5)]
    return trials("c2", "own server", values, server_command="./new", **fields)


def status(rows: list[Row], asked: float = 0.03, *, undecided: bool = True, metrics: tuple[str, ...] = ("efficiency",)
           ) -> tuple[int, str]:  # fmt: skip
    return gate.status(gate.rows_of(dataset(rows), list(metrics)), asked, fails_undecided=undecided)


@pytest.mark.parametrize(
    ("times", "spread", "code"),
    [(1.0, 0.001, 0), (0.99, 0.001, 0), (0.9, 0.001, 1), (1.1, 0.001, 0), (1.0, 0.1, 3), (0.96, 0.03, 3)],
)
def test_what_fails_a_build(times: float, spread: float, code: int) -> None:
    assert status(OLD + new(times, spread))[0] == code
    assert status(OLD + new(times, spread), undecided=False)[0] == (0 if code == 3 else code)


def test_it_says_what_it_could_have_found() -> None:
    (row,) = gate.rows_of(dataset(OLD + new(1.0, 0.1)), ["efficiency"])
    code, why = status(OLD + new(1.0, 0.1))
    assert (code, row.baseline) == (3, "own server old")
    assert 0.05 < row.least < 0.3 and f"finds is {100 * row.least:.2g} %: more repetitions" in why
    assert "finds is" not in status(OLD + new(1.0))[1]


def test_what_did_not_run_does_not_pass() -> None:
    assert status(OLD + new(1.0, outcome="crashed"), undecided=False) == (
        3, "cannot be judged: requests per server-CPU-second of own server new (no trial is good: "
        "crashed).")  # fmt: skip
    rows = gate.rows_of(dataset(OLD + new(1.0)), ["efficiency"])
    assert gate.status(rows, 0.03, fails_undecided=False, unfinished="3 of 9 trials were run")[0] == 3


def test_several_metrics_share_the_risk() -> None:
    rows = OLD + new(1.0, 0.05)
    for row in rows:
        row["requests_per_s"] = row["requests_per_cpu_s"]
    (one,), (first, _) = (
        gate.rows_of(dataset(rows), names) for names in (["efficiency"], ["efficiency", "throughput"])
    )
    assert first.low < one.low < one.high < first.high and first.least > one.least


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = [
        trial(2 * block + i, None, block=block + 1, cell=f"c{i}", server_command=f"./{name} {{host}} {{port}}")
        for block in range(3) for i, name in ((1, "old"), (2, "new"))
    ]  # fmt: skip
    events = [
        e for t in planned for e in whole(t, {1 * MS: 250}, (1.5 if t["cell"] == "c2" else 1.0) * (1 + t["n"] / 1000))
    ]
    run = str(write(tmp_path / "run", planned, events))
    assert main(["gate", run, "--fail-on", "worse:3%"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("run 20261122T190312Z-3f9a1c, begun ")
    assert "own server new" in out and "worse" in out and "--fail-on worse:3%: worse by more than 3 %" in out
    assert main(["gate", run, "--fail-on", "undecided"]) == 2
    single = str(write(tmp_path / "one", planned[:1], whole(planned[0])))
    assert main(["gate", single, "--fail-on", "worse:3%"]) == 2
    assert "measure old and new in one run" in capsys.readouterr().err
