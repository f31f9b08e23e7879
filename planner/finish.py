"""The last deed of a run: the summary and the report, and the manifest completed. Refused, where it did not go well."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.declared import PASSED
from planner import analyse, conduct, results, resume
from planner.parameters import Refused


def report(run: Path, say: analyse.Say) -> None:
    """The summary and the report of a run that ended some time ago."""
    bring_up_to_date(run)
    complaint = analyse.report(run, say)
    bring_up_to_date(run)  # of a new summary.csv too
    if complaint:
        raise Refused([complaint])


def bring_up_to_date(run: Path) -> None:
    """The files of an old run, and how it ended where it could not say so itself."""
    manifest = results.read_manifest(run)
    if not manifest or results.goes_on(run):
        return
    if manifest["status"] == "running":
        manifest = results.end(manifest, run, 130, None)
    results.write_manifest(run, {**manifest, "files": results.file_hashes(run)})


def finish(given: Mapping[str, Any], say: analyse.Say) -> dict[str, Any]:
    """End a whole run. `given`: measured, tunings (what the gate chose, by profile and host), tuned, collected,
    restored, keep_tuned."""
    measured = given["measured"]
    put_back = restored(given)
    not_restored = [name for name, state in put_back.items() if state is False]
    not_collected = [name for name in given["collected"] if problem(given["collected"][name])]
    missing = without_logs(measured["run"])
    not_collected += [name for name in missing if name not in not_collected and not delivered(given["collected"], name)]
    lost = {name: numbers for name, numbers in missing.items() if name not in not_collected}
    # 4 outranks the rest: a kernel that stays tuned needs somebody's hand.
    code = 4 if not_restored else measured["exit"] or (3 if not_collected or lost else 0)
    reasons = []
    if not_collected:
        reasons.append(f"The logs of {', '.join(not_collected)} are not here; playbooks/collect.yml fetches them.")
        reasons += told(given["collected"])
    for name, (n, *more) in lost.items():
        reasons.append(f"{name} had no log of trial {n}{f' and {len(more)} more' if more else ''} to fetch.")
    if not_restored:
        reasons.append(f"The kernel of {', '.join(not_restored)} was not put back; run playbooks/restore.yml.")
        reasons += told(given["restored"])
    if measured["run"] is None:
        raise Refused([measured["complaint"], *reasons])
    run = results.RESULTS / measured["run"]
    manifest = results.read_manifest(run) or {}
    for name, entry in manifest.get("tuning", {}).items():
        entry["restored"] = put_back.get(name)
        entry["moved"] = moved(given["tuned"].get(name) or {}, given["restored"].get(name) or {})
    per_trial_s = [trial.get("overhead_s") for trial in results.trials(run)]
    ended = results.end(manifest, run, code, overhead(measured["trials_s"], per_trial_s, None))
    unwritten = not_noted(run, ended)
    # The report tells how the run ended, so it comes after the manifest; how long it took, the manifest learns then.
    began = time.monotonic()
    complaint = analyse.report(run, say)
    ended["overhead"] = overhead(measured["trials_s"], per_trial_s, round(time.monotonic() - began, 3))
    if unwritten:
        reasons.append(unwritten)
    else:  # what the manifest says already is true, whether there is room for this or not
        not_noted(run, {**ended, "files": results.file_hashes(run)})
    if code != 0:
        if code == 130:
            reasons.append(resume.way_on(run.name) or "")
        reasons = [*(spoiled(run) or [measured["complaint"]]), *reasons, complaint or ""]
        raise Refused([f"The run {run.name} ended with exit {code}.", *filter(None, reasons)])
    if complaint or unwritten:
        raise Refused([*reasons, *filter(None, [complaint])])
    return {"run": run.name, "overhead": ended["overhead"]}


def not_noted(run: Path, manifest: Mapping[str, Any]) -> str | None:
    """Write the manifest; why that cannot be, where the disk is full by now. What else there is to say matters more."""
    try:
        results.write_manifest(run, manifest)
    except OSError as error:
        return (
            f"{run / 'manifest.json'} cannot be written ({error.strerror}), so it does not say how the run ended: make "
            f"room, then run playbooks/collect.yml -e run={run.name}."
        )
    return None


def overhead(trials_s: float, per_trial_s: list[float | None], report_s: float | None) -> dict[str, Any]:
    """What the playbook has taken so far beside the trials; of that for the report, None while it is made."""
    playbook_s = round(max(0.0, conduct.elapsed_s(os.getppid()) - trials_s), 3)
    return {"playbook_s": playbook_s, "report_s": report_s, "trials_s": trials_s, "per_trial_s": per_trial_s}


def problem(answer: Mapping[str, Any] | None) -> str | None:
    """Why a host did not do its part; the task itself may have failed, where it took too long."""
    answer = answer or {}
    return answer.get("problem") or (str(answer.get("msg") or "see above") if answer.get("failed") else None)


def told(answers: Mapping[str, Any]) -> list[str]:
    """A sentence for each reason, with the hosts that gave it."""
    found: dict[str, list[str]] = {}
    for name, answer in answers.items():
        if why := problem(answer):
            found.setdefault(why.rstrip("."), []).append(name)
    return [f"{', '.join(names)}: {why}." for why, names in found.items()]


def delivered(collected: Mapping[str, Any], name: str) -> bool:
    """Did the host give what it had of the run, be it nothing?"""
    return "files" in (collected.get(name) or {})


def without_logs(run: str | None) -> dict[str, list[int]]:
    """Of each host the trials whose log is not here, though they had an end that all hosts saw."""
    if run is None:
        return {}
    place = results.RESULTS / run
    ended = [trial["n"] for trial in results.trials(place) if trial.get("outcome") in PASSED]
    hosts = (results.read_manifest(place) or {}).get("hosts", {})
    missing = {
        name: [n for n in ended if not (place / "hosts" / name / f"{n:03d}" / "agent.jsonl").is_file()]
        for name in hosts
    }
    return {name: numbers for name, numbers in missing.items() if numbers}


def restored(given: Mapping[str, Any]) -> dict[str, bool | None]:
    """True: put back, or nothing had been changed; False: not, or nobody knows; None: kept on purpose."""
    found: dict[str, bool | None] = {}
    by_host = {name: level[name] for level in given["tunings"].values() for name in level if level[name]}
    for name in dict.fromkeys(name for level in given["tunings"].values() for name in level):
        answer = given["restored"].get(name)
        if given["keep_tuned"]:
            found[name] = None
        elif answer and not answer.get("skipped") and not answer.get("unreachable"):
            found[name] = not answer.get("failed") and not answer.get("problem")
        else:
            # A host that was lost on the way: what had been tuned there still is.
            found[name] = not (name in by_host and given["tuned"].get(name))
    return found


def moved(tuned: Mapping[str, Any], restored: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """The values that somebody changed between tuning and restoring."""
    ours = {entry["key"]: entry["after"] for entry in tuned.get("keys", []) if entry["status"] == "set"}
    found = {entry["key"]: entry["before"] for entry in restored.get("keys", [])}
    return [
        {"key": key, "set": value, "found": found[key]} for key, value in ours.items() if found.get(key, value) != value
    ]


def spoiled(run: Path) -> list[str]:
    """One phrase for all trials that did not pass for one reason."""
    found: dict[str, list[int]] = {}
    for trial in filter(None, results.trials(run)):
        if trial["outcome"] not in PASSED:
            reason = str(trial.get("reason") or "").rstrip(".")
            what = f"({trial['strategy'] or 'own server'}): {trial['outcome']}{reason and f': {reason}'}."
            found.setdefault(what, []).append(trial["n"])
    return [f"Trial {n}{f' and {len(more)} more' if more else ''} {what}" for what, (n, *more) in found.items()]
