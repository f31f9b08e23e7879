"""All checks: the words of checks.yml, and beside each what observes it.

A new check is a function with a row of OBSERVERS in the module of its kind, an entry in checks.yml and, if it has a
threshold of its own, one in thresholds.yml; docs/findings.md is made of these.
"""

from analysis.checks import agreement, data, design, lateness, network, resources, server
from analysis.checks.base import WORDS, Observe

CHECKS = WORDS
OBSERVERS: dict[str, Observe] = {
    id_: observe
    for module in (lateness, resources, agreement, server, network, data, design)
    for id_, observe in module.OBSERVERS.items()
}
