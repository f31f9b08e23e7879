"""A client's share of a trial, from orders to events: what the processes of the crew say, made into one."""

from __future__ import annotations

import time
from typing import Any, Optional

from pyloadgen import books, budget, usage
from pyloadgen.books import Report, merged_armed, merged_done
from pyloadgen.crew import Crew, Message
from pyloadgen.errors import Refusal
from pyloadgen.histogram import Histogram
from pyloadgen.ledger import SECOND, add, no_counts
from pyloadgen.spec import Spec

Event = dict[str, Any]
LATE_REMEDY = "Give a later time, or look for what delays the orders."


class Second:
    """An interval, as far as the processes have told."""

    def __init__(self) -> None:
        self.told: set[int] = set()
        self.counts = no_counts()
        self.response = Histogram()


class Trial:
    """Fresh, then armed, then done. Its methods are called by one thread and never wait.

    An answer to `arm`, `prove` or `go` comes out of `hear` and `look`, when the last process has given its part.
    """

    def __init__(self, spec: Spec, crew: Crew, descriptors: int) -> None:
        self.spec = spec
        self.state = "fresh"  # armed, done, refused
        self.doing: Optional[str] = None
        self.kinds: dict[str, Histogram] = {}  # of the whole trial, when it is done
        self._crew = crew
        self._descriptors = descriptors
        self._armed = 0  # connections
        self._at = 0
        self._reports: list[Report] = []
        self._seconds: dict[int, Second] = {}
        self._totals = {"warmup": no_counts(), "load": no_counts()}
        self._responses_over = 0

    # Orders

    def arm(self, total: Optional[int]) -> None:
        """Connect, those below `total` where it is a ramp's step; Refusal before the first socket."""
        spec = self.spec
        if not self._armed:
            try:
                budget.check(spec, self._crew.count, self._descriptors, budget.read_ports())
            except Refusal:
                self.state = "refused"
                raise
        wanted = spec.connections if total is None else min(total, spec.connections)
        # A ramp's step is paced from its own first connection on.
        start = time.monotonic_ns() - spec.connect_due_ns(self._armed)
        self._armed = max(self._armed, wanted)
        if not spec.does.holds:  # it tries one
            wanted = min(1, wanted)
        self._begin("arm", total=wanted, start=start)

    def prove(self) -> None:
        self._begin("prove")

    def go(self, at: int) -> None:
        late_ns = time.monotonic_ns() - at
        if late_ns > 0:
            message = f"The start was ordered for {late_ns / 1e6:.3f} ms before now."
            raise Refusal("start", "late", message, LATE_REMEDY)
        self._at, self._begun = at, time.monotonic_ns()
        self._kernel, self._steal, self._used = usage.kernel(), usage.steal_ns(self.spec.cpus), usage.used()
        self._begin("go", at=at)

    def _begin(self, do: str, **numbers: int) -> None:
        self.doing = do
        self._reports = []
        self._crew.order(do, **numbers)

    # What comes of it

    def hear(self, message: Message) -> list[Event]:
        """The events that a process's word leads to."""
        report = message.report or {}
        did = report.get("did")
        if did == "interval":
            self._tell(message.process, report)
            return []
        if did in ("refused", "failed"):
            if self.state == "refused":
                return []  # one of several has said it
            self.state = "refused" if did == "refused" else self.state
            self.doing = None
            return [report["event"]]
        self._reports.append(report)
        if len(self._reports) < self._crew.count or self.doing == "go":
            return []
        doing, self.doing = self.doing, None
        if doing == "arm":
            self.state = "armed"
            return [merged_armed(self._reports)]
        totals = books.sum_of({name: one[name] for name in ("verified", "failed")} for one in self._reports)
        return [{"event": "proved", **totals}]

    def _tell(self, process: int, report: Report) -> None:
        second = self._seconds.setdefault(report["k"], Second())
        second.told.add(process)
        add(second.counts, report["counts"])
        second.response.add(books.unpack(report["response"]))

    def look(self, stopped: bool = False) -> list[Event]:
        """The intervals that are over and that every process has told of; after the last, what the load amounts to."""
        if self.doing != "go":
            return []
        finished = len(self._reports) == self._crew.count
        now = time.monotonic_ns()
        events = []
        for k in sorted(self._seconds):
            over = (finished and (stopped or self.spec.requests is not None)) or now >= self._at + (k + 1) * SECOND
            if over and (finished or len(self._seconds[k].told) == self._crew.count):
                events.append(self._interval(k, self._seconds.pop(k)))
        if finished and not self._seconds:
            events.append(self._done(now))
        return events

    def due_s(self) -> Optional[float]:
        """In how many seconds `look` may have something; None: not before something is heard."""
        if self.doing != "go":
            return None
        left = SECOND - (time.monotonic_ns() - self._at) % SECOND
        return left / 1e9

    def _interval(self, k: int, second: Second) -> Event:
        phase = "warmup" if k < self.spec.warmup else "load"
        add(self._totals[phase], second.counts)
        self._responses_over += second.response.over
        self.response = second.response
        return {"event": "interval", "k": k, "phase": phase, **second.counts, "response": second.response.encode()}

    def _done(self, now: int) -> Event:
        self.doing, self.state = None, "done"
        whole = merged_done(self._reports)
        self.kinds = kinds = whole["kinds"]
        over = {"response": self._responses_over, **{kind: kinds[kind].over for kind in ("service", "lag", "connect")}}
        return {
            "event": "done", "first_send_ns": whole["first_send_ns"], "last_send_ns": whole["last_send_ns"],
            "connections": whole["connections"], "surplus": whole["surplus"], "totals": self._totals,
            **{kind: histogram.encode() for kind, histogram in kinds.items()}, "over_60s": over,
            "integrity": whole["integrity"], "errors": whole["errors"], "hostile": None, "ceiling": None,
            "self": self._self(now, whole),
        }  # fmt: skip

    def _self(self, now: int, whole: dict[str, Any]) -> dict[str, Any]:
        """What the generator used, this process included."""
        used = books.sum_of([whole["used"], usage.since(self._used)])
        load, window_s = self._totals["load"], self._window_s(whole)
        return {
            "processes": self._crew.count, "wall_ns": now - self._begun, **used,
            "max_loop_gap_ns": whole["kinds"]["loop_lag"].max, "steal_ns": usage.steal_ns(self.spec.cpus) - self._steal,
            "sent_per_s": load["sent"] / window_s, "answered_per_s": load["answered"] / window_s,
            "send_gaps_ns": whole["gaps"], "kernel": usage.grown(self._kernel),
        }  # fmt: skip

    def _window_s(self, whole: dict[str, Any]) -> float:
        """With a quota the window ends with its last request."""
        if self.spec.requests is None or whole["last_send_ns"] is None:
            return self.spec.duration
        return float(max(1, whole["last_send_ns"] - self._at)) / 1e9
