"""One fault of a run: what is to become of it, and what became of it."""

import contextlib
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import harm, line
from tests.harm import HOSTS, Mend

SHORT = {"connections": 150, "rate": 300, "connect_rate": 100, "duration": 2, "timeout": 2, "arm_timeout": 5}
LONG = {**SHORT, "duration": 8}
"""For a fault in the load: a busy machine strikes late."""
Strike = Callable[[str], Mend]
"""Given the run's id, or nothing before there is one."""
REMEDY = re.compile(r"still tuned; this puts it back: (ansible-playbook [^\n]*)")


@dataclass(frozen=True)
class Case:
    """One fault `during` a part of a run, or `before` it.

    `outcome`: of its one trial, None where there is to be none. `says`: words of the trial's reason; where there is
    none, of what the playbook said; `shows`: of that in any case. `logs`: whose must be here. `finds`, `finds_no`:
    words of `analysis check`. `within_s`: from the fault to the end of the playbook. `program` takes the place of the
    playbook, and puts back what that has not. `cut`: the playbook ends before its report, or cannot write it, so the
    manifest does not say how the run ended; the hosts may be tuned then, if it says so. `around`: where all of it
    happens. `asked`: parameters of its own. `ci`: it stands for its kind.
    """

    name: str
    during: str
    strike: Strike
    outcome: str | None
    says: tuple[str, ...] = ()
    exit: int = 3
    within_s: float = 300
    logs: tuple[str, ...] = HOSTS
    finds: tuple[str, ...] = ()
    finds_no: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    program: str = ""
    cut: bool = False
    around: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
    asked: dict[str, Any] = field(default_factory=dict)
    ci: bool = False

    def request(self) -> dict[str, Any]:
        """Its parameters: `asked`, with the usual ones for that part of a run."""
        return (LONG if self.during == "load" else SHORT) | self.asked


@dataclass(frozen=True)
class Ended:
    """How a run ended that was struck. `run`: None where it was refused before there was one; `status`: None where the
    playbook went on; `took_s`: from the fault to its end."""

    run: Path | None
    text: str
    status: int | None
    took_s: float


def suffer(case: Case, output: Path) -> Ended:
    """Run, strike, wait, mend."""
    if case.during == "before":
        return suffer_from_the_start(case)
    running = line.start("lab", output, case.program, **case.request())
    mend: Mend = harm.nothing
    try:
        harm.wait_for(running, case.during)
        mend = case.strike(running.run.name)
        struck = time.monotonic()
        status = running.ends(case.within_s)
        return Ended(running.run, running.text(), status, time.monotonic() - struck)
    finally:
        running.kill()
        mend()


def suffer_from_the_start(case: Case) -> Ended:
    before, began = line.newest(), time.monotonic()
    mend = case.strike("")
    try:
        done = line.play("run_benchmark.yml", "lab", **{**line.SMALL, **case.request()})
    finally:
        mend()
    run = line.newest()
    return Ended(None if run == before else run, done.stdout, done.returncode, time.monotonic() - began)


def broken(case: Case, ended: Ended) -> list[str]:
    """What is not as it must be; nothing where all is."""
    if ended.status is None:
        return [f"the playbook goes on after {case.within_s} s", *harm.left(ended.run)]
    found = list(harm.still_there(ended.run)) if ended.run else []
    trials = line.trials(ended.run) if ended.run else []
    outcomes = [trial["outcome"] for trial in trials]
    reason = "; ".join(str(trial["reason"]) for trial in trials if trial["reason"]) or ended.text
    if outcomes != ([case.outcome] if case.outcome else []):
        found.append(f"outcomes {outcomes}: {reason[-600:]}")
    found += [f"{words!r} is not said: {reason[-600:]}" for words in case.says if words not in reason]
    found += [f"{words!r} is not shown: {ended.text[-900:]}" for words in case.shows if words not in ended.text]
    if "Traceback" in ended.text:
        found.append("a traceback")
    if (case.program and ended.status != case.exit) or (ended.status != 0) != (case.exit != 0):
        found.append(f"the status is {ended.status}")
    if ended.run:
        found += told(case, ended.run)
    return [*found, *put_back(case, ended), *harm.left(ended.run)]


def put_back(case: Case, ended: Ended) -> Iterator[str]:
    """Where a host is still tuned: is it told, and does the command that is told put it back?"""
    if not harm.SAVED.exists() or case.exit == 4:
        return
    remedy = REMEDY.search(ended.text)
    if case.program or not case.cut or not remedy:
        yield f"tuned still, and no command for it: {ended.text[-900:]}"
        return
    done = subprocess.run(
        shlex.split(remedy.group(1)), cwd=line.ROOT, env=line.environment(), text=True, capture_output=True,
        stdin=subprocess.DEVNULL, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode or harm.SAVED.exists():
        yield f"{remedy.group(1)} does not put it back: {done.stdout[-300:]}"


def told(case: Case, run: Path) -> Iterator[str]:
    """What is wrong in the results."""
    if (noted := line.manifest(run)["exit"]) != (None if case.cut else case.exit):
        yield f"exit {noted}"
    findings = line.analysis("check", str(run)).stdout if case.finds or case.finds_no else ""
    yield from (f"{words!r} is not found" for words in case.finds if words not in findings)
    yield from (f"{words!r} is found" for words in case.finds_no if words in findings)
    missing = [host for host in case.logs if not list((run / "hosts" / host).glob("001/agent.jsonl"))]
    if missing and case.outcome:
        yield f"no logs of {missing}"


def check(case: Case) -> tuple[Ended, list[str]]:
    with tempfile.TemporaryDirectory() as directory, case.around():
        ended = suffer(case, Path(directory) / "out")
        return ended, broken(case, ended)
