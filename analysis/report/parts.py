"""The parts of the page as plain data: what the template prints, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bar:
    """An interval within its column: places from 0 to 100. `centre` without an interval is a mark alone."""

    low: float
    high: float
    centre: float


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its text, what sorts it, and where there is one its interval as a bar and in words."""

    text: str
    order: float | str = ""
    bar: Bar | None = None
    interval: str = ""
    is_marked: bool = False  # rests on fewer than 100 tail events
    is_number: bool = True


@dataclass(frozen=True)
class Row:
    """One row. `state`: good, dnf or struck; `note` says why it is not good."""

    cells: tuple[Cell, ...]
    state: str = "good"
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table with its headings; `caption` says what it holds, for those who do not see it."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    is_sortable: bool = False
    rest: int = 0  # rows that are in the CSV only


@dataclass(frozen=True)
class Download:
    """A file inside the page."""

    name: str
    text: str
    href: str
    rows: int


@dataclass(frozen=True)
class Section:
    """A chart with everything about it."""

    name: str
    title: str
    caption: str
    read: str
    svg: str
    table: Table
    download: Download


@dataclass(frozen=True)
class Found:
    """A finding. `where`: cells, trials and hosts in words."""

    check: str
    severity: str
    message: str
    matters: str
    remedy: str
    where: str
    evidence: str


@dataclass(frozen=True)
class Page:
    """The whole report."""

    title: str
    headline: str
    more: str
    trust: str
    counts: dict[str, int]
    glance: Table | None
    glance_caption: str
    glance_read: str
    charts: tuple[Section, ...]
    honesty: tuple[Section, ...]
    comparisons: tuple[Table, ...]
    findings: tuple[Found, ...]
    errors: Table | None
    limits: tuple[str, ...]
    methods: tuple[str, ...]
    environment: Table | None
    differences: Table | None
    downloads: tuple[Download, ...]
    notes: tuple[str, ...]
    commands: tuple[str, ...]
    specs: dict[str, object] = field(default_factory=dict)
