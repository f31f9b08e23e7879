"""A lesson as its page, its command and the suite see it, and what serves it. The lessons are in server/lessons."""

from __future__ import annotations

import argparse
import importlib
import sys
from dataclasses import dataclass
from typing import cast

from server import common, slots
from server.catalog import unknown
from server.lessons import NAMES
from server.lessons.correct import Server
from server.linux import sockdiag
from server.serve import refuse, unwritable


@dataclass(frozen=True)
class Lesson:
    """One mistake. The fields are what the docstring of server/lessons says of a module."""

    name: str
    mistake: str
    why: str
    seen: str
    fails: tuple[str, ...]  # clauses of the conformance suite
    mend: str
    right: str
    server: type[Server]


def find(name: str) -> Lesson:
    """The lesson of that name; KeyError says in one sentence that there is none."""
    if name not in NAMES:
        raise KeyError(unknown("lesson", name, NAMES))
    module = importlib.import_module(f"server.lessons.{name}")
    mistake, _, why = cast(str, module.__doc__).strip().partition("\n\n")
    return Lesson(name, mistake, why, module.SEEN, module.FAILS, module.MEND, module.RIGHT, module.Lesson)


def main(options: argparse.Namespace) -> int:
    """`python -m server lesson NAME`: serve until a signal comes; the exit status."""
    try:
        lesson = find(options.name)
    except KeyError as error:
        return refuse(error.args[0])
    return serve(lesson.name, lesson.server, options, f" A lesson: {lesson.mistake}")


def serve(name: str, server: type[Server], options: argparse.Namespace, remark: str = "") -> int:
    """One process that listens and serves, as server/distributions/single.py does for a strategy."""
    try:
        listener = common.listen(options.host, options.port, options.backlog)
    except OSError as error:
        return refuse(sockdiag.explain_listen_error(error, options.host, options.port))
    try:
        if options.stats:
            slots.create(options.stats, 1)
        worker = common.Worker(slots.table(options.stats, 1))
    except OSError as error:
        return refuse(unwritable(options.stats, error))
    print(f"{name} listens on {options.host}:{options.port}; Ctrl-C ends it.{remark}", file=sys.stderr, flush=True)
    try:
        common.stop_on_signals()
        server(listener, worker).run()
    except common.Stopped:
        pass
    finally:
        worker.publish()
    return 0
