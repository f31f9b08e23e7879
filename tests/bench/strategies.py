"""What the benches of strategies share: servers by their names in the catalogue, and the CPU of a closed loop.

Beside them stand C epoll and an A/A control, which is C epoll once more: how far the control's ratio strays from 1 is
the machine's doing.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from server import catalog, needs
from server.reference import build as reference
from tests.bench import common, usage

YARDSTICK, CONTROL = "c_epoll", "c_epoll again"
PATIENCE_S = 120  # for what has to happen within a round
WARMED_UP = 4  # before requests are counted, a fourth as many are answered
RUN_S = 600  # longer than any round: a run is ended when all has been counted


def parser(description: str | None, **defaults: int | str) -> argparse.ArgumentParser:
    made = common.parser(description, **{"workers": 2, **defaults})
    made.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="of the order; random")
    return made


def begin(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, list[str]]:
    """Build and say what machine this is; the options, and the names of the strategies, each once."""
    options = common.begin(parser)
    names = list(dict.fromkeys(options.strategies.split(",")))
    for name in names:
        try:
            catalog.find(name)
        except KeyError as error:
            raise SystemExit(error.args[0]) from None
    reference.build(needs.HOMES[-1])
    if any("go" in catalog.find(name).needs for name in names):
        reference.build_go(needs.HOMES[-1])
    print(f"The order of the rounds is that of --seed {options.seed}.")
    return options, names


def beside_c(names: Sequence[str]) -> list[str]:
    """The yardstick, its control, and the others."""
    return [YARDSTICK, CONTROL, *(name for name in names if name != YARDSTICK)]


@contextmanager
def serving(name: str, workers: int) -> Iterator[common.Server]:
    """A strategy of the catalogue, or the control, on the server's CPU with all its processes."""
    strategy = catalog.find(YARDSTICK if name == CONTROL else name)
    slots = strategy.slots(workers)
    command = [sys.executable, "-m", "server", "serve", "--strategy", strategy.name, "--workers", slots]
    with common.started(command, slots) as server:
        yield server


@contextmanager
def loading(server: common.Server, **options: object) -> Iterator[subprocess.Popen[str]]:
    """A generator that runs until all has been counted; its report is checked in the end."""
    run = common.run_command(server.target, d=f"{RUN_S}s", warmup="0s", arm_timeout="60s", **options)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with common.process(run, common.GENERATOR_CPU, **pipes) as child:
        try:
            yield child
        except common.Unmeasured:
            if child.poll() is not None and child.stdout is not None:
                common.report(child.returncode, child.stdout.read())  # it has a better reason
            raise
        child.terminate()
        try:
            text, _ = child.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            raise common.Unmeasured("loadgen run does not end.") from None
    common.unbroken(common.report(child.returncode, text))


def cost(name: str, workers: int, connections: int, active: int, answers: int, rate: int = 0) -> usage.Cost:
    """CPU of the server for so many requests, all active connections asking again as soon as they are answered.

    With a rate, so many requests/s are asked instead, whatever becomes of them (an open loop).
    """
    load: dict[str, object] = {"r": rate} if rate else {"w": "closed"}
    with serving(name, workers) as server, loading(server, c=connections, active=active, **load) as child:

        def after(answered: int) -> tuple[int, usage.Cpu]:
            what = f"{answered:,} answers"
            common.wait_until(lambda: server.answered() >= answered, child, PATIENCE_S, what)
            return server.answered(), usage.cpu(server.pid)

        # Past arming, an echo for each connection, and past the burst with which a closed loop begins; and so far that
        # most of the server's life has been like what is measured (see usage.Cpu).
        first, before = after(connections + max(4 * active, answers // WARMED_UP))
        last, spent = after(first + answers)
    return usage.cost(before, spent, last - first)


def middle(costs: Sequence[usage.Cost], part: str = "total_us") -> str:
    """The cell of a table."""
    return common.figure(common.median([getattr(one, part) for one in costs])) if costs else "–"


def total_us(cost: usage.Cost) -> float:
    return cost.total_us
