"""How a worker of a server is disturbed while it is measured: the words of the parameter `disturb`. For Python 3.9."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNITS_NS = {"ms": 1_000_000, "s": 1_000_000_000}
LEAST_NS, MOST_NS = 10 * UNITS_NS["ms"], 3600 * UNITS_NS["s"]
EACH = "1s"
"""The period of `restart` alone."""
FORM = re.compile(
    r"(?:stall:(?P<stall>\d{1,6})(?P<stall_unit>ms|s)/|restart/)(?P<every>\d{1,6})(?P<every_unit>ms|s)", re.A
)


@dataclass(frozen=True)
class Disturbance:
    """What happens to one worker, each time to the next, once in each period from the start of the load on."""

    every_ns: int
    stall_ns: int  # how long it is stopped; 0: it ends, and another takes its place

    @property
    def restarts(self) -> bool:
        return self.stall_ns == 0


def parse(text: str) -> Disturbance:
    """Of stall:100ms/1s or restart/1s; ValueError says what is wrong."""
    found = FORM.fullmatch(text)
    if not found:
        raise ValueError("is neither a stall nor a restart")
    every_ns = int(found["every"]) * UNITS_NS[found["every_unit"]]
    stall_ns = int(found["stall"]) * UNITS_NS[found["stall_unit"]] if found["stall"] else 0
    if not LEAST_NS <= every_ns <= MOST_NS or (found["stall"] and not LEAST_NS <= stall_ns <= every_ns // 2):
        raise ValueError("is out of range")
    return Disturbance(every_ns, stall_ns)
