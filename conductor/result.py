"""From the course of a trial to trial.json."""

import itertools
from pathlib import Path
from typing import Any

from conductor.course import Course
from conductor.events import write_whole
from conductor.outcome import Seen, counts_of, held, outcome_of, start_skew_ms


def seen_of(course: Course) -> Seen:
    """What decides the outcome, and nothing that could still change."""
    load, fleet = course.trial.load, course.fleet
    return Seen(
        workload=load.traits,
        connections=load.connections,
        expects_requests=load.requests is not None or load.traits.paced,
        dnf=course.dnf,
        hung=course.hung,
        unanswered=unanswered(course),
        refused=course.refused,
        interrupted=course.interrupted,
        server_lost=fleet.server.lost,
        lost={agent.name: agent.lost for agent in fleet.clients if agent.lost},
        spoiled={agent.name: agent.spoiled for agent in fleet.agents.values() if agent.spoiled},
        short=[agent.name for agent in fleet.agents.values() if agent.short],
        limit=fleet.server.said.get("limit"),
        armed={agent.name: agent.said["armed"] for agent in fleet.clients if "armed" in agent.said},
        barrier=course.barrier,
        done={agent.name: agent.said["done"] for agent in fleet.clients if "done" in agent.said and course.go_ns},
        clocks=course.clocks,
    )


def unanswered(course: Course) -> dict[str, int]:
    """By client, the connections of which not one answered when all were asked at the end, though others' did."""
    asked = {agent.name: agent.said["proved"] for agent in course.fleet.working_clients if "proved" in agent.said}
    if course.dnf or course.hung or not course.end or not any(proved["verified"] for proved in asked.values()):
        return {}
    return {name: proved["failed"] for name, proved in asked.items() if proved["failed"] and not proved["verified"]}


def trial_json(course: Course) -> dict[str, Any]:
    trial = course.trial
    seen = seen_of(course)
    outcome, reason = outcome_of(seen)
    phases_s, overhead_s = durations(course)
    return {
        "schema": 2, "run": course.plan.run, "n": trial.n, "cell": trial.cell, "block": trial.block, "kind": trial.kind,
        "control": trial.control, "strategy": trial.server.strategy,
        "outcome": outcome, "reason": reason,
        "asked": {
            "connections": trial.load.connections,
            "rate": trial.load.rate if trial.load.traits.paced else None,
        },
        "proof": {
            "barrier": vars(course.barrier) if course.barrier else None,
            "end": vars(course.end) if course.end else None,
        },
        "held": held(seen),
        "start_skew_ms": start_skew_ms(seen),
        "clocks": {
            name: {
                "offset_ns": clock.offset_ns, "bound_ns": clock.bound_ns,
                "offset_after_ns": course.clocks_after[name].offset_ns if name in course.clocks_after else None,
            }
            for name, clock in course.clocks.items()
        },
        "go_ns": course.go_ns,
        "window": window(course),
        "counts": counts_of(seen.done),
        "phases_s": phases_s,
        "overhead_s": overhead_s,
        "steps": course.steps if trial.load.climbs else None,
        "ceiling": ceilings(course) if trial.kind == "calibration" else None,
    }  # fmt: skip


def ceilings(course: Course) -> dict[str, dict[str, float | None]]:
    """How fast each generator can send at all, per second of the clock and of its CPU."""
    found = {agent.name: agent.said.get("done", {}).get("ceiling") for agent in course.fleet.clients}
    return {
        name: {
            f"sends_per_{unit}": ceiling["sends"] / ceiling[field] * 1e9 if ceiling[field] else None
            for unit, field in (("s", "wall_ns"), ("cpu_s", "cpu_ns"))
        }
        for name, ceiling in found.items()
        if ceiling
    }


def window(course: Course) -> dict[str, int] | None:
    """The measured window, in ns from `go`; with a number of requests it ends with the last client's `done`."""
    if course.go_ns is None:
        return None
    load = course.trial.load
    if load.requests:
        return {"start_ns": 0, "end_ns": max(0, course.marks.get("done", course.go_ns) - course.go_ns)}
    start_ns = load.warmup * 1_000_000_000
    return {"start_ns": start_ns, "end_ns": start_ns + load.duration * 1_000_000_000}


def durations(course: Course) -> tuple[dict[str, float], float]:
    """Seconds of each phase that was reached, and of all that is neither arming nor load nor drain, nor waiting for the
    trial beside it.

    `prove` is the first proof and the lead before `go`; the second proof and the second clocks are in `stop`.
    """
    marks = course.marks
    phases = {"starting": "start", "arming": "arm", "proving": "prove", "meeting": "meet", "go": "load"}
    reached = [mark for mark in phases if mark in marks]
    spans_ns = {
        phases[mark]: max(0, marks[following] - marks[mark])
        for mark, following in itertools.pairwise([*reached, "stopping"])
    }
    if "load" in spans_ns:
        done_ns = marks.get("done", marks["stopping"])
        planned = window(course)
        assert planned is not None
        loaded_ns = max(0, min(planned["end_ns"], done_ns - marks["go"]))
        spans_ns["load"] = loaded_ns
        spans_ns["drain"] = max(0, done_ns - marks["go"] - loaded_ns)
        spans_ns["stop"] = marks["stopped"] - done_ns
    else:
        spans_ns["stop"] = marks["stopped"] - marks["stopping"]
    spans_s = {name: round(span / 1e9, 6) for name, span in spans_ns.items()}
    whole_s = (marks["stopped"] - marks["starting"]) / 1e9
    overhead_s = whole_s - sum(spans_s.get(name, 0.0) for name in ("arm", "meet", "load", "drain"))
    return spans_s, round(max(0.0, overhead_s), 6)


def write_result(course: Course, results: Path) -> dict[str, Any]:
    result = trial_json(course)
    write_whole(results / "trials" / f"{course.trial.n:03d}" / "trial.json", result)
    course.log.say(course.trial.n, "trial", state="ended", result=result)
    return result
