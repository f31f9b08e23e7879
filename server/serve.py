"""`python -m server serve`: listens, then lets the strategy serve until a signal comes."""

from __future__ import annotations

import argparse
import errno
import os
import socket
import sys
from pathlib import Path

from server import catalog, common, needs, slots
from server.linux import sockdiag
from server.options import BAD_INPUT, LEAST_WORKERS, OPTIONAL


def refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return BAD_INPUT


def unwritable(stats: Path, error: OSError) -> str:
    return f"Cannot write the statistics to {stats}: {error.strerror}."


def serve(options: argparse.Namespace) -> int:
    try:
        strategy = catalog.find(options.strategy)
    except KeyError as error:
        return refuse(error.args[0])
    asked = [name for name in OPTIONAL if getattr(options, name) is not None and name not in strategy.honours]
    if asked:
        return refuse(f"{strategy.name} does not honour --{asked[0].replace('_', '-')}: leave it out.")
    if options.workers is not None and options.workers > 1 and strategy.one_slot:
        return refuse(f"{strategy.name} has one process, so --workers would change nothing: leave it out.")
    if options.replace_workers and not strategy.replaces:
        return refuse(f"{strategy.name} replaces no worker that has ended: leave --replace-workers out.")
    needs.find_packages(strategy)
    lack = needs.missing(strategy)
    if lack:
        return refuse(lack)
    if options.port + options.ports > 65_536:
        return refuse(f"{options.ports} ports from {options.port} on do not exist: the last is 65535.")
    workers = strategy.slots(options.workers or LEAST_WORKERS)
    listeners = []
    for port in range(options.port, options.port + options.ports):
        try:
            listeners += listen(strategy, port, options)
        except OSError as error:
            return refuse(sockdiag.explain_listen_error(error, options.host, port))
    if options.stats:
        try:
            slots.create(options.stats, workers)
        except OSError as error:
            return refuse(unwritable(options.stats, error))
    # Before it says that it is ready: Ctrl-C during an import can be lost in one of the import system's callbacks.
    distribution, loop = strategy.load_distribution(), None if strategy.is_program else strategy.load_loop()
    where = f"{options.host}:{options.port}" + (f" to {listeners[-1].getsockname()[1]}" if options.ports > 1 else "")
    print(f"{strategy.name} listens on {where}; Ctrl-C ends it.", file=sys.stderr, flush=True)
    if loop is None:
        return become(strategy.loop, listeners, workers, options.stats)
    common.Worker.read_bytes = options.read_bytes or common.Worker.read_bytes
    common.Worker.accept_batch = options.accept_batch or common.Worker.accept_batch
    common.Worker.backlog = options.backlog
    common.Worker.is_replaced = options.replace_workers
    try:
        return distribution.serve(listeners, loop, workers, options.stats)
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN):
            raise
        return refuse(f"{strategy.name} cannot begin: {error.strerror}. Raise the limit (ulimit -n), or free some.")


def listen(strategy: catalog.Strategy, port: int, options: argparse.Namespace) -> list[socket.socket]:
    """A listener for the port, or one for each worker where the workers do not share them."""
    first = common.listen(options.host, port, options.backlog)  # alone, so that it fails where anyone else listens
    if not strategy.listens_per_worker:
        return [first]
    first.close()
    each = range(strategy.slots(options.workers or LEAST_WORKERS))
    return [common.listen(options.host, port, options.backlog, reuse_port=True) for _ in each]


def become(name: str, listeners: list[socket.socket], workers: int, stats: Path | None) -> int:
    """Let the program in C or Go take this process's place, and its listeners; this returns only where that fails."""
    program = str(needs.program(name))
    for listener in listeners:
        listener.set_inheritable(True)
    descriptors = [str(listener.fileno()) for listener in listeners]
    try:
        os.execv(program, [program, str(stats or ""), str(workers), *descriptors])
    except OSError as error:
        return refuse(f"{program} cannot be run: {error.strerror}. Build it again with server/reference/build.py.")
