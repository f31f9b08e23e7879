"""What the contrasts of a run come to, in sentences: each with its ratio, interval, certainty and metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis import format as show
from analysis.answers.doubt import CONTRASTS, doubts
from analysis.answers.identity import identity
from analysis.answers.shown import times
from analysis.cells import by_key, natural, standing, word
from analysis.findings import some
from analysis.metrics import METRICS, PRIMARY
from analysis.model import Dataset
from analysis.pairing import compared_by
from analysis.statistics.power import POWER
from analysis.statistics.verdict import BETTER, EQUIVALENT, INCONCLUSIVE, WORSE

MOST_NAMED = 6
NONE = {"hostile": "no hostile clients"}
# What a run that varies this asks: the figure that answers it.
ASKED = {"hostile": "p99", "generator": "lag", "backlog": "connect_p99", "accept_batch": "connect_p99"}


@dataclass(frozen=True)
class Pair:
    """One contrast. `name` and `base` are its two sides in words; `why` says why it is no comparison."""

    run: str
    cell: str
    baseline: str
    name: str
    base: str
    ratio: float
    low: float
    high: float
    confidence: float
    family_confidence: float
    margin: float
    n: int
    verdict: str
    why: str
    is_reference: bool
    least: float  # the smallest difference, as a share, that a comparison of this spread finds in 80 % of the runs
    is_duet: bool = False


@dataclass(frozen=True)
class Compared:
    """The comparisons of one metric. `factor`: what sets the sides apart."""

    factor: str
    metric: str
    pairs: tuple[Pair, ...]

    def of(self, *verdicts: str) -> list[Pair]:
        return [pair for pair in self.pairs if pair.verdict in verdicts and not pair.why]

    def by_baseline(self) -> list[Compared]:
        """Of each baseline its own: no ratio stands beside a side that it was not measured against."""
        groups: dict[tuple[str, str], list[Pair]] = {}
        for pair in self.pairs:
            groups.setdefault((pair.run, pair.baseline), []).append(pair)
        return [Compared(self.factor, self.metric, tuple(pairs)) for pairs in groups.values()]


def question(cells: pd.DataFrame) -> tuple[str, str]:
    """What a run compares, and by which metric: strategies by their efficiency, unless it varies what asks for
    another figure."""
    factor = compared_by(cells) if len(cells) else "strategy"
    return factor, ASKED.get(factor, PRIMARY)


def compared(dataset: Dataset, metric: str | None = None) -> Compared:
    """The contrasts of the run's question between cells that stand, in the order of the plan."""
    good = standing(dataset.cells)
    good = good[good["outcome"].ne("dnf") & good["good"].gt(0)]
    factor, asked = question(dataset.cells)
    metric = metric or asked
    rows = {(row["run"], row["cell"]): row for row in good.to_dict("records")}
    names = sides(dataset, factor)
    doubt = doubts(dataset)
    c = dataset.contrasts
    pairs = []
    for row in c[(c["metric"] == metric) & (c["cell"] != c["baseline"])].to_dict("records"):
        ours, theirs = (row["run"], row["cell"]), (row["run"], row["baseline"])
        if ours not in rows or theirs not in rows:
            continue
        bars = [
            check for key in (ours, theirs) for name in (metric, CONTRASTS) for check in doubt.get((*key, name), ())
        ]
        why = "" if pd.isna(row["why"]) else str(row["why"])
        pairs.append(
            Pair(
                **{name: float(row[name]) for name in ("ratio", "low", "high", "confidence", "family_confidence")},
                run=row["run"], cell=row["cell"], baseline=row["baseline"], name=names[ours], base=names[theirs],
                least=float(row["least"]), margin=float(row["margin"]), n=int(row["n"]), verdict=str(row["verdict"]),
                why=f"{', '.join(dict.fromkeys(bars))} forbids it" if bars else why,
                is_reference=identity(rows[ours]["strategy"]).is_reference, is_duet=bool(rows[ours]["duet"]),
            )
        )  # fmt: skip
    return Compared(factor, metric, tuple(sorted(pairs, key=lambda pair: natural(pair.cell))))


def sides(dataset: Dataset, factor: str) -> dict[tuple[str, str], str]:
    """The name of each cell in a sentence: its label, or the level of the factor that alone is compared."""
    labels = by_key(dataset.cells)
    rows = dataset.cells.to_dict("records")
    if factor == "strategy" or dataset.cells["label"].nunique() > dataset.cells[factor].nunique(dropna=False):
        return labels
    return {
        (row["run"], row["cell"]): NONE.get(factor, f"no {factor}")
        if pd.isna(row[factor])
        else word(factor, row[factor])
        for row in rows
    }


def _told(ours: Compared, pairs: Sequence[Pair]) -> str:
    """Such as `a answers 1.2 × [1.1, 1.3], b 1.4 × [1.2, 1.6] as many requests per CPU second as c`."""
    before, verb, rest = _phrase(ours)
    each = [f"{before}{pairs[0].name} {verb} {_ratio(pairs[0])}", *(f"{before}{p.name} {_ratio(p)}" for p in pairs[1:])]
    return f"{some(each, ', ', MOST_NAMED)} {rest} {pairs[0].base}"


def _turned(ours: Compared, pairs: Sequence[Pair]) -> str:
    """The same from the baseline's side."""
    before, verb, rest = _phrase(ours)
    again = "as" if rest.endswith(" as") else rest
    first, *others = [f"{_ratio(p, turned=True)} {rest if p is pairs[0] else again} {p.name}" for p in pairs]
    return f"{before}{pairs[0].base} {verb} {some([first, *others], ', ', MOST_NAMED)}"


def _phrase(ours: Compared) -> tuple[str, str, str]:
    """What stands before a side, and before and after its ratio to another."""
    title = METRICS[ours.metric].title
    if ours.factor != "strategy":
        return "with ", f"the {title} is", "that with"
    if ours.metric == PRIMARY:
        return "", "answers", "as many requests per CPU second as"
    return "", f"has a {title} of", "that of"


def sentences(found: Compared, load: str) -> tuple[str, str]:
    """What is decided, in one sentence, and beside it what is not, and how the references stand; empty where nothing
    could be compared. `load`: what the sentence begins with, such as `At 100 connections `."""
    ours = Compared(found.factor, found.metric, tuple(p for p in found.pairs if not p.is_reference) or found.pairs)
    told = [_parts(one) for one in ours.by_baseline()]
    decided = [first for (first, *_), _ in told if first]
    rest = [part for (_, *more), _ in told for part in more]
    rest += [part for _, open_ in told for part in open_]
    if not decided:
        if not rest:
            return "", _barred(ours)
        decided, rest = rest[:1], rest[1:]
    first = some(decided, "; ", MOST_NAMED)
    first = first if load or not first.startswith(("no ", "with ")) else f"{first[0].upper()}{first[1:]}"
    rest = [f"{part[0].upper()}{part[1:]}" if part.startswith(("no ", "how ")) else part for part in rest]
    more = [*(f"{part}." for part in dict.fromkeys(rest)), _barred(ours), _references(found, ours)]
    return f"{load}{first}.", " ".join(part for part in more if part)


def _parts(ours: Compared) -> tuple[list[str], list[str]]:
    """Against one baseline: what is decided, the first of it empty where nothing is; and what is not."""
    better, worse, open_, same = (ours.of(word) for word in (BETTER, WORSE, INCONCLUSIVE, EQUIVALENT))
    decided = [""]
    if better and ours.factor == "strategy":
        decided = [f"{_told(ours, better)} ({certainty(better)})"]
        decided += ["how those stand to each other was not compared"] if len(better) > 1 else []
        decided += [f"{_told(ours, worse)} ({certainty(worse)})"] if worse else []
    elif worse and ours.factor == "strategy":
        decided = [f"{_turned(ours, worse)} ({certainty(worse)})"]
    elif either := ours.of(BETTER, WORSE):
        decided = [f"{_told(ours, either)} ({certainty(either)})"]
    return decided, [*([_undecided(ours, open_)] if open_ else []), *([_alike(ours, same)] if same else [])]


def _ratio(pair: Pair, *, turned: bool = False) -> str:
    value, low, high = pair.ratio, pair.low, pair.high
    return f"{times(1 / value, 1 / high, 1 / low) if turned else times(value, low, high)}"


def certainty(pairs: Sequence[Pair]) -> str:
    """Such as `95 %, 5 repetitions`; of duets `95 %, 5 repetitions side by side`."""
    least, most = min(pair.n for pair in pairs), max(pair.n for pair in pairs)
    n = f"{least}" if least == most else f"{least} to {most}"
    n += f" repetition{'s' if most > 1 else ''}{' side by side' if all(pair.is_duet for pair in pairs) else ''}"
    return f"{100 * min(pair.confidence for pair in pairs):.0f} %, {n}"


def _undecided(ours: Compared, open_: Sequence[Pair]) -> str:
    names = some([pair.name for pair in open_], ", ", MOST_NAMED)
    text = f"no difference in {METRICS[ours.metric].title} was shown between {open_[0].base} and {names}"
    found = [pair.least for pair in open_ if math.isfinite(pair.least)]
    if not found:
        return f"{text} ({certainty(open_)})"
    least, most = show.difference(min(found)), show.difference(max(found))
    could = least if least == most else f"{least}, of the noisiest {most},"
    return f"{text} ({certainty(open_)}); this run could have found one of {could} in {100 * POWER:.0f} % of cases"


def _alike(ours: Compared, same: Sequence[Pair]) -> str:
    names = some([pair.name for pair in same], ", ", MOST_NAMED)
    margin = f"{100 * max(pair.margin for pair in same):.2g}"
    return f"{names} and {same[0].base} are equal within {margin} % in {METRICS[ours.metric].title} ({certainty(same)})"


def _barred(ours: Compared) -> str:
    """Comparisons of cells that stand and that cannot be made, by reason."""
    whys: dict[str, list[str]] = {}
    for pair in ours.pairs:
        if pair.why:
            whys.setdefault(pair.why, []).append(pair.name)
    told = [f"{some(names, ', ', MOST_NAMED)} ({why})" for why, names in whys.items()]
    return f"Not compared: {'; '.join(told)}." if told else ""


def _references(found: Compared, ours: Compared) -> str:
    """Programs that are not in Python, there to compare with."""
    rest = tuple(pair for pair in found.pairs if pair not in ours.pairs and not pair.why)
    each = [
        f"{_told(one, one.pairs)} ({certainty(one.pairs)})"
        for one in Compared(found.factor, found.metric, rest).by_baseline()
    ]
    return f"For comparison, not in Python: {some(each, '; ', MOST_NAMED)}." if each else ""
