"""claims/: a question, the run that asks it and the answers that are claimed, read and checked before the run."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from contracts.claim import BOUNDS, ESTIMATES, TEXTS, seal
from contracts.declared import PARAMETERS
from contracts.judge import nearest
from planner.cells import AXES
from planner.parameters import Refused
from planner.results import ROOT

CLAIMS = ROOT / "claims"
PAIRS = "pairs"  # may be left out
PARTS = (*TEXTS, "run", "answers")
NO_CHANGE = ("claim", "seed")
"""What may be given beside a claim without its being another run."""
OF_AN_ANSWER = ("says", "estimate", "metric", "of", "to", *BOUNDS)


def applied(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What was given on top of the run that the claim asks for, and what the claim states, sealed; None: no claim."""
    name = given.get("claim")
    if name in (None, ""):
        return dict(given), None
    claim = read(str(name))
    own = {one: value for one, value in claim["run"].items() if not _gives_way(one, given)}
    answers = [{"name": one, **answer} for one, answer in claim["answers"].items()]
    judged = {*PARAMETERS, "cells"} - {*NO_CHANGE}
    changed = sorted(one for one in judged & set(given) if str(given[one]) != str(claim["run"].get(one)))
    stated = {
        "name": str(name), **{part: claim[part] for part in TEXTS}, "run": claim["run"], "changed": changed,
        "answers": answers, **({PAIRS: claim[PAIRS]} if PAIRS in claim else {}),
    }  # fmt: skip
    return {**own, **given}, {**stated, "seal": seal(stated)}


def _gives_way(name: str, given: Mapping[str, Any]) -> bool:
    """Cells of one's own, and strategies beside them, take the place of the claim's."""
    beside = {"cells": ("strategy", "server_command"), "strategy": ("cells", "server_command")}
    return any(one in given for one in beside.get(name, ()))


def names() -> list[str]:
    return sorted(path.stem for path in CLAIMS.glob("*.yml"))


def read(name: str) -> dict[str, Any]:
    """A claim by its name; Refused with a sentence for each thing that is wrong."""
    known = names()
    if name not in known:
        raise Refused([f"There is no claim `{name}`{nearest(name, known) or '.'} There are: {', '.join(known)}."])
    path = CLAIMS / f"{name}.yml"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise Refused([f"{shown(path)} cannot be read: {error}"]) from None
    if problems := list(wrong(document)):
        raise Refused([f"{shown(path)}: {problem}" for problem in problems])
    return dict(document)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def wrong(document: Any) -> Iterator[str]:
    """A sentence for each part that is missing, unknown or no such thing."""
    if not isinstance(document, dict) or {*document, PAIRS} != {*PARTS, PAIRS}:
        yield f"a claim has exactly the parts {', '.join(PARTS)}, and may have {PAIRS}."
        return
    pairs = document.get(PAIRS, {"metric": "", "margin": 0.0})
    if not isinstance(pairs, dict) or [type(pairs.get(name)) for name in ("metric", "margin")] != [str, float]:
        yield f"{PAIRS} is to hold a metric, and a margin as a share."
    yield from (f"{part} is to be a text." for part in TEXTS if not isinstance(document[part], str))
    run, answers = document["run"], document["answers"]
    if not isinstance(run, dict) or (unknown := sorted(set(run) - {*PARAMETERS, "cells"})):
        yield f"run is to hold parameters of a run, and not {', '.join(unknown) if isinstance(run, dict) else run}."
    if not isinstance(answers, dict) or not answers:
        yield "answers is to hold at least one, by its name."
        return
    for name, answer in answers.items():
        yield from (f"answer {name}: {problem}" for problem in wrong_answer(answer))


def wrong_answer(answer: Any) -> Iterator[str]:
    if not isinstance(answer, dict) or (unknown := sorted(set(answer) - set(OF_AN_ANSWER))):
        yield f"it has {', '.join(OF_AN_ANSWER)}, and not {', '.join(unknown) if isinstance(answer, dict) else answer}."
        return
    if answer.get("estimate") not in ESTIMATES:
        yield f"estimate is one of {', '.join(ESTIMATES)}."
    bounds = [bound for bound in BOUNDS if bound in answer]
    if len(bounds) != 1 or not isinstance(answer[bounds[0]], (int, float)):
        yield f"it states one number, as one of {', '.join(BOUNDS)}."
    if "within" in answer and answer.get("estimate") != "ratio":
        yield "within is of a ratio alone."
    if not isinstance(answer.get("says"), str) or not isinstance(answer.get("metric"), str):
        yield "says and metric are to be texts."
    for side in ("of", "to"):
        picked = answer.get(side)
        if (side == "of" or answer.get("estimate") == "ratio") and not isinstance(picked, dict):
            yield f"{side} is to name a cell, by parameters and their levels."
        elif isinstance(picked, dict) and (unknown := sorted(set(picked) - set(AXES))):
            yield f"{side} names {', '.join(unknown)}, by which no two cells of a run differ."
