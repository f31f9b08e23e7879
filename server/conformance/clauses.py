"""The clauses, in the order in which they are checked. To add one: a function that raises Failed, and a line here."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from server.conformance import process, wire
from server.conformance.subject import Subject


@dataclass(frozen=True)
class Clause:
    """One thing that a correct server does. `fresh`: it needs a server of its own."""

    check: Callable[[Subject], None]
    meaning: str
    fresh: bool = False
    descriptors: int | None = None  # that each process of the server may have
    ends: bool = False  # it ends the server
    counts: bool = False  # it reads the statistics

    @property
    def name(self) -> str:
        return self.check.__name__


# Without this one nothing else can be judged.
FIRST = Clause(wire.exact_bytes, "Records of 1 byte to 64 KiB come back, and no byte is lost, altered or added.")

CLAUSES = (
    FIRST,
    Clause(wire.split_and_merged, "Records that arrive in pieces come back, and so do many that arrive at once."),
    Clause(wire.byte_at_a_time, "Bytes that come one by one are answered one by one (hostile kind byte_writer)."),
    Clause(wire.one_mebibyte, "A client that writes a mebibyte before it reads gets all of it back."),
    Clause(
        wire.slow_reader,
        "The server stops reading from a client that does not read: memory stays bounded, no CPU is used, and all is "
        "answered later (hostile kind slow_read).",
    ),
    Clause(
        wire.half_close,
        "A client that shuts its writing side gets all its answers, then the end (hostile kind half_close).",
    ),
    Clause(
        wire.reset,
        "A reset in any state, or of many connections in the same turn, harms nobody else (hostile kind reset).",
    ),
    Clause(wire.mute, "Silent connections are held, cost no CPU, and keep nobody waiting (hostile kind mute)."),
    Clause(
        wire.accept_queue,
        "A burst of connections is taken in whole, whatever the server was doing (hostile kind storm).",
    ),
    Clause(wire.no_stall, "A connection that takes no answers, or sent half a record, holds no other up."),
    Clause(process.leaks, "However connections end, they leave no descriptor, child or zombie behind."),
    Clause(
        process.descriptors,
        "Out of descriptors the server goes on serving the connections it holds, does not spin, and recovers.",
        fresh=True,
        descriptors=process.DESCRIPTORS,
    ),
    Clause(
        process.sigterm,
        "SIGTERM ends all its processes within a second, with connections open and one blocked.",
        fresh=True,
        ends=True,
    ),
    Clause(process.counters, "The workers' statistics slots are right.", fresh=True, counts=True),
)


def choose(names: str | None) -> tuple[Clause, ...]:
    """Those named in a list with commas, or all; ValueError says in one sentence which name is wrong."""
    if names is None:
        return CLAUSES
    known = {clause.name: clause for clause in CLAUSES}
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"There is no clause {name!r}.{hint} Choose from: {', '.join(known)}.")
    return tuple(clause for clause in CLAUSES if clause.name in wanted)
