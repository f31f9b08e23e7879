"""A client's share of a trial: orders and what the processes of the crew say come in, events go out, made into one.

The main thread obeys and adds up; it never waits longer than until the next thing is due.
"""

from __future__ import annotations

import queue
import signal
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from contextlib import suppress
from typing import Any, Optional

from contracts.declared import COUNTS
from contracts.line import Event, protocol_error, whole
from pyloadgen import host
from pyloadgen.books import MOST_GAPS, SECOND, Interval, Report, total
from pyloadgen.crew import DEFECT, Crew
from pyloadgen.errors import Refusal
from pyloadgen.histogram import Histogram
from pyloadgen.spec import Spec

POLL_S = 0.2
SETTLE_S = 2.0  # for the processes to settle what they have
END_S = 1.0  # for them to close their sockets
TOLD, ALONE, REFUSED = 0, 1, 2  # the exit: by the order stop, for any other reason, because the trial cannot be
OVER = ("service", "lag", "connect")
LATE_REMEDY = "Give a later time, or look for what delays the orders."


class Session(ABC):
    """A trial from its first order to its end: fresh, then armed, then done, or refused."""

    def __init__(self, spec: Spec, crew: Crew, descriptors: int) -> None:
        self.spec = spec
        self.crew = crew
        self.reason: Optional[str] = None  # why to end
        self.todo = crew.said  # and orders, and reasons to end
        self.response = Histogram()  # of the last interval
        self.kinds: dict[str, Histogram] = {}  # of the whole trial, when it is done
        self._code = TOLD
        self._state = "fresh"
        self._doing: Optional[str] = None  # the order that the processes carry out
        self._descriptors = descriptors
        self._armed = 0  # connections
        self._reports: list[Report] = []  # of the processes that have carried it out
        self._seconds: defaultdict[int, list[Interval]] = defaultdict(list)
        self._totals = {phase: dict.fromkeys(COUNTS, 0) for phase in ("warmup", "load")}
        self._over = 0  # responses
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, _: self.todo.put(signal.Signals(number).name))

    @abstractmethod
    def say(self, event: Event) -> None:
        """Tell an event of the trial, or an error."""

    @abstractmethod
    def log(self, text: str) -> None:
        """Note what is no event."""

    def overdue(self) -> Optional[str]:
        """Why to end although nobody says so."""
        return None

    def run(self) -> int:
        """Obey until there is a reason to end; the exit status."""
        try:
            while self.reason is None:
                self._turn(POLL_S)
                overdue = self.overdue()
                if overdue:
                    self._end(ALONE, overdue)
            self.log(f"ends: {self.reason}")
            self._settle()
        except Exception as error:
            self.log(f"ends: {error!r}")
            self._code = self._code or ALONE
            self.say(Refusal("internal", "agent", f"The generator failed: {error!r}.", DEFECT).event)
        self.crew.end(END_S)
        return REFUSED if self._state == "refused" else self._code

    def _end(self, code: int, reason: str) -> None:
        if self.reason is None:
            self.reason, self._code = reason, code

    def _settle(self) -> None:
        """Let the processes settle what is under way, and say what came of it."""
        self.crew.stop()
        deadline = time.monotonic() + SETTLE_S
        while self._doing and time.monotonic() < deadline:
            self._turn(deadline - time.monotonic())
        if self._doing:
            self.log(f"the load did not settle within {SETTLE_S:g} s")

    def _turn(self, at_most_s: float) -> None:
        if self._doing == "go":  # no second may be over and untold
            at_most_s = min(at_most_s, (SECOND - (time.monotonic_ns() - self._at) % SECOND) / 1e9)
        with suppress(queue.Empty):
            self._take(self.todo.get(timeout=max(0.0, at_most_s)))
        if self._doing == "go":
            self._look()

    def _take(self, item: Any) -> None:
        if item is None:
            self._end(ALONE, "its input ended")
        elif isinstance(item, str):
            self._end(ALONE, item)
        elif isinstance(item, dict):
            self._obey(item)
        elif item[0] != "ended":
            self._hear(*item)
        elif self.reason is None:
            error = Refusal("internal", "process", "A process of the generator ended on its own.", DEFECT)
            self.say(error.event)
            self._end(ALONE, str(error))

    # Orders

    def _obey(self, order: dict[str, Any]) -> None:
        name, state, step = order["order"], self._state, order.get("connections")
        fits = {
            "arm": state == "fresh" or (state == "armed" and self.spec.workload == "ramp" and whole(step)),
            "prove": state in ("armed", "done") and self.spec.does.holds,
            "go": state == "armed",
            "clock": False,  # with its number it does not come here
        }
        if name == "stop":
            self._end(TOLD, "told to stop")
        elif name not in fits:
            self.say(protocol_error(f"The order {name[:40]!r} is unknown."))
        elif name == "clock" or (name == "go" and not whole(order.get("at"))):
            self.say(protocol_error(f"The order {name} lacks its number."))
        elif self.reason is not None:
            pass  # it comes too late
        elif self._doing:
            self.say(protocol_error(f"The order {name} came while another was being carried out."))
        elif not fits[name]:
            self.say(protocol_error(f"The order {name} has no place here."))
        else:
            try:
                numbers = {"arm": self._arm, "go": self.go}[name](order) if name != "prove" else ()
                self._doing, self._reports = name, []
                self.crew.order(name, *numbers)
            except Refusal as refusal:
                self.say(refusal.event)

    def _arm(self, order: dict[str, Any]) -> tuple[int, ...]:
        """Which connections to connect, those below a number where it is a ramp's step; and from when on."""
        spec, wanted = self.spec, self.spec.connections
        if not self._armed:
            try:
                host.check(spec, self.crew.count, self._descriptors, *host.read_ports())
            except Refusal:
                self._state = "refused"
                raise
        if whole(order.get("connections")):
            wanted = min(wanted, order["connections"])
        # A ramp's step is paced from its own first connection on.
        start = time.monotonic_ns() - spec.connect_due_ns(self._armed)
        self._armed = max(self._armed, wanted)
        return wanted if spec.does.holds else min(1, wanted), start

    def go(self, order: dict[str, Any]) -> tuple[int, ...]:
        """When to begin."""
        self._at, self._begun = order["at"], time.monotonic_ns()
        late_ns = self._begun - self._at
        if late_ns > 0:
            message = f"The start was ordered for {late_ns / 1e6:.3f} ms before now."
            raise Refusal("start", "late", message, LATE_REMEDY)
        self._kernel, self._steal, self._used = host.kernel(), host.steal_ns(self.spec.cpus), host.used()
        return (self._at,)

    # What comes of them

    def _hear(self, did: str, what: Any) -> None:
        if did == "interval":
            self._seconds[what.k].append(what)
        elif did in ("refused", "failed"):
            if self._state != "refused":  # else one of several has said it
                self._state = "refused" if did == "refused" else self._state
                self._doing = None
                self.say(what)
        else:
            self._reports.append(what)
            if len(self._reports) == self.crew.count and self._doing == "prove":
                self._doing = None
                self.say({"event": "proved", **total(self._reports)})
            elif len(self._reports) == self.crew.count and self._doing == "arm":
                self._doing, self._state = None, "armed"
                self.say({"event": "armed", **total(self._reports), "retries": 0})

    def _look(self) -> None:
        """Tell the seconds that are over and that every process has told of; after the last, what came of all."""
        finished, now = len(self._reports) == self.crew.count, time.monotonic_ns()
        early = finished and (self.reason is not None or self.spec.intervals is None)
        for k in sorted(self._seconds):
            over = early or now >= self._at + (k + 1) * SECOND
            if over and (finished or len(self._seconds[k]) == self.crew.count):
                self._interval(k, self._seconds.pop(k))
        if finished and not self._seconds:
            self._doing, self._state = None, "done"
            self.say(self._done(now))

    def _interval(self, k: int, parts: list[Interval]) -> None:
        phase = "warmup" if k < self.spec.warmup else "load"
        counts, self.response = total([part.counts for part in parts]), total([part.response for part in parts])
        self._totals[phase] = total([self._totals[phase], counts])
        self._over += self.response.over
        self.say({"event": "interval", "k": k, "phase": phase, **counts, "response": self.response.encode()})

    def _done(self, now: int) -> Event:
        every = total(self._reports)
        self.kinds = kinds = every["kinds"]
        first, last = min(every["sends"], default=None), max(every["sends"], default=None)
        last_reply, load = max(every["replies"], default=None), self._totals["load"]
        # With a quota the window ends with its last reply.
        ends = [at for at in (last, last_reply) if at is not None and self.spec.intervals is None]
        window_s = max(1, max(ends) - self._at) / 1e9 if ends else self.spec.duration
        step = max(1, -(-len(every["gaps"]) // MOST_GAPS))
        return {
            "event": "done", "first_send_ns": first, "last_send_ns": last, "last_reply_ns": last_reply,
            "connections": every["connections"],
            "surplus": every["integrity"].pop("surplus"), "integrity": every["integrity"], "totals": self._totals,
            **{kind: histogram.encode() for kind, histogram in kinds.items()},
            "over_60s": {"response": self._over, **{kind: kinds[kind].over for kind in OVER}},
            "errors": [vars(loss) for loss in every["errors"].values()], "hostile": None, "ceiling": None,
            "self": {  # what the generator used, this process included
                "processes": self.crew.count, "wall_ns": now - self._begun,
                **total([every["used"], host.since(self._used)]), "max_loop_gap_ns": kinds["loop_lag"].quantile(1),
                "steal_ns": host.steal_ns(self.spec.cpus) - self._steal, "sent_per_s": every["left"] / window_s,
                "answered_per_s": load["arrived"] / window_s, "send_gaps_ns": every["gaps"][::step],
                "kernel": host.grown(self._kernel),
            },
        }  # fmt: skip
