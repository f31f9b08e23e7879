"""What is true of the synthetic run: each strategy's cost and latency, the trials, the faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

BLOCKS = 10
# Of a figure's logarithm: what a block has in common, and what each trial has of its own.
BLOCK_SPREAD, RESIDUAL_SPREAD = 0.08, 0.03
RUN = "20260101T000000Z-de3000"
CLIENTS = ("client1", "client2", "client3")
FAULTS = ("bad_client", "saturated_generator", "overflow", "drift", "truncated", "noisy_neighbour", "corrupt", "ports")


@dataclass(frozen=True)
class Strategy:
    """`cpu_us` per request at 10,000 connections held, and by how much each 1,000 fewer make it less."""

    cpu_us: float
    user_share: float
    median_ns: float
    sigma: float  # of the response's logarithm
    bytes_per_connection: float
    idle_us: float = 0.0
    limit: tuple[str, int] | None = None
    workers: int = 1


STRATEGIES = {
    "epoll": Strategy(30.0, 0.2, 150e3, 0.7, 230.0),
    "epoll_edge": Strategy(30.0, 0.2, 150e3, 0.7, 230.0),
    "workers": Strategy(33.0, 0.25, 160e3, 0.75, 320.0, workers=2),
    "poll": Strategy(90.0, 0.1, 0.6e6, 0.6, 300.0, idle_us=8.0),
    "select": Strategy(90.0, 0.1, 0.6e6, 0.6, 300.0, limit=("FD_SETSIZE", 1018)),
}


@dataclass(frozen=True)
class Cell:
    """One cell of the plan; `rate` in requests/s, `duration` in seconds."""

    strategy: str
    workload: str = "open"
    connections: int = 10_000
    active: int = 10_000
    rate: int = 900
    duration: int = 10
    steps: int = 10
    control: bool = False


def cells() -> tuple[Cell, ...]:
    """Every kind of question that the report has a figure for."""
    main = [Cell(name) for name in STRATEGIES]
    idle = [
        Cell(name, connections=size, active=100, rate=300) for name in ("epoll", "poll") for size in (100, 1000, 10_000)
    ]
    ladder = [Cell(name, "capacity", 1000, 1000, rate) for name in ("epoll", "poll") for rate in (400, 800, 1600, 3200)]
    return (*main, *idle, *ladder, Cell("epoll", "ramp", rate=300))


@dataclass(frozen=True)
class Trial:
    """One planned trial with its own truth: what the block and chance made of the strategy's."""

    n: int
    block: int
    cell: str
    of: Cell
    cpu_us: float
    median_ns: float


@dataclass(frozen=True)
class Truth:
    """The whole run."""

    run: str
    seed: int
    trials: tuple[Trial, ...]
    fault: str | None
    hosts: tuple[str, ...] = field(default=("server", *CLIENTS))


def capacity_limit(strategy: Strategy) -> float:
    """Requests/s at which the synthetic server would be full; its response grows towards it as 1/(1 - load)."""
    return 1e6 / strategy.cpu_us / 10


def truth(seed: int, fault: str | None = None, only: Sequence[Cell] | None = None, blocks: int = BLOCKS) -> Truth:
    """Blocks in random order; the control is the second of the first cell."""
    draw = np.random.default_rng(seed)
    planned = list(cells() if only is None else only)
    named = [(f"c{i}", cell) for i, cell in enumerate(planned, start=1)]
    trials: list[Trial] = []
    for block in range(1, blocks + 1):
        common = draw.normal(0, BLOCK_SPREAD)
        entries = [*named, ("c1", Cell(**{**vars(planned[0]), "control": True}))]
        for place in draw.permutation(len(entries)):
            name, cell = entries[place]
            strategy = STRATEGIES[cell.strategy]
            idle = 1 - strategy.idle_us * (10_000 - cell.connections) / 1000 / strategy.cpu_us
            load = min(0.97, cell.rate / capacity_limit(strategy)) if cell.workload == "capacity" else 0.0
            trials.append(
                Trial(
                    len(trials) + 1, block, name, cell,
                    strategy.cpu_us * idle * np.exp(common + draw.normal(0, RESIDUAL_SPREAD)),
                    strategy.median_ns / (1 - load) ** 2 * np.exp(common + draw.normal(0, RESIDUAL_SPREAD)),
                )
            )  # fmt: skip
    return Truth(RUN, seed, tuple(trials), fault)
