"""Writes synthetic events.jsonl with a known truth, in the words of docs/contracts.md."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram

RUN = "20261122T190312Z-3f9a1c"
S = 1_000_000_000
MS = 1_000_000
# Each host's clock is far from the others': nothing may work only because they agree.
GO = {"server": 86_400 * S, "client1": 5 * S, "client2": 777 * S}

Document = dict[str, Any]


def encode(values_ns: Iterable[int] | Mapping[int, int]) -> str:
    """The HDR V2 text of these values, or of {value: how often}."""
    histogram = HdrHistogram(100, 60 * S, 3)
    counted = values_ns if isinstance(values_ns, Mapping) else {}
    for value, times in counted.items():
        histogram.record_value(value, times)
    for value in () if counted else values_ns:
        histogram.record_value(value)
    text: bytes = histogram.encode()
    return text.decode()


def plan(trials: list[Document]) -> Document:
    host: Document = {"connection": "local", "ssh": None, "ssh_args": [], "python": "python3", "base": "/srv/c10k",
                      "cpus": None, "agent_cpus": None}  # fmt: skip
    client = host | {"role": "client", "sources": ["198.18.0.11"], "weight": 1}
    hosts = {
        "server": host | {"role": "server", "load_address": "198.18.0.10"},
        "client1": client | {"load_address": "198.18.0.11"},
        "client2": client | {"load_address": "198.18.0.12"},
    }
    return {"version": 3, "run": RUN, "conductor_cpus": None, "hosts": hosts, "trials": trials}


def trial(n: int, strategy: str | None = "epoll", *, block: int = 1, cell: str = "c1", control: bool = False,
          **factors: Any) -> Document:  # fmt: skip
    """A planned trial: 1 s of warm-up and 2 s of window, unless told otherwise."""
    server = {"strategy": strategy, "server_command": None, "server_port": 9000, "server_ports": 1, "backlog": 4096,
              "workers": 1}  # fmt: skip
    load = {"workload": "open", "connections": 1000, "active": 1000, "rate": 1000, "requests": None, "arrival": "fixed",
            "payload_bytes": 64, "pipeline": 1, "think_time": 0, "steps": 10, "hostile": None, "connect_rate": 5000,
            "warmup": 1, "duration": 2, "timeout": 5,
            "arm_timeout": 30, "generator": "go", "seed": 71 + n}  # fmt: skip
    for name, value in factors.items():
        (server if name in server else load)[name] = value
    return {
        "n": n,
        "block": block,
        "cell": cell,
        "kind": "measure",
        "control": control,
        "profile": "c10k",
        "server": server,
        "load": load,
    }


def event(name: str, host: str = "controller", n: int | None = None, **fields: Any) -> Document:
    return {"event": name, **fields, "host": host, "trial": n, "at": 1}


def interval(n: int, host: str, k: int, response: Mapping[int, int], **missing: int) -> Document:
    """Second k of a client: so many answers per value (ns), and what was missing; the warm-up is the first second."""
    answered = sum(response.values())
    counts = dict.fromkeys(("timed_out", "censored", "dropped", "mismatched", "failed"), 0) | missing
    planned = answered + sum(counts.values())
    return event("interval", host, n, k=k, phase="load" if k else "warmup", planned=planned, sent=planned,
                 answered=answered, **counts, response=encode(response))  # fmt: skip


def sample(n: int, t: float, user_ms: float, system_ms: float, rss: int = 20_000_000, processes: int = 1) -> Document:
    """The server's counters t seconds after its go."""
    return event("sample", "server", n, t=GO["server"] + int(t * S), processes=processes, cpu_user_ns=int(user_ms * MS),
                 cpu_system_ns=int(system_ms * MS), rss_bytes=rss, threads=1, fds=1, established=None, accept_queue=0,
                 open=0 if t < 0 else 1000, accepted=1000, bytes_in=0, bytes_out=None)  # fmt: skip


def done(n: int, host: str, first_s: float = 1, last_s: float = 3, surplus: int = 0) -> Document:
    empty = encode({})
    zero = dict.fromkeys(("planned", "sent", "answered", "timed_out", "censored", "dropped", "mismatched", "failed"), 0)
    return event("done", host, n, first_send_ns=GO[host] + int(first_s * S), last_send_ns=GO[host] + int(last_s * S),
                 connections={"armed": 500, "open": 500, "lost": 0}, surplus=surplus,
                 totals={"warmup": zero, "load": zero}, service=empty, lag=empty, connect=empty, errors=[],
                 self={})  # fmt: skip


def started(planned: Document) -> Document:
    shares = {host: {"connections": 500, "active": 500, "rate": 500} for host in ("client1", "client2")}
    return event(
        "trial", n=planned["n"], state="started", server=planned["server"], load=planned["load"], shares=shares
    ) | {"n": planned["n"]}


def ended(planned: Document, outcome: str = "ok", **fields: Any) -> Document:
    result = {"schema": 2, "run": RUN, "n": planned["n"], "cell": planned["cell"], "block": planned["block"],
              "kind": "measure", "control": planned["control"], "strategy": planned["server"]["strategy"],
              "outcome": outcome, "reason": None, "asked": {"connections": 1000, "rate": 1000},
              "proof": {"barrier": None, "end": None}, "held": 1000, "start_skew_ms": 0.4, "clocks": {}, "go_ns": 1,
              "window": {"start_ns": 1 * S, "end_ns": 3 * S}, "counts": None, "phases_s": {},
              "overhead_s": 0.6}  # fmt: skip
    return event("trial", n=planned["n"], state="ended", result=result | fields)


def went(n: int) -> Document:
    return event("went", n=n, at_ns=GO, go_ns=1)


def whole(
    planned: Document, response: Mapping[int, int] | None = None, cpu: float = 1.0, **fields: Any
) -> list[Document]:
    """A whole trial of 4 intervals of load with 250 answers of 1 ms each; the server spends `cpu` × 40 µs a request."""
    n = planned["n"]
    answers = {1 * MS: 250} if response is None else response
    lines = [started(planned), sample(n, -2, 0, 0), sample(n, -0.5, 5, 5, 24_000_000)]
    lines += [event("proof", n=n, when="barrier", kernel=1000, server=1000, clients=1000), went(n)]
    for k in range(3):
        lines.append(sample(n, k, 10 + 5 * k * cpu, 10 + 15 * k * cpu, 24_000_000))
        lines += [interval(n, host, k, answers) for host in ("client1", "client2")]
    lines += [sample(n, 3.0, 10 + 15 * cpu, 10 + 45 * cpu, 24_000_000), done(n, "client1"), done(n, "client2")]
    return [*lines, ended(planned, **fields)]


def header(**fields: Any) -> Document:
    return {"header": 1, "file": "events", "version": 1, "run": RUN, "host": "controller", "trial": None, "t": 1,
            "utc": "2026-11-22T19:03:12.000Z"} | fields  # fmt: skip


def write(folder: Path, trials: list[Document], events: list[Document], *, end: int | None = 0) -> Path:
    """A run's directory; `end` is the conductor's exit, None where it never got there."""
    lines = [event("plan", plan=plan(trials)), *events]
    if end is not None:
        lines.append(event("run", state="ended", exit=end))
    documents = [header(), *lines, *([{"trailer": 1, "lines": len(lines), "t": 2}] if end is not None else [])]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "events.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))
    return folder
