"""What a person typed for the parameters of contracts/parameters.yml: typed values, or what is wrong with them.

Pure: strings and numbers in, values or sentences out. What a list of values means is in cells.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from contracts.declared import PARAMETERS
from contracts.judge import Parameter, judge, nearest, one_or_several

REMOVED = {"rungs": "a capacity is searched from `rate` to `search_to`, within `search_budget`"}
"""Parameters of earlier versions: what took their place."""


class Refused(Exception):
    """What a person asked for cannot be; `problems` are whole sentences."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


def unknown_names(given: Iterable[str], known: Collection[str], listed: str) -> list[str]:
    """One sentence for each extra variable that means nothing here; `listed` ends it where no known name is near.
    Ansible's own names are not judged."""
    problems = []
    for name in given:
        if name == "_raw_params":
            problems.append(
                "Ansible took a value apart at its spaces: quote it once more, as in"
                """ -e '{"server_command": "./mine --host {host} --port {port}"}'."""
            )
        elif name not in known and not name.startswith("ansible_"):
            instead = f"; {REMOVED[name]}" if name in REMOVED else nearest(name, known)
            problems.append(f"There is no parameter `{name}`{instead or listed}")
    return problems


def levels(parameter: Parameter, given: Any, problems: list[str]) -> list[Any]:
    """All the values of one parameter, in the order given and each once."""
    if parameter.varies and isinstance(given, str) and parameter.splits:
        try:
            values: list[Any] = one_or_several(parameter, given)
        except ValueError as error:
            problems.append(str(error))
            return []
    elif parameter.varies and isinstance(given, list):
        values = given
    elif isinstance(given, (list, dict)) and parameter.kind != "cpus":
        problems.append(f"{parameter.name} holds for the whole run, so it takes one value: {parameter.accepts}.")
        return []
    else:
        values = [given]
    if not values:
        problems.append(f"{parameter.name} is an empty list; it takes {parameter.accepts}.")
    found: list[Any] = []
    for value in values:
        try:
            checked = judge(parameter, value)
        except ValueError as error:
            problems.append(str(error))
            continue
        if checked not in found:
            found.append(checked)
    return found


def typed(given: Mapping[str, Any], problems: list[str]) -> dict[str, list[Any]]:
    """The values of every parameter, the defaults included; what is wrong is added to `problems`."""
    result: dict[str, list[Any]] = {}
    for name, parameter in PARAMETERS.items():
        value = given.get(name)
        if name in given and value not in (None, ""):
            result[name] = levels(parameter, value, problems)
        elif name in given and value == "":
            problems.append(f"{name} is empty; it takes {parameter.accepts}.")
            result[name] = []
        else:
            result[name] = [parameter.default]
    return result
