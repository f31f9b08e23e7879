"""The report's one sentence: who wins, by how much and how sure; or of one strategy whether it held, how fast, at
what cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.answers import capacity, growth
from analysis.answers.identity import identity
from analysis.answers.shown import bracketed
from analysis.cells import by_key, standing
from analysis.checks.shared import server_of
from analysis.findings import some
from analysis.ingest.plan import traits
from analysis.metrics import PRIMARY
from analysis.model import Dataset

MOST_NAMED = 4
BUSY = 0.9  # of a CPU: from here on requests wait for it


@dataclass(frozen=True)
class Headline:
    """`sentence` is the answer; `more` what belongs to it: ties, the baseline, what stopped. Either is plain text."""

    sentence: str
    more: str = ""


def headline(dataset: Dataset) -> Headline:
    """What the runs say, in a sentence."""
    cells = dataset.cells
    if cells.empty:
        return Headline("No trial of this run was planned.")
    good = standing(cells)
    good = good[good["outcome"].ne("dnf") & good["good"].gt(0)]
    failed = _failed(cells, good)
    if good.empty:
        only = cells.to_dict("records")[0]
        if len(cells) == 1 and only["outcome"] == "dnf" and not only["struck"]:
            return Headline(_limited(only))
        return Headline("Nothing was measured to the end.", failed)
    is_ladder = good["connections"].nunique() > 1 or good["rate"].nunique() > 1
    if is_ladder or good["cell"].nunique() > good["strategy"].nunique():
        return Headline(_many_loads(dataset, good), failed)
    if len(good) == 1:
        return Headline(_one(dataset, good), f"{_room(dataset, good)} {failed}".strip())
    sentence, more = _winner(dataset, good)
    return Headline(sentence, f"{more} {failed}".strip())


def _failed(cells: pd.DataFrame, good: pd.DataFrame) -> str:
    """The strategies that did not hold, and those struck."""
    parts = []
    limited = cells[cells["outcome"] == "dnf"]
    if len(limited):
        named = zip(limited["label"], limited["held_connections"], strict=True)
        parts.append(some([f"{label} stopped at {show.count(float(n))}" for label, n in named], ", ", MOST_NAMED))
    lost = cells[~cells["cell"].isin(limited["cell"]) & ~cells["cell"].isin(good["cell"])]
    if len(lost):
        parts.append(f"{', '.join(lost['label'].head(MOST_NAMED))} {'is' if len(lost) == 1 else 'are'} not valid")
    return f"{'; '.join(parts)}." if parts else ""


def _estimate(dataset: Dataset, row: dict[Any, Any], metric: str) -> pd.Series | None:
    """The row of `estimates`; None where there is no value."""
    e = dataset.estimates
    found = e[(e["run"] == row["run"]) & (e["cell"] == row["cell"]) & (e["metric"] == metric) & e["value"].notna()]
    return None if found.empty else found.iloc[0]


def _load(row: dict[Any, Any]) -> str:
    connections = f"{show.count(float(row['connections']))} connections"
    if not traits(row["workload"]).holds:
        return f"{show.count(float(row['connections']))} requests in flight, a connection for each"
    idle = 0 if pd.isna(row["active"]) else float(row["connections"]) - float(row["active"])
    connections += f", {show.count(idle)} of them idle," if idle else ""
    if not traits(row["workload"]).paced:
        return f"{connections} in a closed loop"
    return connections if pd.isna(row["rate"]) else f"{connections} and {show.count(row['rate'])} requests/s"


def _one(dataset: Dataset, good: pd.DataFrame) -> str:
    row = good.to_dict("records")[-1]
    parts = [f"{row['label']} held {show.count(float(row['held_connections']))} of {_load(row)}"]
    if not traits(row["workload"]).holds:
        parts = [f"{row['label']} served {_load(row)}"]
    p50, p99, cost = (_estimate(dataset, row, name) for name in ("p50", "p99", "cpu"))
    if p99 is not None:
        median = "" if p50 is None else f"half of them within {show.time(float(p50['value']))}, "
        parts.append(f"answered {median}99 % within {show.time(float(p99['value']))}{_interval_ns(p99)}")
    if cost is not None:
        parts.append(f"and spent {show.number(float(cost['value']))} µs of server CPU on each request")
    return ", ".join(parts) + "."


def _interval_ns(row: pd.Series) -> str:
    low, high = float(row["low"]), float(row["high"])
    return "" if low != low else f" [{show.time(low)}, {show.time(high)}]"


def _limited(row: dict[Any, Any]) -> str:
    held, asked = show.count(float(row["held_connections"])), show.count(float(row["connections"]))
    limit = "" if pd.isna(row["limit"]) else f": {show.visible(str(row['limit']))}"
    return f"{row['label']} held {held} of {asked} connections and met a limit of its own{limit}."


def _room(dataset: Dataset, good: pd.DataFrame) -> str:
    """Whether the server's CPUs were what limited it; said only where that is plain."""
    row = good.to_dict("records")[0]
    trials = dataset.trials[(dataset.trials["run"] == row["run"]) & (dataset.trials["cell"] == row["cell"])]
    used = float(trials.loc[trials["outcome"] == "ok", "server_cpu_share"].median())
    host = server_of(dataset).get(row["run"])
    if used != used or host is None or not host.usable:
        return ""
    there = len(host.usable)
    text = f"Its processes used {show.number(used, most=2)} of {there} CPU{'s' if there > 1 else ''}"
    if used >= BUSY * there:
        return f"{text}: that was its limit."
    return f"{text}: it had room." if used < BUSY else f"{text}."


def _many_loads(dataset: Dataset, good: pd.DataFrame) -> str:
    """What the question was that these loads ask, answered where a figure does."""
    for answer in (capacity, growth):
        frame = answer.data(dataset)
        if not frame.empty:
            return str(answer.caption(frame))
    named = some(dict.fromkeys(good["strategy"]), ", ", MOST_NAMED)
    ranges = []
    for column, unit in (("connections", "connections"), ("rate", "requests/s")):
        values = good[column].dropna().astype(float)
        if values.nunique() > 1:
            ranges.append(f"from {show.count(values.min())} to {show.count(values.max())} {unit}")
    return f"{named} measured {' and '.join(ranges) or 'under several loads'}: the charts below say where they part."


def _winner(dataset: Dataset, good: pd.DataFrame) -> tuple[str, str]:
    """The most efficient strategy in Python; and how it stands to the baseline, the references and what is close to
    it."""
    rows = [(row, found) for row in good.to_dict("records") if (found := _estimate(dataset, row, PRIMARY)) is not None]
    if not rows:
        held = ", ".join(good["label"].head(MOST_NAMED))
        return f"{held} held {_load(good.to_dict('records')[0])}; what the server spent is not known.", ""
    rows.sort(key=lambda pair: -float(pair[1]["value"]))
    ours = [pair for pair in rows if not identity(pair[0]["strategy"]).is_reference] or rows
    best, figure = ours[0]
    # Whose interval reaches the winner's centre is not told apart from it.
    ties = [row["label"] for row, found in ours[1:] if float(found["high"]) >= float(figure["value"])]
    among = " in Python" if len(ours) < len(rows) else ""
    if ties:
        names = some([best["label"], *ties], ", ", MOST_NAMED)
        sentence = f"At {_load(best)} no one strategy{among} wins: {names} cannot be told apart, at about"
    else:
        sentence = f"At {_load(best)} the cheapest strategy{among} is {best['label']}, with"
    sentence += f" {_per_cpu_s(figure)} requests for each second of server CPU"
    more = _against_baseline(dataset, best)
    references = [
        f"{row['label']} ({_per_cpu_s(found)})"
        for row, found in rows
        if ours is not rows and identity(row["strategy"]).is_reference
    ]
    if references:
        more += f" For comparison, not in Python: {', '.join(references)}."
    return f"{sentence}.", more.strip()


def _per_cpu_s(figure: pd.Series) -> str:
    return bracketed(float(figure["value"]), float(figure["low"]), float(figure["high"]))


def _against_baseline(dataset: Dataset, best: dict[Any, Any]) -> str:
    c = dataset.contrasts
    found = c[(c["run"] == best["run"]) & (c["cell"] == best["cell"]) & (c["metric"] == PRIMARY) & c["ratio"].notna()]
    found = found[found["cell"] != found["baseline"]]
    if found.empty:
        return ""
    row = found.iloc[0]
    ratio = bracketed(float(row["ratio"]), float(row["low"]), float(row["high"]), " ×")
    baseline = by_key(dataset.cells)[best["run"], row["baseline"]]
    return f"{best['label']} answers {ratio} as many as {baseline}: {row['verdict']}."
