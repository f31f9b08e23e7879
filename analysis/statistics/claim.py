"""Whether an interval bears out what was claimed before, and how many repetitions would decide it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.statistics.paired import Estimate

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot be said here"
MOST_REPETITIONS = 10_000  # of a sample size that is worth telling


@dataclass(frozen=True)
class Bound:
    """What is claimed of a figure: that it is at least, or at most, so much; or of a factor that it is within so large
    a share of 1."""

    kind: str
    number: float

    def word(self, low: float, high: float) -> str:
        """What an interval says of it."""
        if math.isnan(low) or math.isnan(high):
            return OPEN
        if self.kind == "within":
            least, most = 1 / (1 + self.number), 1 + self.number
            return HOLDS if least <= low and high <= most else FAILS if high < least or low > most else OPEN
        if self.kind == "at_least":
            return HOLDS if low >= self.number else FAILS if high < self.number else OPEN
        return HOLDS if high <= self.number else FAILS if low > self.number else OPEN

    def distance(self, value: float, *, is_factor: bool) -> float:
        """How far the value lies from where the word turns, of a factor on a logarithmic scale."""
        ends = [1 / (1 + self.number), 1 + self.number] if self.kind == "within" else [self.number]
        if is_factor:
            return min((abs(math.log(value / end)) for end in ends if end > 0 and value > 0), default=math.nan)
        return min(abs(value - end) for end in ends)


def needed(found: Estimate, bound: Bound, *, is_factor: bool) -> int | None:
    """About how many repetitions would decide it, were the value the true one: the interval's half shrinks with the
    root of their number. None: the value lies on the bound, or nothing is known of the spread."""
    if not (math.isfinite(found.low) and math.isfinite(found.high)) or found.n < 2:
        return None
    if is_factor and found.low <= 0:
        return None
    half = math.log(found.high / found.low) / 2 if is_factor else (found.high - found.low) / 2
    distance = bound.distance(found.value, is_factor=is_factor)
    if not distance > 0 or math.isnan(half):
        return None
    n = math.ceil(found.n * (half / distance) ** 2)
    return max(n, found.n + 1) if n <= MOST_REPETITIONS else None
