"""The request for a lab: names, addresses, and a sentence for each wrong value. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FORM = """; for chosen hosts it is written -e '{"lab_time_offset_s": {"client1": 5}}'."""
STATES = ("present", "absent")
PARAMETERS = ("lab_state", "lab_clients", "lab_time_offset_s")
MOST_CLIENTS = 32
LATEST_S = 1_000_000_000

NETWORK = "198.18.0"
SOURCES = "198.19"
CONTROLLER_ADDRESS = f"{NETWORK}.1"
PREFIX = "c10k-"
SWITCH = PREFIX + "switch"
"""The namespace of the bridge: there no firewall rule of the machine reaches what the hosts say to each other."""
HOST_NAMESPACE = re.compile(PREFIX + r"(server|client\d+)")


@dataclass(frozen=True)
class Host:
    name: str
    address: str
    offset_s: int = 0
    """How far its CLOCK_MONOTONIC is ahead of the machine's."""

    @property
    def namespace(self) -> str:
        return PREFIX + self.name

    @property
    def sources(self) -> str:
        """A network whose addresses all belong to this host, for more connections than one address has ports."""
        return f"{SOURCES}.{int(self.address.rpartition('.')[2]) - 10}.0/24"


def names(clients: int) -> list[str]:
    return ["server", *(f"client{i}" for i in range(1, clients + 1))]


def hosts(clients: int, offsets: Mapping[str, Any]) -> list[Host]:
    return [Host(name, f"{NETWORK}.{10 + i}", int(offsets.get(name, 0))) for i, name in enumerate(names(clients))]


def whole(value: Any) -> int | None:
    """Extra variables arrive as strings."""
    return int(str(value)) if not isinstance(value, bool) and re.fullmatch(r"\d{1,12}", str(value).strip()) else None


def nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else "."


def resolve(state: Any, clients: Any, offset_s: Any) -> tuple[dict[str, Any], list[str]]:
    """The module's arguments, and a sentence for each value that cannot be."""
    problems = []
    if state not in STATES:
        problems.append(f"lab_state={state} is neither present nor absent{nearest(state, STATES)}")
    count = whole(clients)
    if count is None or not 1 <= count <= MOST_CLIENTS:
        problems.append(f"lab_clients={clients} is not a whole number from 1 to {MOST_CLIENTS}.")
        count = MOST_CLIENTS
    given = offset_s if isinstance(offset_s, Mapping) else {f"client{count}": offset_s or 0}
    offsets = {}
    for name, value in given.items():
        seconds = whole(value)
        if name not in names(count):
            problems.append(
                f"lab_time_offset_s names `{name}`, which the lab does not have{nearest(name, names(count))}"
            )
        elif seconds is None or seconds > LATEST_S:
            problems.append(f"lab_time_offset_s={value} is not a whole number of seconds from 0 to {LATEST_S:,}{FORM}")
        elif seconds:
            offsets[str(name)] = seconds
    return {"state": state, "clients": count, "time_offset_s": offsets}, problems
