"""The command line: runs a strategy or a lesson, lists all, examines one, or obeys the conductor."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from server import catalog, needs, options, page
from server.lessons import NAMES
from server.serve import serve


def list_strategies(markdown: bool) -> int:
    lines = [page.markdown(catalog.load().values()).rstrip()] if markdown else []
    for strategy in () if markdown else catalog.load().values():
        original = f"  (in the original experiment: {strategy.original})" if strategy.original else ""
        lines += [f"{strategy.name}{original}", f"    family:  {strategy.family}", f"    how:     {strategy.how}"]
        lines += [f"    use:     {strategy.use}", f"    limit:   {strategy.limit}", f"    pitfall: {strategy.pitfall}"]
        lack = needs.missing(strategy)
        lines += [f"    here:    no. {lack}" if lack else "    here:    yes"]
    return show(lines)


def list_lessons(markdown: bool) -> int:
    from server import lesson, lesson_page

    lessons = [lesson.find(name) for name in NAMES]
    if markdown:
        return show([lesson_page.markdown(lessons).rstrip()])
    return show([f"{one.name:<20} {one.mistake}\n{'':<20} fails {', '.join(one.fails)}" for one in lessons])


def show(lines: list[str]) -> int:
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
        from server.conformance import check  # a strategy that serves does not need what the others need

        return check.main(given)
    if given.command == "lesson" and not given.name:
        return list_lessons(given.markdown)
    run = serve
    if given.command == "lesson":
        from server import lesson

        run = lesson.main
    if given.command == "agent":
        from server.agent import agent

        return agent.main(given.spec)
    # A script's background job begins with SIGINT ignored, and without this one that comes early would be lost.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return run(given)
    except KeyboardInterrupt:  # before the strategy itself could take care of it
        return 0


if __name__ == "__main__":
    sys.exit(main())
