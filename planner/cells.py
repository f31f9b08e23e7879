"""From the parameters of a run to its cells: one for each combination of the levels that were asked for. Pure."""

import itertools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.declared import GENERATORS, PARAMETERS, WORKLOADS
from contracts.judge import nearest
from planner import duet, misfits
from planner.parameters import Refused, typed, unknown_names
from planner.profiles import base_of
from planner.profiles import problems as of_profiles
from server import lessons
from server.catalog import SEED, Strategy

AXES = tuple(name for name, parameter in PARAMETERS.items() if parameter.varies)
OF_SOME = {name: parameter.workloads for name, parameter in PARAMETERS.items() if parameter.workloads}
"""The parameters that only some workloads have, and which."""
OPTIONAL = tuple(name for name, parameter in PARAMETERS.items() if parameter.optional)
"""The parameters of the server that only some strategies honour."""

VERSIONS = (
    *(f"3.{minor}" for minor in range(9, 16)), "3.13t", "3.14t", "3.15t", "pypy3.9", "pypy3.10", "pypy3.11"
)  # fmt: skip
"""The interpreters that `all` looks for."""

LISTED = "; docs/contracts.md lists them."

Catalog = Mapping[str, Strategy]


@dataclass
class Request:
    """What a run was asked to do, resolved."""

    run_wide: dict[str, Any]
    cells: list[dict[str, Any]]
    optional: list[str] = field(default_factory=list)
    """Strategies and interpreters that are there because of `all` alone: those that the hosts do not have are left
    out."""

    @property
    def parameters(self) -> dict[str, Any]:
        """As the manifest records them: a single value, or the list of levels."""
        levels = {name: list({repr(cell[name]): cell[name] for cell in self.cells}.values()) for name in self.cells[0]}
        return {name: found[0] if len(found) == 1 else found for name, found in levels.items()} | self.run_wide


def strategies(names: list[Any], catalog: Catalog, problems: list[str], named: set[str]) -> list[str]:
    """The names with `seed` and `all` expanded, each once. Names that `all` did not bring go into `named`."""
    found: list[str] = []
    for name in names:
        if name == "seed":
            found += SEED
            named.update(SEED)
        elif name == "all":
            found += [candidate for candidate in catalog if candidate != "null_server"]
        elif name == "null_server":
            problems.append("null_server answers nothing; it is there for the calibration at the end of a run.")
        elif name in lessons.NAMES:
            problems.append(lessons.refusal(name))
        elif name in catalog:
            found.append(name)
            named.add(name)
        else:
            known = [*catalog, "seed", "all"]
            problems.append(
                f"There is no strategy `{name}`{nearest(name, known) or '.'} There are: {', '.join(known)}."
            )
    return list(dict.fromkeys(found))


def versions(levels: list[str | None], named: set[str]) -> list[str | None]:
    """The interpreters with `all` expanded, each once. Those that `all` did not bring go into `named`."""
    named.update(level for level in levels if level and level != "all")
    return list(dict.fromkeys(one for level in levels for one in (VERSIONS if level == "all" else [level])))


def cells_of(given: Mapping[str, Any], catalog: Catalog, problems: list[str], named: set[str]) -> list[dict[str, Any]]:
    """The product of the levels of one mapping, in the order of the table."""
    values = typed(given, problems)
    command = given.get("server_command") not in (None, "")
    if command and given.get("strategy") not in (None, ""):
        problems.append(
            "server_command takes the place of a strategy: where a scenario names one, add `-e strategy=`. To compare "
            "the two, give them as `cells:` of a scenario."
        )
    values["python"] = versions(values["python"], named)
    values["strategy"] = [None] if command else strategies(values["strategy"], catalog, problems, named)
    cells = [dict(zip(AXES, levels, strict=True)) for levels in itertools.product(*(values[axis] for axis in AXES))]
    asked = [name for name in PARAMETERS if given.get(name) not in (None, "")]
    problems += of_other_workloads([name for name in asked if name in AXES], cells)
    for cell in cells:
        settle(cell, problems)
    problems += keep_honoured(cells, catalog, asked)
    keep_interpreted(cells, catalog)
    return cells


def of_other_workloads(asked: Iterable[str], cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each parameter that was asked for and that no workload of these cells has."""
    return [
        f"{name} belongs to the workload `{'`, `'.join(OF_SOME[name])}`, which this run does not have."
        for name in asked
        if name in OF_SOME and cells and all(cell["workload"] not in OF_SOME[name] for cell in cells)
    ]


def searches(cells: Iterable[Mapping[str, Any]], wide: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each search that has nowhere to begin, no room for a rung, or a baseline to repeat."""
    to, budget_s = wide["search_to"], wide["search_budget"]
    for cell in cells:
        over = WORKLOADS[cell["workload"]].searches
        if over is None:
            continue
        if wide["null"]:
            yield (
                f"null={wide['null']} repeats what is measured at one load, and the workload `{cell['workload']}` "
                "searches for one: give null with another workload."
            )
        if to is not None and cell[over] > to:
            yield f"The search begins at {over}={cell[over]}, which is above search_to={to}."
        shortest_s = cell["warmup"] + cell["duration"]
        if budget_s is not None and shortest_s > budget_s:
            yield (
                f"search_budget={budget_s} has no room for one rung, which takes {shortest_s} s and more "
                "(warmup and duration)."
            )


def keep_honoured(
    cells: Sequence[dict[str, Any]], catalog: Catalog, asked: Container[str], optional: Iterable[str] = OPTIONAL
) -> list[str]:
    """Set optional parameters that a cell's server does not honour to their defaults; a sentence for each asked for."""
    problems = []
    for name in optional:
        honouring = [strategy.name for strategy in catalog.values() if name in strategy.honours]
        others = [cell for cell in cells if cell["strategy"] not in honouring]
        for cell in others:
            cell[name] = PARAMETERS[name].default
        if others and name in asked:
            servers = ", ".join(dict.fromkeys(cell["strategy"] or "a server_command" for cell in others))
            problems.append(f"{name} is not honoured by {servers}. It is by {', '.join(honouring)}.")
    return problems


def interpreters(cells: Iterable[Mapping[str, Any]]) -> list[str]:
    """The interpreters that are asked for, each once; the host's own has no name."""
    return list(dict.fromkeys(cell["python"] for cell in cells if cell["python"]))


def keep_interpreted(cells: Sequence[dict[str, Any]], catalog: Catalog) -> None:
    """What is no Python has no interpreter of the run."""
    for cell in cells:
        strategy = catalog.get(cell["strategy"])
        if strategy is None or strategy.is_program:
            cell["python"] = None


def settle(cell: dict[str, Any], problems: list[str]) -> None:
    """What depends on more than one parameter."""
    if cell["active"] == "all":
        cell["active"] = cell["connections"]
    if cell["active"] > cell["connections"]:
        problems.append(
            f"active={cell['active']} is more than connections={cell['connections']}; it takes 1 to `connections`."
        )
    if cell["connect_rate"] == "burst":
        cell["connect_rate"] = None
    for name, workloads in OF_SOME.items():
        if name in cell and cell["workload"] not in workloads:
            # A level that means nothing here would make the same cell twice.
            cell[name] = PARAMETERS[name].default
    if cell["requests"] is not None:
        cell["warmup"] = 0
    if cell["workload"] in OF_SOME["steps"] and cell["steps"] > cell["connections"]:
        problems.append(
            f"steps={cell['steps']} is more than connections={cell['connections']}: a step opens at least one."
        )
    last = cell["server_port"] + cell["server_ports"] - 1
    if last > 65535:
        problems.append(
            f"server_ports={cell['server_ports']} from {cell['server_port']} on end at {last}; ports end at 65535."
        )
    if cell["server_command"] and cell["server_ports"] > 1:
        problems.append("A server_command listens on one port, so server_ports cannot be more than 1.")
    problems += beyond(cell)


def beyond(cell: Mapping[str, Any]) -> list[str]:
    """What the generator of a cell does not do."""
    generator = GENERATORS[cell["generator"]]
    problems = []
    for name in generator.lacks:
        only = PARAMETERS[name].default
        if cell[name] != only:
            default = "none" if only is None else only
            problems.append(f"The generator `{generator.name}` takes {name}={default} only; `go` takes others.")
    if cell["workload"] in generator.lacks_workloads:
        problems.append(f"The generator `{generator.name}` has no workload {cell['workload']}; `go` has.")
    return problems


def resolve(given: Mapping[str, Any], catalog: Catalog, profiles: list[str], others: list[str]) -> Request:
    """The request of a command line, or Refused with every sentence at once; `others` are names of other variables."""
    problems = unknown_names(given, [*PARAMETERS, "cells", *others], LISTED)
    named: set[str] = set()
    common = {name: value for name, value in given.items() if name != "cells"}
    wide_values = typed(common, [])
    wide = {name: (wide_values[name] or [None])[0] for name in PARAMETERS if name not in AXES}
    if given.get("cells") is None:
        cells = cells_of(common, catalog, problems, named)
    else:
        cells = listed_cells(given["cells"], common, catalog, problems, named)
        typed(common, problems)
    problems += of_other_workloads([name for name in wide if common.get(name) not in (None, "")], cells)
    problems += searches(cells, wide)
    problems += duet.problems(cells, wide)
    problems += misfits.problems(cells, catalog, common, given.get("cells"))
    levels = list(dict.fromkeys(cell["profile"] for cell in cells))
    for name in dict.fromkeys(map(base_of, levels)):
        if name not in profiles:
            meant = nearest(name, profiles) or "."
            problems.append(f"There is no profile `{name}`{meant} There are: {', '.join(profiles)}.")
    problems += of_profiles(levels, wide)
    if problems:
        raise Refused(dict.fromkeys(problems))
    unique: list[dict[str, Any]] = []
    for cell in cells:
        if cell not in unique:
            unique.append(cell)
    asked = dict.fromkeys(cell[name] for name in ("strategy", "python") for cell in unique if cell[name])
    return Request(wide, unique, [name for name in asked if name not in named])


def without(request: Request, absent: Container[str | tuple[str, str | None]]) -> Request:
    """The same request, but for some strategies, interpreters, and strategies in an interpreter."""
    named = [(cell["strategy"], cell["python"], (cell["strategy"], cell["python"])) for cell in request.cells]
    cells = [
        cell for cell, names in zip(request.cells, named, strict=True) if not any(name in absent for name in names)
    ]
    if not cells:
        raise Refused(["Nothing is left to measure: no strategy of the request is available on these hosts."])
    if problems := list(duet.problems(cells, request.run_wide)):
        raise Refused(problems)
    return Request(request.run_wide, cells, [name for name in request.optional if name not in absent])


def listed_cells(
    listed: Any, common: Mapping[str, Any], catalog: Catalog, problems: list[str], named: set[str]
) -> list[dict[str, Any]]:
    """`cells:` of a scenario, each a mapping over what is common to all."""
    if not isinstance(listed, list) or not listed or not all(isinstance(item, dict) for item in listed):
        problems.append("cells must be a list of mappings, each with the parameters of one cell.")
        return []
    cells = []
    for number, item in enumerate(listed, 1):
        wrong = unknown_names(item, [*PARAMETERS, "cells"], LISTED)
        wrong += [
            f"{name} holds for the whole run, so it does not belong in a cell."
            for name in item
            if name in PARAMETERS and name not in AXES
        ]
        here: list[str] = []
        instead = {"server_command": "strategy", "strategy": "server_command"}
        base = {name: value for name, value in common.items() if not any(instead.get(own) == name for own in item)}
        cells += cells_of({**base, **{n: v for n, v in item.items() if n in AXES}}, catalog, here, named)
        problems += [f"Cell {number}: {sentence}" for sentence in wrong + here]
    return cells
