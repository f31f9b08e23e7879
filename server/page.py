"""The catalogue as a page of documentation: `python -m server list --markdown` prints docs/strategies.md."""

from __future__ import annotations

from collections.abc import Iterable

from server.catalog import SEED, Strategy

HEAD = """\
# Strategies

Made by `python -m server list --markdown` from [server/catalog.yml](../server/catalog.yml); change that, not this.

A strategy is an event loop ([server/loops](../server/loops)) times a distribution
([server/distributions](../server/distributions)): how one process learns which of its sockets are ready, and how
connections reach the processes. All keep the rules of [server/common.py](../server/common.py), and each is held to them
by the conformance suite: `python -m server check --strategy NAME`. What was measured of them is in
[measurements.md](measurements.md), how to bring a server of your own in [own-server.md](own-server.md), how to add one
here in [add-a-strategy.md](add-a-strategy.md).

"""


def markdown(strategies: Iterable[Strategy]) -> str:
    """The whole page."""
    listed = list(strategies)
    rows = ["| strategy | family | loop × distribution | ends at |", "|---|---|---|---|"]
    rows += [f"| [{s.name}](#{s.name}) | {s.family} | {s.loop} × {s.distribution} | {s.limit} |" for s in listed]
    return HEAD + "\n".join(rows) + "\n\n" + "\n".join(section(strategy) for strategy in listed)


def section(strategy: Strategy) -> str:
    """One strategy: what it is, when to use it, its pitfall, its limit."""
    lines = [f"## {strategy.name}", "", strategy.how, ""]
    if strategy.name in SEED:
        lines += ["One of the four of the original experiment.", ""]
    lines += [f"- **Use it** {strategy.use[0].lower()}{strategy.use[1:]}", f"- **Pitfall:** {strategy.pitfall}"]
    lines += [f"- **Limit:** {strategy.limit}."]
    if strategy.needs:
        lines += [f"- **Needs** {', '.join(strategy.needs)}."]
    if strategy.cannot:
        lines += [f"- **Cannot meet** {', '.join(strategy.cannot)}: {strategy.because}"]
    return "\n".join(lines) + "\n"
