"""The command line: runs a strategy, lists all, examines one, shows a defect as a lesson, or obeys the conductor."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from contextlib import suppress

from server import catalog, needs, options, page
from server.serve import serve


def list_strategies(markdown: bool) -> int:
    lines = [page.markdown(catalog.load().values()).rstrip()] if markdown else []
    for strategy in () if markdown else catalog.load().values():
        original = f"  (in the original experiment: {strategy.original})" if strategy.original else ""
        lines += [f"{strategy.name}{original}", f"    family:  {strategy.family}", f"    how:     {strategy.how}"]
        lines += [f"    use:     {strategy.use}", f"    limit:   {strategy.limit}", f"    pitfall: {strategy.pitfall}"]
        lack = needs.missing(strategy)
        lines += [f"    here:    no. {lack}" if lack else "    here:    yes"]
    with suppress(BrokenPipeError):  # `list | head` is no mistake
        print("\n".join(lines), flush=True)
        return 0
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def main(arguments: list[str] | None = None) -> int:
    given = options.parser().parse_args(arguments)
    if given.command == "list":
        return list_strategies(given.markdown)
    if given.command == "check":
        from server.conformance import check  # a server does not need what these two need

        return check.main(given)
    if given.command == "lesson":
        return int(importlib.import_module(f"server.lessons.{given.name}").main())
    if given.command == "agent":
        from server.agent import agent

        return agent.main(given.spec)
    # A script's background job begins with SIGINT ignored, and without this one that comes early would be lost.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return serve(given)
    except KeyboardInterrupt:  # before the strategy itself could take care of it
        return 0


if __name__ == "__main__":
    sys.exit(main())
