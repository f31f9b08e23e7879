"""Does any fault, at any instant, leave a host tuned, a process running, a log untold, or a false `ok`?

    .venv/bin/python -m tests.bench.chaos [--seed 1] [--seeds 200]

Needs the lab of three clients (playbooks/lab.yml). Each seed draws a victim, a fault and an instant of a short run
there, and says which invariants broke. A seed that failed is made again by `--seed N --seeds 1`.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import harm, line
from tests.harm import CLIENTS, HOSTS, Mend, NotThere

ASKED = {
    **line.SMALL, "connections": 150, "connect_rate": 100, "rate": 300, "duration": 6, "arm_timeout": 5, "timeout": 2
}  # fmt: skip
LONGEST_S = 180
APPEARS_S = 90
LIVES_S = 4
"""By its own clocks a run takes 7.5 s for ramp and load: whatever lives through both is still there after so long."""
STAGES = {
    "Resolve the request": LIVES_S, "Build the programs": LIVES_S, "Prepare the hosts": LIVES_S, "Measure": LIVES_S,
    "Collect the logs": 0, "Restore the hosts": 0, "Report": 0,
}  # fmt: skip
"""The plays of a run, and for how many seconds it then lasts at least, however fast the machine."""
KEYS = (
    "net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_max_tw_buckets",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """`stages`: those in which it is there; none: it comes with the load, and is there for LIVES_S at least. `thaws`:
    who freezes it is a person with Ctrl-Z, who wakes it again; everything else stays frozen, and the run has to end it.
    """

    name: str
    victim: harm.Victim
    stages: tuple[str, ...] = ()
    thaws: bool = False


TARGETS = (
    Target("the playbook", harm.nobody, tuple(STAGES), thaws=True),
    Target("the conductor", harm.conductor),
    Target("who holds the locks", harm.holder, tuple(STAGES)[1:], thaws=True),
    *(Target(f"{client}'s generator", harm.agent_of(client)) for client in CLIENTS),
    Target("the server's agent", harm.agent_of(harm.SERVER)),
    Target("the server", harm.server),
)
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP)
OF_HOSTS: dict[str, tuple[Callable[[str], Mend], tuple[str, ...]]] = {
    "without a link": (harm.link_down, HOSTS),
    "without its packets": (harm.drop_all, HOSTS),
    "without a path to the server": (harm.drop_load, CLIENTS),
    "without room on its disk": (harm.fill, HOSTS),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--seeds", type=int, default=200, help="how many, one after the other")
    options = parser.parse_args()
    broken = []
    for seed in range(options.seed, options.seed + options.seeds):
        told, found = one(seed)
        print(f"{seed}: {told}: {'; '.join(found) or 'all invariants hold'}", flush=True)
        broken += [seed] if found else []
    print(f"{options.seeds} seeds, {len(broken)} with a broken invariant: {broken}")
    sys.exit(1 if broken else 0)


def one(seed: int) -> tuple[str, list[str]]:
    """What was done, and what broke. That nothing could be done to the run is no pass."""
    dice = random.Random(seed)
    before = kernels()
    output = line.ROOT / f".cache/bench/chaos-{seed}.log"
    output.parent.mkdir(parents=True, exist_ok=True)
    latest = line.newest()
    with output.open("w") as sink:
        playbook = subprocess.Popen(
            line.playbook_command("run_benchmark.yml", "lab", seed=seed, **ASKED), cwd=line.ROOT,
            env=line.environment(), stdout=sink, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            start_new_session=True, text=True,
        )  # fmt: skip
    told, problems = "", list[str]()
    mend: Mend = harm.nothing
    try:
        told, mend = strike(dice, playbook, output)
        status = wait(playbook)
    except NotThere as error:
        told, status = f"{told or 'nothing done'} ({error})", wait(playbook)
        problems = ["an error of the bench: its victim was not there"]
    finally:
        mend()
    run = line.newest() if line.newest() != latest else None
    line.named.update([run.name] if run else [])
    return told, problems + list(invariants(status, run, before, output.read_text(errors="replace")))


def wait(playbook: "subprocess.Popen[str]") -> int | None:
    try:
        return playbook.wait(timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        os.killpg(playbook.pid, signal.SIGKILL)
        playbook.wait()
        return None


# Faults --------------------------------------------------------------------------------------------------------------


def strike(dice: random.Random, playbook: "subprocess.Popen[str]", output: Path) -> tuple[str, Mend]:
    """Do it; what it was, and how it is mended. NotThere where there was nobody to do it to."""
    if dice.random() < 0.4:
        what = dice.choice(sorted(OF_HOSTS))
        fault, hosts = OF_HOSTS[what]
        host = dice.choice(hosts)
        when = instant(dice, tuple(STAGES), playbook, output)
        if playbook.poll() is not None:
            raise NotThere(f"the run is over before {host} is {what}")
        return f"{host} {what} {when}", fault(host)
    target, number, asleep_s = dice.choice(TARGETS), dice.choice(SIGNALS), dice.uniform(1, 20)
    if target.stages:
        when = instant(dice, target.stages, playbook, output)
    else:
        after_s = dice.uniform(0, LIVES_S)
        appear(target, playbook)
        time.sleep(after_s)
        when = f"{after_s:.1f} s after its start"
    told = f"{number.name} to {target.name} {when}"
    pids = hit(target, playbook)
    for pid in pids:
        os.kill(pid, number)
    if number == signal.SIGSTOP and target.thaws:
        told += f", for {asleep_s:.1f} s"
        time.sleep(asleep_s)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # what it belonged to has ended, and woken it
                os.kill(pid, signal.SIGCONT)
    return told, harm.nothing


def instant(dice: random.Random, stages: tuple[str, ...], playbook: "subprocess.Popen[str]", output: Path) -> str:
    """Waits for one of the plays to begin, and then for a while that is drawn too; what it waited for."""
    stage = dice.choice(stages)
    after_s = dice.uniform(0, STAGES[stage])
    while f"PLAY [{stage}]" not in output.read_text(errors="replace"):
        if playbook.poll() is not None:
            raise NotThere(f"the run is over before {stage!r}")
        time.sleep(0.02)
    time.sleep(after_s)
    return f"{after_s:.1f} s into {stage!r}"


def appear(target: Target, playbook: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + APPEARS_S
    while playbook.poll() is None and time.monotonic() < deadline:
        try:
            hit(target, playbook)
            return
        except NotThere:
            time.sleep(0.05)
    raise NotThere(f"{target.name} did not appear")


def hit(target: Target, playbook: "subprocess.Popen[str]") -> list[int]:
    """The process that is to be hit; the first, where there are several."""
    if playbook.poll() is not None:
        raise NotThere(f"the run is over before {target.name} is hit")
    if target.victim is harm.nobody:
        return [playbook.pid]
    run = harm.run_of(playbook.pid)
    if run is None:
        raise NotThere("no run has begun")
    return harm.find(target.victim, run)[:1]


# Invariants ----------------------------------------------------------------------------------------------------------


def kernels() -> dict[str, str]:
    """What a run tunes of each host, read without any of the project's code."""
    return {
        f"{host} {key}": harm.inside(host, "cat", f"/proc/sys/{key.replace('.', '/')}")
        for host in HOSTS
        for key in KEYS
    }


def invariants(status: int | None, run: Path | None, before: dict[str, str], text: str) -> Iterator[str]:
    if status is None:
        yield f"the playbook goes on after {LONGEST_S} s"
    if "Traceback" in text:
        yield "a traceback"
    yield from harm.left(run)
    if run is not None:
        yield from told_truly(run, status)
    after = kernels()
    if changed := {key for key in before if before[key] != after.get(key)}:
        yield f"not as it was: {sorted(changed)}"


def told_truly(run: Path, status: int | None) -> Iterator[str]:
    """Every log is here or can be fetched, the summary reads the rest, and nothing is called ok that was not."""
    trials = line.trials(run)
    outcomes = [trial["outcome"] for trial in trials]
    if status == 0 and outcomes != ["ok"]:
        yield f"exit 0 with {outcomes}"
    for trial in trials if outcomes == ["ok"] else ():
        settled = {event["host"] for event in line.events(run) if event.get("event") == "done"}
        if settled != set(CLIENTS):
            yield f"ok without the end of {set(CLIENTS) - settled}"
        if trial["proof"]["end"] != trial["proof"]["barrier"]:
            yield f"ok with {trial['proof']}"
        missing = [host for host in HOSTS if not (run / "hosts" / host).is_dir()]
        if missing:
            yield f"ok without the logs of {missing}"
    manifest = line.manifest(run)
    if status == 0 and (manifest["status"] != "ok" or manifest["exit"] != 0):
        yield f"exit 0, and the manifest says {manifest['status']}"


if __name__ == "__main__":
    main()
