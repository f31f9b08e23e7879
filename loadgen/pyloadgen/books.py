"""All that one process of a generator keeps account of, as it goes to the agent, and how the agent adds it up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

from contracts.declared import INTEGRITY
from pyloadgen import usage
from pyloadgen.errors import Lost, Tally
from pyloadgen.histogram import Histogram
from pyloadgen.ledger import ANSWERED, SECOND, Interval, Ledger
from pyloadgen.spec import Spec
from pyloadgen.stream import Integrity

KINDS = ("service", "lag", "connect", "loop_lag")
SYN_RETRY_NS = (7 * SECOND, 3 * SECOND, SECOND)  # as long as three, two, one lost SYN take
SLICES = 64  # of the window, in each of which some gaps between sends are kept
GAPS = 32
MOST_GAPS = SLICES * GAPS

Report = dict[str, Any]


class SendGaps:
    """Times between consecutive sends, a sample spread evenly over the window."""

    def __init__(self, start: int, length: int) -> None:
        self._start, self._length = start, length
        self._times: list[list[int]] = [[] for _ in range(SLICES)]

    def note(self, now: int) -> None:
        index = (now - self._start) * SLICES // self._length
        if 0 <= index < SLICES and len(self._times[index]) <= GAPS:
            self._times[index].append(now)

    def gaps(self) -> list[int]:
        """Threads note their sends nearly in order, so they are sorted first."""
        ordered = map(sorted, self._times)
        return [later - earlier for times in ordered for earlier, later in zip(times, times[1:])]


class Books:
    """The accounts of one process. It holds no lock: threads that share it bring one."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self.errors = Tally()
        self.arm_failed = Tally()
        self.integrity = Integrity()
        self.kinds = {kind: Histogram() for kind in KINDS}
        self.connected = self.verified = 0  # at arming
        self.open = 0
        self.syn_retries = [0, 0, 0]
        self.ledger: Ledger
        self.gaps: SendGaps
        self.first_send: Optional[int] = None
        self.last_send: Optional[int] = None
        self.requests = spec.requests

    def begin(self, at: int, planners: int, emit: Callable[[Interval], None]) -> None:
        self.ledger = Ledger(at, planners, self._spec.intervals, emit)
        self.gaps = SendGaps(at + self._spec.warmup * SECOND, self._spec.duration * SECOND)
        self._before = usage.used()

    def connect_took(self, ns: int) -> None:
        self.connected += 1
        self.kinds["connect"].record(ns)
        for index, least in enumerate(SYN_RETRY_NS):
            if ns >= least:
                self.syn_retries[2 - index] += 1
                break

    def arming_failed(self, lost: Lost, connection: int) -> None:
        self.errors.add(lost, connection)
        self.arm_failed.add(lost, connection)

    def take_quota(self) -> bool:
        """Whether one more request of a churn may begin."""
        if self.requests is None:
            return True
        self.requests -= 1
        return self.requests >= 0

    def in_window(self, k: int) -> bool:
        return k >= self._spec.warmup

    def sent(self, k: int, intended: int, now: int) -> None:
        self.ledger.sent(k)
        if self.in_window(k):
            self.kinds["lag"].record(now - intended)
        self.first_send = now if self.first_send is None else min(now, self.first_send)
        self.last_send = now if self.last_send is None else max(now, self.last_send)

    def answered(self, k: int, intended: int, sent: int, now: int) -> None:
        if self.in_window(k):
            self.kinds["service"].record(now - sent)
        self.ledger.settle(k, ANSWERED, now - intended)

    def armed_report(self) -> Report:
        return {
            "did": "armed", "connected": self.connected, "verified": self.verified,
            "failed": self.arm_failed.keys(), "syn_retries": self.syn_retries,
        }  # fmt: skip

    def report(self) -> Report:
        """Everything but the intervals, which went one by one."""
        lost = self.verified - self.open if self._spec.does.holds else 0
        return {
            "did": "done", "armed": self.verified, "open": self.open, "lost": lost, "surplus": self.integrity.surplus,
            "integrity": self.integrity.counts, "errors": self.errors.rows(), "gaps": self.gaps.gaps(),
            "first_send": self.first_send, "last_send": self.last_send,
            "kinds": {kind: pack(histogram) for kind, histogram in self.kinds.items()},
            "used": usage.since(self._before),
        }  # fmt: skip


def pack(histogram: Histogram) -> list[Any]:
    return [list(histogram.counts.items()), histogram.over]


def unpack(packed: list[Any]) -> Histogram:
    counts, over = packed
    return Histogram(((index, count) for index, count in counts), over)


def merged(packed: Iterable[list[Any]]) -> Histogram:
    total = Histogram()
    for one in packed:
        total.add(unpack(one))
    return total


def sum_of(mappings: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Key by key."""
    total: dict[str, int] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            total[key] = total.get(key, 0) + value
    return total


def merged_errors(reports: Iterable[Report]) -> list[dict[str, Any]]:
    rows: dict[Any, dict[str, Any]] = {}
    for row in (row for report in reports for row in report["errors"]):
        first = rows.setdefault((row["phase"], row["cause"]), {**row, "count": 0})
        first["count"] += row["count"]
    return list(rows.values())


def merged_armed(reports: list[Report]) -> dict[str, Any]:
    """The event `armed` of all processes."""
    syn = [sum(column) for column in zip(*(report["syn_retries"] for report in reports))]
    return {
        "event": "armed", "connected": sum(report["connected"] for report in reports),
        "verified": sum(report["verified"] for report in reports),
        "failed": sum_of(report["failed"] for report in reports), "retries": 0,
        "syn_retries": {"1": syn[0], "2": syn[1], "3": syn[2]},
    }  # fmt: skip


def merged_done(reports: list[Report]) -> dict[str, Any]:
    """What the event `done` takes from the processes, its histograms still to be encoded."""
    sends = [report for report in reports if report["first_send"] is not None]
    gaps = [gap for report in reports for gap in report["gaps"]]
    return {
        "first_send_ns": min((report["first_send"] for report in sends), default=None),
        "last_send_ns": max((report["last_send"] for report in sends), default=None),
        "connections": {name: sum(report[name] for report in reports) for name in ("armed", "open", "lost")},
        "surplus": sum(report["surplus"] for report in reports),
        "kinds": {kind: merged(report["kinds"][kind] for report in reports) for kind in KINDS},
        "integrity": {**dict.fromkeys(INTEGRITY, 0), **sum_of(report["integrity"] for report in reports)},
        "errors": merged_errors(reports),
        "gaps": [gaps[i * len(gaps) // MOST_GAPS] for i in range(MOST_GAPS)] if len(gaps) > MOST_GAPS else gaps,
        "used": sum_of(report["used"] for report in reports),
    }  # fmt: skip
