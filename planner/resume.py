"""A run that was broken off goes on (`-e run=ID`): what it misses, and whether the rest would be as its beginning."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import yaml

from contracts.declared import PARAMETERS
from planner import plan, results
from planner.cells import AXES
from planner.parameters import Refused
from plugins.module_utils.c10k_tree import digest, files

PROGRAMS = ("conductor", "contracts", "loadgen", "server")
"""What measures; the rest of the checkout prepares and reports."""
SAME = (
    "hostname", "kernel", "arch", "cpus", "nofile_hard", "python", "cpu_model", "virtualisation", "governor",
    "clocksource",
)  # fmt: skip
"""Facts of a host that may not differ between the parts of a run."""
BEGIN_ANEW = "begin a run of its own"


def programs() -> str:
    """One hash of all programs that measure, as they lie in the checkout."""
    found = hashlib.sha256()
    for path in (path for name in PROGRAMS for path in files(results.ROOT / name)):
        found.update(f"{path.relative_to(results.ROOT)} {digest(path)}\n".encode())
    return f"sha256:{found.hexdigest()}"


def resume(given: Mapping[str, Any]) -> dict[str, Any]:
    """What resolve() gives of a run, here of the one that `run` names, with `missing`: the numbers of the entries of
    its plan that are to be measured yet. Refused where it cannot go on."""
    run = results.existing(str(given["run"]))
    if beside := [name for name in given if name in PARAMETERS or name == "cells"]:
        raise Refused([f"run={given['run']} goes on with what that run was asked for: leave {', '.join(beside)} away."])
    if results.goes_on(run):
        raise Refused([f"{run.name} still goes on."])
    with legible(run):
        return rest(run)


def rest(run: Path) -> dict[str, Any]:
    manifest, planned = recorded(run)
    outcomes = {trial["n"]: trial["outcome"] for trial in results.trials(run) if trial}
    if not outcomes:
        raise Refused([f"Nothing of {run.name} was measured, so nothing can go on: {BEGIN_ANEW}."])
    left = list(missing(planned["trials"], outcomes))
    if not left:
        raise Refused([f"Nothing is missing of {run.name}; playbooks/report.yml -e run={run.name} shows it again."])
    asked = {name: manifest["parameters"][name] for name in PARAMETERS if name not in AXES}
    return {
        "run": run.name, "seed": manifest["seed"], "started_utc": manifest["started_utc"],
        "request": {"run_wide": asked, "cells": manifest["cells"], "optional": []}, "missing": left,
        "claim": planned.get("claim"),
    }  # fmt: skip


def way_on(wanted: str) -> str | None:
    """How a run that was broken off goes on, as a sentence; None where it cannot, or where nothing is missing."""
    try:
        asked = resume({"run": wanted})
    except Refused:
        return None
    number = len(asked["missing"])
    what = f"{number} of its trials are" if number > 1 else "one of its trials is"
    return f"-e run={asked['run']} goes on with this run: {what} missing."


def recorded(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest and the plan of a run, whole enough to go on with."""
    manifest = results.read_manifest(run) or {}
    planned = yaml.safe_load((run / "plan.yml").read_text(encoding="utf-8"))
    whole = planned["run"] == run.name == manifest["run"] and (run / "events.jsonl").is_file()
    whole = whole and all(name in manifest["parameters"] for name in PARAMETERS if name not in AXES)
    whole = whole and all(set(AXES) == set(cell) for cell in manifest["cells"])
    if not whole:
        raise ValueError("a part of another run")
    return manifest, planned


@contextmanager
def legible(run: Path) -> Iterator[None]:
    """Refused, where what a run has recorded is not what we wrote, wherever that shows."""
    try:
        yield
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError, RecursionError):
        raise Refused([
            f"{run.name} cannot go on: its manifest.json, plan.yml, events.jsonl or a trial.json is missing, damaged "
            f"or of an earlier version; {BEGIN_ANEW}."
        ]) from None  # fmt: skip


def missing(trials: Sequence[Mapping[str, Any]], outcomes: Mapping[int, str]) -> Iterator[int]:
    """Entries without an outcome, or interrupted; both of a duet where one is. What has an outcome stays as it is, good
    or bad: who measured again what displeased would choose. Of a search nobody knows whether it had come to its end,
    unless something later was begun: it is done again from its first rung."""
    settled = {n for n, outcome in outcomes.items() if outcome != "interrupted"}
    for trial in trials:
        n, end = trial["n"], plan.after(trial)
        if "search" in trial:
            own = {number for number in outcomes if n <= number < end}
            is_over = own and own <= settled and any(number >= end for number in outcomes)
        else:
            is_over = n in settled and trial.get("beside", n) in settled
        if not is_over:
            yield n


def others(planned: Mapping[str, Any], hosts: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each difference between the recorded run and what its rest would be measured with: the plan that
    the same request makes now, the facts of `hosts` as admitted, the programs."""
    run = results.RESULTS / planned["run"]
    with legible(run):
        return list(unlike(run, planned, hosts))


def unlike(run: Path, planned: Mapping[str, Any], hosts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    manifest, before = recorded(run)
    differing = differences(before, as_yaml(planned))
    found = [f"{path} of the plan is {now} now and was {then}" for path, then, now in differing]
    for host in hosts:
        if host["name"] in before["hosts"]:  # else the plans differ
            then, now = itemgetter(*SAME, "boot_id")(manifest["hosts"][host["name"]]), host["probe"]["facts"]
            before_of = manifest["hosts"][host["name"]]["interpreters"]
            found += [
                f"{level} of {host['name']} is Python {one['python']} now and was {before_of[level]['python']}"
                for level, one in now["interpreters"].items() if one and one["python"] != before_of[level]["python"]
            ]  # fmt: skip
            changed = [(fact, was) for fact, was in zip(SAME, then, strict=False) if was != now[fact]]
            found += [
                f"{fact} of {host['name']} is {short(now[fact])} now and was {short(was)}" for fact, was in changed
            ]
    if manifest["versions"].get("programs") != programs():
        found.append(f"the programs of the checkout are not those of that run (commit {manifest['git']['commit']})")
    if found:
        yield f"{run.name} cannot go on, for {'; '.join(found)}: make it as it was, or {BEGIN_ANEW}."


def as_yaml(planned: Mapping[str, Any]) -> Any:
    """As it is read again."""
    return yaml.safe_load(yaml.safe_dump(json.loads(json.dumps(planned))))


def differences(then: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two documents differ: path and both values; of lists only their length or their first difference."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*then, *now]):
            yield from differences(then.get(name), now.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = enumerate(zip(then, now, strict=True))
        yield from itertools.islice((one for i, pair in pairs for one in differences(*pair, f"{path}[{i}]")), 1)
    elif then != now:
        yield path, short(then), short(now)


def short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def resumed(manifest: Mapping[str, Any], now: Mapping[str, Any], missing: Sequence[int]) -> dict[str, Any]:
    """The manifest of a run that goes on; `now`: what it would be of a run that begins. Facts of the hosts stay as they
    were, and the tuning is that of the last part."""
    boots = {name: facts["boot_id"] for name, facts in now["hosts"].items()}
    rebooted = [name for name, boot in boots.items() if boot != manifest["hosts"][name]["boot_id"]]
    part = {results.utc_now(): {"missing": list(missing), "rebooted": rebooted}}
    return {
        **manifest, "status": "running", "exit": None, "ended_utc": None, "overhead": None, "files": {},
        "tuning": now["tuning"],
        "resumed": {**manifest.get("resumed", {}), **part},
    }  # fmt: skip
