"""How a run stands, as lines that fit a terminal. Pure; whatever a host says is written out, never executed."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from analysis import format as show
from analysis.ingest.fields import mapping, text
from analysis.watch.state import Figures, Run, Trial
from contracts.declared import PARAMETERS
from contracts.visible import one_line, visible

LONGEST_NAME, LONGEST_REASON = 24, 100
LEAST_TRIALS = 3  # of those that have ended, however low the terminal
COLUMNS = {"connections": 3, "requests\n/s": 0, "response\np99": 0, "CPU\n% of a core": 2, "errors": 0}
"""The figures in the order of Figures, and how early a column gives way."""
LIVE = (
    "requests/s: of the newest second · p99 and errors: of the window so far · server's CPU: between its last two "
    "samples · a client tells its CPU at the trial's end"
)
ENDED = f"all figures: of the whole window · {show.NOTHING}: not told, or too little to say"


def lines(run: Run, title: str, width: int, height: int | None = None) -> list[str]:
    """The trials that go on host by host, or the last one; and those that have ended, the newest that `height` has
    room for. `title` says which run it is, and whether it goes on."""
    found = [show.visible(title)]
    ended = [trial for trial in run.trials.values() if trial.outcome and not trial.is_calibration]
    for trial in run.under_way or ended[-1:]:
        found += ["", place(run, trial), *of_hosts(run, trial, width)]
    legend = ["", *textwrap.wrap(LIVE if run.under_way else ENDED, width)] if run.trials else []
    if ended:
        taken = len(found) + len(legend) + 6  # a blank line, the headings, how many are left out, the cursor's line
        most = len(ended) if height is None else max(LEAST_TRIALS, height - taken)
        earlier = len(ended) - most
        found += ["", *of_trials(run, ended[-most:], width)]
        found += [f"{earlier:,} earlier trial{'s' if earlier > 1 else ''}"] if earlier > 0 else []
    return [*found, *legend]


def place(run: Run, trial: Trial) -> str:
    """Such as: trial 2 of 12: poll · load, 4 of 10 s."""
    begun = sum(entry["n"] <= trial.n for entry in run.planned)  # the rungs of a search are one entry
    return f"trial {begun} of {len(run.planned)}: {name_of(run, trial)} · {trial.outcome or phase(trial)}"


def phase(trial: Trial) -> str:
    if trial.phase != "load":
        return trial.phase
    k = max((k for k, _ in trial.newest.values()), default=-1) + 1
    warmup, duration = (trial.load.get(name) for name in ("warmup", "duration"))
    whole = "" if trial.load.get("requests") or not isinstance(warmup, int) or not isinstance(duration, int) else (
        f" of {warmup + duration}"
    )  # fmt: skip
    return f"load, {k:,}{whole} s"


def of_hosts(run: Run, trial: Trial, width: int) -> list[str]:
    rows = trial.rows(run.hosts, run.server)
    names = [shortened(name, LONGEST_NAME) or "all" for name, _ in rows]
    return table([show.Column("host", names, left=True)], [figures for _, figures in rows], [], width)


def of_trials(run: Run, trials: Sequence[Trial], width: int) -> list[str]:
    first = [
        show.Column("trial", [f"{trial.n:,}" for trial in trials]),
        show.Column("strategy", [name_of(run, trial) for trial in trials], left=True),
    ]
    last = [show.Column("outcome", [trial.outcome for trial in trials], left=True)]
    why = [shortened(text(mapping(trial.result).get("reason")) or "", LONGEST_REASON) for trial in trials]
    last += [show.Column("reason", why, left=True, drop=9)] if any(why) else []
    return table(first, [trial.rows(run.hosts, run.server)[-1][1] for trial in trials], last, width)


def table(first: Sequence[show.Column], rows: Sequence[Figures], last: Sequence[show.Column], width: int) -> list[str]:
    texts = [told(row) for row in rows]
    figures = [
        show.Column(heading, [row[i] for row in texts], drop=drop) for i, (heading, drop) in enumerate(COLUMNS.items())
    ]
    kept, _ = show.fit([*first, *figures, *last], width)
    return show.table(kept, width)


def told(row: Figures) -> list[str]:
    cpu = show.NOTHING if math.isnan(row.cpu_share) else f"{100 * row.cpu_share:.0f}"
    return [
        show.count(row.connections), show.number(row.requests_per_s), show.time(row.p99_ns), cpu,
        show.count(row.errors),
    ]  # fmt: skip


def name_of(run: Run, trial: Trial) -> str:
    """The strategy, and what else tells the run's trials apart."""
    given = {"server": trial.server, "load": trial.load}
    more = [
        f"{name}={shortened(str(given[part].get(name)), LONGEST_NAME)}" for part, name in run.factors
        if trial.workload.name in PARAMETERS[name].workloads or not PARAMETERS[name].workloads
    ]  # fmt: skip
    return " ".join([shortened(trial.label, LONGEST_NAME), *more])


def shortened(words: str, most: int) -> str:
    """On one line, written out, and no longer than that."""
    line = visible(one_line(words, 10 * most))
    return line if len(line) <= most else f"{line[: most - 1]}…"
