"""From what was seen to what it means: outcome and reason, with the counts beside them. Pure.

What makes a figure doubtful is a finding, and analysis alone has findings.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from conductor.clock import Clock
from conductor.protocol import Event
from contracts.declared import COUNTS, OUTCOMES, SETTLED, WRONG, Workload
from contracts.visible import MOST_OF_A_LINE, one_line

MOST_LATE = 0.01
CLOSED = ("peer-closed", "reset")
# What the server or a path did is worth a word beside other reasons if it took more than this share; and a client is
# the odd one out if it missed this many times the share that the others missed.
WORTH_A_WORD, ODD, ODD_TIMES = 0.01, 0.1, 10


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
    """What was seen of one trial. `lost` and `spoiled` say why, by host; `done` and `armed` are events, by client.

    `short` are hosts that said before they began that so many connections are too many for them.
    `hung`: how the server was found to have stopped working. `unanswered`: the connections of each client of which not
    one answered at the end, though others' did.
    """

    workload: Workload
    connections: int
    expects_requests: bool
    dnf: bool = False
    refused: str | None = None
    interrupted: str | None = None
    server_lost: str | None = None
    hung: str | None = None
    unanswered: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)
    spoiled: Mapping[str, str] = field(default_factory=dict)
    short: Container[str] = ()
    limit: Event | None = None
    armed: Mapping[str, Event] = field(default_factory=dict)
    barrier: Proof | None = None
    done: Mapping[str, Event] = field(default_factory=dict)
    clocks: Mapping[str, Clock] = field(default_factory=dict)


def outcome_of(seen: Seen) -> tuple[str, str | None]:
    """The outcome and its reason."""
    problems = [*_ended_by(seen), *_arming(seen), *_integrity(seen), *_late(seen), *_accounts(seen)]
    word = min((kind for kind, _ in problems), key=OUTCOMES.index, default="ok")
    # What follows from a death (connections not verified, say) is not a second reason.
    reasons = [why for kind, why in problems if kind == word or kind in ("partial", "dnf", "crashed")]
    # What the server or a path did is a result, of which analysis speaks; it only says more of what spoiled a trial.
    if word in ("invalid", "partial") and not seen.refused:
        place = sum(kind in ("partial", "dnf", "crashed") for kind, _ in problems)
        reasons[place:place] = [*_server_did(seen), *_odd_client(seen)]
    # What hosts say is in it.
    return word, one_line("; ".join(dict.fromkeys(why.rstrip(".") for why in reasons)), MOST_OF_A_LINE) or None


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
        told = seen.server_lost
        is_named = told.startswith("The server ")
        problems.append(("crashed", f"t{told[1:]}" if is_named else f"the server: {told}"))
    if seen.hung:
        problems.append(("crashed", seen.hung))
    problems += [("partial", f"{name} was lost: {why}") for name, why in seen.lost.items()]
    problems += [
        ("partial", f"{name} lost the server: none of its {number:,} connections answered at the end")
        for name, number in seen.unanswered.items()
    ]
    for name, why in seen.spoiled.items():
        problems.append(("dnf" if name in seen.short else "invalid", why if name in seen.short else f"{name}: {why}"))
    if seen.limit:
        problems.append(("dnf", f"the strategy reached its limit {seen.limit['resource']}"))
    return problems


def _arming(seen: Seen) -> list[tuple[str, str]]:
    """Not all verified and no limit; or counted, and the counts do not agree."""
    if seen.limit or len(seen.armed) < 1:
        return []
    verified = sum(event["verified"] for event in seen.armed.values())
    # Where no connections are held, arming tries one a client, or asks for no echo.
    whole = verified == seen.connections if seen.workload.holds else not _causes(seen.armed)
    complete = not (seen.lost or seen.spoiled or seen.interrupted or seen.server_lost or seen.hung)
    if complete and seen.barrier and not seen.barrier.agrees:
        return [("invalid", f"not armed: the counts of the connections do not agree ({seen.barrier})")]
    if complete and not whole:
        verified_of = f"{verified:,} of {seen.connections:,} connections verified"
        # Too many is what a search for connections looks for.
        kind = "dnf" if seen.workload.searches == "connections" else "invalid"
        return [(kind, f"not armed: {verified_of} ({_causes(seen.armed) or 'no cause given'})")]
    return []


def _causes(armed: Mapping[str, Event]) -> str:
    """Why connections failed, the most frequent first; by client where others had none of it."""
    failing = {name: event["failed"] for name, event in armed.items() if event["failed"]}
    total: dict[str, int] = {}
    for failed in failing.values():
        for cause, count in failed.items():
            total[cause] = total.get(cause, 0) + count
    text = ", ".join(f"{cause} {count:,}" for cause, count in sorted(total.items(), key=lambda item: -item[1]))
    return f"{', '.join(failing)}: {text}" if 0 < len(failing) < len(armed) else text


def _integrity(seen: Seen) -> list[tuple[str, str]]:
    found = []
    for name, event in seen.done.items():
        for phase in ("warmup", "load"):
            if mismatched := event["totals"][phase]["mismatched"]:
                found.append(f"{name}: {mismatched:,} replies in {phase} were not their own record")
        if event["surplus"]:
            found.append(f"{name}: {event['surplus']:,} bytes or replies that no request asked for")
        # The most frequent first: it is likely the cause of the others.
        wrong = sorted(((event["integrity"][kind], kind) for kind in WRONG), key=lambda pair: -pair[0])
        if wrong[0][0]:
            (most, kind), *others = [(count, kind) for count, kind in wrong if count]
            also = "".join(f", {count:,} {other}" for count, other in others)
            found.append(f"{name}: {most:,} replies {kind}{also}")
    return [("invalid", why) for why in found]


def _late(seen: Seen) -> list[tuple[str, str]]:
    """The generators did not do their part: what they did not come to send, or a window in which nothing was asked."""
    counts = counts_of(seen.done)
    if not counts:
        return []
    if not counts["planned"] and seen.expects_requests and not seen.lost:
        why = "no request was planned in the window, so nothing was measured; raise the rate or the duration"
        return [("invalid", why)]
    if counts["unsent_late"] <= MOST_LATE * counts["planned"]:
        return []
    late = [name for name, event in seen.done.items() if event["totals"]["load"]["unsent_late"]]
    share = f"{counts['unsent_late'] / counts['planned']:.1%}"
    never = f"{counts['unsent_late']:,} of {counts['planned']:,} planned requests ({share}) were never sent"
    return [("invalid", f"{never}: the generators of {', '.join(late)} were late")]


def _accounts(seen: Seen) -> list[tuple[str, str]]:
    """Every planned request has one outcome, and it was sent or there is a reason why it was not."""
    found = []
    for name, event in seen.done.items():
        for phase in ("warmup", "load"):
            totals = event["totals"][phase]
            planned = f"{name}: of {totals['planned']:,} requests planned in {phase}"
            settled = sum(totals[part] for part in SETTLED)
            left = totals["sent"] + totals["unsent_waiting"] + totals["unsent_late"]
            if totals["planned"] != settled:
                found.append(f"{planned}, {settled:,} are accounted for")
            if totals["planned"] != left:
                found.append(f"{planned}, {left:,} were sent or known not to be")
    return [("invalid", why) for why in found]


def _server_did(seen: Seen) -> list[str]:
    """That connections were lost, and by whose doing; that nothing was answered at all."""
    armed = sum(event["connections"]["armed"] for event in seen.done.values())
    lost = sum(event["connections"]["lost"] for event in seen.done.values())
    closed = sum(e["count"] for event in seen.done.values() for e in event["errors"] if e["cause"] in CLOSED)
    found = []
    if lost > WORTH_A_WORD * armed:
        of = f"{lost:,} of {armed:,} connections"
        found.append(f"the server closed {of}" if closed >= lost else f"{of} were lost")
    counts = counts_of(seen.done)
    if counts and counts["planned"] and not counts["answered"]:
        found.append(f"none of {counts['planned']:,} requests was answered")
    return found


def _odd_client(seen: Seen) -> list[str]:
    """A client of whose requests far more were not answered than of all others': its path, or itself."""
    planned = {name: event["totals"]["load"]["planned"] for name, event in seen.done.items()}
    missed = {name: n - seen.done[name]["totals"]["load"]["answered"] for name, n in planned.items()}
    found = []
    for name, asked in planned.items():
        others = sum(planned.values()) - asked
        elsewhere = sum(missed.values()) - missed[name]
        if not asked or not others or missed[name] < ODD * asked:
            continue
        if missed[name] / asked > ODD_TIMES * elsewhere / others:
            rest = f"of the other clients' {others:,}: {elsewhere:,}"
            found.append(f"{name}: {missed[name]:,} of {asked:,} requests were not answered ({rest})")
    return found
