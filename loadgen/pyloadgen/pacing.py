"""When requests are due, and on which connection: pure sequences without a clock, which nothing in a trial can move.

Request i of a client goes to its active connection i mod A. A process or thread that has only some of those
connections makes its own part of the sequence: of a fixed law exactly the requests that are its own; of a Poisson law
an independent one of its share of the rate, since such parts together are again Poisson; of a uniform law the same
with uniform gaps, which together are only nearly what one generator would make.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

Arrival = tuple[int, int]  # ns after the start; number of the connection


def arrivals(law: str, rate: float, phase: float, seed: int, stream: int, own: range) -> Iterator[Arrival]:
    """The requests of some connections, in order and without end, at `rate`/s over all active ones.

    A range has the numbers: every W-th of the active connections, which are as many as where it stops.
    """
    if not own or not rate:
        return iter(())
    gap = 1e9 / rate
    if law == "fixed":
        return _fixed(gap, phase, own)
    chance = random.Random((seed << 32 | stream & 0xFFFFFFFF) << 32 | own.start)
    first = 0.0 if law == "poisson" else (own.start + phase) * gap
    return _random(law, gap * own.stop / len(own), first, chance, own)


def _fixed(gap: float, phase: float, own: range) -> Iterator[Arrival]:
    """It multiplies rather than adds, so that no error grows."""
    base = 0
    while True:
        for number in own:
            yield int((base + number + phase) * gap), number
        base += own.stop


def _random(law: str, gap: float, at: float, chance: random.Random, own: range) -> Iterator[Arrival]:
    while True:
        for number in own:
            if law == "poisson":
                at += chance.expovariate(1.0) * gap
                yield int(at), number
            else:
                yield int(at), number
                at += chance.random() * 2 * gap
