"""One sentence: may these numbers be trusted?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.cells import by_key, standing
from analysis.checks.shared import WITHOUT_RESULT
from analysis.findings import SEVERITIES, Finding, concerned, parsed
from analysis.model import Dataset


def counts(dataset: Dataset) -> dict[str, int]:
    """Findings by severity, and the rows that stand."""
    cells, left = dataset.cells, standing(dataset.cells)
    told = {severity: int((dataset.findings["severity"] == severity).sum()) for severity in SEVERITIES}
    limited = left["outcome"] == "dnf"
    trials = dataset.trials[dataset.trials["outcome"].isin(WITHOUT_RESULT) & ~dataset.trials["control"].fillna(False)]
    cut = set(zip(trials["run"], trials["cell"], strict=True))
    unfinished = sum(key in cut for key in zip(left["run"][~limited], left["cell"][~limited], strict=True))
    is_cut = np.array([key in cut for key in zip(left["run"], left["cell"], strict=True)], dtype=bool)
    whole = left[~limited & ~is_cut]
    told |= {"lost": int((whole["trials"] - whole["counted"]).sum())}
    told |= {"struck": len(cells) - len(left), "limited": int(limited.sum()), "unfinished": unfinished}
    return told | {"cells": len(cells)}


def located(dataset: Dataset, most: int = 8) -> list[tuple[Finding, str]]:
    """The findings, the worst first, each with its cells (those of its trials, where it names none), trials and hosts
    in words, so many of each."""
    labels = by_key(dataset.cells)
    told = []
    for one in parsed(dataset.findings):
        named = [labels.get((one.run, cell), cell) for cell in concerned(one, dataset.trials)]
        told.append((one, one.where(labels, named, most)))
    return told


def trust(dataset: Dataset) -> str:
    """How many rows stand, and how much so few repetitions can tell."""
    told = counts(dataset)
    if not told["cells"]:
        return "There is nothing here to trust."
    sound = told["cells"] - told["struck"] - told["limited"] - told["unfinished"]
    text = f"{sound} of {told['cells']} rows were measured to the end"
    if told["lost"]:
        text += f" ({told['lost']} repetition{'s' if told['lost'] > 1 else ''} struck)"
    text += f", {told['limited']} stopped at a limit" if told["limited"] else ""
    text += f", {told['unfinished']} of fewer repetitions than planned" if told["unfinished"] else ""
    if told["struck"]:
        text += f", {told['struck']} {'is' if told['struck'] == 1 else 'are'} struck and in no ranking"
    left = standing(dataset.cells)
    # Those that count, not those that were planned.
    repetitions = left.loc[left["outcome"] != "dnf", "counted"].min()
    if pd.notna(repetitions) and repetitions < 2:
        text += ". One repetition says nothing of how much repetitions differ, so no difference can be told"
    elif pd.notna(repetitions) and repetitions < 6 and sound > 1 and not left["duet"].all():  # pairs differ little
        text += f". With {repetitions} repetitions only large differences can be told"
    return f"{text}."


def weighed(dataset: Dataset) -> str:
    """How many findings of which weight."""
    told = counts(dataset)
    words = {"invalid": "invalid", "warn": "warning", "info": "remark"}
    parts = [
        f"{told[name]} {word}{'s' if told[name] != 1 and name != 'invalid' else ''}"
        for name, word in words.items()
        if told[name]
    ]
    return ", ".join(parts) or "none"
