"""The inventory's variables of a host, each of its type, or a sentence that says what to write. Pure."""

import ipaddress
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner.parameters import Refused

NAMES = {
    "c10k_load_address": "an address of its own", "c10k_sources": "a list of addresses", "c10k_weight": "a number > 0",
}  # fmt: skip
"""The variables, and what each takes."""
MOST_SOURCES = 65_536
"""Addresses of one network; a run uses 1024 at most."""


@dataclass(frozen=True)
class Variables:
    """`load_address` is an IPv4 or IPv6 address, `listed` the addresses and networks of c10k_sources (of a client),
    `weight` a number > 0; each has a harmless value where a problem says that it is wrong."""

    load_address: str = ""
    listed: tuple[str, ...] = ()
    weight: int | float = 1


def read(name: str, role: str, known: Mapping[str, Any]) -> tuple[Variables, dict[str, str]]:
    """The variables of one host; and by variable a sentence for each that is not what it must be."""
    problems: dict[str, str] = {}
    found: dict[str, Any] = {}
    for variable, typed in TYPED.items():
        if role == "server" and variable == "c10k_sources":
            continue  # it has none
        try:
            found[typed.__name__] = typed(name, known.get(variable))
        except Refused as refused:
            problems[variable] = " ".join(refused.problems)
    return Variables(**found), problems


def load_address(name: str, given: Any) -> str:
    """Asked for and never guessed: a server on the wrong address would open an echo port on the control plane."""
    example = "such as 10.10.0.11"
    if given in (None, ""):
        raise Refused([
            f"{name} has no c10k_load_address: give it the address of its own on which the echo traffic shall go, "
            f"{example}, as a variable of the host in the inventory."
        ])  # fmt: skip
    try:
        address = ipaddress.ip_address(str(given))
    except ValueError:
        raise Refused([
            f"c10k_load_address of {name} is {given!r}, which is no address: give the address itself, {example}; "
            "a name may mean several, and is not looked up."
        ]) from None  # fmt: skip
    if address.is_unspecified or address.is_multicast or getattr(address, "scope_id", None):
        raise Refused([f"c10k_load_address of {name} is {given}, which is not one host's alone: give one, {example}."])
    return str(address)


def typed_for_all(given: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each variable that a command line gives to every host and that is not what it must be. What holds
    a template may differ from host to host, and is judged there."""
    for variable, typed in TYPED.items():
        if variable in given and "{{" not in str(given[variable]):
            try:
                typed("every host", given[variable])
            except Refused as refused:
                yield from refused.problems


def weight(name: str, given: Any) -> int | float:
    if given is None:
        return 1
    try:
        number = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise Refused([
            f"c10k_weight of {name} is {given!r}; it takes a number above 0, such as 2 for a machine that shall hold "
            "twice as many connections."
        ])  # fmt: skip
    return int(number) if number.is_integer() else number


def listed(name: str, given: Any) -> tuple[str, ...]:
    """As a list, or as hosts.ini has it: one text, with commas or blanks between."""
    if isinstance(given, str):
        given = re.split(r"[,\s]+", given.strip().strip("[]")) if given.strip() else []
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        if given is None:
            return ()
        raise Refused([
            f"c10k_sources of {name} is {given!r}; it takes a list of addresses or networks, such as "
            "[198.18.0.11, 198.19.1.0/28]."
        ])  # fmt: skip
    texts = tuple(text.strip("'\"") for text in given if text)
    for text in texts:
        addresses(name, text)
    return texts


def addresses(name: str, text: str) -> Iterator[str]:
    """The host addresses of an address or a network; Refused at once where it is neither."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Refused([f"c10k_sources of {name} holds {text!r}, which is neither an address nor a network."]) from None
    if network.num_addresses > MOST_SOURCES:
        raise Refused([f"c10k_sources of {name} holds {text}, which has more than {MOST_SOURCES:,} addresses."])
    return map(str, network.hosts())


TYPED: Mapping[str, Callable[[str, Any], Any]] = {
    "c10k_load_address": load_address, "c10k_sources": listed, "c10k_weight": weight,
}  # fmt: skip


def sources(name: str, address: str, listed: Sequence[str], count: int) -> list[str]:
    """The first `count` source addresses of a client: of its c10k_sources, or of loopback's endless supply."""
    if listed:
        found = list(dict.fromkeys(host for text in listed for host in addresses(name, text)))
    elif address.startswith("127."):
        first, second, *rest = address.split(".")
        found = [".".join([first, str((int(second) + i) % 256), *rest]) for i in range(min(count, 256))]
    else:
        found = [address]
    if len(found) < count:
        raise Refused([
            f"sources={count}, and {name} has {len(found)}: list more addresses, or a network such as 198.19.1.0/28, "
            "in its host variable c10k_sources, and give them to its interface."
        ])  # fmt: skip
    return found[:count]


def other_family(server: Mapping[str, Any], hosts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Name and sentence of each client that has an address of another version of IP than the server's."""
    for host in hosts if server["load_address"] else ():
        for text in filter(None, (host["load_address"], *host["listed"])):
            if (":" in text) != (":" in server["load_address"]):
                yield (
                    host["name"],
                    f"{host['name']} has {text}, and the server's c10k_load_address is {server['load_address']}: give "
                    "both addresses of one version of IP.",
                )
                break
