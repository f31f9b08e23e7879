"""One trial as it goes: the values that its steps share."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conductor import progress
from conductor.clock import Clock
from conductor.events import EventLog
from conductor.fleet import Fleet
from conductor.meeting import Meeting
from conductor.outcome import Proof
from conductor.plan import Plan, Trial
from conductor.shares import Share
from conductor.specs import Bounds


@dataclass
class Course:
    """One trial as it goes: what it works with, and what it found. `marks` are in the controller's clock (ns)."""

    plan: Plan
    trial: Trial
    label: str
    is_first: bool  # of its run: what its agents do not agree to refuses the run
    log: EventLog
    fleet: Fleet
    shares: Mapping[str, Share]
    bounds: Bounds
    meeting: Meeting | None = None  # with the trial beside it
    tally: progress.Tally = field(default_factory=progress.Tally)
    seconds: int = 0  # so far
    phase: str = "starting"
    marks: dict[str, int] = field(default_factory=dict)
    clocks: dict[str, Clock] = field(default_factory=dict)
    clocks_after: dict[str, Clock] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)  # of a ramp, as trial.json has them
    barrier: Proof | None = None
    end: Proof | None = None
    dnf: bool = False
    hung: str | None = None  # how the server was found to have stopped working
    go_ns: int | None = None
    refused: str | None = None
    interrupted: str | None = None
    run_over: str | None = None

    def enter(self, phase: str) -> None:
        self.phase = phase
        self.marks[phase] = time.monotonic_ns()
