"""The synthetic run: the words of a real one, the same bytes for the same seed, and each fault found for what it is."""

import hashlib
import json
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hdrh.histogram import HdrHistogram

from analysis.__main__ import main
from analysis.answers import capacity, growth
from analysis.dataset import load
from analysis.demo import truth as truth_of_demo
from analysis.demo.histogram import encode
from analysis.demo.truth import FAULTS, STRATEGIES, Cell, truth
from analysis.demo.write import write
from analysis.model import Dataset
from contracts.histogram import DIGITS, HIGHEST_NS, LOWEST_NS
from tests.schemas import validator

SMALL = (Cell("epoll"), Cell("epoll_edge"), Cell("select"))
# Few requests lie beyond a p99.9 here, whatever the fault.
ALWAYS = {("info", "DT5")}
RAISES = {
    "bad_client": ("warn", "GN7"),
    "saturated_generator": ("invalid", "GN1"),
    "overflow": ("warn", "SV1"),
    "drift": ("warn", "DT6"),
    "truncated": ("warn", "DT1"),
    "noisy_neighbour": ("warn", "SV5"),
    "corrupt": ("invalid", "DT3"),
    "ports": ("invalid", "GN5"),
}


def small(directory: Path, fault: str | None = None, seed: int = 1) -> Path:
    """A run of three cells and six blocks."""
    write(directory, made=truth(seed, fault, SMALL, blocks=6))
    return directory


def findings(dataset: Dataset) -> set[tuple[str, str]]:
    return set(zip(dataset.findings["severity"], dataset.findings["check"], strict=True))


def test_every_fault_has_its_finding() -> None:
    assert set(RAISES) == set(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_raises_its_finding_and_no_other(fault: str, tmp_path: Path) -> None:
    dataset = load([str(small(tmp_path / "run", fault))])
    assert findings(dataset) == ALWAYS | {RAISES[fault]}


def test_without_a_fault_nothing_is_found_and_nothing_struck(tmp_path: Path) -> None:
    dataset = load([str(small(tmp_path / "run"))])
    assert findings(dataset) == ALWAYS
    assert not dataset.cells["struck"].any()
    assert dataset.notes == ()


def test_one_wrong_reply_strikes_its_cell_only(tmp_path: Path) -> None:
    cells = load([str(small(tmp_path / "run", "corrupt"))]).cells.set_index("strategy")
    assert cells["struck"].to_dict() == {"epoll": False, "epoll_edge": True, "select": False}


def hashes(directory: Path) -> dict[str, str]:
    files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    one, same, other = (hashes(small(tmp_path / str(i), seed=seed)) for i, seed in enumerate((7, 7, 8)))
    assert one == same
    assert one["events.jsonl"] != other["events.jsonl"]


def test_every_file_is_as_the_contracts_have_it(tmp_path: Path) -> None:
    run = small(tmp_path / "run")
    documents = [("manifest", json.loads((run / "manifest.json").read_text()))]
    documents += [("plan", yaml.safe_load((run / "plan.yml").read_text()))]
    documents += [("trial", json.loads(path.read_text())) for path in run.glob("trials/*/trial.json")]
    documents += [("events", line) for line in lines(run / "events.jsonl")]
    own = [line for path in run.glob("hosts/*/*/agent.jsonl") for line in lines(path)]
    documents += [("agent", line) for line in own] + [("protocol", line) for line in own if "event" in line]
    for name in ("manifest", "plan", "trial", "events", "agent", "protocol"):
        members = [document for kind, document in documents if kind == name]
        assert members
        assert [error.message for document in members for error in validator(name).iter_errors(document)] == []


def lines(path: Path) -> Iterator[dict[str, object]]:
    return map(json.loads, path.read_text().splitlines())


def test_the_manifest_lists_each_file_by_its_hash(tmp_path: Path) -> None:
    run = small(tmp_path / "run")
    listed = {path: entry["sha256"] for path, entry in json.loads((run / "manifest.json").read_text())["files"].items()}
    assert listed == {path: digest for path, digest in hashes(run).items() if path != "manifest.json"}


def test_a_histogram_is_what_the_library_makes_of_the_same_values() -> None:
    edges = [100, 127, 128, 64 * 2047, 64 * 2048, 64 * 2048 + 127, 64 * 4096, 64 * 4096 - 1, 5_000_000_000]
    values = np.array([*edges, *np.random.default_rng(1).lognormal(np.log(3e5), 2, 2000).clip(100, 6e10)]).astype(int)
    other = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    for value in values.tolist():
        other.record_value(value)
    made = HdrHistogram.decode(encode(values.astype(float)))
    assert list(made.counts) == list(other.counts)
    assert made.get_total_count() == len(values)


def test_no_values_are_an_empty_histogram() -> None:
    assert HdrHistogram.decode(encode(np.array([]))).get_total_count() == 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The run as the command makes it."""
    directory = tmp_path_factory.mktemp("results") / "demo"
    write(directory)
    return load([str(directory)])


def test_the_command_writes_run_and_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(truth_of_demo, "cells", lambda: SMALL)
    for seed in ("1", "2"):  # the second in place of the first
        assert main(["demo", "-o", str(tmp_path / "run"), "--seed", seed, "--fault", "ports"]) == 0
    report = tmp_path / "run" / "report.html"
    assert capsys.readouterr().out.splitlines()[-1] == f"report: {report}"
    assert "client1 found no free port 12 times" in report.read_text()
    assert load([str(tmp_path / "run")]).runs["seed"].tolist() == [2]


def contrast(dataset: Dataset, strategy: str, metric: str) -> dict[Hashable, Any]:
    """Of the cell at 10,000 connections against epoll."""
    cells = dataset.cells
    is_main = (cells["workload"] == "open") & (cells["connections"] == 10_000) & (cells["active"] == 10_000)
    cell = cells.loc[is_main & (cells["strategy"] == strategy), "cell"].iloc[0]
    table = dataset.contrasts
    found: dict[Hashable, Any] = table[(table["cell"] == cell) & (table["metric"] == metric)].to_dict("records")[0]
    return found


@pytest.mark.parametrize(
    ("strategy", "metric", "true_ratio", "verdicts"),
    [
        ("epoll_edge", "cpu", 1.0, {"equivalent", "inconclusive"}),
        ("epoll_edge", "efficiency", 1.0, {"equivalent", "inconclusive"}),
        ("epoll_edge", "p50", 1.0, {"equivalent", "inconclusive"}),
        ("workers", "cpu", 1.1, {"worse"}),
        ("workers", "cpu_user", 1.1 * 0.25 / 0.2, {"worse"}),
        ("poll", "cpu", 3.0, {"worse"}),
        ("poll", "efficiency", 1 / 3, {"worse"}),
        ("poll", "p50", 4.0, {"worse"}),
        ("poll", "p99", 4 * np.exp(2.3263 * (0.6 - 0.7)), {"worse"}),
    ],
)
def test_the_verdict_is_the_planted_truth(
    whole: Dataset, strategy: str, metric: str, true_ratio: float, verdicts: set[str]
) -> None:
    found = contrast(whole, strategy, metric)
    assert found["verdict"] in verdicts
    assert found["low"] <= true_ratio <= found["high"]


def test_select_stops_at_its_limit(whole: Dataset) -> None:
    row = whole.cells.set_index("strategy").loc["select"]
    assert (row["outcome"], row["limit"], row["held_connections"]) == ("dnf", "FD_SETSIZE", 1018)
    assert contrast(whole, "select", "efficiency")["verdict"] == "not comparable"


def test_the_whole_run_is_clean_too(whole: Dataset) -> None:
    assert findings(whole) == ALWAYS


def test_idle_connections_cost_what_was_planted(whole: Dataset) -> None:
    rows = {row["strategy"]: row for row in growth.data(whole).to_dict("records")}
    assert rows["epoll"]["model"] == "constant"
    assert rows["poll"]["model"] == "line"
    assert rows["poll"]["slope_low_us"] < STRATEGIES["poll"].idle_us < rows["poll"]["slope_high_us"]


def test_the_capacity_is_where_the_planted_curve_crosses_the_objective(whole: Dataset) -> None:
    # epoll is full at 10^6/30/10 = 3,333/s; at 1,600/s (load 0.48) the p99 is 150 µs · e^(2.3263 · 0.7) / 0.52² =
    # 2.827 ms, at 3,200/s (0.96) 477.8 ms. On logarithmic scales 10 ms lies 1.2633/5.1299 = 0.2463 of the way: 1,898/s.
    row = next(row for row in capacity.data(whole).to_dict("records") if row["strategy"] == "epoll")
    assert bool(row["is_bounded"])
    assert row["capacity_per_s"] == pytest.approx(1898, rel=0.05)
    assert 1600 < row["capacity_low_per_s"] < 1898 * 1.02
    assert 1898 * 0.98 < row["capacity_high_per_s"] < 2100


def test_somebody_elses_directory_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert main(["demo", "-o", str(tmp_path)]) == 2
    assert "holds something that is no run" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "-o", str(tmp_path / "file" / "run")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_truncated_run_is_cut_after_the_manifest_was_made(tmp_path: Path) -> None:
    run = small(tmp_path / "run", "truncated")
    listed = json.loads((run / "manifest.json").read_text())["files"]["hosts/client1/001/agent.jsonl"]
    assert (run / "hosts/client1/001/agent.jsonl").stat().st_size == listed["bytes"] - 300
