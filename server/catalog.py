"""The catalogue of strategies, read from catalog.yml with a tiny strict parser: hosts have no PyYAML.

The parser knows comments, a name, and fields below it, indented by two spaces: plain text, or a list in brackets.
What it would read differently from YAML it refuses.
"""

from __future__ import annotations

import difflib
import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Union, cast

from server import programs
from server.common import Intake, Worker

CATALOG = Path(__file__).with_name("catalog.yml")
SEED = ("workers", "select", "poll", "epoll_edge")  # the four that the original experiment compared
FIELDS = ("family", "loop", "distribution", "needs", "limit", "how", "use", "pitfall")
EXEMPT = ("cannot", "because")  # may follow, both or neither
LISTS = ("needs", "cannot")  # the others are text
# Distributions whose connections are all counted in one statistics slot.
ONE_SLOT = ("single", "per_process", "per_thread", "pool")

Value = Union[str, tuple[str, ...]]
Entries = dict[str, dict[str, Value]]

NAME = re.compile(r"([a-z][a-z0-9_]*):")
FIELD = re.compile(r"  ([a-z]+): (\S.*)")
LIST = re.compile(r"\[(?:[a-z][a-z0-9._-]*(?:, [a-z][a-z0-9._-]*)*)?\]")
# Begins with a letter, and holds nothing that YAML takes for a mapping or a comment.
PLAIN = re.compile(r"[A-Za-z](?:(?!: | #)[^\t])*(?<![:\s])")
# What YAML 1.1 takes for a truth value or for nothing, in any case.
NOT_TEXT = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


class CatalogError(ValueError):
    """catalog.yml holds what this parser does not read."""


class Loop(Protocol):
    """An event loop: serves what comes out of the intake, until a signal ends it."""

    def run(self, intake: Intake, worker: Worker) -> None: ...


@dataclass(frozen=True)
class Strategy:
    """One entry of the catalogue."""

    name: str
    family: str
    loop: str
    distribution: str
    needs: tuple[str, ...]
    limit: str
    how: str
    use: str
    pitfall: str
    cannot: tuple[str, ...] = ()  # clauses of the conformance suite
    because: str = ""

    def processes(self, workers: int) -> int:
        """How many processes hold connections, each with a statistics slot of its own."""
        return 1 if self.distribution in ONE_SLOT else max(2, workers)

    @property
    def is_program(self) -> bool:
        """Whether its loop is a program of its own, which also sees to its workers itself."""
        return self.loop in programs.NAMES

    def load_loop(self) -> Loop:
        return cast(Loop, importlib.import_module(f"server.loops.{self.loop}"))


def parse(text: str) -> Entries:
    """Read the subset of YAML described above; CatalogError names the first line outside of it."""
    entries: Entries = {}
    fields: dict[str, Value] | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s+)#.*", "", raw).rstrip(" ")
        name, field = NAME.fullmatch(line), FIELD.fullmatch(line)
        if not line:
            continue
        if name and name[1] not in entries and name[1] not in NOT_TEXT:
            fields = entries[name[1]] = {}
        elif field and fields is not None and field[1] not in fields and field[1] not in NOT_TEXT:
            fields[field[1]] = _value(field[2], number)
        else:
            raise CatalogError(f"line {number} is neither a new name nor a new field of one: {raw!r}")
    return entries


def _value(text: str, number: int) -> Value:
    if LIST.fullmatch(text):
        items = tuple(text[1:-1].split(", ")) if text != "[]" else ()
        if not NOT_TEXT.intersection(items):
            return items
    elif PLAIN.fullmatch(text) and text.lower() not in NOT_TEXT:
        return text
    raise CatalogError(f"line {number}: not plain text and not a list: {text!r}")


def load(path: Path = CATALOG) -> dict[str, Strategy]:
    """All strategies by name, in the order of the file."""
    strategies = {}
    for name, fields in parse(path.read_text(encoding="utf-8")).items():
        if tuple(fields) not in (FIELDS, FIELDS + EXEMPT):
            raise CatalogError(f"{name} has the fields {', '.join(fields)}; it must have {', '.join(FIELDS)}")
        wrong = [field for field, value in fields.items() if isinstance(value, tuple) != (field in LISTS)]
        if wrong:
            raise CatalogError(f"{name} has {wrong[0]!r} as a list where text is due, or as text where a list is")
        strategies[name] = Strategy(name, **fields)  # type: ignore[arg-type]  # of which type each is was looked at
    return strategies


def find(name: str) -> Strategy:
    """The strategy of that name; KeyError carries one sentence with the nearest name and the list."""
    strategies = load()
    if name in strategies:
        return strategies[name]
    near = difflib.get_close_matches(name, strategies, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise KeyError(f"There is no strategy {name!r}.{hint} Choose from: {', '.join(strategies)}.")
