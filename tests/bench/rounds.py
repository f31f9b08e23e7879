"""Rounds in random order, and the ratios of two figures of the same round.

What the machine does meanwhile meets everything that a round measures. What fails twice is left out of the rounds that
follow, so that nothing can hold up a bench for long, and the reason stands below the table.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from analysis.statistics import paired
from tests.bench import common

FAILURES = 2  # before something is left out

Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")


def spoken(key: Hashable) -> str:
    """A strategy, or ("poll", 10000)."""
    parts = key if isinstance(key, tuple) else (key,)
    return ", ".join(f"{part:,}" if isinstance(part, int) else str(part) for part in parts)


@dataclass
class Rounds(Generic[Key, T]):
    """What was found of each key, None in a round without, and why there is none."""

    found: dict[Key, list[T | None]]
    failed: dict[Key, list[str]] = field(default_factory=dict)

    def of(self, key: Key) -> list[T]:
        return [one for one in self.found[key] if one is not None]

    def ratio(self, ours: Key, theirs: Key, size: Callable[[T], float]) -> paired.Estimate | None:
        """Of the rounds that have both; None where there is none."""
        rounds = zip(self.found[ours], self.found[theirs], strict=True)
        pairs = [(size(a), size(b)) for a, b in rounds if a is not None and b is not None]
        return paired.ratio([a for a, _ in pairs], [b for _, b in pairs]) if pairs else None

    def explain(self) -> None:
        """Say what failed, below the table."""
        for key, reasons in self.failed.items():
            missing = sum(one is None for one in self.found[key])
            print(f"\n{spoken(key)}: no figure in {missing} of {len(self.found[key])} rounds. {reasons[0]}")


def interleaved(keys: Sequence[Key], rounds: int, seed: int, measure: Callable[[Key], T]) -> Rounds[Key, T]:
    """Measure each key once in every round, in random order."""
    draw = random.Random(seed)
    made: Rounds[Key, T] = Rounds({key: [] for key in keys})
    for number in range(1, rounds + 1):
        for key in draw.sample(keys, len(keys)):
            one = None
            if len(made.failed.get(key, ())) < FAILURES:
                print(f"round {number} of {rounds}: {spoken(key)}", file=sys.stderr, flush=True)
                try:
                    one = measure(key)
                except common.Unmeasured as why:
                    made.failed.setdefault(key, []).append(str(why))
            made.found[key].append(one)
    return made


def shown(estimate: paired.Estimate | None) -> str:
    """The value and its interval; a single round has none."""
    if estimate is None:
        return "–"
    if estimate.n == 1:
        return common.figure(estimate.value)
    return f"{common.figure(estimate.value)} ({common.figure(estimate.low)}–{common.figure(estimate.high)})"
