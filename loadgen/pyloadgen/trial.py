"""A client's share of a trial, from orders to events: what the processes of the crew say, made into one."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Optional

from contracts.declared import COUNTS
from contracts.line import Event
from pyloadgen import budget, usage
from pyloadgen.books import Report, thinned, total
from pyloadgen.crew import Crew, Said
from pyloadgen.errors import Refusal
from pyloadgen.histogram import Histogram
from pyloadgen.ledger import SECOND, Interval
from pyloadgen.spec import Spec

OVER = ("service", "lag", "connect")
LATE_REMEDY = "Give a later time, or look for what delays the orders."


class Trial:
    """Fresh, then armed, then done. Its methods are called by one thread and never wait.

    An answer to `arm`, `prove` or `go` comes out of `hear` and `look`, when the last process has given its part.
    """

    def __init__(self, spec: Spec, crew: Crew, descriptors: int) -> None:
        self.spec = spec
        self.state = "fresh"  # armed, done, refused
        self.doing: Optional[str] = None
        self.response = Histogram()  # of the last interval
        self.kinds: dict[str, Histogram] = {}  # of the whole trial, when it is done
        self._crew = crew
        self._descriptors = descriptors
        self._armed = 0  # connections
        self._at = 0
        self._reports: list[Report] = []
        self._seconds: defaultdict[int, list[Interval]] = defaultdict(list)
        self._totals = {phase: dict.fromkeys(COUNTS, 0) for phase in ("warmup", "load")}
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
        self._begin("arm", wanted if spec.does.holds else min(1, wanted), start)

    def prove(self) -> None:
        self._begin("prove")

    def go(self, at: int) -> None:
        late_ns = time.monotonic_ns() - at
        if late_ns > 0:
            message = f"The start was ordered for {late_ns / 1e6:.3f} ms before now."
            raise Refusal("start", "late", message, LATE_REMEDY)
        self._at, self._begun = at, time.monotonic_ns()
        self._kernel, self._steal, self._used = usage.kernel(), usage.steal_ns(self.spec.cpus), usage.used()
        self._begin("go", at)

    def _begin(self, do: str, *numbers: int) -> None:
        self.doing = do
        self._reports = []
        self._crew.order(do, *numbers)

    # What comes of it

    def hear(self, said: Said) -> list[Event]:
        """The events that a process's word leads to."""
        if said.did == "interval":
            self._seconds[said.what.k].append(said.what)
            return []
        if said.did in ("refused", "failed"):
            if self.state == "refused":
                return []  # one of several has said it
            self.state = "refused" if said.did == "refused" else self.state
            self.doing = None
            return [said.what]
        self._reports.append(said.what)
        if len(self._reports) < self._crew.count or self.doing == "go":
            return []
        self.doing = None
        if said.did == "prove":
            return [{"event": "proved", **total(self._reports)}]
        self.state = "armed"
        return [{"event": "armed", **total(self._reports), "retries": 0}]

    def look(self, stopped: bool = False) -> list[Event]:
        """The intervals that are over and that every process has told of; after the last, what the load amounts to."""
        if self.doing != "go":
            return []
        finished = len(self._reports) == self._crew.count
        now = time.monotonic_ns()
        events = []
        for k in sorted(self._seconds):
            over = (finished and (stopped or self.spec.intervals is None)) or now >= self._at + (k + 1) * SECOND
            if over and (finished or len(self._seconds[k]) == self._crew.count):
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

    def _interval(self, k: int, parts: list[Interval]) -> Event:
        phase = "warmup" if k < self.spec.warmup else "load"
        counts = total([part.counts for part in parts])
        self.response = total([part.response for part in parts])
        self._totals[phase] = total([self._totals[phase], counts])
        self._responses_over += self.response.over
        return {"event": "interval", "k": k, "phase": phase, **counts, "response": self.response.encode()}

    def _done(self, now: int) -> Event:
        self.doing, self.state = None, "done"
        whole = total(self._reports)
        self.kinds = kinds = whole["kinds"]
        first, last = min(whole["sends"], default=None), max(whole["sends"], default=None)
        # With a quota the window ends with its last request.
        quota_s = max(1, last - self._at) / 1e9 if last is not None and self.spec.intervals is None else None
        window_s, load = quota_s or self.spec.duration, self._totals["load"]
        return {
            "event": "done", "first_send_ns": first, "last_send_ns": last, "connections": whole["connections"],
            "surplus": whole["integrity"].pop("surplus"), "integrity": whole["integrity"], "totals": self._totals,
            **{kind: histogram.encode() for kind, histogram in kinds.items()},
            "over_60s": {"response": self._responses_over, **{kind: kinds[kind].over for kind in OVER}},
            "errors": [vars(loss) for loss in whole["errors"].values()], "hostile": None, "ceiling": None,
            "self": {  # what the generator used, this process included
                "processes": self._crew.count, "wall_ns": now - self._begun,
                **total([whole["used"], usage.since(self._used)]), "max_loop_gap_ns": kinds["loop_lag"].max,
                "steal_ns": usage.steal_ns(self.spec.cpus) - self._steal, "sent_per_s": load["sent"] / window_s,
                "answered_per_s": load["answered"] / window_s, "send_gaps_ns": thinned(whole["gaps"]),
                "kernel": usage.grown(self._kernel),
            },
        }  # fmt: skip
