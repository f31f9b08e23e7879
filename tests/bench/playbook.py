"""How long does a run take beside its trials, what does each further host add, and does a long run stay as it began?

    .venv/bin/python -m tests.bench.playbook [--rounds 5] [--trials 200]

As root, where no lab stands: it makes labs of 4 and of 16 hosts, which are one machine, and takes them down. The CPU
time is that of the playbook and its children, without what the hosts spend.
"""

import argparse
import os
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import line
from tests.bench.common import OUT, Unmeasured, median, table

SIZES = (4, 16)  # hosts
TRIAL_S = 1
ASKED = {"strategy": "epoll", "connections": 1600, "rate": 1000, "warmup": 0, "duration": TRIAL_S}
LONGEST_S = 600  # beside the trials
EVERY_S = 1.0
SHOWN = 20  # trials at the beginning, in the middle and at the end


@dataclass(frozen=True)
class Run:
    """A whole playbook: wall and CPU time, and where its results are."""

    wall_s: float
    cpu_s: float
    place: Path
    conductor: list["Sample"]


@dataclass(frozen=True)
class Sample:
    """What the conductor held at a moment."""

    at_s: float
    rss_kib: int
    descriptors: int
    threads: int


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="runs of one trial for each number of hosts")
    parser.add_argument("--trials", type=int, default=200, help="of the long run; 0: none")
    options = parser.parse_args()
    print(f"{os.cpu_count()} CPUs, Linux {os.uname().release}, load {os.getloadavg()[0]:.1f}")
    try:
        few, many = (one_trial(hosts, options.rounds) for hosts in SIZES)
        table("A whole run around one trial of a second, s", COLUMNS, [row(SIZES[0], few), row(SIZES[1], many)])
        further = (fastest(many) - fastest(few)) / (SIZES[1] - SIZES[0])
        print(f"\nEach further host: {further:.2f} s.")
        if options.trials:
            lab(SIZES[0])
            long(options.trials)
    finally:
        line.play("playbooks/lab.yml", "local", lab_state="absent")


def lab(hosts: int) -> None:
    """So many hosts, and no others."""
    for state in ("absent", "present"):
        made = line.play("playbooks/lab.yml", "local", lab_state=state, lab_clients=hosts - 1)
        if made.returncode:
            raise Unmeasured(f"The lab cannot be made: {made.stdout[-1000:]}")


def one_trial(hosts: int, rounds: int) -> list[Run]:
    lab(hosts)
    play(1)  # prepares the hosts
    return [play(1) for _ in range(rounds)]


def play(trials: int) -> Run:
    """Run the playbook to its end, and look at its conductor meanwhile."""
    command = line.playbook_command("run_benchmark.yml", "lab", repetitions=trials, **ASKED)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    OUT.mkdir(parents=True, exist_ok=True)
    log = OUT / "playbook.log"
    with log.open("w") as sink:
        playbook = subprocess.Popen(
            command, cwd=line.ROOT, env=line.environment(), stdin=subprocess.DEVNULL, stdout=sink,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    samples = list[Sample]()
    while playbook.poll() is None:
        passed_s = time.monotonic() - began
        if passed_s > LONGEST_S + 5 * trials:
            playbook.terminate()
            raise Unmeasured(f"The playbook has not ended after {passed_s:.0f} s; see {log}.")
        if trials > 1:
            samples += sampled(passed_s)
        time.sleep(EVERY_S if trials > 1 else 0.01)
    wall_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    run = line.newest()
    if playbook.returncode or run is None:
        raise Unmeasured(f"The playbook ended with {playbook.returncode}; see {log}.")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall_s, cpu_s, run, samples)


def sampled(at_s: float) -> list[Sample]:
    """Of the conductor of the newest run, once its first trial has ended."""
    run = line.newest()
    if run is None or not line.trials(run):
        return []
    for pid, command in line.processes_of(run).items():
        if "conductor run" in command:
            try:
                status = Path(f"/proc/{pid}/status").read_text().splitlines()
                held = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            except OSError:
                return []
            told = dict(entry.split(":", 1) for entry in status)
            return [Sample(at_s, int(told["VmRSS"].split()[0]), held, int(told["Threads"]))]
    return []


COLUMNS = ("hosts", "beside the trial: least", "median", "most", "report", "beside the conductor", "CPU")


def row(hosts: int, runs: Sequence[Run]) -> tuple[str, ...]:
    beside = sorted(run.wall_s - TRIAL_S for run in runs)
    told = [line.manifest(run.place)["overhead"] for run in runs]
    figures = (
        beside[0], median(beside), beside[-1], median([one["report_s"] for one in told]),
        median([one["playbook_s"] for one in told]), median([run.cpu_s for run in runs]),
    )  # fmt: skip
    return (str(hosts), *(f"{figure:.1f}" for figure in figures))


def fastest(runs: Sequence[Run]) -> float:
    """What others take of the machine only adds."""
    return min(run.wall_s for run in runs)


def long(trials: int) -> None:
    """One run of many trials: its conductor and its overhead at the beginning, in the middle and at the end."""
    run = play(trials)
    places = [0, len(run.conductor) // 2, len(run.conductor) - 1]
    table(
        f"The conductor of {trials} trials of a second", ("at, s", "RSS, MiB", "descriptors", "threads"),
        [
            (f"{one.at_s:.0f}", f"{one.rss_kib / 1024:.1f}", one.descriptors, one.threads)
            for one in (run.conductor[place] for place in places)
        ],
    )  # fmt: skip
    each = [float(one) for one in line.manifest(run.place)["overhead"]["per_trial_s"]]
    middle = len(each) // 2
    parts = {"first": each[:SHOWN], "middle": each[middle : middle + SHOWN], "last": each[-SHOWN:], "all": each}
    table(
        "Overhead of a trial, s", ("trials", "median", "most"),
        [(name, f"{median(part):.2f}", f"{max(part):.2f}") for name, part in parts.items()],
    )  # fmt: skip


if __name__ == "__main__":
    main()
