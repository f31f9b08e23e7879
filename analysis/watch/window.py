"""What the clients have reported of a trial's window, added up as it comes: the sums and percentiles of the tables of
ingest, without their frames. `tests/unit/analysis/test_watch.py` holds both against each other."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from analysis import histograms
from analysis.histograms import MOST_COUNT, Counts, Sparse
from analysis.ingest.events import Event
from analysis.ingest.fields import count, text
from contracts.declared import ADDED, COUNTS, SETTLED
from contracts.histogram import BadHistogram

NAN = math.nan
PERCENT = Fraction(99)
MISSING = tuple(name for name in SETTLED if name != "answered")


@dataclass(frozen=True)
class Interval:
    """A client's second. `counts` by name, nan where an older run does not tell; `response` None: it cannot be read."""

    host: str
    k: int
    phase: str
    counts: dict[str, float]
    response: Sparse | None


def interval(event: Event) -> Interval | None:
    """None, where the event lacks fields or holds what cannot be counted."""
    each = {name: count(event.get(name)) for name in COUNTS}
    told = {name: float(value) for name, value in each.items() if value is not None and value <= MOST_COUNT}
    k, phase = count(event.get("k")), text(event.get("phase"))
    if k is None or phase is None or any(name not in told for name in COUNTS if name not in ADDED):
        return None
    try:
        response: Sparse | None = histograms.sparse(event.get("response"))
    except BadHistogram:
        response = None
    if response is not None and response.total != told["answered"]:
        response = None
    return Interval(event["host"], k, phase, {name: told.get(name, NAN) for name in COUNTS}, response)


@dataclass
class Sum:
    """Of intervals, of one client or all. `readable`: the requests planned in those whose histogram can be read."""

    counts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0.0))
    readable: int = 0
    histogram: Counts = field(default_factory=histograms.empty)
    seconds: set[int] = field(default_factory=set)

    def add(self, one: Interval) -> None:
        self._count(one.counts)
        self.seconds.add(one.k)
        if one.response is not None:
            self.readable += int(one.counts["planned"])
            self.histogram[one.response.slots] += one.response.counts

    def merge(self, other: Sum) -> None:
        self._count(other.counts)
        self.seconds |= other.seconds
        self.readable += other.readable
        self.histogram += other.histogram

    def _count(self, counts: dict[str, float]) -> None:
        for name, value in counts.items():
            self.counts[name] += value

    @property
    def errors(self) -> float:
        return sum(self.counts[name] for name in MISSING)

    @property
    def p99_ns(self) -> float:
        """Over planned requests; nan where it rests on too few, inf where it lies among the missing."""
        if histograms.tail(self.readable, PERCENT) < histograms.WITHHELD_BELOW:
            return NAN
        return histograms.percentile_ns(self.histogram, self.readable, PERCENT)


class Window:
    """Seconds that all of `needed` have reported are added up and forgotten, from `first_k` on and without a gap; the
    others are kept, for of a trial that is cut off they do not count."""

    def __init__(self, first_k: int, needed: Iterable[str]) -> None:
        self._next_k, self._needed = first_k, frozenset(needed)
        self._whole: dict[str, Sum] = {}
        self._waiting: dict[int, dict[str, Interval]] = {}

    def take(self, one: Interval) -> None:
        if one.k < self._next_k:
            whole = self._whole.setdefault(one.host, Sum())
            if one.k not in whole.seconds:  # the same said twice does not count twice
                whole.add(one)
            return
        self._waiting.setdefault(one.k, {}).setdefault(one.host, one)
        while self._needed and self._needed <= self._waiting.get(self._next_k, {}).keys():
            for waited in self._waiting.pop(self._next_k).values():
                self._whole.setdefault(waited.host, Sum()).add(waited)
            self._next_k += 1

    def sums(self, *, is_cut: bool) -> dict[str, Sum]:
        """By client; of a trial that was cut off only the unbroken seconds, from the first on, that all reported."""
        kept = self._unbroken() if is_cut else list(self._waiting)
        found: dict[str, Sum] = {}
        for host, whole in self._whole.items():
            found.setdefault(host, Sum()).merge(whole)
        for k in kept:
            for one in self._waiting[k].values():
                found.setdefault(one.host, Sum()).add(one)
        return found

    def _unbroken(self) -> list[int]:
        if self._whole or not self._needed:
            return []
        complete = sorted(k for k, by_host in self._waiting.items() if self._needed <= by_host.keys())
        return [k for i, k in enumerate(complete) if k == complete[0] + i]


def together(sums: Iterable[Sum]) -> Sum:
    """Of all clients."""
    total = Sum()
    for one in sums:
        total.merge(one)
    return total
