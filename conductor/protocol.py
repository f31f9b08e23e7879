"""One line of an agent → an event. A line that is no event is text; an event that is not what it says is an error."""

import json
from collections.abc import Mapping
from typing import Any

from contracts.declared import COUNTS, INTEGRITY
from contracts.visible import one_line

Event = Mapping[str, Any]

OF_ROLE = {
    "server": frozenset({"listening", "limit", "counts", "sample", "stopped"}),
    "client": frozenset({"armed", "proved", "progress", "interval", "done"}),
}
"""What only one kind of agent says."""
OF_CONDUCTOR = frozenset({"plan", "run", "trial", "clocks", "proof", "step", "rung", "went", "resumed"})
"""What stands beside it in events.jsonl, and analysis believes: no agent says it, least of all that of the server, to
whose stdout the measured server can write."""

CEILING = ("sends", "wall_ns", "cpu_ns")
SAMPLED = ("open", "bytes_out", "accept_queue", "cpu_user_ns", "cpu_system_ns")
OF_LINES = ("header", "trailer")
"""What the first and the last line of events.jsonl are known by."""
LEVELS, BOUND = 16, 1 << 63
"""How deep an event may nest, and what its numbers are below: all that is done with them stays within a float."""


class Malformed(ValueError):
    """An event whose fields are not those of the contract."""


# What the conductor reads of each event; other fields are for others.
_READ: dict[str, dict[str, type | tuple[type, ...]]] = {
    "hello": {"version": int, "host": str, "pid": int, "role": str, "t": int},
    "clock": {"n": int, "t": int},
    "error": {"phase": str, "cause": str, "message": str, "remedy": str},
    "listening": {"addresses": list, "backlog": int},
    "limit": {"resource": str, "held": int},
    "counts": {"t": int, "established": int, "open": (int, type(None))},
    "sample": {"t": int, **dict.fromkeys(SAMPLED, (int, type(None)))},
    "stopped": {"t": int},
    "armed": {"connected": int, "verified": int, "failed": dict},
    "proved": {"verified": int, "failed": int},
    "progress": {"of": str, "done": int},
    "interval": {"k": int, "phase": str, "response": str, **dict.fromkeys(COUNTS, int)},
    "own": {"t": int, "rss_bytes": int, "descriptors": int},
    "done": {
        "first_send_ns": (int, type(None)), "last_send_ns": (int, type(None)), "connections": dict, "surplus": int,
        "totals": dict, "lag": str, "integrity": dict, "errors": list, "ceiling": (dict, type(None)),
    },
}  # fmt: skip


def parse(text: str, role: str) -> Event | None:
    """The event of a line of the server's agent or of a client's; None where the line is some other text. Raises
    Malformed."""
    try:
        event = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return None
    others = OF_CONDUCTOR.union(*(names for other, names in OF_ROLE.items() if other != role))
    if event["event"] in others:
        raise Malformed(f"{event['event']} from a {role}")
    if any(name in event for name in OF_LINES) or _nests(event, LEVELS):
        raise Malformed(f"{one_line(event['event'])} that could not be written down")
    _check(event["event"], event, _READ.get(event["event"], {}))
    if "unread" in event:
        _check(event["event"], event, {"unread": int})
    if event["event"] == "armed":
        _check("armed", event["failed"], dict.fromkeys(event["failed"], int))
    if event["event"] == "done":
        for phase in ("warmup", "load"):
            totals = event["totals"].get(phase)
            if not isinstance(totals, dict):
                raise Malformed(f"done without totals of {phase}")
            _check("done", totals, dict.fromkeys(COUNTS, int))
        _check("done", event["integrity"], dict.fromkeys(INTEGRITY, int))
        _check("done", event["connections"], dict.fromkeys(("armed", "lost"), int))
        for error in event["errors"]:
            _check("done", error if isinstance(error, dict) else {}, {"cause": str, "count": int})
        if event["ceiling"] is not None:
            _check("done", event["ceiling"], dict.fromkeys(CEILING, int))
    return event


def _check(name: str, fields: Mapping[str, Any], needed: Mapping[str, type | tuple[type, ...]]) -> None:
    for field, kind in needed.items():
        if field not in fields or not _is(fields[field], kind):
            raise Malformed(f"{name} with {one_line(field)} {one_line(repr(fields.get(field, 'missing')))}")


def _is(value: Any, kind: type | tuple[type, ...]) -> bool:
    if isinstance(value, int):
        return isinstance(value, kind) and not isinstance(value, bool) and -BOUND < value < BOUND
    return isinstance(value, kind)


def _nests(value: Any, levels: int) -> bool:
    """Deeper than so many levels? What can be read may still be too deep to be written."""
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(levels == 0 or _nests(one, levels - 1) for one in within)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def order(name: str, **fields: int) -> str:
    """An order as a line, without its end."""
    return json.dumps({"order": name, **fields}, separators=(",", ":"))
