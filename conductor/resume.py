"""A run that was broken off goes on: what its plan has left, and what the trials before say of the whole."""

import dataclasses
import json
import shutil
from collections.abc import Container
from pathlib import Path

from conductor.errors import RunRefused
from conductor.events import EventLog, lost, utc_now
from conductor.plan import Plan
from contracts.declared import PASSED


def rest_of(plan: Plan, again: Container[int], results: Path, log: EventLog) -> Plan:
    """The plan with those entries alone. What an interrupted trial of them left is void: the log says so, and readers
    of it leave out all that came before of these numbers."""
    trials = tuple(trial for trial in plan.trials if trial.n in again)
    if not trials:
        raise RunRefused("The plan has no trial of these numbers.")
    numbers = [n for trial in trials for n in trial.numbers]
    log.say(None, "resumed", utc=utc_now(), again=numbers)
    for place in (results / "trials", *results.glob("hosts/*")):
        for n in numbers:
            try:
                shutil.rmtree(place / f"{n:03d}")
            except FileNotFoundError:
                pass
            except OSError as error:
                raise lost(place / f"{n:03d}", error) from None
    return dataclasses.replace(plan, trials=trials)


def is_spoiled(results: Path) -> bool:
    """Did any trial of the run, in whichever part, not end as it must? Nobody knows of one whose file is damaged."""
    try:
        found = [json.loads(path.read_text()) for path in results.glob("trials/*/trial.json")]
        return any(trial["kind"] != "calibration" and trial["outcome"] not in PASSED for trial in found)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return True
