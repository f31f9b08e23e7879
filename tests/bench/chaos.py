"""Does any fault, at any instant, leave a host tuned, a process running, a log untold, or a false `ok`?

    .venv/bin/python -m tests.bench.chaos [--seed 1] [--seeds 200]

Needs the lab of three clients (playbooks/lab.yml). Each seed draws a victim, a fault and an instant of a short run
there, and says which invariants broke. A seed that failed is made again by `--seed N --seeds 1`.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests import line

HOSTS = ("server", "client1", "client2", "client3")
ASKED = {**line.SMALL, "duration": 3, "arm_timeout": 5, "timeout": 2}
LONGEST_S = 180
GONE_S = 20
"""5 s after the controller's death, 15 s after a cut link, and this machine is busy."""
KEYS = (
    "net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_max_tw_buckets",
)  # fmt: skip
GLOBAL = ("net.core.netdev_max_backlog", "fs.file-max")


@dataclass(frozen=True)
class Victim:
    """Processes of a run, by words of their command lines, or all of a host's."""

    name: str
    words: tuple[str, ...]


VICTIMS = (
    Victim("the playbook", ("ansible-playbook", "run_benchmark.yml")),
    Victim("the conductor", ("conductor", "run", "--plan")),
    Victim("who holds the locks", ("conductor", "hold")),
    Victim("a client's generator", ("loadgen", '"host":"client2"')),
    Victim("the server's agent", ("-m", "server", "agent")),
    Victim("the server", ("server", "serve")),
)
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--seeds", type=int, default=200, help="how many, one after the other")
    options = parser.parse_args()
    broken = {}
    for seed in range(options.seed, options.seed + options.seeds):
        told, found = one(seed)
        print(f"{seed}: {told}: {'; '.join(found) or 'all invariants hold'}", flush=True)
        if found:
            broken[seed] = found
    print(f"{options.seeds} seeds, {len(broken)} with a broken invariant: {sorted(broken)}")
    sys.exit(1 if broken else 0)


def one(seed: int) -> tuple[str, list[str]]:
    """What was done, and what broke."""
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
    time.sleep(dice.uniform(0, 16))
    told, hit, mend = strike(dice, playbook)
    try:
        status = playbook.wait(timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        status = None
        os.killpg(playbook.pid, signal.SIGKILL)
        playbook.wait()
    finally:
        mend()
    run = line.newest()
    return told, list(
        invariants(status, None if run == latest else run, before, hit, output.read_text(errors="replace"))
    )


# Faults --------------------------------------------------------------------------------------------------------------


def strike(dice: random.Random, playbook: "subprocess.Popen[str]") -> tuple[str, bool, Callable[[], None]]:
    """Do it; what it was, whether it hit anything, and how it is mended."""
    kind = dice.choice(("signal", "signal", "signal", "link", "disk"))
    if kind == "link":
        host, state = dice.choice(HOSTS[1:]), "down"
        inside(host, "ip", "link", "set", "eth0", state)
        return f"{host} without a link", True, mend_lab
    if kind == "disk":
        host = dice.choice(HOSTS)
        return f"{host} without room", True, fill(host)
    victim, number = dice.choice(VICTIMS), dice.choice(SIGNALS)
    pids = [playbook.pid] if victim is VICTIMS[0] else matching(victim.words)
    for pid in pids[:1]:
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    def wake() -> None:
        for pid in pids if number == signal.SIGSTOP else ():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    return f"{number.name} to {victim.name}{'' if pids else ' (none there)'}", bool(pids), wake


def inside(host: str, *command: str) -> str:
    whole = ["ip", "netns", "exec", f"c10k-{host}", *command]
    return subprocess.run(whole, capture_output=True, text=True, check=False, timeout=30).stdout


def mend_lab() -> None:
    line.play("playbooks/lab.yml", "local", lab_state="present", lab_clients=3)


def fill(host: str) -> Callable[[], None]:
    """A small full file system over the directory of the host's runs, in the mounts of its sshd: its agents see it."""
    sshd = next((pid for pid in matching(("sshd", f"/run/c10k-lab/{host}/"))), None)
    place = Path(f"/var/lib/c10k-lab/{host}/runs")
    if sshd is None or not place.is_dir():
        return lambda: None
    enter = ["nsenter", "-t", str(sshd), "-m", "--"]
    script = f"mount -t tmpfs -o size=64k none {place} && head -c 60k /dev/zero >{place}/full"
    subprocess.run([*enter, "sh", "-c", script], check=False, timeout=30)

    def empty() -> None:
        subprocess.run([*enter, "umount", "-l", str(place)], check=False, timeout=30)

    return empty


def matching(words: tuple[str, ...]) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if all(word in command for word in words) and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return sorted(found)


# Invariants ----------------------------------------------------------------------------------------------------------


def kernels() -> dict[str, str]:
    found = {
        f"{host} {key}": inside(host, "cat", f"/proc/sys/{key.replace('.', '/')}").strip()
        for host in HOSTS
        for key in KEYS
    }
    return found | {key: Path(f"/proc/sys/{key.replace('.', '/')}").read_text().strip() for key in GLOBAL}


def invariants(status: int | None, run: Path | None, before: dict[str, str], hit: bool, text: str) -> Iterator[str]:
    if status is None:
        yield f"the playbook goes on after {LONGEST_S} s"
    if "Traceback" in text:
        yield "a traceback"
    if run is not None:
        try:
            line.eventually("gone", lambda: not line.processes_of(run), GONE_S)
        except AssertionError:
            yield f"still there: {line.processes_of(run)}"
        yield from told_truly(run, status, hit)
    restored = line.play("playbooks/restore.yml", "lab")
    if restored.returncode:
        yield "restore.yml failed"
    after = kernels()
    if changed := {key for key in before if before[key] != after.get(key)}:
        yield f"not as it was: {sorted(changed)}"
    if Path("/run/c10k").exists():
        yield "/run/c10k is still there"


def told_truly(run: Path, status: int | None, hit: bool) -> Iterator[str]:
    """Every log is here or can be fetched, the summary reads the rest, and nothing is called ok that was not."""
    if line.analysis("summary", str(run)).returncode:
        yield "the summary fails"
    collected = line.play("playbooks/collect.yml", "lab", run=run.name)
    if collected.returncode:
        yield "collect.yml failed"
    outcomes = [trial["outcome"] for trial in line.trials(run)]
    if status == 0 and outcomes != ["ok"]:
        yield f"exit 0 with {outcomes}"
    for trial in line.trials(run):
        settled = {event["host"] for event in line.events(run) if event.get("event") == "done"}
        if trial["outcome"] == "ok" and settled != set(HOSTS[1:]):
            yield f"ok without the end of {set(HOSTS[1:]) - settled}"
        missing = [host for host in HOSTS if not (run / "hosts" / host).is_dir()]
        if trial["outcome"] == "ok" and missing:
            yield f"ok without the logs of {missing}"
    manifest = json.loads((run / "manifest.json").read_text())
    if status == 0 and (manifest["status"] != "ok" or manifest["exit"] != 0):
        yield f"exit 0, and the manifest says {manifest['status']}"


if __name__ == "__main__":
    main()
