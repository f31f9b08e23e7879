"""One check of a host: what is needed, what there is, and what mends it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FITS, DOUBTFUL, REFUSED = "fits", "doubtful", "refused"
UNREACHED = " cannot be reached: "
LOAD_ADDRESS = "load address"
"""The check that tells over which address a host takes the load, and whether SSH comes over it too."""

Host = Mapping[str, Any]
"""name, role, base, load_address, sources, weight, and `probe`: what c10k_probe returned, or None."""
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """One line of the doctor's table. `sentence` is for people: what is needed, what there is, what mends it; empty
    where the host fits."""

    host: str
    what: str
    need: str
    have: str
    verdict: str = FITS
    sentence: str = ""


def judged(host: Host, what: str, need: Any, have: Any, bad: str = "", verdict: str = REFUSED) -> Check:
    """`bad` is the sentence, without the host's name, where the need is not met."""
    return Check(
        host["name"], what, str(need), str(have), verdict if bad else FITS, f"{host['name']}{bad}" if bad else ""
    )


def yes(value: Any) -> str:
    return "yes" if value else "no"


def doubts(checks: Iterable[Check]) -> list[str]:
    """A sentence for each reason to doubt; one that holds of several hosts names them together."""
    found: dict[str, list[str]] = {}
    for check in checks:
        if check.verdict == DOUBTFUL:
            found.setdefault(check.sentence.removeprefix(check.host), []).append(check.host)
    return [f"{', '.join(hosts)}{rest}" for rest, hosts in found.items()]


def refusals(checks: Iterable[Check]) -> list[str]:
    """A sentence for each reason to refuse a run. Hosts that cannot be reached for one and the same reason, as behind
    one gateway, are named together."""
    found: dict[str, list[str]] = {}
    for check in checks:
        if check.verdict == REFUSED:
            _, unreached, why = check.sentence.partition(UNREACHED)
            found.setdefault(unreached + why or check.sentence, []).append(check.host)
    return [f"{', '.join(hosts)}{rest}" if rest.startswith(UNREACHED) else rest for rest, hosts in found.items()]
