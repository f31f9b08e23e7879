"""The command line of `python -m server`. The options of `serve` are data, so that the agent can fill them in."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn

BAD_INPUT = 2
OPTIONAL = ("accept_batch", "read_bytes")  # of `serve`: a strategy honours it, or refuses it
LEAST_WORKERS = 2
OF_A_LESSON = ("host", "port", "backlog", "stats")  # of the options of `serve`


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage in front of it."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message}. See {self.prog} --help\n")


def number(low: int, high: int) -> Callable[[str], int]:
    """An argparse type: a whole number from `low` to `high`."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


SERVE: dict[str, dict[str, Any]] = {
    "strategy": {"default": "epoll", "help": "a name from `list` (default: %(default)s)"},
    "host": {"default": "127.0.0.1", "help": "address to listen on (default: %(default)s)"},
    "port": {"type": number(1, 65_535), "default": 9000, "help": "port to listen on (default: %(default)s)"},
    "ports": {
        "type": number(1, 1000), "default": 1, "help": "how many ports, from that one on (default: %(default)s)",
    },
    "backlog": {"type": number(0, 1_048_576), "default": 4096, "help": "argument of listen() (default: %(default)s)"},
    "accept_batch": {
        "type": number(1, 65_536),
        "help": "connections that a loop takes in one turn, for a strategy that honours it (default: 64)",
    },
    "read_bytes": {
        "type": number(1024, 1_048_576),
        "help": "what a loop asks the kernel for at each read, for a strategy that honours it (default: 262144)",
    },
    "workers": {
        "type": number(1, 1024),
        "help": f"processes, for a strategy that has several: at least {LEAST_WORKERS} (default: {LEAST_WORKERS})",
    },
    "replace_workers": {
        "action": "store_true",
        "help": "let another take the place of a worker process that SIGTERM has ended, rather than end the server",
    },
    "stats": {
        "type": Path, "metavar": "FILE", "help": "where to keep statistics, 64 bytes for each worker process",
    },
}  # fmt: skip


def words(parameters: Mapping[str, Any], honours: Collection[str]) -> list[str]:
    """The options of `serve` that mean a plan's parameters: `server_port` is `--port`. Others are left out, and so are
    the optional ones that the strategy does not honour.
    """
    options = {name.removeprefix("server_"): str(value) for name, value in parameters.items()}
    known = {option: value for option, value in options.items() if option in SERVE}
    for option in set(OPTIONAL).difference(honours):
        known.pop(option, None)
    return [word for option, value in known.items() for word in (f"--{option.replace('_', '-')}", value)]


def parser() -> Parser:
    top = Parser(prog="python -m server", description="TCP echo servers, one per I/O strategy.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    serve_command = commands.add_parser("serve", help="run one strategy until Ctrl-C")
    for option, settings in SERVE.items():
        serve_command.add_argument(f"--{option.replace('_', '-')}", **settings)
    list_command = commands.add_parser(
        "list", help="show every strategy, how it works, where it ends, and whether it runs here"
    )
    list_command.add_argument("--markdown", action="store_true", help="as the page docs/strategies.md")
    add_check(commands)
    lesson_command = commands.add_parser("lesson", help="run a server with a classic mistake until Ctrl-C; or list all")
    lesson_command.add_argument("name", nargs="?", help="which; without a name all are listed")
    lesson_command.add_argument("--markdown", action="store_true", help="list them as the page docs/lessons.md")
    for option in OF_A_LESSON:
        lesson_command.add_argument(f"--{option}", **SERVE[option])
    agent_command = commands.add_parser("agent", help="supervise a strategy for the benchmark's conductor")
    agent_command.add_argument("--spec", required=True, help="JSON, as docs/contracts.md describes")
    return top


def add_check(commands: argparse._SubParsersAction[Parser]) -> None:
    command = commands.add_parser("check", help="put a strategy, your own server or a lesson to the conformance suite")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--strategy", default="epoll", help="a name from `list` (default: %(default)s)")
    which.add_argument(
        "--command",
        dest="command_line",
        metavar="LINE",
        help="your own server's command line; {host} and {port} are filled in, and {stats}, if it keeps statistics",
    )
    which.add_argument("--lesson", metavar="NAME", help="a server with a mistake, by its name from `lesson`")
    command.add_argument("--only", metavar="CLAUSES", help="only these, with commas between them")
    command.add_argument("--clauses", action="store_true", help="show what can be asked, and do nothing else")
    command.add_argument(
        "--connections", type=number(1, 10_000), default=200, help="where many are opened (default: %(default)s)"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object at the end")
