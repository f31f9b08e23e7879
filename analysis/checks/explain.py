"""The reader's page of the findings, docs/findings.md: made of the words and thresholds that the checks use."""

from __future__ import annotations

import textwrap

from analysis import format as show
from analysis.checks.base import CHECKS, THRESHOLDS, Check, Threshold
from analysis.metrics import METRICS

WIDTH = 118
FAMILIES = {
    "generator": "did the load generators offer what was planned?",
    "server": "what did the server's host refuse, and who else worked there?",
    "network": "did the network lose anything?",
    "clocks": "does what is drawn over time belong together?",
    "data": "is all there, and does it add up?",
    "hours": "what did a window of hours change?",
    "design": "can these trials support the comparison?",
}
MADE_OF = (
    "Made by `python -m analysis check --explain` from [checks.yml](../analysis/checks/checks.yml) and "
    "[thresholds.yml](../analysis/checks/thresholds.yml); change those, not this."
)
INTRODUCTION = (
    "A finding says what makes a figure doubtful. `python -m analysis check RESULTS` prints those of a run, the worst "
    "first, and the report shows the same ones.",
    "**Severity.** `invalid`: the trials it names leave the estimates; a cell with no good trial left is shown struck "
    "and leaves the ranking. `warn`: the figures stand, but those that it forbids are marked wherever they are "
    "printed, and no claim may rest on them. `info`: explains a figure. The table has the severity that a finding "
    "usually has; a milder case of it may warn.",
    "**Ids.** Letters for the kind and a number: GN generators, LG lag, SV server, LQ listen queue, NW network, CK and "
    "CL clocks, DT data, LT late replies, PR proof of the connections, DS design. An id is never used for something "
    "else again. Analysis alone makes findings, from the files under `results/`; older runs are judged anew.",
    "**Validity** of a trial: `suspect` where a finding that warns or worse names it, those of the design left out; "
    "else `valid`. It never changes the outcome.",
    "**Once.** One finding is one row for all trials of a run that it concerns: its message has the worst of them, its "
    "evidence the figures of each. About a trial that a finding names, those that it covers are silent.",
    "**Exits** of `check`: 0; 1 with `--strict` where something warns or was left out; 2 nothing readable; 3 a cell is "
    "invalid.",
)


def explain() -> str:
    """The page as Markdown."""
    lines = ["# Findings", ""]
    for paragraph in (MADE_OF, *INTRODUCTION):
        lines += [*_wrapped(paragraph), ""]
    lines += ["| id | finding | severity |", "|---|---|---|"]
    lines += [f"| [{check.id}](#{check.id.lower()}) | {check.title} | {check.severity} |" for check in CHECKS.values()]
    for family, question in FAMILIES.items():
        lines += ["", f"## {family.capitalize()}: {question}"]
        for check in CHECKS.values():
            lines += _section(check) if check.family == family else []
    lines += ["", "## Thresholds", "", "| threshold | value | why |", "|---|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {_value(one)} | {one.reason} |" for name, one in THRESHOLDS.items()]
    return "\n".join(lines) + "\n"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False, break_long_words=False)


def _section(check: Check) -> list[str]:
    lines = ["", f"### {check.id}", "", f"**{check.title}** ({check.severity})", ""]
    lines += [*_wrapped(check.matters), "", *_wrapped(f"*What to do:* {check.remedy}")]
    if check.forbids:
        still = " They can only have become larger by it: that they are at most so much stands." if check.adds else ""
        lines += ["", *_wrapped(f"*Forbids a claim on:* {', '.join(map(title, check.forbids))}.{still}")]
    return [*lines, "", f"Covers {', '.join(check.covers)}."] if check.covers else lines


def title(forbidden: str) -> str:
    """What a finding forbids, in words."""
    return METRICS[forbidden].title if forbidden in METRICS else "any comparison"


def _value(one: Threshold) -> str:
    if one.unit == "ns" or one.unit.startswith("ns "):
        return f"{show.time(one.value)}{one.unit.removeprefix('ns')}"
    return f"{one.value:,g} {one.unit}"
