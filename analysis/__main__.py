"""`python -m analysis COMMAND …`: finds the command, runs it, turns a bad input into one sentence and exit 2."""

import argparse
import ast
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.format import visible
from analysis.unreadable import Unreadable

COMMANDS = (
    "demo",
    "ingest",
    "check",
    "summary",
    "report",
    "compare",
    "gate",
    "claim",
    "plot",
    "export",
    "design",
    "completion",
)


def parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the command that the arguments name. The module of a command is imported only to run it: pandas and
    scipy take a second."""
    top = argparse.ArgumentParser(prog="python -m analysis", description="What a run of the benchmark found.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        text = summary_of(name)
        part = commands.add_parser(name, help=text, description=text)
        if name in arguments[:1]:
            command = importlib.import_module(f"analysis.commands.{name}")
            command.setup_arguments(part)
            part.set_defaults(run=command.run)
    return top


def summary_of(name: str) -> str:
    """The first line of the command's docstring."""
    source = (Path(__file__).parent / "commands" / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]


def main(arguments: Sequence[str] | None = None) -> int:
    # An unusual terminal encoding must not turn a dash or a µ into a traceback.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else arguments
    options = parser(given).parse_args(given)
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
    gc.disable()  # a command reads, computes and ends: what it makes it needs, or counting references frees it
    sys.exit(main())
