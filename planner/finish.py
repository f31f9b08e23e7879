"""The last deed of a run: the summary and the report, and the manifest completed. Refused, where it did not go well."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from contracts.declared import PASSED
from planner import analyse, conduct, results
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
    """End a whole run. `given`: measured, tuning (what the gate chose), tuned, collected, restored, keep_tuned."""
    measured = given["measured"]
    put_back = restored(given)
    not_restored = [name for name, state in put_back.items() if state is False]
    not_collected = [name for name in given["collected"] if problem(given["collected"][name])]
    not_collected += [name for name in without_logs(measured["run"]) if name not in not_collected]
    # 4 outranks the rest: a kernel that stays tuned needs somebody's hand.
    code = 4 if not_restored else measured["exit"] or (3 if not_collected else 0)
    reasons = []
    if not_collected:
        reasons.append(f"The logs of {', '.join(not_collected)} are not here; playbooks/collect.yml fetches them.")
        reasons += told(given["collected"])
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
    results.write_manifest(run, ended)
    # The report tells how the run ended, so it comes after the manifest; how long it took, the manifest learns then.
    began = time.monotonic()
    complaint = analyse.report(run, say)
    ended["overhead"] = overhead(measured["trials_s"], per_trial_s, round(time.monotonic() - began, 3))
    # A disk may be full by now. What the manifest says already is true, and what is said below matters more.
    with suppress(OSError):
        results.write_manifest(run, {**ended, "files": results.file_hashes(run)})
    if code != 0:
        if code == 130:
            reasons.append(f"run_benchmark.yml -e run={run.name} measures what is missing.")
        reasons = [*(spoiled(run) or [measured["complaint"]]), *reasons, complaint or ""]
        raise Refused([f"The run {run.name} ended with exit {code}.", *filter(None, reasons)])
    if complaint:
        raise Refused([complaint])
    return {"run": run.name, "overhead": ended["overhead"]}


def overhead(trials_s: float, per_trial_s: list[float | None], report_s: float | None) -> dict[str, Any]:
    """What the playbook has taken so far beside the trials; of that for the report, None while it is made."""
    playbook_s = round(max(0.0, conduct.elapsed_s(os.getppid()) - trials_s), 3)
    return {"playbook_s": playbook_s, "report_s": report_s, "trials_s": trials_s, "per_trial_s": per_trial_s}


def problem(answer: Mapping[str, Any] | None) -> str | None:
    """Why a host did not do its part; the task itself may have failed, where it took too long."""
    answer = answer or {}
    return answer.get("problem") or (str(answer.get("msg") or "see above") if answer.get("failed") else None)


def told(answers: Mapping[str, Any]) -> list[str]:
    return [f"{name}: {why}" for name, answer in answers.items() if (why := problem(answer))]


def without_logs(run: str | None) -> list[str]:
    """Hosts of a run that measured something, of which nothing came home."""
    if run is None or not any(trial.get("outcome") in PASSED for trial in results.trials(results.RESULTS / run)):
        return []
    hosts = (results.read_manifest(results.RESULTS / run) or {}).get("hosts", {})
    return [name for name in hosts if not (results.RESULTS / run / "hosts" / name).is_dir()]


def restored(given: Mapping[str, Any]) -> dict[str, bool | None]:
    """True: put back, or nothing had been changed; False: not, or nobody knows; None: kept on purpose."""
    found: dict[str, bool | None] = {}
    for name, entries in given["tuning"].items():
        answer = given["restored"].get(name)
        if given["keep_tuned"]:
            found[name] = None
        elif answer and not answer.get("skipped") and not answer.get("unreachable"):
            found[name] = not answer.get("failed") and not answer.get("problem")
        else:
            # A host that was lost on the way: what had been tuned there still is.
            found[name] = not (entries and given["tuned"].get(name))
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
