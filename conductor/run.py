"""A whole run: the sessions once, then one trial after the other, each with its end written down."""

import contextlib
import os
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from conductor import progress
from conductor.course import Course
from conductor.errors import Interrupted, ResultsLost, RunEnded, RunRefused
from conductor.events import EventLog
from conductor.inbox import Inbox, Interrupt, Task, in_background
from conductor.meeting import Meeting
from conductor.output import complain, say
from conductor.plan import Host, Plan, Search, Trial
from conductor.result import write_result
from conductor.resume import is_spoiled, rest_of
from conductor.search import Rung, judged, next_value, rung_of, said, told
from conductor.sessions import LocalSession, Session
from conductor.specs import estimate_s
from conductor.ssh import SshSession
from conductor.trial import run_trial
from contracts.declared import PASSED

OK, REFUSED, FAILED, INTERRUPTED = 0, 2, 3, 130
BREAKS = ("dnf", "crashed")
"""Outcomes of a trial whose connections were too many."""
OPEN_S = 40.0
CLOSE_S = 0.7
# sshd drops some of more than ten logins at once (MaxStartups 10:30:100), and many hosts may share one machine.
LOGINS_AT_ONCE = 8


def run_plan(plan: Plan, results: Path, inbox: Inbox, again: Container[int] | None = None) -> int:
    """Run all trials of a plan; or those `again`, of a run that was broken off or comes in parts. Returns the exit
    status."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        goes_on = again is not None and (results / "events.jsonl").exists()
        log = EventLog(results / "events.jsonl", plan.run, resumes=goes_on)
    except FileExistsError:
        complain(f"{results / 'events.jsonl'} exists: a run is never written over; give this one an id of its own.")
        return REFUSED
    except (ResultsLost, OSError) as error:
        complain(str(error))
        return REFUSED
    with contextlib.closing(log):
        try:
            if not goes_on:
                log.say(None, "plan", plan=plan.document)
            if again is not None:
                plan = rest_of(plan, again, results, log)
            status = in_sessions(plan, results, inbox, log)
            if status == OK and again is not None and is_spoiled(results):
                status = FAILED
            log.say(None, "run", state="ended", exit=status)
        except RunRefused as refusal:
            complain(str(refusal))
            status = REFUSED
        except ResultsLost as loss:
            complain(str(loss))
            status = FAILED
    return status


def in_sessions(plan: Plan, results: Path, inbox: Inbox, log: EventLog) -> int:
    try:
        with all_sessions(plan, inbox) as sessions:
            return run_trials(plan, sessions, inbox, log, results)
    except RunRefused as refusal:
        complain(str(refusal))
        return REFUSED
    except Interrupted as interruption:
        complain(f"Interrupted: {interruption}.")
        return INTERRUPTED


def run_trials(plan: Plan, sessions: dict[str, Session], inbox: Inbox, log: EventLog, results: Path) -> int:
    """Until the last trial, a refusal, an interruption, or a host that is lost for good."""
    count, searches = len(plan.trials), sum(bool(trial.search) for trial in plan.trials)
    counts = ((searches, "search", "searches"), (count - searches, "trial", "trials"))
    planned = " and ".join(f"{n} {one if n == 1 else several}" for n, one, several in counts if n)
    about = "at most about" if searches else "about"
    say(f"{planned} on {len(plan.hosts)} hosts, {about} {progress.show_duration(estimate_s(plan))}")
    work = Work(plan, sessions, inbox, log, results)
    labels = {entry.n: f"trial {place}/{count} {entry.label}" for place, entry in enumerate(plan.trials, 1)}
    for first, *beside in plan.turns:
        label = labels[first.n]
        try:
            if first.search:
                work.search(first, first.search, label)
            elif beside:
                work.duet((first, *beside), labels)
            else:
                work.trial(first, label)
        except RunEnded as end:
            complain(str(end))
            return FAILED
    return work.status


@dataclass
class Work:
    """What every trial of a run is done with, and how the run stands."""

    plan: Plan
    sessions: dict[str, Session]
    inbox: Inbox
    log: EventLog
    results: Path
    is_first: bool = True
    status: int = OK

    def trial(self, trial: Trial, label: str) -> tuple[Course, str]:
        """Run one and write it down: how it went, and its outcome. Raises what ends the run."""
        course = run_trial(self.plan, trial, label, self.is_first, self.sessions, self.inbox, self.log)
        return course, self.judged(course, self.written(course))

    def duet(self, pair: Sequence[Trial], labels: Mapping[int, str]) -> None:
        """Run two side by side, each in a thread of its own; what comes to the run's own inbox is for both."""
        inboxes: tuple[Inbox, Inbox] = (SimpleQueue(), SimpleQueue())
        meeting = Meeting(inboxes)
        voices = [
            in_background(
                self.inbox, "controller",
                partial(
                    run_trial, self.plan, trial, labels[trial.n], self.is_first, self.sessions, inbox, self.log, meeting
                ),
            )
            for trial, inbox in zip(pair, inboxes, strict=True)
        ]  # fmt: skip
        interrupts = []
        while not all(task.over for task in voices):
            item = self.inbox.get()
            if isinstance(item, Interrupt):
                interrupts.append(item)
                for inbox in inboxes:
                    inbox.put(item)
        ended = [(task.result, self.written(task.result)) for task in voices if task.result]
        for task in voices:
            if task.error:
                raise task.error
        for course, result in ended:
            self.judged(course, result)
        if interrupts:  # neither heard it any more
            raise Interrupted(interrupts[0].why)

    def written(self, course: Course) -> dict[str, Any]:
        self.is_first = False
        result = write_result(course, self.results)
        say(progress.end_line(course.label, result, course.tally))
        return result

    def judged(self, course: Course, result: Mapping[str, Any]) -> str:
        """The outcome, where the run may go on."""
        if course.interrupted:
            raise Interrupted(course.interrupted)
        if course.trial.kind == "calibration":
            return "ok"  # a yardstick for the others: whatever became of it, they stand as they are
        if course.refused:
            raise RunRefused(course.refused)
        if result["outcome"] not in PASSED:
            self.status = FAILED
        silent = {agent.name for agent in course.fleet.agents.values() if agent.silent}
        gone = [name for name, session in self.sessions.items() if name in silent or not session.is_alive()]
        if course.run_over or gone:
            raise RunEnded(
                course.run_over or f"{', '.join(gone)}: out of reach, so no trial can be what the plan asks."
            )
        return str(result["outcome"])

    def search(self, entry: Trial, search: Search, label: str) -> None:
        """Rung after rung, until the highest value is found, time or numbers are used up, or a rung says nothing of
        its value. That it breaks there is what a search for connections is for."""
        rungs: list[Rung] = []
        began = rung_began = time.monotonic()
        while (value := next_value(search, rungs)) and len(rungs) < search.most_rungs:
            now = time.monotonic()
            if now - began + (now - rung_began) > search.budget_s:
                break
            rung_began = now
            rung = rung_of(entry, len(rungs), value)
            course, outcome = self.trial(rung, f"{label} {said(search, value)}")
            passed, why = judged(search.pass_rule, course.tally) if outcome == "ok" else (None, outcome)
            if search.over == "connections" and outcome in BREAKS:
                passed = False
            where = {"cell": rung.cell, "block": rung.block, "control": rung.control, search.over: value}
            self.log.say(rung.n, "rung", **where, passed=passed, why=why)
            if passed is None:
                break
            rungs.append((value, passed))
        say(f"{label}  {told(search, rungs)}")


@contextlib.contextmanager
def all_sessions(plan: Plan, inbox: Inbox) -> Iterator[dict[str, Session]]:
    """Open a session to every host, side by side; close them at the end. RunRefused where a host is not reached."""
    cpus = frozenset(os.sched_getaffinity(0))
    if plan.conductor_cpus:
        pin(plan.conductor_cpus, cpus)
    sessions = {host.name: session_of(host, cpus) for host in plan.hosts}
    try:
        open_all(list(sessions.values()), inbox)
        yield sessions
    finally:
        closing = [in_background(inbox, name, session.close) for name, session in sessions.items()]
        with contextlib.suppress(Interrupted):
            await_tasks(inbox, closing, CLOSE_S, len(closing))


def open_all(waiting: list[Session], inbox: Inbox) -> None:
    opening: list[Task] = []
    deadline = time.monotonic() + OPEN_S
    while waiting or not all(task.over for task in opening):
        free = LOGINS_AT_ONCE - sum(not task.over for task in opening)
        opening += [in_background(inbox, session.host.name, session.open) for session in waiting[:free]]
        waiting = waiting[free:]
        await_tasks(inbox, opening, deadline - time.monotonic(), 1 + sum(task.over for task in opening))
        for task in opening:
            if task.error:
                raise task.error
        if time.monotonic() >= deadline:
            slow = ", ".join(task.host for task in opening if not task.over)
            raise RunRefused(
                f"{slow}: no SSH session within {OPEN_S:.0f} s; see that the host is up and not overloaded."
            )


def await_tasks(inbox: Inbox, tasks: list[Task], seconds: float, number: int) -> None:
    """Until so many of the tasks are over, or the time is; what else comes meanwhile is of agents that have ended."""
    deadline = time.monotonic() + seconds
    while sum(task.over for task in tasks) < min(number, len(tasks)) and time.monotonic() < deadline:
        with contextlib.suppress(Empty):
            item = inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            if isinstance(item, Interrupt):
                raise Interrupted(item.why)


def session_of(host: Host, cpus: frozenset[int]) -> Session:
    if host.connection == "local":
        return LocalSession(host, cpus)
    return SshSession(host)


def pin(wanted: Sequence[int], there: frozenset[int]) -> None:
    """Stay on the CPUs of the plan; threads begun later stay there too."""
    if not set(wanted) <= there:
        raise RunRefused(f"conductor_cpus names CPUs that the controller does not have: it may use {sorted(there)}.")
    os.sched_setaffinity(0, wanted)
