"""The catalogue as a page of documentation: `python -m server list --markdown` prints docs/strategies.md."""

from __future__ import annotations

import re
from collections.abc import Iterable

from server import loops
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

Five entries play the server modes of the original experiment: {original}.
`-e strategy=seed` runs {seed}: it leaves out fork_per_connection, since ten thousand
processes of some 1.4 MB each are more than a laptop holds.

The classic mistakes of such servers are in [lessons.md](lessons.md), each as a server that makes it.

What an entry states of the kernel, of Python or of a package is shown by what stands at its end: a clause of the suite,
a lesson, a bench, or a test.

"""


def markdown(strategies: Iterable[Strategy]) -> str:
    """The whole page."""
    listed = list(strategies)
    rows = ["| strategy | family | loop × distribution | ends at |", "|---|---|---|---|"]
    rows += [f"| [{s.name}](#{s.name}) | {s.family} | {s.loop} × {s.distribution} | {s.limit} |" for s in listed]
    parts = ["\n".join(rows) + "\n", reading_order(), *map(section, listed)]
    modes = ", ".join(s.name for s in listed if s.original)
    return HEAD.format(original=modes, seed=", ".join(SEED)) + "\n".join(parts)


def reading_order() -> str:
    """The order for a learner, as the docstring of server/loops has it, with a link to each loop."""
    steps = [line for line in (loops.__doc__ or "").splitlines() if re.match(r"\d+\. ", line)]
    linked = re.sub(r"`(\w+)`:", r"[\1](../server/loops/\1.py):", "\n".join(steps))
    return f"## The loops, in an order to read them\n\nEach begins where the one before it ends.\n\n{linked}\n"


def linked(shown_by: str, name: str) -> str:
    """What shows a strategy of that name, as a command or with a link to the file."""
    kind, _, what = shown_by.partition(".")
    if kind == "clause":
        return f"`python -m server check --strategy {name} --only {what}`"
    if kind == "lesson":
        return f"[the lesson {what}](lessons.md#{what})"
    if kind == "bench":
        return f"`python -m tests.bench.{what} --strategies {name}`"
    return f"[{what}](../tests/unit/server/{kind}.py)"


def section(strategy: Strategy) -> str:
    """One strategy: what it is, when to use it, its pitfall, its limit."""
    lines = [f"## {strategy.name}", "", strategy.how, ""]
    if strategy.original:
        lines += [f"In the original experiment: {strategy.original}.", ""]
    lines += [f"- **Use it** {strategy.use[0].lower()}{strategy.use[1:]}", f"- **Pitfall:** {strategy.pitfall}"]
    lines += [f"- **Limit:** {strategy.limit}."]
    lines += [f"- **Shown by** {', '.join(linked(what, strategy.name) for what in strategy.shown_by)}."]
    if strategy.needs:
        lines += [f"- **Needs** {', '.join(strategy.needs)}."]
    if strategy.cannot:
        lines += [f"- **Cannot meet** {', '.join(strategy.cannot)}: {strategy.because}"]
    return "\n".join(lines) + "\n"
