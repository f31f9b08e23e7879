"""The main job over real SSH, in the lab: at its real size, ten thousand connections; and with servers not its own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hdrh.histogram import HdrHistogram

from tests import line
from tests.schemas import validator

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]

PYTHON = "/usr/bin/env python3"


@pytest.fixture(scope="module")
def ten_thousand(lab: None) -> Path:
    """One run of five strategies at 10,000 connections and 10,000 requests/s."""
    result = line.play(
        "run_benchmark.yml", "lab", timeout_s=400, strategy="epoll,poll,workers,epoll_edge,select",
        connections=10000, rate=10000, repetitions=1, warmup=1, duration=4,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    run = line.newest()
    assert run is not None
    return run


def by_strategy(run: Path) -> dict[str, dict[str, Any]]:
    return {trial["strategy"]: trial for trial in line.trials(run)}


@pytest.mark.parametrize("strategy", ["epoll", "poll", "workers", "epoll_edge"])
def test_ten_thousand_connections_are_held_and_counted_three_ways(ten_thousand: Path, strategy: str) -> None:
    trial = by_strategy(ten_thousand)[strategy]
    assert trial["outcome"] == "ok", trial
    ten = {"kernel": 10000, "server": 10000, "clients": 10000}
    assert trial["proof"] == {"barrier": ten, "end": ten}
    assert trial["held"] == 10000
    assert trial["start_skew_ms"] <= 10
    counts = trial["counts"]
    assert counts["mismatched"] == 0
    assert counts["planned"] == pytest.approx(40_000, rel=0.05)
    settled = ("answered", "timed_out", "censored", "dropped", "mismatched", "failed")
    assert counts["planned"] == sum(counts[name] for name in settled)


def test_select_ends_at_its_limit_and_says_how_many_it_still_serves(ten_thousand: Path) -> None:
    trial = by_strategy(ten_thousand)["select"]
    assert trial["outcome"] == "dnf"
    assert "FD_SETSIZE" in trial["reason"]
    assert 900 < trial["held"] < 1024
    assert str(trial["held"]) in line.analysis("summary", str(ten_thousand)).stdout.replace(",", "")


def test_shares_are_exact(ten_thousand: Path) -> None:
    started = [e for e in line.events(ten_thousand) if e.get("event") == "trial" and e["state"] == "started"]
    assert len(started) == 5
    for event in started:
        shares = {host: share["connections"] for host, share in event["shares"].items()}
        assert shares == {"client1": 3334, "client2": 3333, "client3": 3333}


def test_every_file_meets_its_schema(ten_thousand: Path) -> None:
    def check(name: str, document: Any) -> None:
        validator(name).validate(document)

    check("manifest", line.manifest(ten_thousand))
    check("plan", yaml.safe_load((ten_thousand / "plan.yml").read_text()))
    for trial in line.trials(ten_thousand):
        check("trial", trial)
    logs = sorted(ten_thousand.glob("hosts/*/*/agent.jsonl"))
    assert len(logs) == 5 * 4
    for log in [ten_thousand / "events.jsonl", *logs]:
        lines = [json.loads(text) for text in log.read_text().splitlines()]
        assert lines[0]["header"] == 1
        assert lines[-1] == {**lines[-1], "trailer": 1, "lines": len(lines) - 2}
        for document in lines:
            check("events" if log.name == "events.jsonl" else "agent", document)
            if "event" in document and document.get("host") != "controller":
                check("protocol", document) if document["event"] != "stderr" else None


def test_overhead_is_recorded_and_small(ten_thousand: Path) -> None:
    overhead = line.manifest(ten_thousand)["overhead"]
    assert len(overhead["per_trial_s"]) == 5
    # The bars are 1.5 s and 30 s on a quiet machine; CI's is not, so this only catches another order of magnitude.
    assert max(overhead["per_trial_s"]) < 15
    assert 0 < overhead["report_s"] < overhead["playbook_s"] < 300


def test_latency_files_read_back_to_what_was_said(ten_thousand: Path) -> None:
    """The .hlog of a host, read by the foreign decoder, holds the histograms of its interval events."""
    run = ten_thousand
    n = by_strategy(run)["epoll"]["n"]
    for host in ("client1", "client2", "client3"):
        said = HdrHistogram(100, 60_000_000_000, 3)
        for event in line.events(run):
            if event.get("event") == "interval" and event["host"] == host and event["trial"] == n:
                said.decode_and_add(event["response"])
        filed = HdrHistogram(100, 60_000_000_000, 3)
        for text in (run / f"hosts/{host}/{n:03d}/latency.hlog").read_text().splitlines():
            if text.startswith("Tag=response"):
                filed.decode_and_add(text.rpartition(",")[2])
        assert said.get_total_count() > 10_000
        assert said.get_total_count() == filed.get_total_count()
        assert [said.get_count_at_index(i) for i in range(said.counts_len)] == [
            filed.get_count_at_index(i) for i in range(filed.counts_len)
        ]


@dataclass
class OwnServers:
    """A run of three servers that are not the project's, each with a load of its own."""

    run: Path
    output: str
    noted: Path
    """Where one of them noted the first record of each client."""

    def of(self, server: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The result and the events of the trial with that server."""
        planned = yaml.safe_load((self.run / "plan.yml").read_text())["trials"]
        (n,) = [trial["n"] for trial in planned if server in trial["server"]["server_command"]]
        (result,) = [trial for trial in line.trials(self.run) if trial["n"] == n]
        return result, [event for event in line.events(self.run) if event.get("trial") == n]


@pytest.fixture(scope="module")
def own_servers(lab: None, tmp_path_factory: pytest.TempPathFactory) -> OwnServers:
    place = tmp_path_factory.mktemp("own")

    def command(python: str, name: str, *options: str) -> str:
        return " ".join([python, f"{line.ROOT}/tests/fixtures/{name}.py", "--host {host} --port {port}", *options])

    cells = [
        {
            "server_command": command(PYTHON, "first_record_server", f"--out {place}/first"),
            "connections": 1000, "rate": 10000, "arrival": "fixed", "duration": 3,
        },
        {
            "server_command": command(PYTHON, "frozen_server", "--period 5 --freeze 0.5"),
            "connections": 300, "rate": 300, "arrival": "fixed", "warmup": 2, "duration": 30,
        },
        {
            "server_command": command(f"{line.BIN}/python", "faulty_server", "--fault bit --every 10"),
            "connections": 600, "rate": 600, "duration": 1,
        },
    ]  # fmt: skip
    (place / "own.yml").write_text(yaml.safe_dump({"repetitions": 1, "warmup": 0, "cells": cells}))
    result = line.play("run_benchmark.yml", "lab", timeout_s=300, scenario=place / "own.yml")
    run = line.newest()
    assert run, result.stdout
    return OwnServers(run, result.stdout, place / "first")


def test_the_hosts_start_together_as_seen_by_one_clock(own_servers: OwnServers) -> None:
    """A fixture server notes, on its own clock, the first record of each client."""
    trial, _ = own_servers.of("first_record_server")
    assert trial["outcome"] == "ok"
    first = [json.loads(text) for text in own_servers.noted.read_text().splitlines()]
    assert len(first) == 3
    moments = [entry["t"] for entry in first]
    assert (max(moments) - min(moments)) / 1e6 <= 10
    assert trial["proof"]["barrier"] == {"kernel": 1000, "server": None, "clients": 1000}


def test_a_frozen_server_is_measured_as_arithmetic_says(own_servers: OwnServers) -> None:
    """Frozen 0.5 s in every 5 s, asked evenly: one request in ten waits, evenly, up to 500 ms.

    Few requests, so that what has piled up when it thaws is soon served: the arithmetic leaves that time out.
    Other work on the machine may add to a wait, and never takes from it; tests.bench.frozen has the bar of 2 %.
    A generator that waits for the frozen server before it asks again would measure next to nothing at the 95th.
    """
    trial, events = own_servers.of("frozen_server")
    assert trial["outcome"] == "ok"
    merged = HdrHistogram(100, 60_000_000_000, 3)
    for event in events:
        if event.get("event") == "interval" and event["phase"] == "load":
            merged.decode_and_add(event["response"])
    measured = [merged.get_value_at_percentile(q) / 1e6 for q in (95, 99, 99.9)]
    assert merged.get_total_count() == 9_000
    ratios = [ms / expected for ms, expected in zip(measured, [250, 450, 495], strict=True)]
    assert all(0.97 <= ratio <= 2 for ratio in ratios), measured


def test_altered_bytes_make_the_trial_invalid(own_servers: OwnServers) -> None:
    trial, _ = own_servers.of("faulty_server")
    assert "exit 3" in own_servers.output
    assert trial["outcome"] == "invalid"
    assert "corrupt" in trial["reason"]
    assert trial["counts"]["mismatched"] > 10
    settled = ("answered", "timed_out", "censored", "dropped", "mismatched", "failed")
    assert trial["counts"]["planned"] == sum(trial["counts"][name] for name in settled)
