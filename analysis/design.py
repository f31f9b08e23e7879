"""A plan before it runs: how long it takes, and how much its repetitions spread in earlier runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.foreign import content
from analysis.ingest.events import parsed
from analysis.ingest.plan import OWN_SERVER, traits
from analysis.model import yaml_of
from analysis.statistics.power import residual
from analysis.unreadable import Unreadable
from contracts import older

VERSIONS = (1, 2, 3)
START_S = 0.5  # of a server and its agents
OVERHEAD_S = 1.0  # of a trial, beside start, arming and load
LEAST_FREEDOM = 5  # degrees of freedom: with fewer a spread says nothing
MOST_S = 1e9  # of a plan: thirty years
MOST_RUNS = 3  # the newest ones say how the machines are now


@dataclass(frozen=True)
class Design:
    """What of a plan matters before it runs."""

    run: str
    trials: int  # calibration left out
    blocks: int
    duration_s: float
    is_open_ended: bool  # a trial lasts as long as its requests take
    contenders: frozenset[tuple[str, str]]  # strategy and command
    workloads: frozenset[str]
    comparisons: int  # cells to compare with one of the baseline
    baselines: float  # how often a block measures the baseline: with a control twice; of a duet inf, see `Spread`
    is_duet: bool


@dataclass(frozen=True)
class Spread:
    """The standard deviation of the logarithm of one measurement within its block and cell, of a duet that of the ratio
    of a pair, and whence it is known."""

    value: float
    source: str


def read_plan(path: Path) -> Design:
    """The design of a plan.yml. Unreadable where it is none."""
    try:
        document = yaml_of(content(path))
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}; give the plan.yml of a run.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(f"{path} is no YAML: give the plan.yml of a run.") from error
    if not isinstance(document, dict) or document.get("version") not in VERSIONS:
        raise Unreadable(f"{path} is no plan of a version that this analysis reads: give the plan.yml of a run.")
    try:
        found = design(older.newest(document))
        if not 0 <= found.duration_s < MOST_S:
            raise ValueError("a duration that no run has")
        return found
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise Unreadable(f"{path} holds a plan whose trials this analysis does not understand.") from error


def design(plan: dict[str, Any]) -> Design:
    measured = [trial for trial in plan["trials"] if trial.get("kind") != "calibration"]
    if not measured:
        raise ValueError("a plan without trials")
    cells = {trial["cell"]: _contender(trial) for trial in measured}
    rivals = {trial["cell"] for trial in measured if trial.get("null")}
    controlled = [_contender(trial) for trial in measured if trial.get("control")]
    first = controlled[0] if controlled else _contender(measured[0])
    is_duet = any(trial.get("beside") for trial in measured)
    return Design(
        run=_text(plan["run"]),
        trials=len(measured),
        blocks=len({int(trial["block"]) for trial in measured}),
        duration_s=math.fsum(duration_s(trial) for trial in plan["trials"] if not _is_second(trial)),
        is_open_ended=any(trial["load"].get("requests") for trial in measured),
        contenders=frozenset(cells.values()),
        workloads=frozenset(_text(trial["load"]["workload"]) for trial in measured),
        comparisons=sum(contender != first or cell in rivals for cell, contender in cells.items()),
        baselines=math.inf if is_duet else 2 if controlled else 1, is_duet=is_duet,
    )  # fmt: skip


def _is_second(trial: dict[str, Any]) -> bool:
    """Whether its time is that of the trial beside, which the plan has before it."""
    return int(trial.get("beside") or 0) in range(1, trial["n"])


def _contender(trial: dict[str, Any]) -> tuple[str, str]:
    server = trial["server"]
    return _text(server["strategy"] or OWN_SERVER), _text(server.get("server_command") or "")


def _text(value: object) -> str:
    """A text, and nothing else: a list of lists by reference could be written out for ever."""
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def duration_s(trial: dict[str, Any]) -> float:
    """How long a trial takes, about: a strategy that meets its limit skips the window and takes less. A search of a
    capacity takes its budget at most.

    One that ends with the last of so many requests counts without them: how long they take is what it measures.
    """
    if "search" in trial:
        return float(trial["search"]["budget_s"])
    load = trial["load"]
    rate = load.get("connect_rate")
    # One that churns verifies a single connection; a burst connects at once; each step of a ramp is held for a second.
    arm = 0.0 if not traits(load["workload"]).connects_ahead or rate is None else int(load["connections"]) / float(rate)
    steps = float(load["steps"]) if load["workload"] == "ramp" else 0.0
    window = 0.0 if load.get("requests") else float(load["duration"])
    return START_S + arm + steps + float(load["warmup"]) + window + OVERHEAD_S


def earlier_spread(results: Path, plan: Design) -> Spread | None:
    """That of requests per CPU-second, pooled over the newest runs beside the plan's that had most of its strategies
    and its workload, duets for a duet; None where no such run says enough. Read from their summary.csv.
    """
    squares, freedom = 0.0, 0
    runs: list[str] = []
    for run, directory in _runs(results):
        if run == plan.run or len(runs) == MOST_RUNS:
            continue
        its_squares, its_freedom = _residual_of(directory / "summary.csv", plan)
        if its_freedom >= LEAST_FREEDOM:
            squares, freedom = squares + its_squares, freedom + its_freedom
            runs.append(run)
    if not runs:
        return None
    return Spread(math.sqrt(squares / freedom), f"as in {_listed(runs)}")


def own_spread(run: Path, plan: Design) -> Spread | None:
    """That of the run itself, where it has been measured and says enough."""
    squares, freedom = _residual_of(run / "summary.csv", plan)
    return Spread(math.sqrt(squares / freedom), "as it was") if freedom >= LEAST_FREEDOM else None


def _listed(runs: Sequence[str]) -> str:
    return runs[0] if len(runs) == 1 else f"{', '.join(runs[:-1])} and {runs[-1]}"


def _runs(results: Path) -> list[tuple[str, Path]]:
    """The runs of a results directory by their manifests, the newest first."""
    found: dict[str, tuple[str, Path]] = {}
    for path in results.glob("*/manifest.json"):
        try:
            manifest = parsed(content(path))
            found[str(manifest["run"])] = (str(manifest["started_utc"]), path.parent)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
    return [(run, directory) for run, (_, directory) in sorted(found.items(), key=lambda one: one[1][0], reverse=True)]


def _residual_of(path: Path, plan: Design) -> tuple[float, int]:
    """Sum of squares and degrees of freedom of one run; (0, 0) where it is of other strategies or another workload."""
    try:
        trials = pd.read_csv(
            BytesIO(content(path)), dtype=dict.fromkeys(("command", "server_command", "strategy", "cell"), str)
        )
        trials = trials.rename(columns={"command": "server_command"})
        trials = trials[trials["cpu_us_per_request"] > 0]
        trials = trials[(trials["outcome"] == "ok") & trials["workload"].isin(plan.workloads)]
        contenders = list(zip(trials["strategy"], trials["server_command"].fillna(""), strict=True))
        trials = trials.assign(log=trials["cpu_us_per_request"].map(math.log))
        is_duet = bool(trials["beside"].notna().any()) if "beside" in trials else False
        if not contenders or is_duet != plan.is_duet or not is_alike(set(contenders), plan):
            return 0.0, 0
        mine = trials[[contender in plan.contenders for contender in contenders]]
        return residual(_ratios(mine) if is_duet else mine[["block", "cell", "log"]])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0, 0


def _ratios(trials: pd.DataFrame) -> pd.DataFrame:
    """The logarithm of the ratio of each pair, the two always the same way round. What a block does to both is out of
    it, so all are of one block."""
    sides = trials.assign(name=trials["cell"].str.cat(trials["control"].astype(str), " "))
    pairs = sides.merge(sides, left_on="beside", right_on="trial", suffixes=("", "_beside"))
    pairs = pairs[pairs["name"] > pairs["name_beside"]]
    return pd.DataFrame({
        "block": 1, "cell": pairs["name"].str.cat(pairs["name_beside"], " "), "log": pairs["log"] - pairs["log_beside"],
    })  # fmt: skip


def is_alike(measured: set[tuple[str, str]], plan: Design) -> bool:
    """Whether a run measured most of what the plan has: a strategy that met its limit has no figure."""
    return 2 * len(measured & plan.contenders) > len(plan.contenders)
