"""From a request and what is known of the hosts to plan.yml. Pure: the same input and seed give the same plan."""

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from contracts.declared import KERNEL, LOAD, SERVER, WORKLOADS
from contracts.judge import LEAST_ANSWERED, percentile_and_limit
from planner import duet
from planner.cells import Catalog, Request, interpreters

CALIBRATED_PER_CLIENT, CALIBRATION_S = 1000, 1
UNEVEN = 1.25
RESOLUTION = {"rate": 1.1, "connections": 1.02}  # a rate varies from trial to trial, a limit hardly
MOST_RUNGS = 40  # from 1/s to the highest rate there is and back are fewer
Host = Mapping[str, Any]
"""name, role, connection, ssh, python, load_address, sources, weight; of the probe boot_id, cpus (ids), nofile_hard."""


def trial_seed(seed: int, n: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{n}".encode()).digest()[:4], "big")


def split_cpus(request: Request, hosts: Sequence[Host], controller: Host) -> dict[str, Any]:
    """The CPUs of each party: {"server", "agent", "clients": {name: …}, "conductor"}, each a list or None.

    Where the server shares its machine with generators or the conductor, the first half of the cores is the server's
    and the rest is for all others. A machine that holds one party alone, or has one core, is not pinned.
    """
    server = next(host for host in hosts if host["role"] == "server")
    clients = [host for host in hosts if host["role"] == "client"]
    wanted_server, wanted_clients = request.run_wide["server_cpus"], request.run_wide["client_cpus"]
    cores = list(server["cpus"])
    beside = [host for host in clients if host["boot_id"] == server["boot_id"]]
    conducted_here = controller["boot_id"] == server["boot_id"]

    ours: list[int] | None = None
    rest: list[int] | None = None
    if len(cores) >= 2 and (beside or conducted_here):
        half = len(cores) // 2
        ours, rest = cores[:half], cores[half:]
    if isinstance(wanted_server, list):
        ours, rest = wanted_server, [core for core in cores if core not in wanted_server] or None
    elif wanted_server == "none":
        ours, rest = None, None
    if isinstance(wanted_clients, list):
        if wanted_server == "auto" and beside:
            ours = [core for core in cores if core not in wanted_clients] or None
        rest = wanted_clients if beside else rest
    per_client: dict[str, list[int] | None] = {}
    for host in clients:
        if isinstance(wanted_clients, list):
            per_client[host["name"]] = wanted_clients
        else:
            per_client[host["name"]] = rest if wanted_clients == "auto" and host in beside else None
    helpers = None if wanted_clients == "none" else rest
    return {"server": ours, "agent": helpers, "clients": per_client, "conductor": helpers if conducted_here else None}


def workers(cell: Mapping[str, Any], catalog: Catalog, cores: int, descriptors: int) -> int:
    """Server processes (or threads) of a trial: one, unless the strategy spreads its connections over several.

    `auto` is one for each core, and as many as the connections ask for: a process has room for only so many, and no
    way of dealing is perfectly even.
    """
    strategy = catalog.get(cell["strategy"])
    if strategy is None or strategy.one_slot:
        return 1
    if cell["workers"] != "auto":
        return int(cell["workers"])
    if strategy.one_client or strategy.one_process:  # more would be another strategy; threads share their descriptors
        return max(2, cores)
    asked = math.ceil(int(cell["connections"]) * UNEVEN / max(1, strategy.room(descriptors)))
    return max(2, cores, asked)


def baseline(cells: Sequence[Mapping[str, Any]], catalog: Catalog) -> tuple[str | None, str | None]:
    """The contender that all others are compared with: the first that no limit of its own is known to stop, else the
    first."""

    def stops(cell: Mapping[str, Any]) -> bool:
        strategy = catalog.get(cell["strategy"])
        most = strategy.most_descriptors if strategy and strategy.one_process else None
        return most is not None and strategy is not None and int(cell["connections"]) > strategy.room(most)

    contenders = list(dict.fromkeys(map(duet.contender, cells)))
    stopped = {duet.contender(cell) for cell in cells if stops(cell)}
    return next((one for one in contenders if one not in stopped), contenders[0])


def order(
    cells: list[dict[str, Any]], wide: Mapping[str, Any], seed: int, first_of: tuple[str | None, str | None]
) -> list[dict[str, Any]]:
    """Block after block, in each every cell once in random order; the baseline (`first_of`) twice where an A/A is due,
    and again as `null` rivals of its own. In a duet each of these has the first strategy `beside` it: in the next
    entry, or in the one before."""
    repetitions, null = wide["repetitions"], wide["null"]
    contenders = list(dict.fromkeys(map(duet.contender, cells)))
    entries: list[dict[str, Any]] = [
        {"cell": f"c{i}", "control": False, "factors": cell} for i, cell in enumerate(cells, 1)
    ]
    first = [e for e in entries if duet.contender(e["factors"]) == first_of]
    if len(contenders) + null >= 2 and repetitions >= 2:
        entries += [{**entry, "control": True} for entry in first]
    rivals = [(which, entry) for which in range(1, null + 1) for entry in first]
    entries += [{**entry, "cell": f"c{i}", "null": which} for i, (which, entry) in enumerate(rivals, len(cells) + 1)]
    dice = random.Random(seed)
    trials = []
    for block in range(1, repetitions + 1):
        for plot in plots(entries, dice):
            members = duet.paired(plot, dice) if wide["duet"] else dice.sample(plot, len(plot))
            trials += [{**entry, "block": block} for entry in members]
    return trials


def plots(entries: Sequence[dict[str, Any]], dice: random.Random) -> list[list[dict[str, Any]]]:
    """The entries of a block by their profile, in random order: tuning takes longer than a trial, so the trials of one
    profile stand together. Each block tunes anew, so that what a profile gives is told by as many tunings as blocks."""
    by_profile: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        by_profile.setdefault(entry["factors"]["profile"], []).append(entry)
    found = list(by_profile.values())
    return dice.sample(found, len(found)) if len(found) > 1 else found


def segments(trials: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What is measured between two tunings: the `profile`, and the numbers of its `trials`. Where two blocks meet in
    one profile it is tuned anew too, or one tuning would count as two. A calibration goes with what is before it."""
    found: dict[tuple[int, str], list[int]] = {}
    for trial in trials:
        key = trial["block"], trial["profile"]
        if trial["kind"] == "calibration" and found:
            key = next(reversed(found))
        found.setdefault(key, []).append(trial["n"])
    return [{"profile": profile, "trials": numbers} for (_, profile), numbers in found.items()]


def make(
    run: str, seed: int, request: Request, catalog: Catalog, hosts: Sequence[Host], controller: Host,
    references: bool,
) -> dict[str, Any]:  # fmt: skip
    """The plan. `references`: the server host has the C programs; the calibration needs one of them."""
    cpus = split_cpus(request, hosts, controller)
    server = next(host for host in hosts if host["role"] == "server")
    cores = len(cpus["server"] or server["cpus"])
    trials: list[dict[str, Any]] = []
    n = 1
    cells, wide = request.cells, request.run_wide
    first_of = duet.contender(cells[0]) if wide["duet"] else baseline(cells, catalog)
    for entry in order(cells, wide, seed, first_of):
        cell = entry["factors"]
        trials.append(
            {
                "n": n, "block": entry["block"], "cell": entry["cell"], "kind": "measure", "control": entry["control"],
                **({"null": entry["null"]} if "null" in entry else {}),
                **({"beside": n + entry["beside"]} if "beside" in entry else {}),
                **{name: cell[name] for name in KERNEL},
                "server": {
                    **{name: cell[name] for name in SERVER},
                    "workers": workers(cell, catalog, cores, server["nofile_hard"]),
                },
                "load": {**{name: cell[name] for name in LOAD}, "seed": trial_seed(seed, n)},
                **search(cell, request.run_wide),
            }
        )  # fmt: skip
        n = after(trials[-1])
    if request.run_wide["calibrate"] and references:
        trials.append(calibration(trials, [host for host in hosts if host["role"] == "client"], seed))
    return {
        "version": 3, "run": run, "conductor_cpus": cpus["conductor"],
        "hosts": {host["name"]: planned_host(host, cpus, interpreters(cells)) for host in hosts},
        "trials": trials,
    }  # fmt: skip


def search(cell: Mapping[str, Any], wide: Mapping[str, Any]) -> dict[str, Any]:
    """What the entry of a search holds beside a trial's own; of any other workload nothing."""
    over = WORKLOADS[cell["workload"]].searches
    if over is None:
        return {}
    shortest_s = cell["warmup"] + cell["duration"]
    percentile, at_most_ns = percentile_and_limit(wide["slo"])
    rule = {"percentile": float(percentile), "at_most_ns": int(at_most_ns), "answered_share": LEAST_ANSWERED}
    return {
        "search": {
            "over": over, "from": cell[over], "to": wide["search_to"], "resolution": RESOLUTION[over],
            "budget_s": wide["search_budget"], "most_rungs": min(MOST_RUNGS, int(wide["search_budget"] // shortest_s)),
            "pass_rule": rule,
        }
    }  # fmt: skip


def load_s(trial: Mapping[str, Any]) -> float:
    """Seconds of load of one entry: of a search all that it may take."""
    if "search" in trial:
        return float(trial["search"]["budget_s"])
    return int(trial["load"]["warmup"] + trial["load"]["duration"])


def whole_load_s(trials: Sequence[Mapping[str, Any]]) -> float:
    """Seconds of load of all these entries; the two of a duet are under load at the same time."""
    return sum(load_s(trial) for trial in trials if (trial.get("beside") or math.inf) > trial["n"])


def after(trial: Mapping[str, Any]) -> int:
    """The first number that is not of this entry: the rungs of a search have a number each."""
    return int(trial["n"] + trial.get("search", {"most_rungs": 1})["most_rungs"])


def calibration(trials: Sequence[Mapping[str, Any]], clients: Sequence[Host], seed: int) -> dict[str, Any]:
    """The last trial of a run: how much its clients could send to a server that only swallows."""
    n = after(trials[-1])
    # The first cell, not the first trial: their order is random, and a ceiling is compared from run to run.
    first = next(trial for trial in trials if trial["cell"] == "c1")
    connections = min(CALIBRATED_PER_CLIENT * len(clients), max(trial["load"]["connections"] for trial in trials))
    return {
        "n": n, "block": trials[-1]["block"] + 1, "cell": "calibration", "kind": "calibration", "control": False,
        **{name: trials[-1][name] for name in KERNEL},
        "server": {**first["server"], "strategy": "null_server", "server_command": None, "python": None,
                   "disturb": None, "workers": 1},
        "load": {
            **first["load"], "workload": "calibrate", "connections": connections, "active": connections, "rate": 1,
            "requests": None, "think_time": 0, "hostile": None, "warmup": 0, "duration": CALIBRATION_S,
            "generator": "go", "pipeline": 1, "seed": trial_seed(seed, n),
        },
    }  # fmt: skip


def planned_host(host: Host, cpus: Mapping[str, Any], pythons: Sequence[str]) -> dict[str, Any]:
    result = {name: host[name] for name in ("role", "connection", "ssh", "ssh_args", "python", "load_address", "base")}
    if host.get("account"):
        result["account"] = host["account"]
    if host["role"] == "server":
        found = {level: host["probe"]["facts"]["interpreters"][level]["executable"] for level in pythons}
        named = {"interpreters": found} if found else {}
        return {**result, **named, "cpus": cpus["server"], "agent_cpus": cpus["agent"]}
    return {
        **result, "cpus": cpus["clients"][host["name"]], "agent_cpus": None,
        "sources": list(host["sources"]), "weight": host["weight"],
    }  # fmt: skip
