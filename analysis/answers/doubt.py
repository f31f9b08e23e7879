"""Which figures no claim may rest on: what findings forbid, by cell and metric, and the worst of them in words."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.cells import by_key
from analysis.checks.base import CHECKS
from analysis.findings import Finding, concerned, parsed, some
from analysis.metrics import METRICS
from analysis.model import Dataset

CONTRASTS = "contrasts"  # stands beside the metrics in `forbids`: who is better than whom
MOST_ROWS = 3
ASIDE = {"connect_p99"}  # of the load, once it stands, it tells nothing
# By (run, cell) and metric the ids of the checks, the worst first.
Doubts = Mapping[tuple[str, str, str], tuple[str, ...]]


def doubts(dataset: Dataset) -> Doubts:
    """What the findings that warn or worse forbid of each cell; one that names no trial is about all cells of its
    run."""
    trials = dataset.trials
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    of_trial = {
        (str(run), int(n)): str(cell)
        for run, n, cell in zip(trials["run"], trials["trial"], trials["cell"], strict=True)
    }
    of_run: dict[str, list[str]] = {}
    for run, cell in zip(dataset.cells["run"], dataset.cells["cell"], strict=True):
        of_run.setdefault(str(run), []).append(str(cell))
    for one in parsed(dataset.findings):
        if one.severity == "info":
            continue
        named = [of_trial[one.run, n] for n in one.trials if (one.run, n) in of_trial]
        concerned = named if one.trials else of_run.get(one.run, [])
        for cell in dict.fromkeys(concerned):
            for name in forbidden(one):
                found.setdefault((one.run, cell, name), {})[one.check] = None
    return {key: tuple(checks) for key, checks in found.items()}


def forbidden(finding: Finding) -> tuple[str, ...]:
    """What of its trials this finding forbids: names of metrics, or CONTRASTS. An id of another version forbids
    nothing."""
    check = CHECKS.get(finding.check)
    return check.forbids if check and finding.severity == "warn" else ()


def warnings(dataset: Dataset, most: int, said: str = "") -> list[str]:
    """The worst warnings in words, such as `Do not use the p99 response: … (GN3)`; those that forbid something come
    before those that do not, and last of them those that only touch ASIDE. What is `said` already is left out."""
    told, labels = [], by_key(dataset.cells)
    for one in sorted(parsed(dataset.findings), key=_lightness):
        if one.severity == "info" or one.message.rstrip(".") in said:
            continue
        names = forbidden(one)
        rule = "These trials do not count" if one.is_invalid else ""
        if names:
            rows = [labels.get((one.run, cell), cell) for cell in concerned(one, dataset.trials)]
            of = f" of {some(rows, ', ', MOST_ROWS)}" if rows and len(rows) < len(labels) else ""
            rule = f"Do not use the {named(names)}{of}"
        told.append(f"{rule}: {one.message} ({one.check})" if rule else f"{one.message} ({one.check})")
    return told[:most]


def _lightness(finding: Finding) -> tuple[bool, bool, bool]:
    names = forbidden(finding)
    return not finding.is_invalid, not names, set(names) <= ASIDE


def named(names: tuple[str, ...]) -> str:
    """What is forbidden, as a reader names it."""
    words = [METRICS[name].title if name in METRICS else "comparisons" for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
