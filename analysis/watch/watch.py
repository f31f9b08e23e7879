"""The table of a run in a terminal, once a second until the run has ended; elsewhere once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from analysis.format import WIDTH
from analysis.watch.state import Run
from analysis.watch.table import lines
from analysis.watch.tail import Tail

EVERY_S = 1.0
INTERRUPTED = 130


def watch(directory: Path, goes_on: Callable[[], bool], console: Console) -> int:
    """Show the run of a directory of results/ until it has ended, or where nothing can be drawn anew only as it stands;
    returns the exit status. `goes_on`: does the run's playbook live? Raises Unreadable where what lies there is no
    run's."""
    run, tail, status = Run(), Tail(directory / "events.jsonl"), 0
    lasts = goes_on()
    try:
        if lasts and console.is_terminal and not console.is_dumb_terminal:
            follow(run, tail, directory.name, goes_on, console)
            lasts = False
        else:
            read(run, tail, lasts)
    except KeyboardInterrupt:
        status = INTERRUPTED
    finally:
        tail.close()
    for line in lines(run, title(run, directory.name, lasts), console.width if console.is_terminal else WIDTH):
        console.out(line, highlight=False)
    return status


def begun(directory: Path) -> list[int]:
    """The numbers of the trials that have begun, in order."""
    run, tail = Run(), Tail(directory / "events.jsonl")
    for event in tail.news():
        if event["event"] in ("plan", "trial", "resumed"):
            run.take(event)
    tail.close()
    return list(run.trials)


def follow(run: Run, tail: Tail, name: str, goes_on: Callable[[], bool], console: Console) -> None:
    """Until the playbook has ended. No thread of rich's refreshes it meanwhile: the load needs the CPU."""
    lasts = True
    with Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") as live:
        while lasts:
            lasts = goes_on()  # before what is new is read: nothing comes later
            read(run, tail, lasts)
            text = "\n".join(lines(run, title(run, name, lasts), console.width, console.height))
            live.update(Text(text, no_wrap=True, overflow="crop"), refresh=True)
            if lasts:
                time.sleep(EVERY_S - time.time() % EVERY_S)


def read(run: Run, tail: Tail, lasts: bool) -> None:
    for event in tail.news():
        run.take(event)
    if not lasts:
        run.end()


def title(run: Run, name: str, lasts: bool) -> str:
    """Which run it is, and whether it goes on."""
    if lasts and run.exit is None:
        return f"run {name} · under way" if run.trials else f"run {name} · under way: no trial has begun"
    if lasts:
        return f"run {name} · measured; its playbook brings the logs home and puts the hosts back"
    if run.exit is None:
        return f"run {name} · broken off" if run.trials else f"run {name} · broken off: no trial had begun"
    return f"run {name} · ended, conductor exit {run.exit}"
