"""What can befall a run in the lab: who may be hit, and the faults, each made by the kernel and each with its mending.

For tests/faults and tests.bench.chaos, .faults. A victim that is not there is an error of who asked for it.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import line

SERVER, CLIENTS = "server", ("client1", "client2", "client3")
HOSTS = (SERVER, *CLIENTS)
BASE = Path("/var/lib/c10k-lab")
SAVED = Path("/run/c10k")
"""What runs have saved of the kernels that they tuned: the lab's hosts have this machine's /run."""
GONE_S = 20
"""5 s after the controller's death, 15 s after a cut link, and this machine is busy."""
LATE = str(line.ROOT / "tests/fixtures/late_server.py")
Mend = Callable[[], object]


class NotThere(Exception):
    """The victim could not be found: nothing was done to the run, so it proves nothing."""


# Victims -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    words: tuple[str, ...]

    def runs(self, *words: str) -> bool:
        """Is it Python with these arguments first, or with options of its own before them?"""
        return any(self.words[at : at + len(words)] == words for at in (1, 2, 3))

    @property
    def spec(self) -> dict[str, object]:
        """Of an agent, whatever program it is: what it was asked to do."""
        with contextlib.suppress(ValueError, IndexError):
            found = json.loads(self.words[self.words.index("--spec") + 1])
            return found if isinstance(found, dict) else {}
        return {}


Victim = Callable[[Process], bool]


def agent_of(host: str) -> Victim:
    return lambda process: process.spec.get("host") == host


def nobody(_process: Process) -> bool:
    return False


def server(process: Process) -> bool:
    """The measured server, and each of its workers; or the late one of the tests."""
    return process.runs("-m", "server", "serve") or process.words[1:2] == (LATE,)


def worker(process: Process) -> bool:
    """A process of the measured server that another of its processes started."""
    if not server(process):
        return False
    with contextlib.suppress(OSError):
        return server(look(process.parent))
    return False


def conductor(process: Process) -> bool:
    return process.runs("-m", "conductor", "run")


def holder(process: Process) -> bool:
    """Who holds the locks, on the controller."""
    return process.runs("-m", "conductor", "hold")


def look(pid: int) -> Process:
    """OSError where there is no such process, or only what is left of it."""
    entry = Path(f"/proc/{pid}")
    words = (entry / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
    if words == [""] or state in "ZX":
        raise ProcessLookupError
    return Process(pid, int(parent), tuple(words))


def processes() -> list[Process]:
    """Every process that is no zombie."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.append(look(int(entry.name)))
    return sorted(found, key=lambda process: process.pid)


def find(victim: Victim, run: str) -> list[int]:
    """The victim's processes, of that run only: other runs of this machine are left alone."""
    there = processes()
    ours = {one.pid for one in there if any(run in word for word in one.words)}
    found = [one.pid for one in there if victim(one) and ours & {one.pid, one.parent}]
    if not found:
        raise NotThere(f"no such process of run {run}")
    return found


def run_of(playbook: int) -> str | None:
    """The run of a playbook, as soon as its hosts are held."""
    for process in processes():
        if holder(process) and ("--owner", str(playbook)) in zip(process.words, process.words[1:], strict=False):
            return process.words[process.words.index("--run") + 1]
    return None


# Faults --------------------------------------------------------------------------------------------------------------


def nothing() -> None:
    """What dies or is left as it is needs no mending."""


def send(number: signal.Signals, victim: Victim, run: str) -> Mend:
    """A signal to all of the victim's processes. What is frozen so nobody wakes again: the run has to end it."""
    for pid in find(victim, run):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return nothing


def inside(host: str, *command: str) -> str:
    """The output of a command in the network of a host (or of the `switch`); RuntimeError where it fails."""
    whole = ["ip", "netns", "exec", f"c10k-{host}", *command]
    done = subprocess.run(whole, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise RuntimeError(f"{' '.join(whole)}: {done.stderr.strip()}")
    return done.stdout.strip()


def link_down(host: str) -> Mend:
    inside(host, "ip", "link", "set", "eth0", "down")
    return mend_lab


def drop_all(host: str) -> Mend:
    """Packets to and from the host vanish in the switch, on both planes; its link stays up."""
    inside("switch", "bridge", "link", "set", "dev", host, "state", "0")
    return lambda: inside("switch", "bridge", "link", "set", "dev", host, "state", "3")


def drop_load(host: str) -> Mend:
    """Packets between a client and the server vanish; SSH goes on. Each sends to a hardware address that nobody has."""
    ends = {host: "198.18.0.10", SERVER: f"198.18.0.1{host[-1]}"}
    for name, other in ends.items():
        inside(name, "ip", "neigh", "replace", other, "lladdr", "02:00:00:00:00:99", "nud", "permanent", "dev", "eth0")
    return lambda: [inside(name, "ip", "neigh", "del", other, "dev", "eth0") for name, other in ends.items()]


def mend_lab(**variables: Any) -> None:
    made = line.play("playbooks/lab.yml", "local", lab_state="present", lab_clients=3, **variables)
    assert made.returncode == 0, made.stdout


def sshd(host: str) -> int:
    """The listener; its mounts are those of all its sessions."""
    try:
        return look(int(Path(f"/run/c10k-lab/{host}/sshd.pid").read_text())).pid
    except OSError:
        raise NotThere(f"no sshd of {host}") from None


def in_mounts(host: str, script: str) -> None:
    subprocess.run(["nsenter", "-t", str(sshd(host)), "-m", "--", "sh", "-ec", script], check=True, timeout=30)


def hang_up(victim: Victim, run: str) -> Mend:
    """Kill the sshd of the session in which an agent runs."""
    for pid in find(victim, run):
        session = look(look(pid).parent)
        if not session.words[0].startswith("sshd"):
            raise NotThere(f"{session.words} is no session of sshd")
        os.kill(session.pid, signal.SIGKILL)
    return nothing


def processes_on(host: str) -> list[Process]:
    """Every process in the network of the host."""
    found, network = [], Path(f"/proc/{sshd(host)}/ns/net").stat().st_ino
    for process in processes():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{process.pid}/ns/net").stat().st_ino == network:
                found.append(process)
    return found


def end_sshd(host: str) -> Mend:
    """Kill the listener and every session of the host."""
    for process in processes_on(host):
        with contextlib.suppress(ProcessLookupError):
            if process.words[0].rpartition("/")[2].startswith("sshd"):
                os.kill(process.pid, signal.SIGKILL)
    return mend_lab


def a_day_ahead(host: str) -> Mend:
    mend_lab(lab_time_offset_s={host: 86_400})
    return mend_lab


def fill(host: str) -> Mend:
    """A small full file system over the directory of the host's runs, where its agents see it."""
    place = BASE / host / "runs"
    place.mkdir(parents=True, exist_ok=True)
    in_mounts(host, f"mount -t tmpfs -o size=64k none {place}; head -c 60k /dev/zero >{place}/full")
    return lambda: in_mounts(host, f"umount -l {place}")


def forbid_programs(host: str) -> Mend:
    """A file system on which nothing may be executed, where the host's programs lie."""
    place = BASE / host
    place.mkdir(parents=True, exist_ok=True)
    in_mounts(host, f"mount -t tmpfs -o noexec none {place}")
    return lambda: in_mounts(host, f"umount -l {place}")


def few_descriptors(victim: Victim, number: int, run: str) -> Mend:
    for pid in find(victim, run):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (number, number))
    return nothing


# When ----------------------------------------------------------------------------------------------------------------


def wait_for(running: line.Running, during: str) -> None:
    """Until the first trial is in that part: `ramp`, `load` or `drain`."""

    def began() -> bool:
        assert running.process.poll() is None, running.text()
        said = [event for event in line.events(running.run) if event.get("trial") == 1]
        names = {event.get("event") for event in said}
        if during == "ramp":
            return "listening" in names
        went = next((event for event in said if event.get("event") == "went"), None)
        if went is None:
            return False
        return time.monotonic_ns() > int(went["go_ns"]) + (300_000_000 if during == "load" else 1_200_000_000)

    line.eventually(f"the {during} of the first trial", began, 60)


def nothing_to_tell(run: Path, said: str) -> bool:
    """Was the conductor ended before it said anything, and does the summary tell just that?"""
    return not (run / "events.jsonl").exists() and "measured nothing" in said


# What is left --------------------------------------------------------------------------------------------------------


def still_there(run: Path) -> Iterator[str]:
    """What of the run does not end; it is ended."""
    try:
        line.eventually("gone", lambda: not line.processes_of(run), GONE_S)
    except AssertionError:
        there = line.processes_of(run)
        yield f"still there: {there}"
        for pid in there:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def greeted(run: Path) -> list[str]:
    """The hosts on which an agent of the run began, and with it a log."""
    if not (run / "events.jsonl").exists():
        return []
    return sorted({event["host"] for event in line.events(run) if event.get("event") == "hello"})


def left(run: Path | None) -> Iterator[str]:
    """What of a run is still there when its faults are mended, and what cannot be read. The hosts are put back."""
    if run is not None:
        yield from still_there(run)
        if (told := line.analysis("summary", str(run))).returncode and not nothing_to_tell(run, told.stderr):
            yield f"the summary fails: {told.stderr[-300:]}"
        if any(not (run / "hosts" / host).is_dir() for host in HOSTS):
            collected = line.play("playbooks/collect.yml", "lab", run=run.name)
            if collected.returncode:
                yield f"collect.yml failed: {collected.stdout[-300:]}"
            yield from (f"no logs of {host} even so" for host in greeted(run) if not (run / "hosts" / host).is_dir())
    if SAVED.exists():
        restored = line.play("playbooks/restore.yml", "lab")
        if restored.returncode:
            yield f"restore.yml failed: {restored.stdout[-300:]}"
    if SAVED.exists():
        yield f"still tuned: {sorted(path.name for path in SAVED.iterdir())}"
