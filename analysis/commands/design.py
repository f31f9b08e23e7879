"""Say of a plan, before it runs or after, how long it takes, and how small a difference it and a longer one find."""

import argparse
from pathlib import Path

from analysis import format as show
from analysis.design import Design, Spread, earlier_spread, own_spread, read_plan
from analysis.statistics.family import ALPHA
from analysis.statistics.power import POWER, detectable

REPETITIONS = (10, 20, 40)


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", type=Path, metavar="RUN", help="a run's directory, or its plan.yml")
    parser.add_argument(
        "--spread", type=share, metavar="SHARE",
        help="how much a measurement spreads within its block, such as 3%%, of a duet the ratio of a pair; by default "
        "as it was, else as in the newest earlier runs",
    )  # fmt: skip


def share(text: str) -> float:
    value = show.fraction(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is no share between 0 and 1: give one such as 3%")
    return value


def run(options: argparse.Namespace) -> int:
    path = options.plan / "plan.yml" if options.plan.is_dir() else options.plan
    plan = read_plan(path)
    spread = Spread(options.spread, "as given") if options.spread else None
    spread = spread or own_spread(path.absolute().parent, plan)
    for line in lines(plan, spread or earlier_spread(path.absolute().parent.parent, plan)):
        print(show.visible(line))
    return 0


def lines(plan: Design, spread: Spread | None) -> list[str]:
    """What it costs; what it can find, unknown before the machine has shown how much it varies; what more repetitions
    would find."""
    blocks = "1 block" if plan.blocks == 1 else f"{plan.blocks} blocks"
    first = f"{plan.trials:,} trial{'s' if plan.trials > 1 else ''}{', two at a time,' if plan.is_duet else ''}"
    first += f" in {blocks}, about {lasting(plan.duration_s)}"
    first += " and what the requests take" if plan.is_open_ended else ""
    if not plan.comparisons:
        return [f"{first}; one strategy, so nothing is compared"]
    if plan.blocks < 2:
        return [first, "one block says nothing of how much blocks differ: no difference can be found; repeat it"]
    if spread is None:
        like = "duet" if plan.is_duet else "run"
        return [
            first,
            f"how small a difference it finds is not known, as no earlier {like} here is like it (or give --spread)",
        ]
    value = spread.value

    def least(blocks: int, at_once: int) -> str:
        return show.difference(detectable(blocks, value, 1 - ALPHA / at_once, measured=plan.baselines))

    found = f"smallest difference found in {100 * POWER:.0f} % of such runs: {least(plan.blocks, 1)}"
    if plan.comparisons > 1:
        found += f"; with {plan.comparisons} compared at once: {least(plan.blocks, plan.comparisons)}"
    of = "a pair's ratio of " if plan.is_duet else ""
    found += f"; at a spread of {of}{show.number(100 * spread.value, most=2)} % ({spread.source})"
    more = [f"{n} would find {least(n, plan.comparisons)}" for n in REPETITIONS if n > plan.blocks]
    beside = "" if plan.comparisons == 1 else f" with {plan.comparisons} compared at once"
    return [first, found, *([f"more repetitions{beside}: {', '.join(more)}"] if more else [])]


def lasting(seconds: float) -> str:
    """Such as 45 s, 22 min, 3 h 5 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
