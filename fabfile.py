"""The benchmark at a prompt: `fab -l` lists the tasks.

script/bootstrap makes .venv/bin/fab, which runs main(). It reads none of a user's settings of Fabric, so that
nothing but the inventory and the plan of a run says where a host is.
"""

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from invoke.collection import Collection
from invoke.config import Config
from invoke.exceptions import Exit
from invoke.program import Program
from invoke.tasks import task

from contracts.visible import visible

ROOT = Path(__file__).resolve().parent
KEPT = (
    "complete", "debug", "help", "list", "list-depth", "list-format", "print-completion-script", "version", "write-pyc",
)  # fmt: skip
"""Fabric's own options that say nothing about hosts, nor how to get there."""
INVENTORY = "where the hosts are, as -i of ansible-playbook"
RUN = "id of the run; without it the newest"


@task(help={"run": RUN})
def watch(_context: Any, run: str = "latest") -> None:
    """A live table of a run's hosts and trials, to its end."""
    from rich.console import Console

    from analysis.unreadable import Unreadable
    from analysis.watch.watch import watch
    from planner import results

    directory = found(run)
    try:
        ended(watch(directory, lambda: results.goes_on(directory), Console()))
    except Unreadable as problem:
        refuse(str(problem))


@task(help={"inventory": INVENTORY})
def status(_context: Any, inventory: str = "") -> None:
    """What is there on each host: agents, locks, tuning, logs."""
    from conductor import prompt

    ended(prompt.status(source(inventory)))


@task(help={"run": RUN, "host": "of this host alone", "trial": "its number; without it the newest"})
def logs(_context: Any, run: str = "latest", host: str = "", trial: str = "") -> None:
    """The ends of a trial's logs: fetched ones, else those on the hosts."""
    from analysis.unreadable import Unreadable
    from analysis.watch.watch import begun
    from conductor import prompt

    directory = found(run)
    try:
        numbers = begun(directory)
    except Unreadable as problem:
        refuse(str(problem))
    if not numbers:
        refuse(f"{directory.name} has no logs: no trial has begun.")
    if trial and trial not in map(str, numbers):
        refuse(
            f"{directory.name} has no logs of a trial {trial}: {len(numbers)} have begun, last number {numbers[-1]}."
        )
    ended(prompt.logs(directory, int(trial or numbers[-1]), host or None))


@task(help={"inventory": INVENTORY})
def stop(_context: Any, inventory: str = "") -> None:
    """End what still runs on the hosts, as playbooks/stop.yml does."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), *source(inventory), "playbooks/stop.yml"]
    ended(subprocess.run(command, cwd=ROOT, check=False).returncode)


@task(
    help={"inventory": INVENTORY, "extra-vars": "a parameter, such as strategy=poll; may be repeated"},
    iterable=["extra_vars"],
)
def doctor(_context: Any, inventory: str = "", extra_vars: Sequence[str] = ()) -> None:
    """Would a run be refused? Every check of every host."""
    from conductor.doctor import doctor

    ended(doctor([*source(inventory), *(word for one in extra_vars for word in ("-e", one))]))


def found(run: str) -> Path:
    """The directory of a run that there is."""
    from planner import results
    from planner.parameters import Refused

    try:
        return results.existing(run)
    except Refused as refused:
        refuse(" ".join(refused.problems).replace("-e run=ID", "--run ID"))


def source(inventory: str) -> list[str]:
    """The option for ansible-playbook, which runs in the checkout."""
    return ["-i", inventory if inventory.endswith(",") else str(Path(inventory).resolve())] if inventory else []


def ended(status: int) -> None:
    if status:
        raise Exit(code=status)


def refuse(sentence: str) -> NoReturn:
    raise Exit(visible(sentence), code=2)


class Unconfigured(Config):
    """Fabric's defaults alone: a user's settings may name hosts, keys, passwords, or another fabfile."""

    def load_base_conf_files(self) -> None: ...

    def load_shell_env(self) -> None: ...


class Fab(Program):
    def core_args(self) -> Any:
        return [one for one in super().core_args() if one.name in KEPT]

    def update_config(self, merge: bool = True) -> None: ...


program = Fab(
    name="Fabric", version=version("fabric"), namespace=Collection.from_module(sys.modules[__name__]),
    config_class=Unconfigured,
)  # fmt: skip


def main() -> None:
    """What .venv/bin/fab runs."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            program.run()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # `fab watch | head` closed the pipe: nothing is wrong. What Python would flush at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
