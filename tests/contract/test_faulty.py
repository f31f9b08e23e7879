"""A server that breaks one thing on purpose: the generator counts it in its class, never as a latency, and says so."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bench import common
from tests.unit.server import harness

SERVER = Path(__file__).parents[1] / "fixtures/faulty_server.py"
ENGINES = ("epoll", "goroutine")
OUTCOMES = ("answered", "timed_out", "censored", "dropped", "mismatched", "failed")
CLASSES = ("corrupt", "truncated", "duplicated", "reordered", "crossed", "foreign", "incomplete", "late")
CONNECTIONS, RATE, SECONDS, PAYLOAD = 20, 1_200, 1, 64


@dataclass
class Faulty:
    """A server that breaks records, and once it has ended how many of how many."""

    port: int
    broken: int = -1
    loaded: int = -1


@contextmanager
def faulty(fault: str, every: int, *options: str) -> Iterator[Faulty]:
    port = harness.free_port()
    command = [sys.executable, SERVER, "--port", port, "--fault", fault, "--every", every, *options]
    with common.process(command, None, stdout=subprocess.PIPE) as process:
        harness.eventually(lambda: common.listens(port), "the faulty server listens")
        server = Faulty(port)
        yield server
        process.terminate()
        said = json.loads(process.communicate(timeout=harness.PATIENCE_S)[0])
        server.broken, server.loaded = said["broken"], said["loaded"]


@pytest.fixture(scope="module", autouse=True)
def _generator() -> None:
    common.generator()


def run(server: Faulty, engine: str, **options: object) -> common.Report:
    """One second of load. Whatever is broken, each planned request has one outcome, only right replies a latency."""
    report = common.generate(
        f"127.0.0.1:{server.port}", cpu=None, timeout_s=60, engine=engine, c=CONNECTIONS, r=RATE, d=f"{SECONDS}s",
        arrival="fixed", payload=PAYLOAD, warmup="0s", **options,
    )  # fmt: skip
    counts = report.load
    assert counts["planned"] == RATE * SECONDS
    assert counts["planned"] == sum(counts[name] for name in OUTCOMES), counts
    assert counts["answered"] == report.response().sum()
    assert counts["answered"] == report.kind("service").sum()
    assert counts["answered"] == report.json["latency_ns"]["service"]["count"]
    assert counts["planned"] == report.json["latency_ns"]["response"]["count"], (
        "percentiles are over all that was planned"
    )
    return report


def classes(report: common.Report, *but: str) -> dict[str, int]:
    """The classes that were counted, without those named."""
    return {name: count for name, count in report.done["integrity"].items() if count and name not in but}


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_broken_nothing_counted(engine: str) -> None:
    with faulty("bit", 1_000_000) as server:
        report = run(server, engine)
    assert (report.exit, report.json["verdict"], classes(report)) == (0, "ok", {})
    assert set(report.done["integrity"]) == set(CLASSES)
    assert report.load["answered"] == server.loaded == RATE * SECONDS


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("fault", "every", "counted"),
    [("bit", 2, "corrupt"), ("duplicate", 10, "duplicated"), ("cross", 10, "crossed"), ("foreign", 10, "foreign")],
)
def test_a_wrong_reply_is_mismatched_in_its_class(engine: str, fault: str, every: int, counted: str) -> None:
    with faulty(fault, every) as server:
        report = run(server, engine)
    assert server.broken >= RATE * SECONDS // every - CONNECTIONS
    if fault == "bit":
        assert server.broken >= PAYLOAD * 8, "not every bit was flipped"
    assert classes(report) == {counted: server.broken}
    assert report.load["mismatched"] == server.broken
    assert report.load["answered"] == RATE * SECONDS - server.broken
    assert (report.exit, report.json["verdict"]) == (3, "invalid")


@pytest.mark.parametrize("engine", ENGINES)
def test_replies_in_another_order(engine: str) -> None:
    with faulty("reorder", 50) as server:
        # Short, because what is held back at the end is never answered.
        report = run(server, engine, pipeline=8, timeout="1500ms")
    assert server.broken
    found = report.done["integrity"]
    # The later of the two comes first; when the earlier one comes, its place has gone by.
    assert found["reordered"] >= server.broken - CONNECTIONS > 0
    assert found["reordered"] + found["duplicated"] == report.load["mismatched"]
    assert set(classes(report)) <= {"reordered", "duplicated"}
    assert (report.exit, report.json["verdict"]) == (3, "invalid")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_reply_that_is_cut_off(engine: str) -> None:
    with faulty("end", 120) as server:
        report = run(server, engine)
    assert 0 < server.broken <= RATE * SECONDS // 120
    assert classes(report) == {"truncated": server.broken}
    assert report.done["connections"]["lost"] == server.broken
    assert report.load["failed"] >= server.broken
    assert report.load["mismatched"] == 0
    assert (report.exit, report.json["verdict"]) == (3, "invalid")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("pipeline", [1, 8])
def test_a_reply_that_is_never_finished(engine: str, pipeline: int) -> None:
    """Nothing follows where a connection has one request at a time; else the next reply follows, and is right."""
    with faulty("truncate", 119) as server:
        report = run(server, engine, timeout="1s", pipeline=pipeline)
    assert server.broken == server.loaded // 119 > 0
    assert classes(report) == {"truncated": server.broken}
    assert report.done["connections"]["lost"] == 0
    assert report.load["failed"] == 0
    if pipeline > 1:
        assert report.load["answered"] >= RATE * SECONDS - server.broken - CONNECTIONS
    assert (report.exit, report.json["verdict"]) == (3, "invalid")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_reply_that_nobody_asked_for(engine: str) -> None:
    with faulty("surplus", 100) as server:
        report = run(server, engine)
    assert server.broken == RATE * SECONDS // 100
    assert report.done["surplus"] > 0
    assert (report.exit, report.json["verdict"]) == (3, "invalid")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_late_reply_is_overload_and_no_fault(engine: str) -> None:
    with faulty("late", 300, "--delay", "0.5") as server:
        report = run(server, engine, timeout="300ms", pipeline=64)
    assert server.broken == RATE * SECONDS // 300
    late = report.done["integrity"]["late"]
    assert 0 < late <= report.load["timed_out"]
    assert report.load["timed_out"] >= server.broken
    assert classes(report) == {"late": late}
    assert (report.exit, report.json["verdict"]) == (0, "ok")
