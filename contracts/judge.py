"""A value as a person gives it → the typed value of a parameter, or one sentence that says what is wrong with it.

Pure, for Python 3.9 without packages: the controller and the generators in Python judge with the same declaration.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Callable

from contracts.disturbance import EACH
from contracts.disturbance import parse as parse_disturbance


@dataclass(frozen=True)
class Parameter:
    """One row of parameters.yml."""

    name: str
    belongs: str
    """run, server, load or kernel"""
    kind: str
    meaning: str
    default: Any = None
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()
    unit: str = ""
    varies: bool = True
    """May be a list, of which each value is a level of the experiment; otherwise it holds for the whole run."""
    splits: bool = True
    """A comma in a string separates the values of a list."""
    workloads: tuple[str, ...] = ()
    """The workloads that have it; empty: all."""
    optional: bool = False
    """Of the server: only the strategies that name it in `honours` of server/catalog.yml have it."""
    accepts: str = ""
    """The range in words."""


def judge(parameter: Parameter, value: Any) -> Any:
    """A single value, typed; ValueError with a whole sentence where it cannot be."""
    try:
        return KINDS[parameter.kind](parameter, value)
    except ValueError as error:
        raise ValueError(f"{parameter.name}={value} {error}; it takes {parameter.accepts}.") from None


def nearest(word: object, known: Iterable[str]) -> str:
    """`; did you mean …?`, or nothing where no name is near."""
    close = difflib.get_close_matches(str(word).lower(), [str(name) for name in known], n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else ""


def within(parameter: Parameter, value: float | Fraction) -> None:
    if not (parameter.low or 0) <= value <= (parameter.high or 0):
        raise ValueError("is out of range")


TIMES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
"""What may follow a number, and by what it multiplies."""
SECONDS = {
    name: Fraction(s) for name, s in {"h": "3600", "m": "60", "s": "1", "ms": "1/1000", "us": "1/1000000"}.items()
}
GROUPED = r"\d{1,3}(?:,\d{3})+"
DOTTED = re.compile(r"\d{1,3}(?:\.\d{3})+", re.ASCII)
"""Ten thousand in half of Europe, and ten elsewhere."""
NUMBER = re.compile(rf"([+-]?(?:{GROUPED}|\d+(?:_\d+)*)(?:\.\d+)?(?:[eE]\d{{1,2}})?)({'|'.join(TIMES)})", re.ASCII)
TIME = re.compile(rf"(\d+(?:\.\d+)?)({'|'.join(sorted(SECONDS, key=len, reverse=True))})", re.ASCII)


def number(text: str) -> Fraction:
    """10000, 10,000, 10_000, 1e4, 10k, 1.5k, 2M or 64Ki, exactly; ValueError where it is none."""
    found = NUMBER.fullmatch(text)
    if not found:
        raise ValueError("is not a number")
    return Fraction(found[1].replace(",", "").replace("_", "")) * TIMES[found[2]]


def time_s(text: str) -> Fraction:
    """Seconds, from 10, 10s, 250ms, 1.5m or 1m30s; ValueError where it is none."""
    parts = TIME.findall(text)
    if not parts or "".join(amount + unit for amount, unit in parts) != text:
        return number(text)
    return sum((Fraction(amount) * SECONDS[unit] for amount, unit in parts), Fraction())


def whole(parameter: Parameter, value: Any) -> Any:
    """An integer, or one of the words. A unit of seconds may be written as a time."""
    if isinstance(value, str):
        if value.strip() in parameter.words:
            return value.strip()
        if DOTTED.fullmatch(value.strip()):
            few, many = value.strip().partition(".")[0], value.strip().replace(".", "")
            raise ValueError(f"could be {few} or {many}: write the one that you mean")
        try:
            value = (time_s if "seconds" in parameter.unit else number)(value.strip())
        except ValueError:
            raise ValueError("is not a whole number") from None
    if isinstance(value, bool) or not isinstance(value, (int, float, Fraction)) or value % 1 != 0:
        raise ValueError("is not a whole number")
    within(parameter, value)
    return int(value)


def seconds(parameter: Parameter, value: Any) -> float:
    try:
        given = time_s("" if isinstance(value, bool) else str(value).strip())
    except ValueError:
        raise ValueError("is not a number of seconds") from None
    within(parameter, given)
    return int(given) if given.denominator == 1 else float(given)


def one_or_several(parameter: Parameter, text: str) -> list[str]:
    """The values of a text, with a comma between them. One number may hold commas too; ValueError where it could be
    either."""
    parts = text.split(",")
    if parameter.kind not in ("whole", "seconds") or not re.fullmatch(GROUPED, text.strip(), re.ASCII):
        return parts
    try:
        alone = judge(parameter, text)
    except ValueError:
        return parts
    if any(part.startswith("0") for part in parts):  # nobody writes a value so
        return [text]
    raise ValueError(
        f"{parameter.name}={text} could be the number {alone} or the values {', '.join(parts)}: write "
        f"{parameter.name}={alone}, or give a list, as in -e '{{\"{parameter.name}\": [{', '.join(parts)}]}}'."
    )


def share(parameter: Parameter, value: Any) -> float:
    """A share of 1, from a text such as 3%, or from the number 0.03."""
    found = None if isinstance(value, bool) else re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%?)", str(value).strip())
    if not found:
        raise ValueError("is not a share")
    given = float(found[1]) / (100 if found[2] else 1)
    within(parameter, given)
    return given


def several(parameter: Parameter, texts: list[str]) -> str:
    """What a shell is given after -e for a list of numbers: as JSON where a text with commas could be one number."""
    text = ",".join(texts)
    try:
        is_plain = one_or_several(parameter, text) == texts
    except ValueError:
        is_plain = False
    return f"{parameter.name}={text}" if is_plain else f"'{{\"{parameter.name}\": [{', '.join(texts)}]}}'"


def choice(parameter: Parameter, value: Any) -> str:
    # YAML reads a bare `off` as false.
    text = "off" if value is False and "off" in parameter.words else str(value).strip()
    if text not in parameter.words:
        raise ValueError("is not one of them" + nearest(text, parameter.words))
    return text


def truth(_parameter: Parameter, value: Any) -> bool:
    text = str(value).strip().lower()
    if text not in ("true", "false", "yes", "no"):
        raise ValueError("is neither true nor false")
    return text in ("true", "yes")


def name(_parameter: Parameter, value: Any) -> str:
    text = str(value).strip()
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", text):
        raise ValueError("is not a name")
    return text


def command(_parameter: Parameter, value: Any) -> str:
    text = str(value).strip()
    try:
        shlex.split(text)
    except ValueError as error:
        raise ValueError(f"is not a command line ({error})") from None
    missing = [place for place in ("{host}", "{port}") if place not in text]
    if missing:
        raise ValueError(f"does not hold {' and '.join(missing)}, where the listening address is filled in")
    return text


def hostile(parameter: Parameter, value: Any) -> dict[str, Any] | None:
    """`none`, or {"kind", "connections"} of a text such as slow_read:100."""
    text = str(value).strip()
    if text == "none":
        return None
    kind, colon, count = text.partition(":")
    if kind not in parameter.words:
        raise ValueError(f"names no kind of hostile client{nearest(kind, parameter.words)}")
    if not colon or not count.isascii() or not count.isdigit():
        raise ValueError(f"does not say how many, as in {kind}:100")
    within(parameter, int(count))
    return {"kind": kind, "connections": int(count)}


def disturbance(_parameter: Parameter, value: Any) -> str | None:
    """`none`, or what contracts/disturbance.py reads, each time in one way; `restart` alone has a period, too."""
    text = str(value).strip()
    if text == "none":
        return None
    found = re.fullmatch(r"(stall:)([^/]+)/([^/]+)|(restart/)([^/]+)", f"restart/{EACH}" if text == "restart" else text)
    if not found:
        raise ValueError("is neither a stall nor a restart")
    kind, *times = (part for part in found.groups() if part)
    try:
        periods_ms = [time_s(period) * 1000 for period in times]
    except ValueError:
        raise ValueError("has a time that is not understood") from None
    if any(period % 1 for period in periods_ms):
        raise ValueError("has a time that is no whole number of milliseconds")
    asked = kind + "/".join(f"{period}ms" if period % 1000 else f"{period // 1000}s" for period in map(int, periods_ms))
    parse_disturbance(asked)
    return asked


def objective(_parameter: Parameter, value: Any) -> str:
    text = str(value).strip()
    percentile_and_limit(text)
    return text


LEAST_ANSWERED = 0.99
"""The share of the planned requests that a rate must have answered to meet any objective."""

LEAST_TAIL = 10
"""Below so many requests beyond it a percentile is one request's luck, and is not told."""


def percentile_and_limit(text: str) -> tuple[str, float]:
    """("99", 10_000_000.0 ns) of p99=10ms; ValueError where it is no objective."""
    found = re.fullmatch(r"p(\d{1,2}(?:\.\d+)?)=(\d+(?:\.\d+)?)(ns|us|ms|s)", text)
    if not found:
        raise ValueError("is not a percentile and a time")
    return found[1], float(found[2]) * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[found[3]]


def cpus(_parameter: Parameter, value: Any) -> str | list[int]:
    """`auto`, `none`, or the CPUs of a list such as 0-3,6."""
    text = ",".join(str(part) for part in value) if isinstance(value, list) else str(value).strip()
    if value is None or text in ("auto", "none"):
        return "none" if value is None else text
    found: set[int] = set()
    for part in text.split(","):
        bounds = re.fullmatch(r"\s*(\d{1,5})(?:-(\d{1,5}))?\s*", part)
        if not bounds or int(bounds[2] or bounds[1]) < int(bounds[1]):
            raise ValueError("is not a list of CPUs")
        found.update(range(int(bounds[1]), int(bounds[2] or bounds[1]) + 1))
    return sorted(found)


OLDEST_PYTHON = (3, 9)
INTERPRETER = re.compile(r"(?:pypy)?(\d)\.(\d{1,2})(?:\.\d{1,2})?t?", re.ASCII)
"""A version; with t its free-threaded build."""


def interpreter(parameter: Parameter, value: Any) -> str:
    """A version of Python, or the whole path of one."""
    text = "" if isinstance(value, bool) else str(value).strip()
    if text in parameter.words or (re.fullmatch(r"/[^\s{},]+", text) and text.isprintable()):
        return text
    found = INTERPRETER.fullmatch(text)
    if not found:
        raise ValueError("is neither a version nor a whole path")
    if (int(found[1]), int(found[2])) < OLDEST_PYTHON:
        raise ValueError("is older than 3.9, the oldest that the servers run in (YAML reads 3.10 as 3.1: quote it)")
    return text


def profile(_parameter: Parameter, value: Any) -> str:
    """The name of a profile, with keys after + and -."""
    text = str(value).strip()
    if not re.fullmatch(r"[a-z0-9_]+(?:[+-][a-z0-9_.]+)*", text, re.ASCII):
        raise ValueError("is no profile")
    return text


KINDS: dict[str, Callable[[Parameter, Any], Any]] = {
    "whole": whole, "seconds": seconds, "choice": choice, "share": share, "truth": truth, "name": name,
    "command": command, "hostile": hostile, "objective": objective, "cpus": cpus,
    "interpreter": interpreter, "profile": profile, "disturbance": disturbance,
}  # fmt: skip
