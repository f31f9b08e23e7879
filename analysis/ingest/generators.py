"""What each client says of itself at its end, and the errors it met."""

from __future__ import annotations

from analysis.ingest.events import Event, Log
from analysis.ingest.fields import Row, as_json, count, listing, mapping, number, taken
from analysis.ingest.latency import Latency, own_quantile, quantile

MOST_KINDS = 200


def generator_rows(log: Log, latency: Latency) -> list[Row]:
    """One row per client and trial that it ended."""
    shares = {n: mapping(e.get("shares")) for n, e in log.last("trial", "started").items()}
    armed = {(e["trial"], e["host"]): e for e in log.of("armed")}
    ceilings = {n: mapping(mapping(e.get("result")).get("ceiling")) for n, e in log.last("trial", "ended").items()}
    rows = []
    for (n, host), event in log.done.items():
        own, share = mapping(event.get("self")), mapping(shares.get(n, {}).get(host))
        start, ceiling = armed.get((n, host), {}), mapping(ceilings.get(n, {}).get(host))
        planned = count(mapping(mapping(event.get("totals")).get("load")).get("planned"))
        lag, loop = (latency.window.get((n, host, kind)) for kind in ("lag", "loop_lag"))
        rows.append(
            taken("generators", own, event.get("connections"), event.get("integrity"), start)
            | log.key(event)
            | {
                "connections_share": count(share.get("connections")),
                "rate_share_per_s": number(share.get("rate", share.get("rate_per_s"))),
                "lag_p50_ns": own_quantile(lag, "p50"),
                "lag_p99_ns": own_quantile(lag, "p99"),
                "loop_lag_p99_ns": own_quantile(loop, "p99"),
                "response_p99_ns": quantile(latency.window.get((n, host, "response")), planned or 0, "p99"),
                **{f"syn_retries_{i}": count(mapping(start.get("syn_retries")).get(str(i))) for i in (1, 2, 3)},
                "over_60s": count(sum(filter(None, map(count, mapping(event.get("over_60s")).values())))),
                "first_send_ns": number(event.get("first_send_ns")) - number(log.went.get(n, {}).get(host)),
                "ceiling_per_s": number(ceiling.get("sends_per_s")),
                "ceiling_per_cpu_s": number(ceiling.get("sends_per_cpu_s")),
                "send_gaps_ns": as_json([gap for gap in listing(own.get("send_gaps_ns")) if count(gap) is not None]),
            }
        )
    return rows


def error_rows(log: Log) -> tuple[list[Row], list[str]]:
    """One row per kind of error that a client counted, and one per complaint of an agent; and notes on what was left
    out. A client that never went has no `done`: `armed` has its counts. What a strategy at its limit closed is no
    error."""
    limited = {event["trial"] for event in log.of("limit")}
    rows: list[Row] = []
    notes: list[str] = []
    for event in log.of("armed"):
        if (event["trial"], event["host"]) not in log.done and event["trial"] not in limited:
            failed = [(*str(kind).partition("/"), n) for kind, n in mapping(event.get("failed")).items()]
            told = [{"phase": phase, "cause": cause, "count": count(n)} for phase, _, cause, n in failed]
            rows += [log.key(event) | one for one in _bounded(told, event, notes)]
    for event in log.done.values():
        told = [taken("errors", one) for one in listing(event.get("errors"))]
        rows += [one | log.key(event) for one in _bounded(told, event, notes)]
    rows += [taken("errors", event, {"first": event.get("message"), "count": 1}) for event in log.of("error")]
    for event in log.of("dropped"):
        first = f"it had to drop {event.get('lines')} line(s) of its events"
        lost = {"phase": "events", "cause": "dropped", "count": count(event.get("lines")), "first": first}
        rows.append(log.key(event) | lost)
    return [row | {"run": log.run} for row in rows], notes


def _bounded(told: list[Row], event: Event, notes: list[str]) -> list[Row]:
    """The most frequent kinds of errors; a client of ours knows a few dozen."""
    if len(told) <= MOST_KINDS:
        return told
    what = f"trial {event['trial']}: {event['host']} tells of {len(told):,} kinds of errors"
    notes.append(f"{what}; the {MOST_KINDS} most frequent are kept.")
    return sorted(told, key=lambda one: -(one.get("count") or 0))[:MOST_KINDS]
