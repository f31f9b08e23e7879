"""What may follow -e of the playbooks that are no run. Those of a run and of the lab are judged with their values."""

from collections.abc import Mapping
from typing import Any

from contracts.declared import PARAMETERS
from planner import results, variables
from planner.parameters import Refused, unknown_names

OF_HOSTS = ("c10k_base", "c10k_account", *variables.NAMES)
"""Variables of an inventory, which a command line may overrule."""
KNOWN = {"collect": ("run",), "report": ("run",), "restore": ("purge",), "stop": ()}
OF_A_RUN = {"restore": ("cells", "run", *PARAMETERS)}
"""Names that mean nothing there, of the run whose command line script/benchmark repeats."""


def problems(playbook: str, given: Mapping[str, Any]) -> list[str]:
    """A sentence for each variable that is wrong for every host, else for each name that the playbook does not know,
    else for a run that cannot be one."""
    if at_once := list(variables.typed_for_all(given)):
        return at_once
    known = KNOWN.get(playbook)
    if known is None:
        return []
    listed = f"; {playbook}.yml has `{'`, `'.join(known)}`." if known else f"; {playbook}.yml has none."
    if unknown := unknown_names(given, [*known, *OF_A_RUN.get(playbook, ()), *OF_HOSTS], listed):
        return unknown
    try:
        if playbook == "collect":  # the hosts may have the logs of a run that is here no more
            results.find(given.get("run"))
        if playbook == "report":
            results.existing(given.get("run"))
    except Refused as refused:
        return refused.problems
    return []
