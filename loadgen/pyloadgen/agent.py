"""The generator as the conductor's agent: orders in, events out, and an end of its own when nobody needs it any more.

The main thread obeys and adds up; it never waits longer than until the next thing is due. Threads of their own read
orders (contracts/line, which answers `clock` at once), write events, and hear the processes that do the work.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import time
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType
from typing import Any, Optional, TextIO

from contracts import line
from contracts.line import FLUSH_S, SILENCE_S, Inbox, Journal, Outbox, protocol_error, whole
from pyloadgen.crew import Crew, Said, processes_for
from pyloadgen.errors import Refusal
from pyloadgen.histogram import LatencyLog
from pyloadgen.spec import Spec, parse, refuse
from pyloadgen.trial import Event, Trial

POLL_S = 0.2
SETTLE_S = 2.0  # for the processes to settle what they have
END_S = 1.0  # for them to close their sockets
TOLD, ALONE, REFUSED = 0, 1, 2  # the exit: by the order stop, for any other reason, because the trial cannot be


class Log:
    """loadgen.log, and stderr."""

    def __init__(self, path: Path) -> None:
        self._files: list[TextIO] = [path.open("w", buffering=1), sys.stderr]

    def __call__(self, text: str) -> None:
        utc = datetime.now(timezone.utc).isoformat(sep=" ", timespec="microseconds")[:-6]
        for file in self._files:
            with suppress(OSError):
                print(f"{utc} {text}", file=file, flush=True)

    def close(self) -> None:
        self._files[0].close()


class Agent:
    """One trial, from `hello` to the end."""

    def __init__(self, spec: Spec, crew: Crew, descriptors: int, log: Log) -> None:
        self._spec = spec
        self._crew = crew
        self._log = log
        self._code = TOLD
        self._reason: Optional[str] = None  # why to end
        self._die_at = time.monotonic() + spec.lifetime_s
        self._todo: queue.SimpleQueue[Any] = queue.SimpleQueue()  # orders, words of the crew, reasons to end
        self._latencies: Optional[LatencyLog] = None
        journal = Journal(spec.dir / "agent.jsonl", spec.run, spec.host, spec.trial)
        self._outbox = Outbox(journal, lambda: self._todo.put("stdout has no reader"))
        self._trial = Trial(spec, crew, descriptors)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self._outbox.say(line.hello(spec.host, "client", descriptors))
        self._inbox = Inbox(self._outbox, self._todo)
        crew.listen(self._todo)

    def _on_signal(self, number: int, _frame: Optional[FrameType]) -> None:
        self._todo.put(signal.Signals(number).name)

    def run(self) -> int:
        """Obey until there is a reason to end; the exit status."""
        spec = self._spec
        self._log(
            f"agent {os.getpid()} on {spec.host}: run {spec.run}, trial {spec.trial}: {spec.generator}, "
            f"{spec.workload} with {spec.connections} connections, {self._crew.count} processes"
        )
        try:
            while self._reason is None:
                self._turn(POLL_S)
                self._look()
            self._log(f"ends: {self._reason}")
            self._settle()
        except Exception as error:
            self._log(f"ends: {error!r}")
            self._code = self._code or ALONE
            self._error(
                Refusal("internal", "agent", f"The generator failed: {error!r}.", "This is a defect: report it.")
            )
        self._crew.end(END_S)
        if self._latencies:
            self._latencies.close()
        self._outbox.close(FLUSH_S)
        return self._code

    def _end(self, code: int, reason: str) -> None:
        if self._reason is None:
            self._reason = reason
            self._code = self._code or code  # a refusal stays one

    def _settle(self) -> None:
        """Let the processes settle what is under way, and say what came of it."""
        self._crew.stop()
        deadline = time.monotonic() + SETTLE_S
        while self._trial.doing and time.monotonic() < deadline:
            self._turn(deadline - time.monotonic())
        if self._trial.doing:
            self._log(f"the load did not settle within {SETTLE_S:g} s")

    def _turn(self, at_most_s: float) -> None:
        due_s = self._trial.due_s()
        with suppress(queue.Empty):
            self._take(self._todo.get(timeout=max(0.0, at_most_s if due_s is None else min(at_most_s, due_s))))
        self._say(self._trial.look(stopped=self._reason is not None))

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._inbox.heard > SILENCE_S:
            self._end(ALONE, f"no order for {SILENCE_S:g} s")
        elif now > self._die_at:
            self._end(ALONE, "its lifetime is over")

    def _take(self, item: Any) -> None:
        if item is None:
            self._end(ALONE, "its input ended")
        elif isinstance(item, str):
            self._end(ALONE, item)
        elif not isinstance(item, Said):
            self._obey(item)
        elif item.did != "ended":
            self._say(self._trial.hear(item))
            if self._trial.state == "refused":
                self._code = REFUSED
        elif self._reason is None:
            error = Refusal("internal", "process", "A process of the generator ended on its own.", "Read loadgen.log.")
            self._error(error)
            self._end(ALONE, str(error))

    # Orders

    def _obey(self, order: dict[str, Any]) -> None:
        name, trial = order["order"], self._trial
        if name == "stop":
            self._end(TOLD, "told to stop")
        elif name not in ("arm", "prove", "go", "clock"):
            self._outbox.say(protocol_error(f"The order {name[:40]!r} is unknown."))
        elif name == "clock" or (name == "go" and not whole(order.get("at"))):
            self._outbox.say(protocol_error(f"The order {name} lacks its number."))
        elif self._reason is not None:
            pass  # it comes too late
        elif trial.doing:
            self._outbox.say(protocol_error(f"The order {name} came while another was being carried out."))
        elif not self._fits(name, order):
            self._outbox.say(protocol_error(f"The order {name} has no place here."))
        else:
            try:
                self._begin(name, order)
            except Refusal as refusal:
                self._error(refusal)
                self._code = REFUSED if trial.state == "refused" else self._code

    def _fits(self, name: str, order: dict[str, Any]) -> bool:
        state, workload = self._trial.state, self._spec.workload
        if name == "arm":
            step = workload == "ramp" and whole(order.get("connections"))
            return state == "fresh" or (state == "armed" and step)
        if name == "prove":
            return state in ("armed", "done") and self._spec.does.holds
        return state == "armed"

    def _begin(self, name: str, order: dict[str, Any]) -> None:
        if name == "arm":
            step = order.get("connections")
            self._trial.arm(step if whole(step) else None)
        elif name == "prove":
            self._trial.prove()
        else:
            self._trial.go(order["at"])
            origin = f"run {self._spec.run}, trial {self._spec.trial}, host {self._spec.host}"
            self._latencies = LatencyLog(self._spec.dir / "latency.hlog", origin)

    # Events

    def _error(self, refusal: Refusal) -> None:
        self._log(f"{refusal.event['phase']}/{refusal.event['cause']}: {refusal}")
        self._outbox.say(refusal.event)

    def _say(self, events: list[Event]) -> None:
        for event in events:
            self._keep(event)
            self._outbox.say(event)

    def _keep(self, event: Event) -> None:
        """What of an event belongs into the files beside the journal."""
        kinds = self._trial.kinds
        if event["event"] == "interval" and self._latencies:
            self._latencies.add("response", event["k"], 1, self._trial.response, event["response"])
        elif event["event"] == "done" and self._latencies:
            for kind in ("lag", "service"):
                self._latencies.add(kind, self._spec.warmup, self._spec.duration, kinds[kind], event[kind])
            self._latencies.add("connect", 0, 0, kinds["connect"], event["connect"])
            lag = kinds["lag"]
            self._log(f"done: {event['totals']}, lag p50 {lag.quantile(0.5)} p99 {lag.quantile(0.99)} max {lag.max} ns")
        elif event["event"] == "armed":
            self._log(f"armed: {event['connected']} connected, {event['verified']} verified, failed {event['failed']}")
        elif event["event"] == "error":
            self._log(f"{event['phase']}/{event['cause']}: {event['message']} {event['remedy']}")


def pin(cpus: Optional[list[int]]) -> None:
    if cpus:
        try:
            os.sched_setaffinity(0, cpus)
        except OSError as error:
            raise refuse("cpus", f"This process cannot run on the processors {cpus}: {error.strerror}.") from None


def main(text: str) -> int:
    """The life of an agent with a specification in JSON; the exit status."""
    try:
        spec = parse(text)
        try:
            spec.dir.mkdir(parents=True, exist_ok=True)
            log = Log(spec.dir / "loadgen.log")
        except OSError as error:
            raise refuse("dir", f"The directory of the trial cannot be written: {error}.") from None
        pin(spec.cpus)
    except Refusal as refusal:
        print(f"pyloadgen: {refusal}", file=sys.stderr)
        outbox = Outbox(None)
        outbox.say(refusal.event)
        outbox.close(FLUSH_S)
        return REFUSED
    descriptors = line.raise_descriptor_limit()
    crew = Crew(spec, processes_for(spec, descriptors))  # before there is any thread
    sys.setswitchinterval(line.SWITCH_S)
    where = spec.dir.parents[2] / "agent.json"
    line.identify(where, spec.run)
    try:
        return Agent(spec, crew, descriptors, log).run()
    finally:
        line.forget(where)
        log.close()
