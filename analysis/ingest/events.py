"""Reads events.jsonl as far as it goes: a cut file or a foreign line costs what it hides, and no more."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from analysis.foreign import opened
from analysis.unreadable import Unreadable
from contracts import older

VERSION = 1
PLAN_VERSION = 3  # plans of earlier versions are read as such
OF_RUNG = ("rate", "connections", "active")
"""What a search may vary from rung to rung."""
MOST = 1 << 60  # of anything: 36 years of nanoseconds, an exbibyte; sums of several still fit 64 bits
MOST_LINE_BYTES = (1 << 20) + (1 << 16)  # the protocol's line, and what the controller adds to it
MOST_PLAN_BYTES = 64 << 20

Event = dict[str, Any]


@dataclass(frozen=True)
class Log:
    """One events.jsonl. `events` holds the well-formed lines in order of arrival, `notes` what was left out and why."""

    path: Path
    run: str
    plan: dict[str, Any]
    events: list[Event]
    trailer: bool
    notes: list[str] = field(default_factory=list)

    def of(self, name: str, *, trial: int | None = None) -> list[Event]:
        """The events of one name, of one trial or of all."""
        found = self._by_name.get(name, [])
        return list(found) if trial is None else [e for e in found if e["trial"] == trial]

    def key(self, event: Event) -> Event:
        """The columns by which every row names its run, its trial and its host."""
        return {"run": self.run, "trial": event["trial"], "host": event["host"]}

    def last(self, name: str, state: str | None = None) -> dict[int, Event]:
        """The last event of a name (and state) in each trial."""
        return {e["trial"]: e for e in self.of(name) if e["trial"] is not None and state in (None, e.get("state"))}

    @cached_property
    def planned(self) -> list[dict[str, Any]]:
        """The planned trials that measure a server: all but calibrations. A search of a capacity is the rungs that it
        began, each with the cell and the load that its event tells; or itself, where it began none."""
        begun = self.last("trial", "started")
        return [one for trial in self.plan["trials"] if not is_calibration(trial) for one in _rungs(trial, begun)]

    @cached_property
    def done(self) -> dict[tuple[int, str], Event]:
        """The last `done` of each client in each trial."""
        known = (e for e in self.of("done") if e["trial"] is not None and e["host"] in self.clients)
        return {(e["trial"], e["host"]): e for e in known}

    @cached_property
    def went(self) -> dict[int, Event]:
        """Per trial the moment of go in each host's clock."""
        return {n: at for n, e in self.last("went").items() if isinstance(at := e.get("at_ns"), dict)}

    @cached_property
    def go_ns(self) -> dict[int, object]:
        """Per trial the same moment in the controller's clock."""
        return {n: e.get("go_ns") for n, e in self.last("went").items()}

    @cached_property
    def _by_name(self) -> dict[str, list[Event]]:
        names: dict[str, list[Event]] = {}
        for event in self.events:
            names.setdefault(event["event"], []).append(event)
        return names

    @cached_property
    def server(self) -> str | None:
        """The name of the host that holds the server."""
        return next((name for name, host in self.plan["hosts"].items() if host.get("role") == "server"), None)

    @cached_property
    def clients(self) -> list[str]:
        return [name for name, host in self.plan["hosts"].items() if host.get("role") == "client"]


def is_count(value: object) -> bool:
    """True for a JSON value that is a whole number and can have been measured; True and 1.5 are none."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST


def locate(given: str) -> Path:
    """The events.jsonl of a run directory, or the file itself."""
    path = Path(given)
    if path.is_dir():
        path = path / "events.jsonl"
        if not path.exists() and path.with_name("plan.yml").exists():
            raise Unreadable(f"{given} measured nothing: the run was broken off before its first event.")
    if not path.exists():
        raise Unreadable(f"{given} has no events.jsonl: give a run's directory, such as results/latest.")
    return path


def read(given: str) -> Log:
    """Read leniently, but refuse what is not an events.jsonl of this version."""
    path = locate(given)
    try:
        with opened(path) as file:
            return _read(path, file)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}.") from error


def _read(path: Path, file: BinaryIO) -> Log:
    first = file.readline(MOST_LINE_BYTES)
    if not first:
        raise Unreadable(f"{path} is empty: the run ended before it recorded anything.")
    header = header_of(path, first, is_cut=not first.endswith(b"\n"))
    events: list[Event] = []
    foreign: list[int] = []
    notes: list[str] = []
    trailer: Event | None = None
    counted = 0
    for number, line in enumerate(_lines(file), start=2):
        value = None if line is None else object_of(line)
        if line and not line.endswith(b"\n") and value is None:
            notes.append(f"events.jsonl is cut in mid-line: its last {len(line):,} bytes are left out.")
        elif value is not None and value.get("trailer") == 1:
            trailer = value
        elif value is not None and is_event(value):
            if value["event"] == "resumed" and value["host"] == "controller":
                events = _without(events, value.get("again"))
            events.append({"trial": None} | value)
            counted += 1
        else:
            foreign.append(number)
        if value is not None and value.get("trailer") != 1:
            trailer = None  # it ended a part of a run that went on
    if foreign:
        some = ", ".join(str(number) for number in foreign[:5]) + (", …" if len(foreign) > 5 else "")
        notes.append(
            f"events.jsonl holds {len(foreign):,} line(s) that are not of the protocol, left out: line {some}."
        )
    if trailer is not None and trailer.get("lines") != counted + len(foreign):
        notes.append(
            f"events.jsonl holds {counted + len(foreign):,} lines where its trailer counts {trailer.get('lines')}."
        )
    return Log(path, str(header["run"]), plan_of(path, events), events, trailer is not None, notes)


def _without(events: list[Event], again: object) -> list[Event]:
    """What a run that was broken off had recorded, but for the trials that were measured again."""
    void = {n for n in again if is_count(n)} if isinstance(again, list) else set()
    return [event for event in events if event["trial"] not in void]


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """The lines after the header; None for one that is longer than any of the protocol. The first, the plan's, grows
    with its trials. Only b"\n" ends a line: JSON may hold U+2028, which splitlines() would cut at."""
    most = MOST_PLAN_BYTES
    while line := file.readline(most):
        is_long = len(line) == most and not line.endswith(b"\n")
        while is_long and (rest := file.readline(most)) and not rest.endswith(b"\n"):
            pass
        yield None if is_long else line
        most = MOST_LINE_BYTES


def parsed(data: bytes) -> Any:
    """A JSON document in which every text can be written again. ValueError or RecursionError where it is none."""
    text = data.decode("utf-8-sig", "replace")
    value = json.loads(text)
    # Half a surrogate pair is a JSON string, but no UTF-8.
    return _written(value) if "\\ud" in text or "\\uD" in text else value


def _written(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_written(name): _written(one) for name, one in value.items()}
    return [_written(one) for one in value] if isinstance(value, list) else value


def object_of(line: bytes) -> dict[str, Any] | None:
    try:
        value = parsed(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_event(value: dict[str, Any]) -> bool:
    trial = value.get("trial")
    return (
        isinstance(value.get("event"), str)
        and isinstance(value.get("host"), str)
        and (trial is None or is_count(trial))
        and is_count(value.get("at"))
    )


def header_of(path: Path, line: bytes, *, is_cut: bool) -> dict[str, Any]:
    header = object_of(line)
    if header is None and is_cut and line.startswith(b'{"header"'):
        raise Unreadable(f"{path} is cut within its first line: it holds nothing to summarise.")
    if header is None or header.get("header") != 1 or header.get("file") != "events":
        raise Unreadable(f"{path} is not an events.jsonl of this benchmark: its first line is not the header.")
    if header.get("version") != VERSION:
        raise Unreadable(f"{path} is of version {header.get('version')}; this analysis reads version {VERSION}.")
    if not isinstance(header.get("run"), str):
        raise Unreadable(f"{path} is not an events.jsonl of this benchmark: its header names no run.")
    return header


def plan_of(path: Path, events: list[Event]) -> dict[str, Any]:
    """The plan as one of PLAN_VERSION, checked only for what the tables cannot do without."""
    plan = next((event.get("plan") for event in events if event["event"] == "plan"), None)
    if plan is None:
        raise Unreadable(f"{path} ends before its plan was recorded: no trial had begun.")
    if not isinstance(plan, dict) or plan.get("version") not in range(1, PLAN_VERSION + 1):
        raise Unreadable(f"{path} holds a plan of another version; this analysis reads up to version {PLAN_VERSION}.")
    hosts, trials = plan.get("hosts"), plan.get("trials")
    if not (isinstance(hosts, dict) and all(isinstance(host, dict) for host in hosts.values())):
        raise Unreadable(f"{path} holds a plan without hosts.")
    if not (isinstance(trials, list) and trials and all(_is_trial(trial) for trial in trials)):
        raise Unreadable(f"{path} holds a plan whose trials this analysis does not understand.")
    if all(is_calibration(trial) for trial in trials):
        raise Unreadable(f"{path} holds a plan that measures nothing but its generators.")
    return older.newest(plan)


def is_calibration(trial: Mapping[str, Any]) -> bool:
    """A calibration measures the generators, not a server."""
    return trial.get("kind") == "calibration"


def _rungs(entry: dict[str, Any], begun: dict[int, Event]) -> list[dict[str, Any]]:
    """An entry of the plan as trials: itself, or the rungs of a search that have begun."""
    search = entry.get("search")
    most = search.get("most_rungs") if isinstance(search, dict) else None
    found = []
    for n in sorted(n for n in begun if is_count(most) and entry["n"] <= n < entry["n"] + most):
        load, cell = begun[n].get("load"), begun[n].get("cell")
        own = {name: load.get(name) for name in OF_RUNG} if isinstance(load, dict) else {}
        if own and all(map(is_count, own.values())) and isinstance(cell, str):
            found.append({**entry, "n": n, "cell": cell, "load": {**entry["load"], **own}})
    return found or [entry]


def _is_trial(trial: object) -> bool:
    """A planned trial has what identifies it and what its window is computed from."""
    if not (isinstance(trial, dict) and isinstance(trial.get("server"), dict) and isinstance(trial.get("load"), dict)):
        return False
    return (
        all(is_count(trial.get(name)) for name in ("n", "block"))
        and isinstance(trial.get("cell"), str)
        and all(is_count(trial["load"].get(name)) for name in ("connections", "warmup", "duration"))
    )
