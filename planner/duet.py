"""Two servers at the same time on the same CPUs under the same load: what disturbs one disturbs the other, so what a
request costs the one over what it costs the other hardly moves with the machine (Bulej and others, "Duet Benchmarking:
Improving Measurement Accuracy in the Cloud", ICPE 2020). Pure."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts.declared import KERNEL, LOAD, PARAMETERS, SERVER

WORKLOADS = ("open",)
"""Those that offer the same to both until the same moment, however long each takes."""
OF_THE_SERVER = (
    "strategy", "server_command", "workers", "python",
    *(name for name, parameter in PARAMETERS.items() if parameter.optional),
)  # fmt: skip
"""In which a rival and what it is measured beside may differ: they say what a server is, and not what it is asked."""
Cell = Mapping[str, Any]
Entry = dict[str, Any]


def alike(cell: Cell) -> str:
    return repr({name: cell[name] for name in (*SERVER, *LOAD, *KERNEL) if name not in OF_THE_SERVER})


def contender(cell: Cell) -> tuple[str | None, str | None]:
    return cell["strategy"], cell["server_command"]


def beside(cell: Cell, baseline: Sequence[Cell]) -> Cell | None:
    """Of the cells of the first strategy the one that is the same but for the server; of several the most like it."""
    candidates = [one for one in baseline if alike(one) == alike(cell)]
    return max(candidates, key=lambda one: sum(one[name] == cell[name] for name in OF_THE_SERVER), default=None)


def problems(cells: Sequence[Cell], wide: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each reason for which these cells cannot be measured side by side."""
    if not wide["duet"] or not cells:
        return
    for workload in dict.fromkeys(cell["workload"] for cell in cells):
        if workload not in WORKLOADS:
            yield f"duet measures the workload {WORKLOADS[0]} side by side, and not {workload}."
    if len({cell["server_port"] for cell in cells}) > 1:
        yield "The second server of a duet listens behind the first: give one server_port for all."
    first = contender(cells[0])
    baseline = [cell for cell in cells if contender(cell) == first]
    rivals = [cell for cell in cells if contender(cell) != first]
    if not rivals and not wide["null"]:
        yield "duet measures each rival beside the first strategy: name two strategies or commands, or give null=N."
    chosen = [beside(cell, baseline) for cell in rivals]
    if wide["repetitions"] < 2 and not wide["null"] and any(cell not in chosen for cell in baseline):
        yield "With one repetition there is no control, so a duet would not measure every cell: give repetitions=2."
    for cell, partner in zip(rivals, chosen, strict=True):
        if partner is None:
            yield (
                f"duet has nothing to measure {cell['strategy'] or 'a server_command'} beside: it takes a cell of "
                f"{cells[0]['strategy'] or 'the first server_command'} that is the same but for the server."
            )
    highest = max(ports(cell)[-1] for cell in cells)
    most = PARAMETERS["server_port"].high or 0
    if highest > most:
        yield f"The second server of a duet would listen on {highest}, and ports end with {most}: lower server_port."


def ports(cell: Cell) -> range:
    """Those of the two servers of a duet: the second listens behind the first."""
    return range(cell["server_port"], cell["server_port"] + 2 * cell["server_ports"])


def paired(entries: Sequence[Entry], dice: random.Random) -> list[Entry]:
    """Of what one block measures alone: each rival and each control beside the baseline, in random order. Which of the
    two is the first, and so has the lower port, is left to chance."""
    first = contender(entries[0]["factors"])
    baseline = [e for e in entries if is_baseline(e) and contender(e["factors"]) == first]
    others = [e for e in entries if e not in baseline]
    cells = [e["factors"] for e in baseline]
    pairs = [(baseline[cells.index(beside(e["factors"], cells))], e) for e in others]
    made = []
    for pair in dice.sample(pairs, len(pairs)):
        one, other = dice.sample(pair, 2)
        factors = {**other["factors"], "server_port": ports(one["factors"])[one["factors"]["server_ports"]]}
        made += [{**one, "beside": 1}, {**other, "factors": factors, "beside": -1}]
    return made


def is_baseline(entry: Entry) -> bool:
    """Neither a control nor a null rival: of the first strategy these are what all others stand beside."""
    return not entry["control"] and "null" not in entry
