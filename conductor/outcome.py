"""From what was seen to what it means: outcome, reason, validity, findings. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conductor.clock import Clock
from conductor.plan import PACED
from conductor.protocol import COUNTS, INTEGRITY, SETTLED, Event

MOST_UNSENT = 0.01
MOST_SKEW_MS = 10.0
MOST_BOUND_NS = 5_000_000
MOST_LAG_MS = 10.0
# Late replies are right ones: overload, which is a result.
WRONG = tuple(kind for kind in INTEGRITY if kind != "late")
# Below this many expected requests an empty plan of a generator is chance, not a fault.
SURELY_PLANNED = 20

# The worst first; a trial is the worst of what happened to it.
RANKS = ("interrupted", "crashed", "invalid", "partial", "dnf", "ok")


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
class Facts:
    """What was seen of one trial. `lost` and `spoiled` say why, by host; `done` and `armed` are events, by client."""

    workload: str
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
    end: Proof | None = None
    done: Mapping[str, Event] = field(default_factory=dict)
    clocks: Mapping[str, Clock] = field(default_factory=dict)
    lag_p99_ms: Mapping[str, float | None] = field(default_factory=dict)
    mean_gap_ms: float = 0.0  # of the client that sends least often
    sample: Event | None = None  # the server's last


@dataclass(frozen=True)
class Finding:
    id: str
    severity: str
    message: str
    evidence: Mapping[str, Any]
    remedy: str


@dataclass(frozen=True)
class Verdict:
    outcome: str
    reason: str | None
    validity: str
    held: int | None
    counts: dict[str, int] | None
    start_skew_ms: float | None
    findings: tuple[Finding, ...]


def judge(facts: Facts) -> Verdict:
    problems = [*_ended_by(facts), *_arming(facts), *_integrity(facts)]
    outcome = min((kind for kind, _ in problems), key=RANKS.index, default="ok")
    # What follows from a death (connections not verified, say) is not a second reason.
    reasons = [why for kind, why in problems if kind == outcome or kind in ("partial", "dnf", "crashed")]
    findings = find(facts)
    return Verdict(
        outcome=outcome,
        reason="; ".join(dict.fromkeys(why.rstrip(".") for why in reasons)) or None,
        validity="suspect" if any(finding.severity != "info" for finding in findings) else "valid",
        held=_held(facts),
        counts=counts_of(facts.done),
        start_skew_ms=start_skew_ms(facts.done, facts.clocks),
        findings=findings,
    )


def counts_of(done: Mapping[str, Event]) -> dict[str, int] | None:
    """The window's counts over all clients that finished."""
    if not done:
        return None
    return {name: sum(event["totals"]["load"][name] for event in done.values()) for name in COUNTS}


def start_skew_ms(done: Mapping[str, Event], clocks: Mapping[str, Clock]) -> float | None:
    """Between the first and the last client's first request, in the controller's clock."""
    sent = [
        clocks[name].here(event["first_send_ns"])
        for name, event in done.items()
        if event["first_send_ns"] is not None and name in clocks
    ]
    return (max(sent) - min(sent)) / 1e6 if sent else None


def _held(facts: Facts) -> int | None:
    if facts.barrier is None:
        return None
    return facts.barrier.clients if facts.dnf or facts.barrier.agrees else None


def _ended_by(facts: Facts) -> list[tuple[str, str]]:
    problems = []
    if facts.interrupted:
        problems.append(("interrupted", facts.interrupted))
    if facts.refused:
        # Nothing was loaded; what else happened followed from that.
        return [*problems, ("invalid", facts.refused.rstrip("."))]
    if facts.server_lost:
        problems.append(("crashed", f"the server: {facts.server_lost}"))
    problems += [("partial", f"{name} was lost: {why}") for name, why in facts.lost.items()]
    problems += [("invalid", f"{name}: {why}") for name, why in facts.spoiled.items()]
    if facts.limit:
        problems.append(("dnf", f"the strategy reached its limit {facts.limit['resource']}"))
    return problems


def _arming(facts: Facts) -> list[tuple[str, str]]:
    """Not all verified and no limit; or counted, and the counts do not agree."""
    if facts.limit or len(facts.armed) < 1:
        return []
    failed: dict[str, int] = {}
    for event in facts.armed.values():
        for cause, count in event["failed"].items():
            failed[cause] = failed.get(cause, 0) + count
    verified = sum(event["verified"] for event in facts.armed.values())
    # Churn tries one connection a client; a calibration asks for no echo, so nothing is verified.
    whole = not failed if facts.workload in ("churn", "calibrate") else verified == facts.connections
    complete = not facts.lost and not facts.spoiled and not facts.interrupted and not facts.server_lost
    if complete and facts.barrier and not facts.barrier.agrees:
        return [("invalid", f"not armed: the counts of the connections do not agree ({facts.barrier})")]
    if complete and not whole:
        causes = ", ".join(f"{cause} {count:,}" for cause, count in sorted(failed.items(), key=lambda item: -item[1]))
        verified_of = f"{verified:,} of {facts.connections:,} connections verified"
        return [("invalid", f"not armed: {verified_of} ({causes or 'no cause told'})")]
    return []


def _integrity(facts: Facts) -> list[tuple[str, str]]:
    found = []
    for name, event in facts.done.items():
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
    counts = counts_of(facts.done)
    if counts and counts["planned"] - counts["sent"] > MOST_UNSENT * counts["planned"]:
        unsent = counts["planned"] - counts["sent"]
        share = f"{unsent / counts['planned']:.1%}"
        found.append(f"{unsent:,} of {counts['planned']:,} planned requests ({share}) were never sent")
    if counts and not counts["planned"] and facts.expected_requests >= SURELY_PLANNED and not facts.lost:
        found.append("no request was planned in the window")
    return [("invalid", why) for why in found]


def find(facts: Facts) -> tuple[Finding, ...]:
    """What makes a figure doubtful without making it wrong, or (severity info) explains it.

    A calibration has no figure of the server's; what its own is worth, analysis judges.
    """
    if facts.workload == "calibrate":
        return ()
    findings = []
    for name, clock in facts.clocks.items():
        if clock.bound_ns > MOST_BOUND_NS:
            findings.append(Finding(
                "CL1", "warn", f"{name}'s clock is known to within {clock.bound_ns / 1e6:.1f} ms only.",
                {"host": name, "bound_ns": clock.bound_ns}, "Use a quieter or nearer control network.",
            ))  # fmt: skip
    # In churn a record is sent after its handshake, in a closed loop after a reply: the server decides when.
    paced = facts.workload in PACED
    skew_ms = start_skew_ms(facts.done, facts.clocks) if paced else None
    # Poisson arrivals begin after a gap of their own: one in a thousand is longer than seven mean gaps.
    if skew_ms is not None and skew_ms > MOST_SKEW_MS + 7 * facts.mean_gap_ms:
        findings.append(Finding(
            "CL2", "warn", f"The clients' first requests are {skew_ms:.1f} ms apart.",
            {"start_skew_ms": skew_ms}, "Look for other load on the clients, or pin the generators.",
        ))  # fmt: skip
    for name, lag_ms in facts.lag_p99_ms.items():
        if paced and lag_ms is not None and lag_ms > MOST_LAG_MS:
            findings.append(Finding(
                "LG1", "warn", f"{name} sent one request in a hundred more than {lag_ms:.1f} ms late.",
                {"host": name, "lag_p99_ms": lag_ms}, "Lower the rate, add clients, or give the generator its own CPU.",
            ))  # fmt: skip
    for name, event in facts.done.items():
        if late := event["integrity"]["late"]:
            findings.append(Finding(
                "LT1", "info", f"{name} got {late:,} right replies after their requests had timed out.",
                {"host": name, "late": late}, "The server was overloaded: lower the rate, or allow a longer timeout.",
            ))  # fmt: skip
    kernel = facts.sample.get("kernel", {}) if facts.sample else {}
    if overflows := kernel.get("TcpExt.ListenOverflows", 0):
        findings.append(Finding(
            "LQ1", "info", f"A full accept queue on the server's host turned handshakes away {overflows:,} times.",
            {"kernel": kernel}, "Each costs its client 1 s: raise backlog and net.core.somaxconn, or connect slower.",
        ))  # fmt: skip
    if facts.barrier and facts.end and not facts.lost:
        pairs = zip(vars(facts.barrier).items(), vars(facts.end).values(), strict=True)
        fewer = [name for (name, before), after in pairs if before is not None and after is not None and after < before]
        if fewer:
            findings.append(Finding(
                "PR1", "warn", f"Connections were lost under load: {facts.barrier} before, {facts.end} after.",
                {"barrier": vars(facts.barrier), "end": vars(facts.end)}, "See the generators' errors and server.log.",
            ))  # fmt: skip
    return tuple(findings)
