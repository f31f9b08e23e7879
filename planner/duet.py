"""Two servers at the same time on the same CPUs under the same load: what disturbs one disturbs the other, so what a
request costs the one over what it costs the other hardly moves with the machine (Bulej and others, "Duet Benchmarking:
Improving Measurement Accuracy in the Cloud", ICPE 2020). Pure."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts.declared import LOAD, PARAMETERS, SERVER

WORKLOADS = ("open", "closed")
"""Those that offer the same to both until the same moment."""
OF_THE_SERVER = ("strategy", "server_command", "workers", "server_port")
"""In which a rival and what it is measured beside may differ."""
Cell = Mapping[str, Any]
Entry = dict[str, Any]


def alike(cell: Cell) -> str:
    return repr({name: cell[name] for name in (*SERVER, *LOAD) if name not in OF_THE_SERVER})


def contender(cell: Cell) -> tuple[str | None, str | None]:
    return cell["strategy"], cell["server_command"]


def problems(cells: Sequence[Cell], wide: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each reason for which these cells cannot be measured side by side."""
    if not wide["duet"] or not cells:
        return
    for workload in dict.fromkeys(cell["workload"] for cell in cells):
        if workload not in WORKLOADS:
            yield f"duet measures the workloads {' and '.join(WORKLOADS)} side by side, and not {workload}."
    first = contender(cells[0])
    beside = {alike(cell) for cell in cells if contender(cell) == first}
    rivals = [cell for cell in cells if contender(cell) != first]
    if not rivals and not wide["null"]:
        yield "duet measures each rival beside the first strategy: name two strategies or commands, or give null=N."
    for cell in rivals:
        if alike(cell) not in beside:
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
    baseline = {alike(e["factors"]): e for e in entries if is_baseline(e) and contender(e["factors"]) == first}
    pairs = [
        (baseline[alike(e["factors"])], e) for e in entries if not is_baseline(e) or contender(e["factors"]) != first
    ]
    made = []
    for pair in dice.sample(pairs, len(pairs)):
        one, other = dice.sample(pair, 2)
        factors = {**other["factors"], "server_port": ports(one["factors"])[one["factors"]["server_ports"]]}
        made += [{**one, "beside": 1}, {**other, "factors": factors, "beside": -1}]
    return made


def is_baseline(entry: Entry) -> bool:
    """Neither a control nor a null rival: of the first strategy these are what all others stand beside."""
    return not entry["control"] and "null" not in entry
