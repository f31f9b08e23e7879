"""A comparison in words and figures: for a terminal, as Markdown for a pull request, and as JSON for a machine."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from analysis import format as show
from analysis.answers.shown import UNITS, with_unit
from analysis.compare.judge import Change, Comparison, Row, sorted_rows
from analysis.compare.side import Side, as_json
from analysis.findings import some
from analysis.metrics import METRICS
from analysis.statistics.family import ALPHA
from analysis.statistics.interval import middle
from analysis.statistics.power import POWER
from analysis.statistics.verdict import BETTER, VERDICTS, WORSE
from analysis.unreadable import Unreadable

HEADINGS = ("strategy", "metric", "base", "new", "new ÷ base", "verdict")
CHANGED = ("what", "base", "new")
RIGHT = ("base", "new", "new ÷ base", "value", "cell ÷ baseline", "p (Holm)", "repetitions", "blocks")
CONFOUNDED = (
    "The two sides were measured at different times: whatever else changed between them is in every ratio, and no "
    "statistic can take it out."
)
MOST_FACTOR = 1000
SAME = "Both sides have a run in common."
LONGEST = 60  # characters of a value of the environment
MARKUP = re.compile(r"([\\`*_\[\]<>|~#!&$@:])")


def figures(row: Row) -> tuple[str, str]:
    """The means of both sides with their unit, to as many digits as keep the ratio of the two beside them true."""
    texts = [
        show.NOTHING if not values else with_unit(row.metric.name, middle(values), 0.0)
        for values in (row.base, row.new)
    ]
    if row.ratio is None:
        return texts[0], texts[1]
    return together(row.metric.name, middle(row.base), middle(row.new))


def together(metric: str, base: float, new: float) -> tuple[str, str]:
    """Two figures in one unit, to four digits of the smaller."""
    size, unit = (
        show.unit_of(max(base, new))
        if METRICS[metric].unit == "ns"
        else (1.0, UNITS.get(METRICS[metric].unit, f" {METRICS[metric].unit}"))
    )
    places = 3 - math.floor(math.log10(min(base, new) / size))
    unit = f" {unit}" if METRICS[metric].unit == "ns" else unit
    first, second = (f"{round(value / size, places):,.{max(0, places)}f}{unit}" for value in (base, new))
    return first, second


def ratio(row: Row) -> str:
    """Such as 1.042 [1.01, 1.07]: the interval is the one that decides, among all that are shown."""
    if row.ratio is None:
        return show.NOTHING
    return f"{factor(row.ratio.single.value)} [{factor(row.ratio.within.low)}, {factor(row.ratio.within.high)}]"


def factor(value: float) -> str:
    """Three decimals round 1, where a per cent matters; beyond a thousand it says no more than that."""
    if value < 1 / MOST_FACTOR:
        return f"< {1 / MOST_FACTOR}"
    if value > MOST_FACTOR:
        return f"> {MOST_FACTOR:,}"
    return f"{value:.3f}" if 0.1 <= value < 10 else show.number(value)


def counted(found: Comparison) -> str:
    """How many of each verdict, and what they rest on."""
    words = [row.verdict for row in found.rows]
    parts = [f"{words.count(word)} {word}" for word in VERDICTS if word in words]
    compared = sum(row.ratio is not None for row in found.rows)
    if not found.is_decided:
        return f"{', '.join(parts)}. The intervals are of the repetitions within two runs, not of how much runs differ."
    return (
        f"{', '.join(parts)}. The intervals hold at {100 * (1 - ALPHA):.0f} % for all {compared} comparisons together; "
        f"what counts as equal: {show.number(100 * found.base.margin, most=2)} %. {could_find(found)}"
    )


def could_find(found: Comparison) -> str:
    """By metric the smallest difference that such a comparison finds; of several cells the largest."""
    least: dict[str, float] = {}
    for row in found.rows:
        if row.ratio:
            least[row.metric.name] = max(row.ratio.least, least.get(row.metric.name, 0.0))
    named = ", ".join(f"{name} {show.difference(value)}" for name, value in least.items())
    return f"The smallest differences that {100 * POWER:.0f} % of such comparisons find: {named}."


def undecided(found: Comparison) -> list[str]:
    """What one run a side is good for, and what to do; nothing where there are several."""
    if found.is_decided or not any(row.ratio for row in found.rows):
        return []
    return [
        "Cannot be told: one run a side, so how much runs differ is not known. Were two runs as alike as the "
        f"repetitions within them: {could_find(found)}",
        "To decide, give several runs of each, `compare BASE BASE BASE --new NEW NEW NEW`, or measure both as cells of "
        """one run, -e '{"server_command": ["OLD", "NEW"]}', and ask `gate` of it.""",
    ]


def incomparable(found: Comparison) -> list[str]:
    """A line for each reason why something has no comparison."""
    shown = {row.metric.name for row in found.rows}
    reasons: dict[str, dict[str, list[str]]] = {}
    for row in found.rows:
        if row.why:
            reasons.setdefault(row.why, {}).setdefault(row.label, []).append(row.metric.name)
    lines = []
    for why, cells in reasons.items():
        names = [label + ("" if set(its) == shown else f" ({', '.join(its)})") for label, its in cells.items()]
        lines.append(f"not comparable: {'; '.join(names)}: {why}")
    return lines


def notes(found: Comparison) -> list[str]:
    """What the table does not show: what cannot be compared, what only one run has, what findings make invalid."""
    lines = incomparable(found)
    for label, names in (("only in base", found.missing), ("only in new", found.added)):
        if names:
            lines.append(f"{label}: {'; '.join(names)}")
    for name, side in (("base", found.base), ("new", found.new)):
        for finding in side.findings:
            where = ", ".join(dict.fromkeys(finding.strategies)) or "the whole run"
            lines.append(f"invalid in {name}: {where}: {finding.message} ({finding.check})")
        if side.unfinished:
            lines.append(f"not finished: {name}: {side.unfinished}")
    return lines


def terminal(found: Comparison) -> str:
    lines = [f"base  {heading(found.base)}", f"new   {heading(found.new)}", caution(found), ""]
    if found.changes:
        lines.append("THE ENVIRONMENTS DIFFER")
        lines += _table(CHANGED, map(cells_of_change, found.changes))
    else:
        lines.append("The environments are the same, in all that both runs tell.")
    lines.append("")
    telling, others = sorted_rows(found.rows)
    if telling or others:
        lines += [*_table(HEADINGS, map(_cells, telling + others)), "", counted(found), *undecided(found)]
    else:
        lines.append(nothing(found))
    return "\n".join(show.visible(line) for line in [*lines, *notes(found)])


def nothing(found: Comparison) -> str:
    if found.rows:
        return "Nothing can be compared."
    return "No cell is on both sides" + (f": they differ in {some(found.apart, ', ', 3)}." if found.apart else ".")


def caution(found: Comparison) -> str:
    return SAME if set(found.base.runs) & set(found.new.runs) else CONFOUNDED


def heading(side: Side) -> str:
    runs = ", ".join(side.runs)
    return side.label if side.label == runs else f"{side.label} (run{'s' if len(side.runs) > 1 else ''} {runs})"


def cells_of_change(change: Change) -> tuple[str, str, str]:
    what = f"{change.key} ({change.role})" if change.role else change.key
    return what, _short(change.base), _short(change.new)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _cells(row: Row) -> list[str]:
    return [row.label, row.metric.name, *figures(row), ratio(row), row.verdict]


def _table(headings: tuple[str, ...], rows: Iterable[Sequence[str]]) -> list[str]:
    left = headings if headings == CHANGED else ("strategy", "metric", "verdict")
    made = [
        show.Column(heading, [show.visible(text) for text in texts], left=heading in left)
        for heading, texts in zip(headings, zip(*rows, strict=True), strict=True)
    ]
    return show.table(made, width=max(show.WIDTH, 160))


def markdown(found: Comparison, verdict: str = "") -> str:
    """For a pull request: what changed is open, the rest is folded. Nothing foreign becomes markup."""
    parts = [f"### Benchmark: {code(heading(found.new))} against {code(heading(found.base))}"]
    if verdict:
        parts.append(f"**{escape(verdict)}**")
    if found.changes:
        texts = [[escape(what), code(base), code(new)] for what, base, new in map(cells_of_change, found.changes)]
        parts += ["> [!WARNING]\n> **The environments differ.** The ratios below are those of both changes together.",
                  markdown_table(CHANGED, texts)]  # fmt: skip
    else:
        parts.append("The environments are the same, in all that both runs tell.")
    telling, others = sorted_rows(found.rows)
    if telling:
        parts.append(markdown_table(HEADINGS, map(_markdown_cells, telling)))
    else:
        parts.append("No difference is sure." if others else nothing(found))
    if telling or others:
        parts += map(escape, [counted(found), *undecided(found)])
    if extra := notes(found):
        parts.append("\n".join(f"- {code(line)}" for line in extra))
    if others:
        parts += [f"<details><summary>{len(others)} without a difference that is sure</summary>",
                  markdown_table(HEADINGS, map(_markdown_cells, others)), "</details>"]  # fmt: skip
    return "\n\n".join([*parts, f"<sub>{escape(caution(found))}</sub>"])


def _markdown_cells(row: Row) -> list[str]:
    label, *rest, word = _cells(row)
    return [code(label), *map(escape, rest), f"**{word}**" if word in (BETTER, WORSE) else word]


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    rule = ["---:" if heading in RIGHT else "---" for heading in headings]
    return "\n".join("| " + " | ".join(row) + " |" for row in [headings, rule, *rows])


def escape(text: str) -> str:
    """As Markdown that shows just this text: entities are no markup, wherever they stand."""
    return MARKUP.sub(lambda found: f"&#{ord(found[0])};", show.visible(text))


def code(text: str) -> str:
    """Text of others: within code nothing is a link or calls anybody."""
    return f"<code>{escape(text)}</code>"


def machine(found: Comparison, exit_status: int, verdict: str) -> str:
    document = {
        "schema": 2,
        **{name: {"label": side.label, "runs": side.runs, "unfinished": side.unfinished or None}
           for name, side in (("base", found.base), ("new", found.new))},
        "decided": found.is_decided, "margin": found.base.margin,
        "exit": exit_status, "fail_on": verdict or None,
        "environment": [vars(change) for change in found.changes],
        "comparisons": [_document(row) for row in found.rows],
        "missing": found.missing, "added": found.added,
        "findings": {name: [vars(one) for one in side.findings]
                     for name, side in (("base", found.base), ("new", found.new))},
    }  # fmt: skip
    return json.dumps(as_json(document), indent=1, ensure_ascii=False)


def _document(row: Row) -> dict[str, Any]:
    single, within = (row.ratio.single, row.ratio.within) if row.ratio else (None, None)
    return {
        "cell": row.label, "metric": row.metric.name, "unit": row.metric.unit,
        "higher_is_better": row.metric.higher_is_better, "base": row.base, "new": row.new,
        "ratio": single and single.value, "low": single and single.low, "high": single and single.high,
        "family_low": within and within.low, "family_high": within and within.high,
        "family_confidence": within and within.confidence, "method": single and single.method,
        "p": row.ratio and row.ratio.p, "p_holm": row.ratio and row.ratio.p_holm,
        "least": row.ratio and row.ratio.least, "verdict": row.verdict, "why": row.why or None,
    }  # fmt: skip


def metric_names(given: list[str] | None) -> list[str] | None:
    """The metrics asked for, several at once parted by commas; None: the usual ones."""
    names = [name for one in given or () for name in one.split(",") if name]
    for name in names:
        if name not in METRICS:
            raise Unreadable(f"there is no metric {name}; there is {', '.join(METRICS)}.")
    return list(dict.fromkeys(names)) or None


def kept(side: Side) -> str:
    """What a baseline file holds, in one line."""
    return f"{len(side.cells)} cells of {side.run} with {sum(len(cell.values) for cell in side.cells)} figures"
