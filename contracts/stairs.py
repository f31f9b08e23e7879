"""The steps of a ramp: the one rule by which connections are opened in so many. For Python 3.9 too."""

from __future__ import annotations


def stairs(connections: int, steps: int) -> list[int]:
    """How many are open after each step: equal steps, of which the first take one more where that does not come out."""
    each, more = divmod(connections, steps)
    return [step * each + min(step, more) for step in range(1, steps + 1)]
