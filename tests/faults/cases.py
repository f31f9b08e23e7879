"""What may befall a run, when, and what must then be told: one row each.

tests/faults runs some of them, tests.bench.faults all.
"""

import signal
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests import archives, cgroups, controller, harm, line
from tests.faults.suffered import Case, Strike
from tests.harm import HOSTS, SERVER, Mend

SCRIPT = str(line.ROOT / "script/benchmark")
LATE = {
    "strategy": None, "duration": 1, "timeout": 4,
    "server_command": f"python3 {harm.LATE} --host {{host}} --port {{port}}",
}  # fmt: skip
PREFORK = {"strategy": "prefork_exclusive", "workers": 2}
PARTS = ("ramp", "load", "drain")
SERVER_AGENT, GENERATOR = harm.agent_of(SERVER), harm.agent_of("client2")
SILENT = "it has said nothing for"


def frozen(victim: harm.Victim) -> Strike:
    return partial(harm.send, signal.SIGSTOP, victim)


def killed(victim: harm.Victim) -> Strike:
    return partial(harm.send, signal.SIGKILL, victim)


def on(fault: Callable[[str], Mend], host: str) -> Strike:
    return lambda _run: fault(host)


def in_each_part(what: str, strike: Strike, outcome: str, *says: str, ci: str = "", **more: Any) -> Iterator[Case]:
    """The same in ramp, load and drain; `ci`: the part that CI sees. `ramp`, `drain`: what differs there."""
    differing = {part: more.pop(part, {}) for part in PARTS}
    for part in PARTS:
        told = {"outcome": outcome, "says": says, "asked": LATE if part == "drain" else {}, "ci": part == ci, **more}
        yield Case(f"{what} in the {part}", part, strike, **(told | differing[part]))


def but(host: str) -> tuple[str, ...]:
    return tuple(name for name in HOSTS if name != host)


def out_of_reach(host: str) -> dict[str, Any]:
    """What can be neither fetched nor put back."""
    return {"exit": 4, "within_s": 150, "logs": but(host)}


def server_and_agent(process: harm.Process) -> bool:
    return SERVER_AGENT(process) or harm.server(process)


OF_PAUSES = (
    Case(
        "a client paused for 3 s", "load", partial(cgroups.host_paused, "client2", 3), "invalid",
        ("the generators of client2 were late",), ci=True,
    ),
    Case("the server's host paused for 3 s", "load", partial(cgroups.host_paused, SERVER, 3), "ok", exit=0),
    Case(
        "a client paused for good", "load", partial(cgroups.host_paused, "client2", None), "partial",
        **out_of_reach("client2"),
    ),
    Case(
        "the server and its agent paused for good", "load", partial(cgroups.paused, server_and_agent), "crashed",
        (f"the server: {SILENT}",),
    ),
)  # fmt: skip
OF_ARCHIVES = (
    Case(
        "a client's archive replaced while it is fetched", "load", partial(archives.replaced, "client2"), "ok",
        shows=("The logs of client2 are not here", "arrived damaged"), logs=but("client2"), ci=True,
    ),
    Case(
        "a client's archive cut while it is fetched", "load", partial(archives.cut, "client2"), "ok",
        shows=("The logs of client2 are not here", "arrived damaged"), logs=but("client2"),
    ),
    Case(
        "a client's log a pipe", "load", partial(archives.pipe, "client2"), "ok",
        shows=("client2 had no log of trial 1 to fetch",), logs=but("client2"),
    ),
    Case(
        "the server's logs removed", "load", partial(archives.removed, SERVER), "ok",
        shows=("server had no log of trial 1 to fetch",), logs=but(SERVER),
    ),
)  # fmt: skip
OF_THE_CONTROLLER = (
    Case("a worker of Ansible killed", "load", controller.kill_worker, "interrupted", cut=True, logs=(), ci=True),
    Case(
        "a worker of Ansible killed, under script/benchmark", "load", controller.kill_worker, "interrupted", cut=True,
        program=SCRIPT, logs=(), shows=("putting the hosts back",),
    ),
    Case("Ctrl-C ten times", "load", partial(controller.interrupt, 10), "interrupted", exit=130, cut=True, logs=()),
    Case("Ctrl-C twice", "load", partial(controller.interrupt, 2), "interrupted", exit=130, cut=True, logs=()),
    Case(
        "Ctrl-C twice, under script/benchmark", "load", partial(controller.interrupt, 2), "interrupted", exit=130,
        cut=True, program=SCRIPT, logs=(), shows=("-e run=",),
    ),
    Case("a playbook stopped", "load", controller.freeze_playbook, "ok", exit=0),
    Case("a worker of Ansible stopped", "load", controller.freeze_worker, "ok", exit=0),
    Case("who holds the locks stopped", "load", frozen(harm.holder), "ok", exit=0),
    Case(
        "results/ full", "before", controller.fill_results, None, ("Nothing was measured", "No space left on device"),
        exit=2, around=controller.small_results,
    ),
    Case(
        "results/ read-only", "before", controller.forbid_results, None,
        ("Nothing was measured", "Read-only file system"), exit=2,
    ),
    Case(
        "results/ read-only from the load on", "load", controller.forbid_results, None,
        ("trial.json cannot be written (Read-only file system)", "playbooks/collect.yml -e run="), cut=True,
    ),
    Case(
        "results/ full in the load", "load", controller.fill_results, None,
        ("cannot be written (No space left on device)", "playbooks/collect.yml -e run="), cut=True,
        around=controller.small_results, ci=True,
    ),
)  # fmt: skip
CASES = [
    *in_each_part(
        "the server frozen", frozen(harm.server), "crashed", "the server hung", ci="load",
        # By then it has read all that came, and a client sends no more on a connection that owes it an answer.
        drain={"says": ("at the end the server did nothing and gave nobody a whole answer: it hung",)},
    ),
    *in_each_part("the server's agent frozen", frozen(SERVER_AGENT), "crashed", f"the server: {SILENT}"),
    *in_each_part("a generator frozen", frozen(GENERATOR), "partial", "client2 was lost: ", ci="load"),
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
        "the server out of memory", "ramp", partial(cgroups.short_of_memory, harm.server), "crashed", ("by signal 9",),
        ci=True,
    ),
    Case(
        "the server out of descriptors", "ramp", partial(harm.few_descriptors, harm.server, 60), "dnf",
        ("the strategy reached its limit",), exit=0, ci=True,
    ),
    Case(
        "a client a hundred times slower", "load", partial(cgroups.slow, GENERATOR), "invalid",
        ("the generators of client2 were late",), finds=("GN1",), finds_no=("SV6",), asked={"rate": 9000},
        ci=True,
    ),
    Case(
        "a client's disk full", "before", on(harm.fill, "client2"), "invalid",
        ("client2: The latency log cannot be written: ", "no space left on device"), ci=True,
    ),
    Case("the server's disk full", "before", on(harm.fill, SERVER), "invalid", ("server: ", "No space left on device")),
    Case("no program may run on a client", "before", on(harm.forbid_programs, "client2"), None, ("client2",), ci=True),
    Case("a client without sshd", "before", on(harm.end_sshd, "client2"), None, ("client2", "reach"), ci=True),
    Case("clocks a day apart", "before", on(harm.a_day_ahead, "client2"), "ok", exit=0, ci=True),
    *OF_PAUSES, *OF_ARCHIVES, *OF_THE_CONTROLLER,
]  # fmt: skip
