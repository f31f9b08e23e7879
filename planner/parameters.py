"""The parameters of a run: their names, types, ranges and defaults, each stated once, and what is wrong with a value.

Pure: strings and numbers in, values or one sentence out. What a list of values means is in cells.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Check = Callable[[Any], Any]


class Refused(Exception):
    """What a person asked for cannot be; `problems` are whole sentences."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Parameter:
    """One row of the table in docs/contracts.md."""

    name: str
    default: Any
    check: Check
    range: str
    varies: bool = True
    """May be a list, of which each value is a level of the experiment; otherwise it holds for the whole run."""
    splits: bool = True
    """A comma in a string separates the values of a list."""


def whole(low: int, high: int, *words: str) -> Check:
    """An integer, or one of the words."""

    def check(value: Any) -> Any:
        if isinstance(value, str):
            text = value.strip()
            if text in words:
                return text
            if not re.fullmatch(r"[+-]?\d+(_\d+)*", text):
                raise ValueError("is not a whole number")
            value = int(text)
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("is not a whole number")
        if not low <= value <= high:
            raise ValueError("is out of range")
        return int(value)

    return check


def seconds(low: float, high: float) -> Check:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d+(\.\d+)?", str(value).strip()):
            raise ValueError("is not a number of seconds")
        if not low <= float(value) <= high:
            raise ValueError("is out of range")
        return int(float(value)) if float(value).is_integer() else float(value)

    return check


def choice(*names: str) -> Check:
    def check(value: Any) -> str:
        # YAML reads a bare `off` as false.
        text = "off" if value is False and "off" in names else str(value).strip()
        if text not in names:
            raise ValueError("is not one of them" + nearest(text, names))
        return text

    return check


def truth(value: Any) -> bool:
    text = str(value).strip().lower()
    if text not in ("true", "false", "yes", "no"):
        raise ValueError("is neither true nor false")
    return text in ("true", "yes")


def command_line(value: Any) -> str:
    text = str(value).strip()
    try:
        shlex.split(text)
    except ValueError as error:
        raise ValueError(f"is not a command line ({error})") from None
    missing = [place for place in ("{host}", "{port}") if place not in text]
    if missing:
        raise ValueError(f"does not hold {' and '.join(missing)}, where the listening address is filled in")
    return text


HOSTILE = ("slow_read", "byte_writer", "half_close", "reset", "storm", "mute")


def hostile_clients(value: Any) -> dict[str, Any] | None:
    """`none`, or {"kind", "connections"} of a text such as slow_read:100."""
    text = str(value).strip()
    if text == "none":
        return None
    kind, colon, count = text.partition(":")
    if kind not in HOSTILE:
        raise ValueError(f"names no kind of hostile client{nearest(kind, HOSTILE)}")
    if not colon or not count.isascii() or not count.isdigit():
        raise ValueError(f"does not say how many, as in {kind}:100")
    if not 1 <= int(count) <= 100_000:
        raise ValueError("is out of range")
    return {"kind": kind, "connections": int(count)}


def objective(value: Any) -> str:
    text = str(value).strip()
    if not re.fullmatch(r"p\d{1,2}(\.\d+)?=\d+(\.\d+)?(ns|us|ms|s)", text):
        raise ValueError("is not a percentile and a time")
    return text


def cpu_list(value: Any) -> str | list[int]:
    """`auto`, `none`, or the CPUs of a list such as 0-3,6."""
    text = ",".join(str(part) for part in value) if isinstance(value, list) else str(value).strip()
    if value is None or text in ("auto", "none"):
        return "none" if value is None else text
    cpus: set[int] = set()
    for part in text.split(","):
        bounds = re.fullmatch(r"\s*(\d{1,5})(?:-(\d{1,5}))?\s*", part)
        if not bounds or int(bounds[2] or bounds[1]) < int(bounds[1]):
            raise ValueError("is not a list of CPUs")
        cpus.update(range(int(bounds[1]), int(bounds[2] or bounds[1]) + 1))
    return sorted(cpus)


def text_of(value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", str(value).strip()):
        raise ValueError("is not a name")
    return str(value).strip()


WORKLOADS = ("open", "closed", "churn", "ramp", "capacity")
GENERATORS = ("go", "goroutine", "pool", "threads", "asyncio")

TABLE = (
    Parameter("strategy", "epoll", text_of, "names of server/catalog.yml, `seed` or `all`"),
    Parameter("server_command", None, command_line, "a command line with {host} and {port}", splits=False),
    Parameter("workload", "open", choice(*WORKLOADS), f"one of {', '.join(WORKLOADS)}"),
    Parameter("connections", 10000, whole(1, 10_000_000), "1 to 10,000,000"),
    Parameter("active", None, whole(1, 10_000_000, "all"), "1 to `connections`, or `all`"),
    Parameter("rate", 10000, whole(1, 100_000_000), "1 to 100,000,000 requests/s"),
    Parameter("requests", None, whole(1, 1_000_000_000), "1 to 1,000,000,000"),
    Parameter("arrival", "poisson", choice("poisson", "fixed", "uniform"), "`poisson`, `fixed` or `uniform`"),
    Parameter("pipeline", 1, whole(1, 64), "1 to 64"),
    Parameter("think_time", 0, seconds(0, 3600), "0 to 3600 s"),
    Parameter("steps", 10, whole(1, 1000), "1 to 1000"),
    Parameter("rungs", 7, whole(2, 20), "2 to 20"),
    Parameter("hostile", None, hostile_clients, f"`none`, or <kind>:<1 to 100,000>, kinds {', '.join(HOSTILE)}"),
    Parameter("payload_bytes", 64, whole(32, 1_048_576), "32 to 1,048,576 bytes"),
    Parameter("backlog", 4096, whole(1, 1_048_576), "1 to 1,048,576"),
    Parameter("connect_rate", 5000, whole(1, 1_000_000, "burst"), "1 to 1,000,000 connections/s, or `burst`"),
    Parameter("warmup", 2, whole(0, 3600), "0 to 3600 whole seconds"),
    Parameter("duration", 10, whole(1, 86_400), "1 to 86,400 whole seconds"),
    Parameter("timeout", 5, seconds(0.1, 60), "0.1 to 60 s"),
    Parameter("arm_timeout", 30, seconds(1, 3600), "1 to 3600 s"),
    Parameter("repetitions", 3, whole(1, 1000), "1 to 1000", varies=False),
    Parameter("workers", "auto", whole(2, 1024, "auto"), "2 to 1024, or `auto`"),
    Parameter("generator", "go", choice(*GENERATORS), f"one of {', '.join(GENERATORS)}"),
    Parameter("calibrate", True, truth, "true or false", varies=False),
    Parameter("tune", "auto", choice("auto", "required", "off"), "`auto`, `required` or `off`", varies=False),
    Parameter("keep_tuned", False, truth, "true or false", varies=False),
    Parameter("profile", "c10k", text_of, "names of roles/kernel_tuning/files/profiles/", varies=False),
    Parameter("slo", "p99=10ms", objective, "pN=<time>, such as p99=10ms", varies=False),
    Parameter("server_cpus", "auto", cpu_list, "`auto`, `none`, or a list such as 0-3,6", varies=False),
    Parameter("client_cpus", "auto", cpu_list, "`auto`, `none`, or a list such as 0-3,6", varies=False),
    Parameter("server_port", 9000, whole(1, 65535), "1 to 65535"),
    Parameter("server_ports", 1, whole(1, 1000), "1 to 1000"),
    Parameter("sources", 1, whole(1, 1024), "1 to 1024", varies=False),
    Parameter("seed", None, whole(0, 2**32 - 1), "0 to 4,294,967,295", varies=False),
)
NAMES = {parameter.name: parameter for parameter in TABLE}


def nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(word).lower(), [str(name) for name in known], n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else ""


def unknown_names(given: Iterable[str], others: Iterable[str] = ()) -> list[str]:
    """One sentence for each extra variable that means nothing here. Ansible's own names are not judged."""
    known = [*NAMES, "cells", *others]
    problems = []
    for name in given:
        if name == "_raw_params":
            problems.append(
                "Ansible took a value apart at its spaces: quote it once more, as in"
                """ -e '{"server_command": "./mine --host {host} --port {port}"}'."""
            )
        elif name not in known and not name.startswith("ansible_"):
            problems.append(f"There is no parameter `{name}`{nearest(name, known) or '; docs/contracts.md lists them'}")
    return problems


def one(parameter: Parameter, value: Any) -> Any:
    """A single value, typed; ValueError with a whole sentence where it cannot be."""
    try:
        return parameter.check(value)
    except ValueError as error:
        raise ValueError(f"{parameter.name}={value} {error}; it takes {parameter.range}.") from None


def levels(parameter: Parameter, given: Any, problems: list[str]) -> list[Any]:
    """All the values of one parameter, in the order given and each once."""
    if parameter.varies and isinstance(given, str) and parameter.splits:
        values: list[Any] = given.split(",")
    elif parameter.varies and isinstance(given, list):
        values = given
    elif isinstance(given, (list, dict)) and parameter.check is not cpu_list:
        problems.append(f"{parameter.name} holds for the whole run, so it takes one value: {parameter.range}.")
        return []
    else:
        values = [given]
    if not values:
        problems.append(f"{parameter.name} is an empty list; it takes {parameter.range}.")
    found: list[Any] = []
    for value in values:
        try:
            checked = one(parameter, value)
        except ValueError as error:
            problems.append(str(error))
            continue
        if checked not in found:
            found.append(checked)
    return found


def typed(given: Mapping[str, Any], problems: list[str]) -> dict[str, list[Any]]:
    """The values of every parameter, the defaults included; what is wrong is added to `problems`."""
    result: dict[str, list[Any]] = {}
    for parameter in TABLE:
        value = given.get(parameter.name)
        if parameter.name in given and value not in (None, ""):
            result[parameter.name] = levels(parameter, value, problems)
        elif parameter.name in given and value == "":
            problems.append(f"{parameter.name} is empty; it takes {parameter.range}.")
            result[parameter.name] = []
        else:
            result[parameter.name] = [parameter.default]
    return result
