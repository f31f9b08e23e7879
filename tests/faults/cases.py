"""What may befall a run, when, and what must then be told: one row each.

tests/faults runs some of them, tests.bench.faults all.
"""

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests import harm, line
from tests.harm import HOSTS, SERVER, Mend

SHORT = {"connections": 150, "rate": 300, "connect_rate": 100, "duration": 2, "timeout": 2, "arm_timeout": 5}
LATE = {
    **SHORT, "strategy": None, "duration": 1, "timeout": 4,
    "server_command": f"python3 {harm.LATE} --host {{host}} --port {{port}}",
}  # fmt: skip
PREFORK = {**SHORT, "strategy": "prefork_exclusive", "workers": 2}
PARTS = ("ramp", "load", "drain")
SERVER_AGENT, GENERATOR = harm.agent_of(SERVER), harm.agent_of("client2")
Strike = Callable[[str], Mend]
"""Given the run's id, or nothing before there is one."""


@dataclass(frozen=True)
class Case:
    """One fault `during` a part of a run, or `before` it.

    `outcome`: of its one trial, None where there is to be none. `says`: words of the trial's reason; where there is
    none, of what the playbook said. `logs`: whose must be here; `finds`, `finds_no`: words of `analysis check`;
    `within_s`: from the fault to the end of the playbook. `ci`: it stands for its kind.
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
    asked: dict[str, Any] = field(default_factory=lambda: SHORT)
    ci: bool = False


def frozen(victim: harm.Victim) -> Strike:
    return partial(harm.send, signal.SIGSTOP, victim)


def killed(victim: harm.Victim) -> Strike:
    return partial(harm.send, signal.SIGKILL, victim)


def on(fault: Callable[[str], Mend], host: str) -> Strike:
    return lambda _run: fault(host)


def in_each_part(what: str, strike: Strike, outcome: str, *says: str, ci: str = "", **more: Any) -> Iterator[Case]:
    """The same in ramp, load and drain; `ci`: the part that CI sees. `ramp`: what differs in the ramp."""
    ramp = more.pop("ramp", {})
    for part in PARTS:
        told = {"outcome": outcome, "says": says, "asked": LATE if part == "drain" else SHORT, "ci": part == ci, **more}
        yield Case(f"{what} in the {part}", part, strike, **(told | ramp if part == "ramp" else told))


def but(host: str) -> tuple[str, ...]:
    return tuple(name for name in HOSTS if name != host)


def out_of_reach(host: str) -> dict[str, Any]:
    """What can be neither fetched nor put back."""
    return {"exit": 4, "within_s": 150, "logs": but(host)}


SILENT = "it has said nothing for"
CASES = [
    *in_each_part("the server frozen", frozen(harm.server), "crashed", "the server hung", ci="load"),
    *in_each_part(
        "the server's agent frozen", frozen(SERVER_AGENT), "crashed", f"the server: {SILENT}",
        ramp={"outcome": "invalid", "says": ("server: it did not count its connections",)},
    ),
    *in_each_part(
        "a generator frozen", frozen(GENERATOR), "partial", "client2 was lost: ", ci="load",
        ramp={"outcome": "invalid", "says": ("client2: ", "it was not armed within")},
    ),
    *in_each_part(
        "a client's path to the server cut", on(harm.drop_load, "client2"), "partial", "client2 lost the server",
        ci="load", ramp={"outcome": "invalid", "says": ("(client2: ", "/timeout")},
    ),
    *in_each_part(
        "a client's packets dropped", on(harm.drop_all, "client2"), "partial", ci="drain", **out_of_reach("client2")
    ),
    *in_each_part("the server's packets dropped", on(harm.drop_all, SERVER), "crashed", **out_of_reach(SERVER)),
    *in_each_part("a client's link down", on(harm.link_down, "client2"), "partial", **out_of_reach("client2")),
    *in_each_part("the server's link down", on(harm.link_down, SERVER), "crashed", **out_of_reach(SERVER)),
    *in_each_part("the server killed", killed(harm.server), "crashed", "by signal 9", ci="ramp"),
    *in_each_part("the server's agent killed", killed(SERVER_AGENT), "crashed", "its agent ended on its own"),
    *in_each_part("a generator killed", killed(GENERATOR), "partial", "client2 was lost: its agent ended on its own"),
    *in_each_part(
        "a client's sshd killed", partial(harm.hang_up, GENERATOR), "partial", "client2 was lost", ci="drain"
    ),
    Case("a worker of several killed", "load", killed(harm.worker), "crashed", asked=PREFORK),
    Case("a worker of several frozen", "load", frozen(harm.worker), "crashed", ("the server hung",), asked=PREFORK),
    Case(
        "the server out of memory", "ramp", partial(harm.short_of_memory, harm.server), "crashed", ("by signal 9",),
        ci=True,
    ),
    Case(
        "the server out of descriptors", "ramp", partial(harm.few_descriptors, harm.server, 60), "dnf",
        ("the strategy reached its limit",), exit=0, ci=True,
    ),
    Case(
        "a client a hundred times slower", "load", partial(harm.slow, GENERATOR), "ok", exit=0,
        finds=("GN7", "client2"), finds_no=("SV6",), asked={**SHORT, "rate": 9000}, ci=True,
    ),
    Case(
        "a client's disk full", "before", on(harm.fill, "client2"), "invalid",
        ("client2: The latency log cannot be written: ", "no space left on device"), ci=True,
    ),
    Case("the server's disk full", "before", on(harm.fill, SERVER), "invalid", ("server: ", "No space left on device")),
    Case("no program may run on a client", "before", on(harm.forbid_programs, "client2"), None, ("client2",), ci=True),
    Case("a client without sshd", "before", on(harm.end_sshd, "client2"), None, ("client2", "reach"), ci=True),
    Case("clocks a day apart", "before", on(harm.a_day_ahead, "client2"), "ok", exit=0, ci=True),
]  # fmt: skip


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
    running = line.start("lab", output, **case.asked)
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
        done = line.play("run_benchmark.yml", "lab", **{**line.SMALL, **case.asked})
    finally:
        mend()
    run = line.newest()
    return Ended(None if run == before else run, done.stdout, done.returncode, time.monotonic() - began)


def broken(case: Case, ended: Ended) -> list[str]:
    """What is not as it must be; nothing where all is."""
    if ended.status is None:
        return [f"the playbook goes on after {case.within_s} s", *harm.left(ended.run)]
    found = []
    trials = line.trials(ended.run) if ended.run else []
    outcomes = [trial["outcome"] for trial in trials]
    reason = "; ".join(str(trial["reason"]) for trial in trials) if trials else ended.text
    if outcomes != ([case.outcome] if case.outcome else []):
        found.append(f"outcomes {outcomes}: {reason[-600:]}")
    found += [f"{words!r} is not said: {reason[-600:]}" for words in case.says if words not in reason]
    if "Traceback" in ended.text:
        found.append("a traceback")
    if (ended.status != 0) != (case.exit != 0):
        found.append(f"the playbook's status is {ended.status}")
    if ended.run:
        found += told(case, ended.run)
    return found + list(harm.left(ended.run))


def told(case: Case, run: Path) -> Iterator[str]:
    """What is wrong in the results."""
    if (noted := line.manifest(run)["exit"]) != case.exit:
        yield f"exit {noted}"
    findings = line.analysis("check", str(run)).stdout if case.finds else ""
    yield from (f"{words!r} is not found" for words in case.finds if words not in findings)
    yield from (f"{words!r} is found" for words in case.finds_no if words in findings)
    missing = [host for host in case.logs if not list((run / "hosts" / host).glob("001/agent.jsonl"))]
    if missing and case.outcome:
        yield f"no logs of {missing}"


def check(case: Case) -> tuple[Ended, list[str]]:
    with tempfile.TemporaryDirectory() as directory:
        ended = suffer(case, Path(directory) / "out")
    return ended, broken(case, ended)
