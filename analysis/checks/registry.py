"""All checks: the words of checks.yml, and beside each what observes it."""

from analysis.checks import agreement, data, design, lateness, network, resources, server
from analysis.checks.base import WORDS, Observe

# The conductor writes these into trial.json; analysis adds them only where it did not. CL2 and LT1 it alone can see.
CONDUCTOR = ("CL1", "CL2", "LG1", "LT1", "LQ1", "PR1")
CHECKS = WORDS
OBSERVERS: dict[str, Observe] = {
    id_: observe
    for module in (lateness, resources, agreement, server, network, data, design)
    for id_, observe in module.OBSERVERS.items()
}
