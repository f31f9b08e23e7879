"""Where two trials of a duet wait for each other, and what becomes of both."""

import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from conductor import run
from conductor.errors import Interrupted
from conductor.events import EventLog
from conductor.inbox import Inbox, Interrupt
from conductor.meeting import Meeting
from conductor.plan import parse_plan
from conductor.run import Work
from tests.unit.conductor.stage import RUN, Stage


def inboxes() -> tuple[Inbox, Inbox]:
    return SimpleQueue(), SimpleQueue()


def test_the_later_one_sets_the_moment_far_enough_ahead_for_both() -> None:
    meeting = Meeting(inboxes())
    meeting.arrive(5_000_000_000)
    assert not meeting.is_over
    before_ns = time.monotonic_ns()
    meeting.arrive(1_000_000_000)
    assert meeting.is_over
    assert meeting.go_ns is not None
    assert before_ns + 5_000_000_000 <= meeting.go_ns <= time.monotonic_ns() + 5_000_000_000
    meeting.leave()
    assert meeting.go_ns is not None


def test_who_has_left_is_not_waited_for_and_sets_no_moment() -> None:
    meeting = Meeting(inboxes())
    meeting.leave()
    assert meeting.is_over
    meeting.arrive(1)
    meeting.arrive(1)
    assert meeting.go_ns is None


def test_a_refusal_is_told_and_each_step_wakes_both() -> None:
    both = inboxes()
    meeting = Meeting(both)
    meeting.arrive(1)
    meeting.leave("no room")
    assert meeting.refused == "no room"
    assert [inbox.qsize() for inbox in both] == [2, 2]


class Voices(Work):
    """The two trials of a duet, as they are told here."""

    def __init__(self, place: Path, voice: Callable[[int, Inbox], Any]) -> None:
        log = EventLog(place / "events.jsonl", RUN)
        super().__init__(parse_plan(Stage(place, trials=2, duet=True).plan()), {}, SimpleQueue(), log, place)
        self.voice, self.kept = voice, list[int]()

    def written(self, course: Any) -> dict[str, Any]:
        self.kept.append(course.n)
        return {}

    def judged(self, *_: Any) -> str:
        return "ok"

    def sing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run, "run_trial", lambda _plan, trial, *_: self.voice(trial.n, self.inbox))
        self.duet(self.plan.trials, {1: "one", 2: "two"})


def test_an_interruption_that_neither_heard_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def voice(n: int, own: Inbox) -> Any:
        own.put(Interrupt("SIGINT received"))
        return SimpleNamespace(n=n)

    work = Voices(tmp_path, voice)
    try:
        work.sing(monkeypatch)
    except Interrupted:
        heard = True
    else:  # it came when both were over: the next trial hears it
        heard = any(isinstance(work.inbox.get(timeout=5), Interrupt) for _ in range(work.inbox.qsize()))
    assert heard
    assert work.kept == [1, 2]


def test_a_defect_in_one_does_not_lose_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def voice(n: int, _own: Inbox) -> Any:
        if n == 1:
            raise OSError("no space")
        return SimpleNamespace(n=n)

    work = Voices(tmp_path, voice)
    with pytest.raises(OSError, match="no space"):
        work.sing(monkeypatch)
    assert work.kept == [2]
