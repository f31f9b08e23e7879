"""What each client says of itself at its end, and the errors it met."""

from __future__ import annotations

from typing import Any

from analysis.ingest.events import Log
from analysis.ingest.fields import as_json, count, listing, mapping, number, text
from analysis.ingest.latency import Latency, done_of, own_quantile, quantile, went

SELF = (
    "wall_ns",
    "cpu_user_ns",
    "cpu_system_ns",
    "max_rss_bytes",
    "steal_ns",
    "throttled_ns",
    "gc_pause_ns",
    "max_loop_gap_ns",
    "sent_per_s",
    "answered_per_s",
)
INTEGRITY = ("corrupt", "truncated", "duplicated", "reordered", "crossed", "foreign", "late")


def generator_rows(log: Log, latency: Latency) -> list[dict[str, Any]]:
    """One row per client and trial that it ended."""
    shares = {n: mapping(e.get("shares")) for n, e in log.last("trial", "started").items()}
    armed = {(e["trial"], e["host"]): e for e in log.of("armed")}
    ceilings = {n: mapping(mapping(e.get("result")).get("ceiling")) for n, e in log.last("trial", "ended").items()}
    starts = went(log)
    rows = []
    for (n, host), event in done_of(log).items():
        own, share = mapping(event.get("self")), mapping(shares.get(n, {}).get(host))
        start, sockets = armed.get((n, host), {}), mapping(event.get("connections"))
        integrity, over = mapping(event.get("integrity")), mapping(event.get("over_60s"))
        planned = count(mapping(mapping(event.get("totals")).get("load")).get("planned"))
        lag, loop = (latency.window.get((n, host, kind)) for kind in ("lag", "loop_lag"))
        rows.append(
            {
                "run": log.run,
                "trial": n,
                "host": host,
                "connections_share": count(share.get("connections")),
                "rate_share_per_s": number(share.get("rate", share.get("rate_per_s"))),
                "processes": count(own.get("processes")),
                **{name: number(own.get(name)) for name in SELF},
                "lag_p50_ns": own_quantile(lag, "p50"),
                "lag_p99_ns": own_quantile(lag, "p99"),
                "loop_lag_p99_ns": own_quantile(loop, "p99"),
                "response_p99_ns": quantile(latency.window.get((n, host, "response")), planned or 0, "p99"),
                "armed": count(sockets.get("armed")),
                "lost": count(sockets.get("lost")),
                "retries": count(start.get("retries")),
                **{f"syn_retries_{i}": count(mapping(start.get("syn_retries")).get(str(i))) for i in (1, 2, 3)},
                "over_60s": sum(filter(None, map(count, over.values()))),
                **{name: count(integrity.get(name)) for name in INTEGRITY},
                "first_send_ns": number(event.get("first_send_ns")) - number(starts.get(n, {}).get(host)),
                "ceiling_per_s": number(mapping(ceilings.get(n, {}).get(host)).get("sends_per_s")),
                "ceiling_per_cpu_s": number(mapping(ceilings.get(n, {}).get(host)).get("sends_per_cpu_s")),
                "send_gaps_ns": as_json([gap for gap in listing(own.get("send_gaps_ns")) if count(gap) is not None]),
            }
        )
    return rows


def error_rows(log: Log) -> list[dict[str, Any]]:
    """One row per kind of error that a client counted, and one per complaint of an agent. A client that never went has
    no `done`: `armed` has its counts. What a strategy at its limit closed is no error."""
    rows = []
    limited, dones = {event["trial"] for event in log.of("limit")}, done_of(log)
    for event in log.of("armed"):
        if (event["trial"], event["host"]) in dones or event["trial"] in limited:
            continue
        for kind, failed in mapping(event.get("failed")).items():
            phase, _, cause = str(kind).partition("/")
            rows.append(
                {"run": log.run, "trial": event["trial"], "host": event["host"], "phase": phase, "cause": cause}
                | {"count": count(failed)}
            )
    for (n, host), event in dones.items():
        for one in map(mapping, listing(event.get("errors"))):
            said = {name: text(one.get(name)) for name in ("phase", "cause", "blame", "first")}
            rows.append(
                {
                    "run": log.run,
                    "trial": n,
                    "host": host,
                    "errno": count(one.get("errno")),
                    "count": count(one.get("count")),
                }
                | said
            )
    for event in log.of("error"):
        said = {
            "phase": text(event.get("phase")),
            "cause": text(event.get("cause")),
            "first": text(event.get("message")),
            "remedy": text(event.get("remedy")),
        }
        rows.append({"run": log.run, "trial": event["trial"], "host": event["host"], "count": 1} | said)
    for event in log.of("dropped"):
        first = f"it had to drop {event.get('lines')} line(s) of its events"
        rows.append(
            {"run": log.run, "trial": event["trial"], "host": event["host"], "phase": "events", "cause": "dropped"}
            | {"count": count(event.get("lines")), "first": first}
        )
    return rows
