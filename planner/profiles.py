"""The levels of `profile`: a profile by its name, with single keys taken away from it or added. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from contracts.judge import nearest
from planner.parameters import Refused

Entry = Mapping[str, Any]
Profiles = Mapping[str, list[Entry]]
"""By name what stands in playbooks/profiles/."""
GIVES = "c10k"
"""The profile whose value an added key has, if it has the key; else the first other one that does."""
SIGNED = re.compile(r"([+-])((?:(?!-\w+\.)[^+])+)")
"""A key may have hyphens (fs.file-max); one before a word and a dot takes the next key away."""


def base_of(level: str) -> str:
    return re.split("[+-]", level, maxsplit=1)[0]


def entries(level: str, profiles: Profiles) -> list[Entry]:
    """What is tuned, in the order of the profiles: `c10k-net.core.somaxconn` is c10k without that key,
    `none+net.core.somaxconn` that key of c10k alone. Refused where a key is not there to take or to give."""
    name = base_of(level)
    chosen = {entry["key"]: entry for entry in profiles[name]}
    giving = [profiles[one] for one in sorted(profiles, key=lambda one: (one != GIVES, one))]
    given: dict[str, Entry] = {}
    for entry in (entry for one in giving for entry in one):
        given.setdefault(entry["key"], entry)
    problems = []
    for sign, key in SIGNED.findall(level):
        known = given if sign == "+" else chosen
        if key not in known:
            whose = "no profile has a" if sign == "+" else f"{name} has no"
            meant = nearest(key, known) or "."
            there = f" There are {', '.join(known)}." if known else ""
            problems.append(f"profile={level}: {whose} key {key}{meant}{there}")
        elif sign == "+":
            chosen[key] = given[key]
        else:
            del chosen[key]
    if problems:
        raise Refused(problems)
    return [entry for entry in ordered(profiles[name], *giving) if chosen.get(entry["key"]) == entry]


def ordered(*lists: Iterable[Entry]) -> Iterator[Entry]:
    """Ports are reserved before the range grows over them, and so it stands in each profile."""
    seen: list[Entry] = []
    for entry in (entry for one in lists for entry in one):
        if entry not in seen:
            seen.append(entry)
            yield entry


def problems(levels: list[str], wide: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each reason for which several profiles cannot be compared."""
    if len(levels) < 2:
        return
    if wide["tune"] != "required":
        yield (
            f"profile={','.join(levels)} compares kernels that are tuned in different ways, so each has to be tuned "
            "whole, on this machine too: add -e tune=required."
        )
    if wide["keep_tuned"]:
        yield "keep_tuned would keep a random one of several profiles: leave it away, or give one profile."
