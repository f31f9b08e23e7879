"""From logs to tables, by hand; and the copy of them in Parquet."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from analysis import histograms
from analysis.__main__ import main
from analysis.dataset import load
from analysis.ingest.run import ingest
from analysis.model import TABLES, Dataset, frame
from tests.unit.analysis.build import (
    GO,
    MS,
    RUN,
    Document,
    S,
    done,
    ended,
    event,
    interval,
    sample,
    started,
    trial,
    whole,
    write,
)

CLOCKS = {"server": {"offset_ns": 5 * MS, "bound_ns": 1000}, "client1": {"offset_ns": 7 * MS, "bound_ns": 400}}
AFTER = {"server": {"offset_ns": 5 * MS + 200, "bound_ns": 900}, "client1": {"offset_ns": 7 * MS, "bound_ns": 400}}
OWN = {"wall_ns": 3 * S, "cpu_user_ns": 1, "max_loop_gap_ns": 9, "send_gaps_ns": [5, "x", 7],
       "kernel": {"TcpExt.TCPTimeouts": 2, "bad": "x"}}  # fmt: skip


def events_of_a_trial() -> tuple[Document, list[Document]]:
    one = trial(1)
    last = done(1, "client1") | {"self": OWN, "integrity": {"late": 3, "corrupt": 0}, "over_60s": {"response": 1}}
    last |= {"errors": [{"phase": "read", "cause": "reset", "blame": "server", "errno": 104, "count": 2, "first": "x"}]}
    taken = sample(1, -2, 0, 0) | {"accept_queues": [[3, 4096], [0, 4096]], "kernel": {"TcpExt.ListenDrops": 4}}
    return one, [
        started(one),
        event("clocks", n=1, when="before", clocks=CLOCKS),
        event("clocks", n=1, when="after", clocks=AFTER),
        taken | {"foreign_ns": -5, "steal_ns": 0, "agent_ns": 9},
        event("proof", n=1, when="barrier", kernel=1000, server=1000, clients=1000),
        event("went", n=1, at_ns=GO, go_ns=1),
        sample(1, 0, 10, 10), sample(1, 1, 15, 25), sample(1, 3, 25, 55),
        interval(1, "client1", 1, {1 * MS: 100, 5 * MS: 100}, failed=50), interval(1, "client2", 1, {2 * MS: 250}),
        interval(1, "client1", 0, {9 * MS: 250}), interval(1, "client2", 0, {9 * MS: 250}),
        interval(1, "client1", 2, {1 * MS: 250}), interval(1, "client2", 2, {1 * MS: 250}),
        last, done(1, "client2"),
        event("stopped", "server", 1, workers=[{"accepted": 600, "bytes_out": 64}, {"accepted": 400}]),
        ended(one, counts=None),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    one, events = events_of_a_trial()
    return ingest(str(write(tmp_path_factory.mktemp("r"), [one], events)))


def rows(table: pd.DataFrame, *columns: str, **where: Any) -> list[list[Any]]:
    for name, value in where.items():
        table = table[(table[name] == value).fillna(False)]
    found: list[list[Any]] = table[list(columns)].astype(object).to_numpy().tolist()
    return found


def test_every_table_is_as_the_schema_has_it(dataset: Dataset) -> None:
    for name, table in dataset.tables.items():
        assert list(table.columns) == list(TABLES[name].columns)


def test_how_evenly_the_workers_took_connections(dataset: Dataset) -> None:
    ((found,),) = rows(dataset.trials, "workers_fairness")
    assert found == pytest.approx(1_000_000 / (2 * (600**2 + 400**2)))


def test_seconds_of_each_client_and_of_all(dataset: Dataset) -> None:
    columns = ("k", "phase", "planned_requests", "answered_requests", "failed_requests")
    assert rows(dataset.intervals, *columns, host="client1") == [
        [0, "warmup", 250, 250, 0], [1, "load", 250, 200, 50], [2, "load", 250, 250, 0]]  # fmt: skip
    assert rows(dataset.seconds, *columns) == [
        [0, "warmup", 500, 500, 0], [1, "load", 500, 450, 50], [2, "load", 500, 500, 0]]  # fmt: skip


def test_percentiles_of_a_second_are_over_planned_requests(dataset: Dataset) -> None:
    # Of 500 planned the 250th is one of 2 ms (100 took 1 ms, 250 took 2 ms); the 495th was never answered.
    second = dataset.seconds[dataset.seconds["k"] == 1].iloc[0]
    assert second["response_p50_ns"] == pytest.approx(2 * MS, rel=1e-3)
    assert math.isnan(second["response_p99_ns"])  # 5 requests lie beyond it: withheld
    assert second["response_max_ns"] == pytest.approx(5 * MS, rel=1e-3)


def test_histograms_are_exact_and_of_the_window_only(dataset: Dataset) -> None:
    mine = dataset.histograms[(dataset.histograms["kind"] == "response").to_numpy(dtype=bool)]
    assert mine["count"].sum() == 450 + 500
    one = mine[(mine["host"] == "client1").to_numpy(dtype=bool)]
    values = {
        round(histograms.values_ns()[slot] / MS): int(count)
        for slot, count in zip(one["slot"], one["count"], strict=True)
    }
    assert values == {1: 350, 5: 100}


def test_the_heat_map_loses_no_request(dataset: Dataset) -> None:
    assert dataset.heat.groupby("k")["count"].sum().tolist() == [500, 450, 500]
    assert (dataset.heat["low_ns"] < dataset.heat["high_ns"]).all()


def test_times_count_from_go_on_one_axis_with_their_bound(dataset: Dataset) -> None:
    assert dataset.server_samples["t_s"].tolist() == [-2, 0, 1, 3]
    assert set(dataset.server_samples["bound_ns"]) == {1000 + 200}  # of the offset, and what it moved
    assert rows(dataset.clocks, "host", "offset_ns", "offset_after_ns", "bound_ns") == [
        ["server", 5 * MS, 5 * MS + 200, 1000], ["client1", 7 * MS, 7 * MS, 400]]  # fmt: skip


def test_the_lags_of_a_second_are_those_of_all_its_clients_or_not_known(tmp_path: Path) -> None:
    one = trial(1)
    seconds = [interval(1, host, k, {MS: 250}) for k in (1, 2) for host in ("client1", "client2")]
    seconds[0]["lag_sum_ns"], seconds[1]["lag_sum_ns"], seconds[2]["lag_sum_ns"] = 4000, 5000, 6000
    events = [started(one), event("went", n=1, at_ns=GO, go_ns=1), *seconds, ended(one)]
    found = ingest(str(write(tmp_path / "r", [one], events)))
    assert found.seconds["lag_sum_ns"].tolist() == [9000, pytest.approx(math.nan, nan_ok=True)]
    assert found.intervals["lag_sum_ns"].dropna().tolist() == [4000, 5000, 6000]


def test_what_measures_is_seen_in_each_clock_of_its_own_and_what_never_went_is_not(tmp_path: Path) -> None:
    planned = [trial(1), trial(2, block=2)]
    used = {"processes": 1, "rss_bytes": 5_000_000, "descriptors": 9, "cpu_ns": 7}
    events = [event("went", n=1, at_ns=GO, go_ns=3 * S)]
    events += [event("own", "client2", 1, t=GO["client2"] + 20 * S, **used), event("own", "client2", 2, t=9, **used)]
    events += [event("own", "controller", 1, t=13 * S, **used), event("own", "server", 1, t="soon", **used)]
    found = ingest(str(write(tmp_path / "r", planned, [*map(started, planned), *events, *map(ended, planned)])))
    assert rows(found.own_samples, "trial", "host", "t_s", "rss_bytes", "descriptors", "cpu_ns", "processes") == [
        [1, "controller", 10, 5_000_000, 9, 7, 1], [1, "client2", 20, 5_000_000, 9, 7, 1]]  # fmt: skip


def test_what_the_server_was_seen_to_do(dataset: Dataset) -> None:
    assert dataset.server_samples["cpu_user_ns"].tolist() == [0, 10 * MS, 15 * MS, 25 * MS]
    assert rows(dataset.listen_queue, "t_s", "listener", "length", "limit") == [[-2, 0, 3, 4096], [-2, 1, 0, 4096]]
    assert rows(dataset.workers, "worker", "accepted", "bytes_out") == [[0, 600, 64], [1, 400, pd.NA]]
    assert rows(dataset.kernel, "host", "t_s", "counter", "value") == [
        ["server", -2, "TcpExt.ListenDrops", 4], ["client1", 3, "TcpExt.TCPTimeouts", 2]]  # fmt: skip
    assert rows(dataset.host_samples, "foreign_ns", "agent_ns", t_s=-2) == [[-5, 9]]


def test_what_a_client_says_of_itself(dataset: Dataset) -> None:
    (row,) = dataset.generators[(dataset.generators["host"] == "client1").to_numpy(dtype=bool)].to_dict("records")
    told = ("connections_share", "rate_share_per_s", "wall_ns", "armed", "lost", "late", "over_60s", "first_send_ns")
    assert [row[name] for name in told] == [500, 500, 3 * S, 500, 0, 3, 1, 1 * S]
    assert row["send_gaps_ns"] == "[5, 7]"
    assert rows(dataset.errors, "host", "phase", "cause", "errno", "count") == [["client1", "read", "reset", 104, 2]]


def test_the_trial(dataset: Dataset) -> None:
    (row,) = dataset.trials.to_dict("records")
    told = (
        "position",
        "strategy",
        "outcome",
        "planned_requests",
        "answered_requests",
        "failed_requests",
        "late_replies",
    )
    assert [row[name] for name in told] == [1, "epoll", "ok", 1000, 950, 50, 3]
    # From 1 s to 3 s the server spent 10 ms in user mode and 30 ms in the kernel: 40 ms over 950 requests.
    assert row["cpu_us_per_request"] == pytest.approx(40_000 / 950)
    assert row["requests_per_cpu_s"] == pytest.approx(950 / 0.04)
    assert row["server_cpu_share"] == pytest.approx(0.04 / 2)
    assert rows(dataset.proofs, "moment", "asked", "kernel", "server", "clients") == [
        ["barrier", 1000, 1000, 1000, 1000]
    ]


def test_what_is_missing_is_told(dataset: Dataset) -> None:
    assert [note.split(": ", 1)[1] for note in dataset.notes] == [
        "manifest.json is missing: hosts, versions and kernel values are unknown."
    ]


def listed(run: Path, *names: str) -> None:
    """A manifest that lists these files as they are."""
    files = {}
    for name in names:
        data = (run / name).read_bytes()
        files[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (run / "manifest.json").write_text(json.dumps({"schema": 1, "run": RUN, "files": files}))


def test_files_are_held_against_the_manifest(tmp_path: Path) -> None:
    one, events = events_of_a_trial()
    run = write(tmp_path / "r", [one], events)
    for name, text in (("whole.txt", "a"), ("gone.txt", "b"), ("cut.txt", "cccc"), ("other.txt", "d"),
                       ("open.jsonl", '{"header": 1}\n')):  # fmt: skip
        (run / name).write_text(text)
    listed(run, "whole.txt", "gone.txt", "cut.txt", "other.txt", "open.jsonl")
    document = json.loads((run / "manifest.json").read_text())
    document["files"] |= {"../../etc/passwd": {}, "/etc/passwd": {}, "a\0b": {}, "report.html": {}}
    (run / "manifest.json").write_text(json.dumps(document))
    (run / "gone.txt").unlink()
    (run / "cut.txt").write_text("cc")
    (run / "other.txt").write_text("e")
    assert rows(ingest(str(run)).files, "path", "state") == [
        ["whole.txt", "whole"], ["gone.txt", "missing"], ["cut.txt", "truncated"], ["other.txt", "changed"],
        ["open.jsonl", "truncated"], ["../../etc/passwd", "missing"], ["/etc/passwd", "missing"],
        ["a\0b", "missing"]]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    one = trial(1)
    folder = write(tmp_path / "run", [one], whole(one))
    listed(folder, "events.jsonl")
    return folder


def test_the_dataset_of_a_run_is_whole(run: Path) -> None:
    assert main(["ingest", str(run)]) == 0
    data = load([str(run)])
    for name, table in data.tables.items():
        written = pq.read_table(run / "dataset" / f"{name}.parquet").to_pandas()
        pd.testing.assert_frame_equal(frame(name, written), table, check_categorical=False)
    assert len(data.metrics)
    assert len(data.cells) == 1
    assert len(data.estimates)
    assert len(data.findings)


def test_a_report_leaves_the_dataset_too(run: Path) -> None:
    assert main(["report", str(run)]) == 0
    assert {path.stem for path in (run / "dataset").glob("*.parquet")} == set(TABLES)


def test_the_dataset_says_what_its_columns_mean(run: Path) -> None:
    assert main(["ingest", str(run)]) == 0
    schema = pq.read_schema(run / "dataset" / "trials.parquet")
    assert schema.field("block").metadata[b"meaning"] == b"repetition"
    assert b"offered over all clients" in schema.field("rate").metadata[b"meaning"]
    assert schema.metadata[b"rows"] == b"planned trial (a calibration is none)"


@pytest.mark.parametrize("damage", ["gone", "cut", "foreign", "forged"])
def test_no_command_reads_the_dataset_back(run: Path, damage: str) -> None:
    assert main(["ingest", str(run)]) == 0
    path = run / "dataset" / "seconds.parquet"
    if damage == "gone":
        path.unlink()
    elif damage == "forged":
        pq.write_table(pq.read_table(path).slice(0, 1), path)
    else:
        path.write_bytes(path.read_bytes()[:-20] if damage == "cut" else b"PAR1 no")
    assert len(load([str(run)]).seconds) == 3


def test_ingest_says_what_it_wrote(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ingest", str(run)]) == 0
    assert capsys.readouterr().out.startswith(f"{run / 'dataset'}: 1 trials, ")
    assert {path.stem for path in (run / "dataset").glob("*.parquet")} == set(TABLES)
    assert not list(run.glob(".dataset-*"))


def test_ingest_is_strict_unless_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (run / "events.jsonl").open("a") as file:
        file.write("foreign\n")
    assert main(["ingest", str(run)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "not of the protocol, left out: line" in said
    assert "(2 more such)" in said  # the trailer counts fewer lines, and the manifest has another hash
    assert "Nothing was written; --lenient" in said
    assert not (run / "dataset").exists()
    assert main(["ingest", str(run), "--lenient"]) == 0
    assert [line[:2] for line in capsys.readouterr().out.splitlines()[1:]] == ["- "] * 3
    assert (run / "dataset" / "runs.parquet").exists()


def test_a_directory_of_runs_and_one_that_is_none(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write(tmp_path / "other", [trial(1)], whole(trial(1)))
    (other / "events.jsonl").write_text((run / "events.jsonl").read_text().replace(RUN, "another"))
    listed(other, "events.jsonl")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "events.jsonl").write_bytes(b"\x00\xff")
    assert main(["ingest", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 2
    assert shown.err.count("\n") == 1
    found = load([str(tmp_path), str(run)])
    assert sorted(found.runs["run"]) == sorted([RUN, "another"])  # each once
    assert any("broken" in note for note in found.notes)
