"""The catalogue of strategies. Everything that wants catalog.yml reads it here; hosts have no PyYAML.

`parse` knows comments, a name, and fields below it, indented by two spaces: plain text, or a list in brackets. A test
holds the file to what PyYAML reads in it.
"""

from __future__ import annotations

import difflib
import importlib
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Union, cast

from server import lessons
from server.common import Intake, Worker

CATALOG = Path(__file__).with_name("catalog.yml")
SEED = ("workers", "select", "poll", "epoll_edge")  # of those with `original`, what a laptop can hold ten thousand of
FIELDS = ("family", "loop", "distribution", "limit", "how", "use", "pitfall", "shown_by")
ANYWHERE = ("needs", "honours", "original")  # may stand anywhere, or be left out
EXEMPT = ("cannot", "because")  # may follow, both or neither
LISTS = ("needs", "honours", "cannot", "shown_by")  # the others are text
OWN_DESCRIPTORS = 64  # what a server process needs besides its connections; one of them listens
PROGRAMS = ("cc", "go")  # the needs of a loop that is a program of its own
NO_PACKAGES = (*PROGRAMS, "io_uring", "subinterpreters")  # the needs that no package meets

Value = Union[str, tuple[str, ...]]

NAME = re.compile(r"([a-z][a-z0-9_]*):")
FIELD = re.compile(r"  ([a-z_]+): (\S.*)")
LIST = re.compile(r"\[[a-z0-9_., -]*\]")


class CatalogError(ValueError):
    """catalog.yml holds what this parser does not read."""


class Loop(Protocol):
    """An event loop: serves what comes out of the intake, until a signal ends it."""

    def run(self, intake: Intake, worker: Worker) -> None: ...


class Distribution(Protocol):
    """A way to spread connections over workers: serves until a signal ends it, and returns the exit status."""

    def serve(self, listeners: list[socket.socket], loop: Loop, workers: int, stats: Path | None) -> int: ...


@dataclass(frozen=True)
class Strategy:
    """One entry of the catalogue. What its distribution and its loop are like, their modules state."""

    name: str
    family: str
    loop: str
    distribution: str
    limit: str
    how: str
    use: str
    pitfall: str
    shown_by: tuple[str, ...]  # what shows that limit, how and pitfall are so; catalog.yml says how to read it
    cannot: tuple[str, ...] = ()  # clauses of the conformance suite
    because: str = ""
    needs: tuple[str, ...] = ()  # packages, programs and features of the kernel that a host must have
    honours: tuple[str, ...] = ()  # optional parameters of contracts/parameters.yml
    original: str = ""  # the mode of the 2013 experiment that it plays

    @property
    def one_slot(self) -> bool:
        """All connections are counted together: there is one worker."""
        return bool(getattr(self.load_distribution(), "ONE_SLOT", False))

    @property
    def one_process(self) -> bool:
        """One process holds all connections, however many threads of it are workers."""
        return self.one_slot or bool(getattr(self.load_distribution(), "THREADS", False))

    def slots(self, workers: int) -> int:
        """How many workers hold connections, each with a statistics slot of its own."""
        return 1 if self.one_slot else max(2, workers)

    def processes(self, workers: int) -> int:
        """How many processes the workers are; each may have as many descriptors as its limit says."""
        return 1 if self.one_process else self.slots(workers)

    @property
    def listens_per_worker(self) -> bool:
        """Each worker needs a listener of its own."""
        return bool(getattr(self.load_distribution(), "LISTENS_PER_WORKER", False))

    @property
    def replaces(self) -> bool:
        """A worker process that was ended can have a successor: the connections are dealt to none in particular."""
        return not self.is_program and bool(getattr(self.load_distribution(), "REPLACES", False))

    @property
    def one_client(self) -> bool:
        """Each process or thread that serves has one client at a time."""
        return bool(getattr(self._plain_loop(), "ONE_CLIENT", False))

    @property
    def most_descriptors(self) -> int | None:
        """How many descriptors one process can use, whatever its limit is; None: as many as that allows."""
        most: int | None = getattr(self._plain_loop(), "MOST_DESCRIPTORS", None)
        return most

    def room(self, descriptors: int) -> int:
        """How many connections one process can hold that may have so many descriptors."""
        return min(descriptors, self.most_descriptors or descriptors) - OWN_DESCRIPTORS

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages among its needs."""
        return tuple(need for need in self.needs if need not in NO_PACKAGES)

    @property
    def is_program(self) -> bool:
        """The loop is a program of its own, which also sees to its workers itself."""
        return not set(PROGRAMS).isdisjoint(self.needs)

    def load_loop(self) -> Loop:
        return cast(Loop, importlib.import_module(f"server.loops.{self.loop}"))

    def load_distribution(self) -> Distribution:
        return cast(Distribution, importlib.import_module(f"server.distributions.{self.distribution}"))

    def _plain_loop(self) -> Loop | None:
        """The loop, where it can be imported anywhere: one that needs something states no facts."""
        return None if self.needs else self.load_loop()


def parse(text: str) -> dict[str, dict[str, Value]]:
    """The entries by name; CatalogError names the first line that is outside of the format described above."""
    entries: dict[str, dict[str, Value]] = {}
    fields: dict[str, Value] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s+)#.*", "", raw)
        name, field = NAME.fullmatch(line), FIELD.fullmatch(line)
        if name and name[1] not in entries:
            fields = entries[name[1]] = {}
        elif field and entries and field[1] not in fields:
            is_list = LIST.fullmatch(field[2])
            fields[field[1]] = tuple(re.findall(r"[^\[\], ]+", field[2])) if is_list else field[2]
        elif line:
            raise CatalogError(f"line {number} is neither a new name nor a new field of one: {raw!r}")
    return entries


def load(path: Path = CATALOG) -> dict[str, Strategy]:
    """All strategies by name, in the order of the file."""
    strategies = {}
    for name, fields in parse(path.read_text(encoding="utf-8")).items():
        if tuple(field for field in fields if field not in ANYWHERE) not in (FIELDS, FIELDS + EXEMPT):
            raise CatalogError(f"{name} has the fields {', '.join(fields)}; it must have {', '.join(FIELDS)}")
        wrong = [field for field, value in fields.items() if isinstance(value, tuple) != (field in LISTS)]
        if wrong:
            raise CatalogError(f"{name} has {wrong[0]!r} as a list where text is due, or as text where a list is")
        strategies[name] = Strategy(name, **fields)  # type: ignore[arg-type]  # the types were checked above
    return strategies


def find(name: str) -> Strategy:
    """The strategy of that name; KeyError says in one sentence that there is none, or that it is a lesson."""
    strategies = load()
    if name in lessons.NAMES:
        raise KeyError(lessons.refusal(name))
    if name not in strategies:
        raise KeyError(unknown("strategy", name, strategies))
    return strategies[name]


def unknown(kind: str, name: str, known: Collection[str]) -> str:
    """A sentence with the nearest name and the list."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no {kind} {name!r}.{hint} Choose from: {', '.join(known)}."
