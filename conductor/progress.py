"""What a person sees while it runs: one line a second for the whole fleet. Formatting, and the merged histogram."""

import binascii
import contextlib
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from hdrh.codec import HdrCookieException, HdrHistogramSettingsException, HdrLengthException
from hdrh.histogram import HdrHistogram

from conductor.protocol import Event
from contracts import histogram as ours
from contracts.declared import COUNTS, SETTLED
from contracts.judge import LEAST_TAIL

_UNREADABLE = (
    binascii.Error, struct.error, zlib.error, TypeError, ValueError, IndexError,
    HdrCookieException, HdrLengthException, HdrHistogramSettingsException,
)  # fmt: skip


ORDERED = {"arming": "arm", "proving": "prove", "checking": "prove", "stopping": "stop"}
"""Which order the clients carry out in a phase."""


def empty_histogram() -> Any:
    """What the generators record, in nanoseconds."""
    return HdrHistogram(ours.LOWEST_NS, ours.HIGHEST_NS, ours.DIGITS)


def add(histogram: Any, encoded: str) -> None:
    """Add one in base64 HDR V2; what cannot be read is left out of the display (analysis will say so)."""
    with contextlib.suppress(*_UNREADABLE):
        ours.check(encoded)
        histogram.decode_and_add(encoded)


def percentile_ms(histogram: Any, q: float, planned: int) -> float | None:
    """The q-th percentile over all *planned* requests, in ms; None where it falls among the unanswered."""
    answered = histogram.get_total_count()
    if not answered or q / 100 * planned > answered:
        return None
    return float(histogram.get_value_at_percentile(min(100.0, q * max(planned, answered) / answered))) / 1e6


def bearable(planned: int, *percentiles: int) -> list[int]:
    """Those of the percentiles that rest on LEAST_TAIL of so many planned requests or more, in their order."""
    return [q for q in percentiles if (100 - q) * planned >= 100 * LEAST_TAIL]


def connected(sample: Mapping[str, Any] | None, go_ns: int, proved: int | None) -> int | None:
    """How many connections stand, as the server counted since `go_ns`, in its clock; before its first sample of the
    load what was proved, for an older one counted while the clients still connected. None: it does not count."""
    if sample is None or sample["open"] is None or sample["t"] >= go_ns:
        return None if sample is None else sample["open"]
    return proved


class Tally:
    """Adds up the intervals of all clients: the window so far, and the newest second that all have reported."""

    def __init__(self) -> None:
        self.window = empty_histogram()
        self.window_counts = dict.fromkeys(COUNTS, 0)
        self.errors = 0
        self.asked_k = self.answered_k = -1
        """The latest seconds of which requests were planned, and of which any was answered."""
        self.second: tuple[Mapping[str, int], Any] | None = None
        self._waiting: dict[int, dict[str, Event]] = {}

    def take(self, host: str, interval: Event) -> None:
        self._waiting.setdefault(interval["k"], {})[host] = interval
        self.asked_k = max(self.asked_k, interval["k"] if interval["planned"] else -1)
        self.answered_k = max(self.answered_k, interval["k"] if interval["arrived"] else -1)
        self.errors += sum(interval[name] for name in SETTLED if name != "answered")
        if interval["phase"] == "load":
            add(self.window, interval["response"])
            for name in COUNTS:
                self.window_counts[name] += interval[name]

    def ceased(self, timeout_s: float) -> bool:
        """Was nothing answered at all, or nothing more of what was asked for longer than a timeout at the end?"""
        return self.answered_k < 0 <= self.asked_k or self.asked_k - self.answered_k > timeout_s

    def settle(self, hosts: Iterable[str]) -> None:
        """Merge the newest interval that all of these hosts have reported, and forget those before it."""
        needed = set(hosts)
        complete = [k for k, by_host in self._waiting.items() if needed <= by_host.keys()]
        if not complete or not needed:
            return
        newest = self._waiting[max(complete)]
        histogram = empty_histogram()
        for interval in newest.values():
            add(histogram, interval["response"])
        self.second = {name: sum(i[name] for i in newest.values()) for name in COUNTS}, histogram
        self._waiting = {k: by_host for k, by_host in self._waiting.items() if k > max(complete)}


def phase_line(label: str, phase: str, elapsed_s: float, said: Iterable[Event], of: int) -> str:
    """For example: trial 2/12 poll  arming 12.0 s   430,000 of 1,000,000. `said`: how far each client said it is."""
    done = [event["done"] for event in said if event["of"] == ORDERED.get(phase)]
    return f"{label}  {phase} {elapsed_s:.1f} s" + (f"   {sum(done):,} of {of:,}" if done else "")


def load_line(label: str, elapsed_s: float, whole_s: float | None, connected: int | None, tally: Tally) -> str:
    """For example: trial 2/12 poll  load  4/12 s   10,000 connected   9,987 req/s   p99 1.24 ms   errors 0."""
    place = f"{int(elapsed_s)}/{whole_s:.0f} s" if whole_s else f"{int(elapsed_s)} s"
    parts = [f"{label}  load  {place}"]
    if connected is not None:
        parts.append(f"{connected:,} connected")
    if tally.second:
        counts, histogram = tally.second
        parts.append(f"{counts['arrived']:,} req/s")
        deepest = bearable(counts["planned"], 99, 90, 50)[:1]
        parts += [f"p{q} {show_ms(percentile_ms(histogram, q, counts['planned']))}" for q in deepest]
    return "   ".join([*parts, f"errors {tally.errors:,}"])


def end_line(label: str, result: Mapping[str, Any], tally: Tally) -> str:
    """What became of a trial, in one line."""
    held = "" if result["held"] is None else f"{result['held']:,}/{result['asked']['connections']:,} held"
    parts = [f"{label}  {result['outcome']}", held]
    window = result["window"]
    for name, ceiling in (result["ceiling"] or {}).items():
        most = ceiling["sends_per_s"]
        parts.append(f"{name} did not tell its ceiling" if most is None else f"{name} sends at most {most:,.0f}/s")
    # What was cut short has no rate: its requests are not those of a whole window.
    if not result["ceiling"] and result["counts"] and window and result["outcome"] not in ("interrupted", "crashed"):
        seconds = (window["end_ns"] - window["start_ns"]) / 1e9
        parts.append(f"{result['counts']['arrived'] / seconds:,.0f} req/s" if seconds > 0 else "")
        planned = tally.window_counts["planned"]
        parts += [f"p{q} {show_ms(percentile_ms(tally.window, q, planned))}" for q in bearable(planned, 50, 99)]
        if missed := result["counts"]["planned"] - result["counts"]["answered"]:
            parts.append(f"{missed:,} of {result['counts']['planned']:,} not answered in time")
    if result["reason"]:
        parts.append(result["reason"])
    return "   ".join(part for part in parts if part)


def show_ms(value_ms: float | None) -> str:
    """Three digits are what the histogram knows."""
    if value_ms is None:
        return "> timeout"
    return f"{value_ms:,.0f} ms" if value_ms >= 100 else f"{value_ms:.3g} ms"


def show_duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
