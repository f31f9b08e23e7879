"""`python -m analysis COMMAND …`: finds the command, runs it, turns a bad input into one sentence and exit 2."""

import argparse
import os
import sys
from collections.abc import Sequence

from analysis.commands import check, compare, demo, design, export, ingest, plot, report, summary
from analysis.events import Unreadable
from analysis.format import visible

COMMANDS = (demo, ingest, check, summary, report, compare, plot, export, design)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m analysis", description="What a run of the benchmark found.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        text = (command.__doc__ or "").splitlines()[0]
        part = commands.add_parser(command.NAME, help=text, description=text)
        command.setup_arguments(part)
        part.set_defaults(run=command.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    # An unusual terminal encoding must not turn a dash or a µ into a traceback.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except Unreadable as problem:
        print(f"analysis: {visible(str(problem))}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # `… | head` closed the pipe: nothing is wrong. What Python would flush at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


if __name__ == "__main__":
    sys.exit(main())
