"""What was asked for that a server of the run, or its load, can do nothing with: a sentence for each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts import disturbance
from contracts.declared import PARAMETERS, WORKLOADS
from server.catalog import Strategy

Catalog = Mapping[str, Strategy]
Cells = Sequence[Mapping[str, Any]]


def problems(cells: Cells, catalog: Catalog, common: Mapping[str, Any], listed: Any) -> Iterator[str]:
    """All of them. `common` is what a person gave for the whole run, `listed` what he gave as `cells`."""
    given = each(common, listed)
    yield from idle_workers(cells, catalog, given)
    yield from idle_interpreters(cells, given)
    yield from undisturbed(cells, catalog)


def each(common: Mapping[str, Any], listed: Any) -> list[Mapping[str, Any]]:
    """What a person gave for the whole run, and for each of the `cells`."""
    return [common, *(item for item in (listed if isinstance(listed, list) else ()) if isinstance(item, dict))]


def idle_interpreters(cells: Cells, given: Cells) -> Iterator[str]:
    """A sentence where somebody asks for an interpreter and no server of the run is in Python."""
    is_asked = any(one.get("python") not in (None, "") for one in given)
    if cells and is_asked and not any(cell["python"] for cell in cells):
        names = ", ".join(dict.fromkeys(cell["strategy"] or "a server_command" for cell in cells))
        yield f"python would change nothing: no server of this run ({names}) is a strategy in Python."


def idle_workers(cells: Cells, catalog: Catalog, given: Cells) -> Iterator[str]:
    """A sentence where somebody asks for workers and no server of the run has several."""
    if all(one.get("workers") in (None, "", PARAMETERS["workers"].default) for one in given):
        return
    found = {cell["strategy"]: catalog.get(cell["strategy"]) for cell in cells}
    if found and all(strategy is None or strategy.one_slot for strategy in found.values()):
        names = ", ".join(name or "a server_command" for name in found)
        yield f"workers would change nothing: no server of this run ({names}) has several processes."


def undisturbed(cells: Cells, catalog: Catalog) -> Iterator[str]:
    """A sentence where `disturb` finds no worker of a server, or a load that would show nothing of it."""
    for level in dict.fromkeys(cell["disturb"] for cell in cells if cell["disturb"]):
        asked = disturbance.parse(level)
        of_it = [cell for cell in cells if cell["disturb"] == level]
        fit = [name for name, one in catalog.items() if (one.replaces if asked.restarts else several(one))]
        others = dict.fromkeys(cell["strategy"] or "a server_command" for cell in of_it if cell["strategy"] not in fit)
        if others:
            what = "worker processes that have successors" if asked.restarts else "several worker processes"
            yield f"disturb={level} needs {what}. That is not known of {', '.join(others)}; it is of {', '.join(fit)}."
        stay = dict.fromkeys(cell["workload"] for cell in of_it if WORKLOADS[cell["workload"]].holds)
        if asked.restarts and stay:
            comes = [name for name, one in WORKLOADS.items() if one.asked and not one.holds]
            yield (
                f"disturb={level} ends connections, and with workload={', '.join(stay)} none comes again: "
                f"choose {' or '.join(comes)}."
            )
        windows = [cell["duration"] for cell in of_it if cell["requests"] is None]
        if windows and asked.every_ns > min(windows) * 1e9:
            yield f"disturb={level} may disturb nobody within duration={min(windows)}: its period is longer."


def several(strategy: Strategy) -> bool:
    """Has it worker processes where it is asked for two? The null server is there for the calibration alone."""
    return strategy.processes(2) > 1 and strategy.name != "null_server"
