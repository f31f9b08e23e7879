"""All checks: the words of checks.yml, and beside each what observes it."""

from analysis.checks import agreement, data, design, lateness, network, resources, server
from analysis.checks.base import WORDS, Observe

CHECKS = WORDS
OBSERVERS: dict[str, Observe] = {
    id_: observe
    for module in (lateness, resources, agreement, server, network, data, design)
    for id_, observe in module.OBSERVERS.items()
}
