"""What a reader must know besides the numbers: what was cut or missing, what went wrong, where to look."""

from collections.abc import Iterable

import pandas as pd

from analysis.events import Event, Log
from analysis.format import count
from analysis.tables import MISSING
from analysis.trials import NOT_RUN, UNFINISHED

MOST_NOTES = 12
EXITS = {"0": None, "2": "refused before load", "4": "a host was not restored", "130": "interrupted"}


def of_end(log: Log, trials: pd.DataFrame) -> list[str]:
    """How the run ended, where that was not at its end."""
    total = len(trials)
    begun = trials[trials["outcome"] != NOT_RUN]
    open_trials = trials[trials["outcome"] == UNFINISHED]
    exits = [event.get("exit") for event in log.of("run") if event.get("state") == "ended"]
    if exits:
        said = EXITS.get(str(exits[-1]), "trials failed")
        notes = [f"the run ended with exit {exits[-1]}: {said}."] if said else []
        return notes if log.trailer else [*notes, "events.jsonl has no trailer: it was cut after the run's end."]
    if len(open_trials):
        trial = open_trials.iloc[-1]
        where = f"in mid-trial {trial['n']} of {total} ({trial['strategy']})"
    elif len(begun) < total:
        where = (
            f"before trial {trials.iloc[len(begun)]['n']} of {total}"
            if not len(begun)
            else f"after {len(begun)} of {total} trials"
        )
    else:
        where = "after its last trial"
    return [f"the run ended {where}: its controller went away (or is still at work)."]


def of_errors(row: dict[str, object]) -> str | None:
    """The breakdown of a cell's errors over all its trials; None where there are none."""
    parts = [
        f"{count(float(str(row[name])))} {name.replace('_', ' ')}" for name in MISSING if float(str(row[name])) > 0
    ]
    if float(str(row["surplus"])) > 0:
        parts.append(f"{count(float(str(row['surplus'])))} surplus replies")
    return f"{', '.join(parts)} of {count(float(str(row['planned'])))} planned" if parts else None


def of_trials(log: Log, trials: pd.DataFrame) -> list[str]:
    """What the trials say of themselves: reasons, findings, and the errors of trials that never got to say more."""
    said: dict[str, list[int]] = {}
    for trial in trials.to_dict("records"):
        # Of a limit the table says it all.
        is_told = trial["outcome"] == "ok" or (trial["outcome"] == "dnf" and isinstance(trial["limit"], str))
        if isinstance(trial["reason"], str) and not is_told:
            said.setdefault(f"{trial['strategy']}, {trial['outcome']}: {trial['reason']}", []).append(int(trial["n"]))
    # Findings of one kind differ in their figures from trial to trial: the first is shown, the others are counted.
    for findings in findings_of(log).values():
        texts = list(dict.fromkeys(str(finding.get("message")) for _, finding in findings))
        more = f" (and {len(texts) - 1} alike)" if len(texts) > 1 else ""
        first = findings[0][1]
        text = f"{first.get('id')}: {texts[0]}{more} {first.get('remedy') or ''}".strip()
        said[text] = [n for n, _ in findings]
    ended = {e["trial"] for e in log.of("trial") if e.get("state") == "ended"}
    for event in log.of("error"):
        if event["trial"] not in ended:
            text = f"{event['host']}, {event.get('phase')}: {event.get('message')} {event.get('remedy') or ''}".strip()
            said.setdefault(text, []).append(event["trial"] or 0)
    for event in log.of("dropped"):
        said.setdefault(f"{event['host']} had to drop {event.get('lines')} line(s) of its events", []).append(
            event["trial"] or 0
        )
    notes = [f"{_where(numbers)}{text}" for text, numbers in said.items()]
    rest = len(notes) - MOST_NOTES
    return notes if rest <= 0 else [*notes[:MOST_NOTES], f"… and {rest} more: see trials/<nnn>/trial.json."]


def findings_of(log: Log) -> dict[str, list[tuple[int, Event]]]:
    """The findings that warn, by their id, each with its trial."""
    found: dict[str, list[tuple[int, Event]]] = {}
    for event in log.of("trial"):
        result = event.get("result")
        findings = result.get("findings") if isinstance(result, dict) else None
        for finding in findings if isinstance(findings, list) else []:
            if isinstance(finding, dict) and finding.get("severity") in ("warn", "error"):
                found.setdefault(str(finding.get("id")), []).append((event["trial"] or 0, finding))
    return found


def _where(numbers: Iterable[int]) -> str:
    known = sorted({number for number in numbers if number})
    if not known:
        return ""
    return f"trial{'s' if len(known) > 1 else ''} {', '.join(str(number) for number in known)}, "


def of_next(log: Log, trials: pd.DataFrame, given: str) -> str:
    """Where to look next: at the first trial that failed, else at the trials one by one."""
    failed = trials[~trials["outcome"].isin(["ok", "dnf", NOT_RUN])]
    if len(failed):
        n = int(failed.iloc[0]["n"])
        return f"next: {log.path.parent}/trials/{n:03d}/trial.json and hosts/*/{n:03d}/*.log say more of trial {n}."
    return f"next: python -m analysis summary {given} --csv trials.csv writes one row per trial."
