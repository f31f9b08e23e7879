"""From what was seen to what it means: outcome and reason, with the counts beside them. Pure.

What makes a figure doubtful is a finding, and analysis alone has findings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from conductor.clock import Clock
from conductor.protocol import Event
from contracts.declared import COUNTS, OUTCOMES, SETTLED, WRONG, Workload

MOST_UNSENT = 0.01
# Below this many expected requests an empty plan of a generator is chance, not a fault.
SURELY_PLANNED = 20


@dataclass(frozen=True)
class Proof:
    """Three counts of the same connections. None: `server` of a user's own command, `clients` where one did not say."""

    kernel: int
    server: int | None
    clients: int | None

    @property
    def agrees(self) -> bool:
        return self.clients is not None and self.kernel == self.clients and self.server in (None, self.clients)

    def __str__(self) -> str:
        server = "" if self.server is None else f"server {self.server:,}, "
        return f"kernel {self.kernel:,}, {server}clients {'?' if self.clients is None else f'{self.clients:,}'}"


@dataclass(frozen=True)
class Seen:
    """What was seen of one trial. `lost` and `spoiled` say why, by host; `done` and `armed` are events, by client."""

    workload: Workload
    connections: int
    expected_requests: int
    dnf: bool = False
    refused: str | None = None
    interrupted: str | None = None
    server_lost: str | None = None
    lost: Mapping[str, str] = field(default_factory=dict)
    spoiled: Mapping[str, str] = field(default_factory=dict)
    limit: Event | None = None
    armed: Mapping[str, Event] = field(default_factory=dict)
    barrier: Proof | None = None
    done: Mapping[str, Event] = field(default_factory=dict)
    clocks: Mapping[str, Clock] = field(default_factory=dict)


def outcome_of(seen: Seen) -> tuple[str, str | None]:
    """The outcome and its reason."""
    problems = [*_ended_by(seen), *_arming(seen), *_integrity(seen)]
    word = min((kind for kind, _ in problems), key=OUTCOMES.index, default="ok")
    # What follows from a death (connections not verified, say) is not a second reason.
    reasons = [why for kind, why in problems if kind == word or kind in ("partial", "dnf", "crashed")]
    return word, "; ".join(dict.fromkeys(why.rstrip(".") for why in reasons)) or None


def counts_of(done: Mapping[str, Event]) -> dict[str, int] | None:
    """The window's counts over all clients that finished."""
    if not done:
        return None
    return {name: sum(event["totals"]["load"][name] for event in done.values()) for name in COUNTS}


def start_skew_ms(seen: Seen) -> float | None:
    """Between the first and the last client's first request, in the controller's clock."""
    sent = [
        seen.clocks[name].here(event["first_send_ns"])
        for name, event in seen.done.items()
        if event["first_send_ns"] is not None and name in seen.clocks
    ]
    return (max(sent) - min(sent)) / 1e6 if sent else None


def held(seen: Seen) -> int | None:
    """The connections that were proved to be held at once."""
    if seen.barrier is None:
        return None
    return seen.barrier.clients if seen.dnf or seen.barrier.agrees else None


def _ended_by(seen: Seen) -> list[tuple[str, str]]:
    problems = []
    if seen.interrupted:
        problems.append(("interrupted", seen.interrupted))
    if seen.refused:
        # Nothing was loaded; what else happened followed from that.
        return [*problems, ("invalid", seen.refused.rstrip("."))]
    if seen.server_lost:
        problems.append(("crashed", f"the server: {seen.server_lost}"))
    problems += [("partial", f"{name} was lost: {why}") for name, why in seen.lost.items()]
    problems += [("invalid", f"{name}: {why}") for name, why in seen.spoiled.items()]
    if seen.limit:
        problems.append(("dnf", f"the strategy reached its limit {seen.limit['resource']}"))
    return problems


def _arming(seen: Seen) -> list[tuple[str, str]]:
    """Not all verified and no limit; or counted, and the counts do not agree."""
    if seen.limit or len(seen.armed) < 1:
        return []
    failed: dict[str, int] = {}
    for event in seen.armed.values():
        for cause, count in event["failed"].items():
            failed[cause] = failed.get(cause, 0) + count
    verified = sum(event["verified"] for event in seen.armed.values())
    # Where no connections are held, arming tries one a client, or asks for no echo.
    whole = verified == seen.connections if seen.workload.holds else not failed
    complete = not seen.lost and not seen.spoiled and not seen.interrupted and not seen.server_lost
    if complete and seen.barrier and not seen.barrier.agrees:
        return [("invalid", f"not armed: the counts of the connections do not agree ({seen.barrier})")]
    if complete and not whole:
        causes = ", ".join(f"{cause} {count:,}" for cause, count in sorted(failed.items(), key=lambda item: -item[1]))
        verified_of = f"{verified:,} of {seen.connections:,} connections verified"
        return [("invalid", f"not armed: {verified_of} ({causes or 'no cause given'})")]
    return []


def _integrity(seen: Seen) -> list[tuple[str, str]]:
    found = []
    for name, event in seen.done.items():
        for phase in ("warmup", "load"):
            totals = event["totals"][phase]
            settled = sum(totals[part] for part in SETTLED)
            if totals["mismatched"]:
                found.append(f"{name}: {totals['mismatched']:,} replies in {phase} were not their own record")
            if totals["planned"] != settled or totals["sent"] > totals["planned"]:
                planned = f"{totals['planned']:,} requests planned in {phase}"
                found.append(f"{name}: of {planned}, {settled:,} are accounted for")
        if event["surplus"]:
            found.append(f"{name}: {event['surplus']:,} bytes or replies that no request asked for")
        # The most frequent first: it is likely the cause of the others.
        wrong = sorted(((event["integrity"][kind], kind) for kind in WRONG), key=lambda pair: -pair[0])
        if wrong[0][0]:
            (most, kind), *others = [(count, kind) for count, kind in wrong if count]
            also = "".join(f", {count:,} {other}" for count, other in others)
            found.append(f"{name}: {most:,} replies {kind}{also}")
    counts = counts_of(seen.done)
    if counts and counts["planned"] - counts["sent"] > MOST_UNSENT * counts["planned"]:
        unsent = counts["planned"] - counts["sent"]
        share = f"{unsent / counts['planned']:.1%}"
        found.append(f"{unsent:,} of {counts['planned']:,} planned requests ({share}) were never sent")
    if counts and not counts["planned"] and seen.expected_requests >= SURELY_PLANNED and not seen.lost:
        found.append("no request was planned in the window")
    return [("invalid", why) for why in found]
