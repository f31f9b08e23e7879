"""A comparison in words and figures: for a terminal, as Markdown for a pull request, and as JSON for a machine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from analysis import format as show
from analysis.answers.shown import spread_of, with_unit
from analysis.compare.judge import Change, Comparison, Row, sorted_rows
from analysis.compare.side import Side, as_json
from analysis.metrics import METRICS
from analysis.statistics.family import ALPHA
from analysis.statistics.interval import centre
from analysis.statistics.unpaired import cliffs_delta
from analysis.statistics.verdict import BETTER, VERDICTS, WORSE
from analysis.unreadable import Unreadable

HEADINGS = ("strategy", "metric", "base", "new", "new ÷ base", "verdict")
CHANGED = ("what", "base", "new")
RIGHT = ("base", "new", "new ÷ base", "value", "cell ÷ baseline", "p (Holm)", "repetitions", "blocks")
CONFOUNDED = (
    "The two runs were measured at different times: whatever else changed between them is in every ratio, and no "
    "statistic can take it out."
)
MOST_FACTOR = 1000
SAME = "Both are the same run."
LONGEST = 60  # characters of a value of the environment
MARKUP = re.compile(r"([\\`*_\[\]<>|~#!&$@:])")


def figure(row: Row, values: list[float]) -> str:
    """The centre of the repetitions with its unit, its digits by its interval."""
    if not values:
        return show.NOTHING
    found = centre(values)
    return with_unit(row.metric.name, found.value, spread_of(found.low, found.high))


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
    equal = {row.metric.name: f"{row.metric.name} {show.number(100 * row.margin, most=2)} %" for row in found.rows}
    return (
        f"{', '.join(parts)}. The intervals hold at {100 * (1 - ALPHA):.0f} % for all {compared} comparisons together; "
        f"what counts as equal: {', '.join(equal.values())}."
    )


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
    for label, names in (("only in the base run", found.missing), ("only in the new run", found.added)):
        if names:
            lines.append(f"{label}: {'; '.join(names)}")
    for name, side in (("base", found.base), ("new", found.new)):
        for finding in side.findings:
            where = ", ".join(dict.fromkeys(finding.strategies)) or "the whole run"
            lines.append(f"invalid in {name}: {where}: {finding.message} ({finding.check})")
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
        lines += [*_table(HEADINGS, map(_cells, telling + others)), "", counted(found)]
    else:
        lines.append(nothing(found))
    return "\n".join(show.visible(line) for line in [*lines, *notes(found)])


def nothing(found: Comparison) -> str:
    return "Nothing can be compared." if found.rows else "No cell is in both runs."


def caution(found: Comparison) -> str:
    return SAME if found.base.run == found.new.run else CONFOUNDED


def heading(side: Side) -> str:
    return side.label if side.label == side.run else f"{side.label} (run {side.run})"


def cells_of_change(change: Change) -> tuple[str, str, str]:
    what = f"{change.key} ({change.role})" if change.role else change.key
    return what, _short(change.base), _short(change.new)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _cells(row: Row) -> list[str]:
    return [row.label, row.metric.name, figure(row, row.base), figure(row, row.new), ratio(row), row.verdict]


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
        parts.append(escape(counted(found)))
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
        "schema": 1,
        "base": {"label": found.base.label, "run": found.base.run},
        "new": {"label": found.new.label, "run": found.new.run},
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
        "cliffs_delta": row.ratio and cliffs_delta(row.new, row.base), "margin": row.margin,
        "verdict": row.verdict, "why": row.why or None,
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
