"""A search: which rate, or how many connections, come next, and whether a rung met its rule. Pure; verdicts are
analysis's."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from conductor import progress
from conductor.plan import PassRule, Search, Trial

Rung = tuple[int, bool]
"""A rate, or a number of connections, and whether it was met."""


def next_value(search: Search, rungs: Sequence[Rung]) -> int | None:
    """Up by twos, down by halves, then the geometric mean of the highest met and the lowest missed; None at the end."""
    if not rungs:
        return search.begins_with
    met = max((value for value, passed in rungs if passed), default=None)
    missed = min((value for value, passed in rungs if not passed), default=None)
    if missed is None:
        return min(2 * met, search.to) if met is not None and met < search.to else None
    if met is None:
        return missed // 2 or None
    between = round(math.sqrt(met * missed))
    return between if missed / met > search.resolution and met < between < missed else None


def rung_of(trial: Trial, index: int, value: int) -> Trial:
    """The trial of a rung, counted from 0, of the search that is this entry of the plan. Where all connections carry
    requests, those of the rung do."""
    assert trial.search
    changed: dict[str, Any] = {trial.search.over: value}
    if trial.search.over == "connections" and trial.load.active == trial.load.connections:
        changed["active"] = value
    load = dataclasses.replace(trial.load, **changed, given={**trial.load.given, **changed})
    return dataclasses.replace(trial, n=trial.n + index, cell=f"{trial.cell}@{value}", load=load, search=None)


def judged(rule: PassRule, tally: progress.Tally) -> tuple[bool, str]:
    """Did the window of a rung meet the rule? And why, in words."""
    planned, answered = tally.window_counts["planned"], tally.window_counts["answered"]
    response_ms = progress.percentile_ms(tally.window, rule.percentile, planned)
    is_quick = response_ms is not None and response_ms * 1e6 <= rule.at_most_ns
    is_answered = planned > 0 and answered >= rule.answered_share * planned
    share = f"{answered:,} of {planned:,} answered"
    return is_quick and is_answered, f"p{rule.percentile:g} {progress.show_ms(response_ms)}, {share}"


def told(search: Search, rungs: Sequence[Rung]) -> str:
    """What a search found, in words: what its rungs were, and no estimate."""
    met = max((value for value, passed in rungs if passed), default=None)
    missed = min((value for value, passed in rungs if not passed), default=None)
    parts = [f"met at {said(search, met)}" if met else "", f"missed at {said(search, missed)}" if missed else ""]
    of = " and ".join(filter(None, parts)) or "not tried to the end at any"
    rule, whole = search.pass_rule, "" if search.over == "rate" else "all held, "
    return f"{whole}p{rule.percentile:g} within {progress.show_ms(rule.at_most_ns / 1e6)}: {of}"


def said(search: Search, value: int) -> str:
    return f"{value:,}/s" if search.over == "rate" else f"{value:,} connections"
