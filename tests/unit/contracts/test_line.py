"""The Python end of the line protocol: queue, journal, orders, identity and the limit of open files."""

import errno
import json
import os
import queue
import resource
import threading
from pathlib import Path
from typing import Any

import pytest

from contracts import line
from contracts.line import CAPACITY, Event, Inbox, Journal, Outbox, forget, identify

ROOT = Path(__file__).parents[3]
PATIENCE_S = 15.0
TICK = {"event": "clock", "n": 1, "t": 0}


class Pipe:
    """A pipe whose reading end is read to its end after `outbox` was closed."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()

    def said(self, outbox: Outbox) -> list[Event]:
        def close() -> None:
            outbox.close(PATIENCE_S)
            os.close(self.write)

        closing = threading.Thread(target=close)
        closing.start()
        with os.fdopen(self.read) as lines:
            said = [json.loads(one) for one in lines]
        closing.join()
        return said


def test_what_the_reader_loses_is_said_and_in_the_journal(tmp_path: Path) -> None:
    pipe = Pipe()
    outbox = Outbox(Journal(tmp_path / "agent.jsonl", "run", "server", 3), descriptor=pipe.write)
    for n in range(10 * CAPACITY):
        outbox.say({"event": "clock", "n": n, "t": 0})
    said = pipe.said(outbox)
    dropped = sum(event["lines"] for event in said if event["event"] == "dropped")
    assert dropped > 0
    assert len([event for event in said if event["event"] == "clock"]) + dropped == 10 * CAPACITY
    header, *events, trailer = map(json.loads, (tmp_path / "agent.jsonl").read_text().splitlines())
    assert [event["n"] for event in events] == list(range(10 * CAPACITY))
    assert (header["file"], header["run"], header["host"], header["trial"]) == ("agent", "run", "server", 3)
    assert len(header["utc"]) == len("2026-01-01T00:00:00.000000Z")
    assert trailer["lines"] == len(events)


def test_a_line_is_in_the_journal_before_it_can_be_read(tmp_path: Path) -> None:
    pipe, file = Pipe(), tmp_path / "agent.jsonl"
    outbox = Outbox(Journal(file, "run", "server", 1), descriptor=pipe.write)
    for n in range(200):
        outbox.say({"event": "clock", "n": n, "t": 0})
        read = os.read(pipe.read, 1 << 16)
        assert read in file.read_bytes()
    assert pipe.said(outbox) == []


def test_an_event_that_a_full_disk_refuses_is_heard(tmp_path: Path) -> None:
    class Full(Journal):
        def write(self, line: bytes) -> None:
            raise OSError(errno.ENOSPC, f"No space left on device for {len(line)} bytes")

    pipe = Pipe()
    outbox = Outbox(Full(tmp_path / "agent.jsonl", "run", "server", 1), descriptor=pipe.write)
    with pytest.raises(OSError, match="No space"):
        outbox.say(TICK)
    assert pipe.said(outbox) == [TICK]


def test_a_pipe_without_a_reader_is_told() -> None:
    read, write = os.pipe()
    os.close(read)
    broken = threading.Event()
    outbox = Outbox(None, broken.set, write)
    outbox.say(TICK)
    assert broken.wait(PATIENCE_S)
    outbox.say(TICK)
    outbox.close(PATIENCE_S)
    os.close(write)


def test_nothing_is_said_after_the_end(tmp_path: Path) -> None:
    pipe = Pipe()
    outbox = Outbox(Journal(tmp_path / "agent.jsonl", "run", "server", 1), descriptor=pipe.write)
    outbox.close(PATIENCE_S)
    outbox.say(TICK)
    assert pipe.said(Outbox(None, descriptor=pipe.write)) == []
    assert (tmp_path / "agent.jsonl").read_text().count("clock") == 0


def heard(data: bytes) -> tuple[list[Any], list[Event]]:
    """The orders that an inbox passes on, and the events with which it answers by itself."""
    orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
    answers, given = Pipe(), os.pipe()
    outbox = Outbox(None, descriptor=answers.write)
    inbox = Inbox(outbox, orders, given[0])
    before = inbox.heard
    with os.fdopen(given[1], "wb") as end:
        end.write(data)
    passed = []
    while (order := orders.get(timeout=PATIENCE_S)) is not None:
        passed.append(order)
    assert inbox.heard >= before
    os.close(given[0])
    return passed, answers.said(outbox)


def test_orders_are_passed_on_and_clock_is_answered() -> None:
    orders, said = heard(b'{"order":"alive"}\n{"order":"clock","n":7}\n{"order":"arm"}\n{"order":"go","at":5}\n')
    assert orders == [{"order": "arm"}, {"order": "go", "at": 5}]
    assert [(event["event"], event["n"]) for event in said] == [("clock", 7)]


@pytest.mark.parametrize(
    "data", [b"nonsense", b"", b"[]", b'{"order":7}', b"\xff\xfe", b"[" * 100_000, b"x" * ((1 << 20) + 70_000)]
)
def test_what_is_no_order_is_answered(data: bytes) -> None:
    orders, said = heard(data + b'\n{"order":"stop"}\n')
    assert {(event["event"], event["phase"], event["cause"]) for event in said} == {("error", "protocol", "protocol")}
    assert orders[-1:] == [{"order": "stop"}]


@pytest.mark.parametrize("n", ["null", "-1", "true", "1.5", '"1"'])
def test_a_clock_without_its_number_is_the_agents_to_refuse(n: str) -> None:
    assert heard(f'{{"order":"clock","n":{n}}}\n'.encode()) == ([{"order": "clock", "n": json.loads(n)}], [])


def test_each_agent_of_a_host_has_a_record_of_its_own(tmp_path: Path) -> None:
    here, beside = tmp_path / "runs/run/004", tmp_path / "runs/run/005"
    path = tmp_path / "agent-004.json"
    forget(here)  # there is none
    identify(here, "run")
    identify(beside, "run")
    mine = json.loads(path.read_text())
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    assert mine == {"pid": os.getpid(), "start_ticks": ticks, "run": "run"}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["agent-004.json", "agent-005.json"]
    for other in (json.dumps({**mine, "pid": 1}), "{}", "[]", "7", "nonsense"):
        path.write_text(other)
        forget(here)
        assert path.exists(), other
    identify(here, "run")
    forget(here)
    assert [one.name for one in tmp_path.iterdir()] == ["agent-005.json"]


def test_the_limit_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 64), hard))
    try:
        assert line.raise_descriptor_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_limit_that_cannot_be_raised_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert line.raise_descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
