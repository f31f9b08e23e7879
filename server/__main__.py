"""The command line: `serve` runs a strategy, `list` shows all, `check` examines one, `agent` obeys the conductor."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from server import agent, catalog, common, needs, page, programs, slots, sockdiag

BAD_INPUT = 2


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


def parser() -> Parser:
    top = Parser(prog="python -m server", description="TCP echo servers, one per I/O strategy.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    serve_command = commands.add_parser("serve", help="run one strategy until Ctrl-C")
    add = serve_command.add_argument
    add("--strategy", default="epoll", help="a name from `list` (default: %(default)s)")
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=number(1, 65_535), default=9000, help="port to listen on (default: %(default)s)")
    add("--ports", type=number(1, 1000), default=1, help="how many ports, from that one on (default: %(default)s)")
    add("--backlog", type=number(1, 1_048_576), default=4096, help="argument of listen() (default: %(default)s)")
    add("--workers", type=number(1, 1024), default=2, help="processes, where the strategy has several; at least 2")
    add("--stats", type=Path, metavar="FILE", help="where to keep statistics, 64 bytes for each worker process")
    list_command = commands.add_parser(
        "list", help="show every strategy, how it works, where it ends, and whether it runs here"
    )
    list_command.add_argument("--markdown", action="store_true", help="as the page docs/strategies.md")
    add_check(commands)
    agent_command = commands.add_parser("agent", help="supervise a strategy for the benchmark's conductor")
    agent_command.add_argument("--spec", required=True, help="JSON, as docs/contracts.md describes")
    return top


def add_check(commands: argparse._SubParsersAction[Parser]) -> None:
    command = commands.add_parser("check", help="put a strategy, or a server of your own, to the conformance suite")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--strategy", default="epoll", help="a name from `list` (default: %(default)s)")
    which.add_argument(
        "--command",
        dest="command_line",
        metavar="LINE",
        help="your own server's command line; {host} and {port} are filled in, and {stats}, if it keeps statistics",
    )
    command.add_argument("--only", metavar="CLAUSES", help="only these, with commas between them")
    command.add_argument("--clauses", action="store_true", help="show what can be asked, and do nothing else")
    command.add_argument(
        "--connections", type=number(1, 10_000), default=200, help="where many are opened (default: %(default)s)"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object at the end")


def refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return BAD_INPUT


def list_strategies(markdown: bool) -> int:
    lines = [page.markdown(catalog.load().values()).rstrip()] if markdown else []
    for strategy in () if markdown else catalog.load().values():
        seed = "  (of the original experiment)" if strategy.name in catalog.SEED else ""
        lines += [f"{strategy.name}{seed}", f"    family:  {strategy.family}", f"    how:     {strategy.how}"]
        lines += [f"    use:     {strategy.use}", f"    limit:   {strategy.limit}", f"    pitfall: {strategy.pitfall}"]
        lack = needs.missing(strategy)
        lines += [f"    here:    no. {lack}" if lack else "    here:    yes"]
    with suppress(BrokenPipeError):  # `list | head` is no mistake
        print("\n".join(lines), flush=True)
        return 0
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def serve(options: argparse.Namespace) -> int:
    try:
        strategy = catalog.find(options.strategy)
    except KeyError as error:
        return refuse(error.args[0])
    lack = needs.missing(strategy)
    if lack:
        return refuse(lack)
    if options.port + options.ports > 65_536:
        return refuse(f"{options.ports} ports from {options.port} on do not exist: the last is 65535.")
    processes = strategy.processes(options.workers)
    listeners = []
    for port in range(options.port, options.port + options.ports):
        try:
            listeners += listen(strategy, port, options)
        except OSError as error:
            return refuse(sockdiag.explain_listen_error(error, options.host, port))
    if options.stats:
        try:
            slots.create(options.stats, processes)
        except OSError as error:
            return refuse(f"Cannot write the statistics to {options.stats}: {error.strerror}.")
    if strategy.is_program:
        return become(strategy, options, listeners)
    # Before it says that it is ready: Ctrl-C during an import can be lost in one of the import system's callbacks.
    distribution, loop = importlib.import_module(f"server.distributions.{strategy.distribution}"), strategy.load_loop()
    where = f"{options.host}:{options.port}" + (f" to {listeners[-1].getsockname()[1]}" if options.ports > 1 else "")
    print(f"{strategy.name} listens on {where}; Ctrl-C ends it.", file=sys.stderr, flush=True)
    try:
        return int(distribution.serve(listeners, loop, processes, options.stats))
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN):
            raise
        return refuse(f"{strategy.name} cannot begin: {error.strerror}. Raise the limit (ulimit -n), or free some.")


def listen(strategy: catalog.Strategy, port: int, options: argparse.Namespace) -> list[socket.socket]:
    """A listener for the port, or one for each worker where the workers do not share them."""
    first = common.listen(options.host, port, options.backlog)  # alone, so that it fails where anyone else listens
    if strategy.distribution != "reuseport" or strategy.is_program:
        return [first]
    first.close()
    each = range(strategy.processes(options.workers))
    return [common.listen(options.host, port, options.backlog, reuse_port=True) for _ in each]


def become(strategy: catalog.Strategy, options: argparse.Namespace, listeners: list[socket.socket]) -> int:
    """Let the C program take this process's place; it returns only where that fails. It listens itself."""
    program = str(programs.find(strategy.loop))
    address = listeners[0].getsockname()[0]  # a name is looked up here: the program takes numbers only
    for listener in listeners:
        listener.close()
    words = [program, "--host", address, "--port", str(options.port), "--ports", str(options.ports)]
    words += ["--backlog", str(options.backlog), "--workers", str(strategy.processes(options.workers))]
    words += ["--stats", str(options.stats)] if options.stats else []
    try:
        os.execv(program, words)
    except OSError as error:
        return refuse(f"{program} cannot be run: {error.strerror}. Build it again with server/reference/build.py.")


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.command == "list":
        return list_strategies(options.markdown)
    if options.command == "check":
        from server.conformance import check  # what it needs, a server does not

        return check.main(options)
    if options.command == "agent":
        return agent.main(options.spec)
    # A script's background job begins with SIGINT ignored, and without this one that comes early would be lost.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return serve(options)
    except KeyboardInterrupt:  # before the strategy itself could take care of it
        return 0


if __name__ == "__main__":
    sys.exit(main())
