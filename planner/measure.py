"""Writes plan.yml and the manifest, and has the conductor run them. How the run ended is a value here."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner import analyse, conduct, plan, results, resume
from planner.cells import Request
from planner.parameters import Refused
from server import catalog

FACTS = (
    "hostname", "kernel", "arch", "cpus", "memory_bytes", "nofile_hard", "python", "boot_id", "netns", "port_range",
    "somaxconn", "syn_backlog", "syncookies", "file_max", "cpu_model", "virtualisation", "governor", "clocksource",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What Ansible says of its own command line: its version, each `-i` (paths are absolute), and `--limit`."""

    ansible: str
    inventory: Sequence[str] | None
    limit: str | None


def measure(given: Mapping[str, Any], asked: Asked, say: analyse.Say, dry: bool) -> dict[str, Any]:
    """`given`: resolved, admitted, binaries, tuned; and prepared, which is None where prepare.yml ran another time."""
    resolved, admitted = given["resolved"], given["admitted"]
    request = Request(**admitted["request"])
    try:
        if given["prepared"] is not None:
            all_prepared(admitted["hosts"], given["prepared"])
        planned = make_plan(resolved, admitted, request)
    except Refused as refused:
        return ended(2, " ".join(refused.problems))
    again = resolved["missing"]
    trials = [trial for trial in planned["trials"] if again is None or trial["n"] in again]
    load_s = plan.whole_load_s(trials)
    if dry:
        at_most = "at most " if any("search" in trial for trial in trials) else ""
        message = f"Would run {len(trials)} trials with {at_most}{load_s} s of load on {', '.join(planned['hosts'])}."
        say(message)
        return {"msg": message, "exit": 0, "run": None}
    run = results.RESULTS / resolved["run"]
    try:
        begun = manifest(given, request, asked)
        if again:
            say(f"{run.name} goes on: {len(trials)} of its {len(planned['trials'])} trials are missing.")
            begun = resume.resumed(results.read_manifest(run) or {}, begun, again)
        else:
            results.write_plan(run, planned)
        results.write_manifest(run, begun)
        results.claim(run, os.getppid())
        results.point_latest(run)
    except OSError as error:
        what = f"{error.filename2 or error.filename or run} cannot be written ({error.strerror})"
        return ended(2, f"Nothing was measured: {what}; see that results/ is a directory with room in it.")
    if cost := analyse.design(run / "plan.yml", load_s):
        say(cost)
    if len(resolved["profiles"]) > 1:  # go_on() runs the trials, each part when the kernels are tuned for it
        return {**ended(0, "", run.name), "segments": plan.segments(trials)}
    return conducted(given, run, say, again)


def conducted(given: Mapping[str, Any], run: Path, say: analyse.Say, numbers: Sequence[int] | None) -> dict[str, Any]:
    """Have the conductor run the trials of these numbers; None: all."""
    began = time.monotonic()
    code, complaint = conduct.conduct(run / "plan.yml", run, results.ROOT, os.getppid(), say, numbers)
    if given["prepared"] is None:  # nothing comes after this part of a run that could say how it ended
        whole = results.read_manifest(run) or {}
        results.write_manifest(run, results.end(whole, run, conduct.meaning(code), None))
    return ended(conduct.meaning(code), complaint, run.name, time.monotonic() - began)


def go_on(given: Mapping[str, Any], say: analyse.Say) -> dict[str, Any]:
    """Run one segment of a run that compares profiles. `given`: segment, tuned, before (what the segments until now
    came to), and resolved, admitted and prepared as in measure(). What went wrong with a trial stays; after a refusal
    or an interruption nothing more is measured."""
    before, segment = given["before"], given["segment"]
    if before["exit"] not in (0, 3) or before.get("is_over"):
        return {**before, "changed": False}
    run = results.RESULTS / before["run"]
    lost = [host["name"] for host in given["admitted"]["hosts"] if is_lost(given["tuned"].get(host["name"]))]
    if lost:
        what = f"{', '.join(lost)} could not be tuned to {segment['profile']}, so the run ends (the reason is above)."
        return {**before, "exit": 3, "complaint": what, "is_over": True}
    whole = results.read_manifest(run) or {}
    for name, answer in given["tuned"].items():
        whole["tuning"][name]["profiles"] = {
            **whole["tuning"][name].get("profiles", {}),
            segment["profile"]: answer["keys"],
        }
        whole["tuning"][name]["state"] = "tuned"
    results.write_manifest(run, whole)
    say(f"profile {segment['profile']}:")
    now = conducted(given, run, say, segment["trials"])
    return {
        **now, "exit": now["exit"] or before["exit"], "complaint": now["complaint"] or before["complaint"],
        "trials_s": before["trials_s"] + now["trials_s"],
    }  # fmt: skip


def is_lost(tuned: Mapping[str, Any] | None) -> bool:
    return not tuned or bool(tuned.get("failed") or tuned.get("unreachable") or tuned.get("skipped"))


def ended(code: int, complaint: str, run: str | None = None, trials_s: float = 0.0) -> dict[str, Any]:
    return {
        "changed": run is not None, "exit": code, "complaint": complaint, "run": run, "trials_s": round(trials_s, 3)
    }  # fmt: skip


def all_prepared(hosts: list[dict[str, Any]], prepared: Mapping[str, Any]) -> None:
    """In a whole run every host must have got its programs, which is the last step of its preparation."""
    shipped = {host["name"]: prepared.get(host["name"]) for host in hosts}
    lost = [name for name, copy in shipped.items() if not copy or copy.get("failed") or copy.get("unreachable")]
    if lost:
        raise Refused([f"Nothing was measured: {', '.join(lost)} could not be prepared (the reason is above)."])


def make_plan(resolved: Mapping[str, Any], admitted: Mapping[str, Any], request: Request) -> dict[str, Any]:
    made = plan.make(
        resolved["run"], resolved["seed"], request, catalog.load(), admitted["hosts"], admitted["controller"],
        admitted["references"],
    )  # fmt: skip
    return made | ({"claim": resolved["claim"]} if resolved["claim"] else {})


def source_name(source: str) -> str:
    """A source of the inventory as a command line in the checkout names it."""
    path = Path(source)
    return str(path.relative_to(results.ROOT)) if path.is_relative_to(results.ROOT) else source


def interpreters(facts: Mapping[str, Any], shipped: Mapping[str, Any]) -> dict[str, Any]:
    """What each that the run asked for says of itself, and whether its GIL is on with the packages of its strategies:
    an extension module can switch it on."""
    gil = shipped.get("gil") or {}
    return {
        level: {**one, "gil_with_packages": gil.get(one["executable"])}
        for level, one in facts["interpreters"].items() if one
    }  # fmt: skip


def manifest(given: Mapping[str, Any], request: Request, asked: Asked) -> dict[str, Any]:
    """What is known before the first trial."""
    resolved, admitted = given["resolved"], given["admitted"]
    tuning, hosts = {}, {}
    for host in admitted["hosts"]:
        name = host["name"]
        keys = (given["tuned"].get(name) or {}).get("keys", [])
        state = "off" if request.run_wide["tune"] == "off" else "tuned" if keys else "left"
        tuning[name] = {"state": state, "keys": keys, "restored": None}
        hosts[name] = {
            **{key: host[key] for key in ("role", "connection", "load_address", "sources", "weight", "base")},
            **{key: host["probe"]["facts"][key] for key in FACTS},
            "interpreters": interpreters(host["probe"]["facts"], (given["prepared"] or {}).get(name) or {}),
        }  # fmt: skip
    calibrate = request.run_wide["calibrate"] and admitted["references"]
    return {
        "schema": 1, "run": resolved["run"], "status": "running", "exit": None,
        "parameters": {**request.parameters, "calibrate": calibrate, "seed": resolved["seed"]},
        "cells": request.cells,
        "inventory": {"sources": [source_name(one) for one in asked.inventory or ()], "limit": asked.limit},
        **({"claim": {part: resolved["claim"][part] for part in ("name", "seal")}} if resolved["claim"] else {}),
        "seed": resolved["seed"], "git": results.git_state(),
        "versions": {
            "programs": resume.programs(),
            "ansible-core": asked.ansible, "python": platform.python_version(), "controller": platform.platform(),
            **{f"loadgen-linux-{arch}": f"sha256:{sha}" for arch, sha in given["binaries"].items()},
        },
        "hosts": hosts, "tuning": tuning, "overhead": None,
        "started_utc": resolved["started_utc"], "ended_utc": None, "files": {},
    }  # fmt: skip
