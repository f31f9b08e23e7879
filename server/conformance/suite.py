"""Runs clauses against a target: one server for all that leave it as it was, until one of them is not met."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.conformance import start
from server.conformance.clauses import FIRST, Clause
from server.conformance.client import Failed
from server.conformance.start import NotStarted, Target
from server.conformance.subject import PATIENCE_S, Subject

IMPATIENT_S = 1.0  # for what the catalogue says cannot be met
DYING_S = 0.2

OK, FAILED, CANNOT, NOT_ASKED, SKIPPED = "ok", "FAILED", "cannot", "not asked", "skipped"


@dataclass(frozen=True)
class Result:
    """What became of a clause, with one sentence why."""

    clause: str
    outcome: str
    reason: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.clause:<17} {self.outcome}" + (f": {self.reason}" if self.reason else "")


class Suite:
    """The clauses of one target, one at a time. `connections`: how many where many are asked for."""

    def __init__(self, target: Target, directory: Path, connections: int = 200) -> None:
        self._target, self._directory, self._connections = target, directory, connections
        self._shared: Subject | None = None

    def __enter__(self) -> Suite:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shared is not None:
            start.end(self._shared.process)

    def run_all(self, clauses: Sequence[Clause]) -> Iterator[Result]:
        """One after another; where not even the first is met, no other is asked."""
        why = ""
        for clause in clauses:
            result = Result(clause.name, SKIPPED, why, 0.0) if why else self.run(clause)
            yield result
            if clause is FIRST and result.outcome != OK:
                why = f"{FIRST.name} is not met, so that nothing else can be judged"

    def run(self, clause: Clause) -> Result:
        """One clause; NotStarted where there is no server to ask."""
        begin = time.monotonic()
        if clause.counts and not self._target.keeps_stats:
            return Result(clause.name, NOT_ASKED, "it keeps no statistics (a command that does has {stats} in it)", 0.0)
        claimed = clause.name in self._target.cannot
        try:
            evidence = self._evidence(clause, IMPATIENT_S if claimed else PATIENCE_S)
        except NotStarted as error:
            if clause.descriptors is None:
                raise
            why = f"with {clause.descriptors} descriptors it does not start: {error}"
            return Result(clause.name, SKIPPED, why, 0.0)
        if claimed:
            met = "it is met, though the catalogue says that it cannot be"
            outcome, reason = (CANNOT, self._target.because) if evidence else (FAILED, met)
        else:
            outcome, reason = (FAILED, evidence) if evidence else (OK, "")
        return Result(clause.name, outcome, reason, time.monotonic() - begin)

    def _evidence(self, clause: Clause, patience_s: float) -> str:
        """Why the clause is not met; nothing where it is."""
        subject = None if clause.fresh else self._shared
        if subject is None:
            subject = start.start(self._target, self._directory, clause.descriptors)
            subject.connections = self._connections
        subject.patience_s = patience_s
        evidence = ""
        try:
            clause.check(subject)
        except Failed as failed:
            evidence = str(failed)
        finally:
            died = "" if clause.ends else subject.death(DYING_S if evidence else 0)
            subject.hang_up()
            if clause.fresh or evidence or died:
                start.end(subject.process)
            if not clause.fresh:
                self._shared = None if evidence or died else subject
        return died or evidence
