"""The clauses, in the order in which they are checked. To add one: a function that raises Failed, named here.

What users read of a clause is its function's docstring.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from server.catalog import unknown
from server.conformance import process, wire
from server.conformance.subject import Subject


@dataclass(frozen=True)
class Clause:
    """One thing that a correct server does. `fresh`: it needs a server of its own."""

    check: Callable[[Subject], None]
    fresh: bool = False
    descriptors: int | None = None  # that each process of the server may have
    ends: bool = False  # it ends the server
    counts: bool = False  # it reads the statistics

    @property
    def name(self) -> str:
        return self.check.__name__

    @property
    def meaning(self) -> str:
        return " ".join((self.check.__doc__ or "").split())


# Without this one nothing else can be judged.
FIRST = Clause(wire.exact_bytes)

CLAUSES = (
    FIRST,
    Clause(wire.split_and_merged),
    Clause(wire.byte_at_a_time),
    Clause(wire.one_mebibyte),
    Clause(wire.slow_reader),
    Clause(wire.half_close),
    Clause(wire.reset),
    Clause(wire.mute),
    Clause(wire.accept_queue),
    Clause(wire.no_stall),
    Clause(process.leaks),
    Clause(process.descriptors, fresh=True, descriptors=process.DESCRIPTORS),
    Clause(process.sigterm, fresh=True, ends=True),
    Clause(process.sigterm_idle, fresh=True, ends=True),
    Clause(process.counters, fresh=True, counts=True),
)


def choose(names: str | None) -> tuple[Clause, ...]:
    """Those named in a list with commas, or all; ValueError says in one sentence which name is wrong."""
    if names is None:
        return CLAUSES
    known = {clause.name: clause for clause in CLAUSES}
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise ValueError(unknown("clause", name, known))
    return tuple(clause for clause in CLAUSES if clause.name in wanted)
