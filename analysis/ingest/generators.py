"""What each client says of itself at its end, and the errors it met."""

from __future__ import annotations

from analysis.ingest.events import Log
from analysis.ingest.fields import Row, as_json, count, listing, mapping, number, taken
from analysis.ingest.latency import Latency, own_quantile, quantile


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
                "over_60s": sum(filter(None, map(count, mapping(event.get("over_60s")).values()))),
                "first_send_ns": number(event.get("first_send_ns")) - number(log.went.get(n, {}).get(host)),
                "ceiling_per_s": number(ceiling.get("sends_per_s")),
                "ceiling_per_cpu_s": number(ceiling.get("sends_per_cpu_s")),
                "send_gaps_ns": as_json([gap for gap in listing(own.get("send_gaps_ns")) if count(gap) is not None]),
            }
        )
    return rows


def error_rows(log: Log) -> list[Row]:
    """One row per kind of error that a client counted, and one per complaint of an agent. A client that never went has
    no `done`: `armed` has its counts. What a strategy at its limit closed is no error."""
    limited = {event["trial"] for event in log.of("limit")}
    rows = []
    for event in log.of("armed"):
        if (event["trial"], event["host"]) not in log.done and event["trial"] not in limited:
            for kind, failed in mapping(event.get("failed")).items():
                phase, _, cause = str(kind).partition("/")
                rows.append(log.key(event) | {"phase": phase, "cause": cause, "count": count(failed)})
    for event in log.done.values():
        rows += [taken("errors", one) | log.key(event) for one in listing(event.get("errors"))]
    rows += [taken("errors", event, {"first": event.get("message"), "count": 1}) for event in log.of("error")]
    for event in log.of("dropped"):
        first = f"it had to drop {event.get('lines')} line(s) of its events"
        lost = {"phase": "events", "cause": "dropped", "count": count(event.get("lines")), "first": first}
        rows.append(log.key(event) | lost)
    return [row | {"run": log.run} for row in rows]
