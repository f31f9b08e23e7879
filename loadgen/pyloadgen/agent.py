"""The generator as the conductor's agent: orders in, events out, and an end of its own when nobody needs it any more.

Threads of their own read orders (contracts/line, which answers `clock` at once), write events, and hear the processes
that do the work.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, Optional, TextIO

from contracts import line
from contracts.line import FLUSH_S, SILENCE_S, Event, Inbox, Journal, Outbox
from pyloadgen.crew import Crew, processes_for
from pyloadgen.errors import Refusal
from pyloadgen.histogram import LatencyLog
from pyloadgen.session import REFUSED, Session
from pyloadgen.spec import Spec, parse, refuse


class Agent(Session):
    """One trial, from `hello` to the end."""

    def __init__(self, spec: Spec, crew: Crew, descriptors: int, log: TextIO) -> None:
        super().__init__(spec, crew, descriptors)
        self._file = log
        self._die_at = time.monotonic() + spec.lifetime_s
        self._latencies: Optional[LatencyLog] = None
        journal = Journal(spec.dir / "agent.jsonl", spec.run, spec.host, spec.trial)
        self._outbox = Outbox(journal, lambda: self.todo.put("stdout has no reader"))
        self._outbox.say(line.hello(spec.host, "client", descriptors))
        self._inbox = Inbox(self._outbox, self.todo)
        self.log(
            f"agent {os.getpid()} on {spec.host}: run {spec.run}, trial {spec.trial}: {spec.generator}, "
            f"{spec.workload} with {spec.connections} connections, {crew.count} processes"
        )

    def run(self) -> int:
        code = super().run()
        self._outbox.close(FLUSH_S)
        return code

    def overdue(self) -> Optional[str]:
        now = time.monotonic()
        if now - self._inbox.heard > SILENCE_S:
            return f"no order for {SILENCE_S:g} s"
        return "its lifetime is over" if now > self._die_at else None

    def go(self, order: dict[str, Any]) -> tuple[int, ...]:
        numbers = super().go(order)
        origin = f"run {self.spec.run}, trial {self.spec.trial}, host {self.spec.host}"
        self._latencies = LatencyLog(self.spec.dir / "latency.hlog", origin)
        return numbers

    def log(self, text: str) -> None:
        """Into loadgen.log, and to stderr."""
        utc = datetime.now(timezone.utc).isoformat(sep=" ", timespec="microseconds")[:-6]
        for file in (self._file, sys.stderr):
            with suppress(OSError):
                print(f"{utc} {text}", file=file, flush=True)

    def say(self, event: Event) -> None:
        """To the conductor, and what belongs there into the files beside the journal."""
        kinds = self.kinds
        if event["event"] == "interval" and self._latencies:
            self._latencies.add("response", event["k"], 1, self.response, event["response"])
        elif event["event"] == "done" and self._latencies:
            for kind in ("lag", "service"):
                self._latencies.add(kind, self.spec.warmup, self.spec.duration, kinds[kind], event[kind])
            self._latencies.add("connect", 0, 0, kinds["connect"], event["connect"])
            p50, p99, most = (kinds["lag"].quantile(fraction) for fraction in (0.5, 0.99, 1))
            self.log(f"done: {event['totals']}, lag p50 {p50} p99 {p99} max {most} ns")
        elif event["event"] == "armed":
            self.log(f"armed: {event['connected']} connected, {event['verified']} verified, failed {event['failed']}")
        elif event["event"] == "error":
            self.log(f"{event['phase']}/{event['cause']}: {event['message']} {event['remedy']}")
        self._outbox.say(event)


def main(text: str) -> int:
    """The life of an agent with a specification in JSON; the exit status."""
    try:
        spec = parse(text)
        try:
            spec.dir.mkdir(parents=True, exist_ok=True)
            log = (spec.dir / "loadgen.log").open("w")
        except OSError as error:
            raise refuse("dir", f"The directory of the trial cannot be written: {error}.") from None
        try:
            os.sched_setaffinity(0, spec.cpus or os.sched_getaffinity(0))
        except OSError as error:
            raise refuse("cpus", f"This process cannot run on the processors {spec.cpus}: {error.strerror}.") from None
    except Refusal as refusal:
        print(f"pyloadgen: {refusal}", file=sys.stderr)
        outbox = Outbox(None)
        outbox.say(refusal.event)
        outbox.close(FLUSH_S)
        return REFUSED
    descriptors = line.raise_descriptor_limit()
    crew = Crew(spec, processes_for(spec, descriptors))  # before there is any thread
    sys.setswitchinterval(line.SWITCH_S)
    line.identify(spec.dir, spec.run)
    try:
        with log:
            return Agent(spec, crew, descriptors, log).run()
    finally:
        line.forget(spec.dir)
