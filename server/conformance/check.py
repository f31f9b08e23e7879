"""`python -m server check`: one line for each clause, or JSON, and an exit status."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from server import lesson
from server.conformance import start
from server.conformance.clauses import CLAUSES, choose
from server.conformance.start import NotStarted, Target
from server.conformance.suite import FAILED, Suite

BAD_INPUT = 2
INTERRUPTED = 130


def main(options: argparse.Namespace) -> int:
    """0: all are met, or the catalogue says why not; 1: some are not; 2: nothing could be checked."""
    if options.clauses:
        for clause in CLAUSES:
            print(f"{clause.name:<17} {clause.meaning}")
        return 0
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        clauses = choose(options.only)
        target = target_of(options)
    except (ValueError, KeyError) as error:
        print(error.args[0], file=sys.stderr)
        return BAD_INPUT
    results = []
    with tempfile.TemporaryDirectory() as directory, Suite(target, Path(directory), options.connections) as suite:
        try:
            for result in suite.run_all(clauses):
                results.append(result)
                if not options.json:
                    print(result, flush=True)
        except NotStarted as error:
            print(error, file=sys.stderr)
            return BAD_INPUT
        except KeyboardInterrupt:
            return INTERRUPTED
    failed = sum(result.outcome == FAILED for result in results)
    if options.json:
        said = {"target": target.name, "failed": failed, "clauses": [asdict(result) for result in results]}
        print(json.dumps(said, indent=2))
    else:
        print(f"{target.name}: {failed} of {len(results)} clauses failed.")
        if options.lesson:
            print(f"The mistake: {lesson.find(options.lesson).mistake} See docs/lessons.md#{target.name}")
    return 1 if failed else 0


def target_of(options: argparse.Namespace) -> Target:
    """What is to be checked; ValueError or KeyError say in one sentence why there is no such server."""
    if options.command_line:
        return start.command(options.command_line)
    return start.of_lesson(options.lesson) if options.lesson else start.strategy(options.strategy)
