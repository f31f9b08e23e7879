"""The facts of a host that a run needs, and the agents that run there. Runs on the hosts (Python 3.8)."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import pwd
import re
import resource
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .c10k_ground import obstacle
from .c10k_lock import LOCK, locked_by
from .c10k_room import address_problem, is_address, ports_held, rooms
from .c10k_state import PLACE, tuned_by
from .c10k_tree import read_plain

RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}")


def read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def start_ticks(pid: int) -> int | None:
    """When a process began, in clock ticks after boot; its id and start name it for good. None: no such process."""
    stat = read(f"/proc/{pid}/stat")
    if not stat:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def live_agents(home: Path, run: str | None = None) -> list[dict[str, Any]]:
    """The agents that the files agent-<trial>.json of <base>/<host> name, of one run or of all, where the process still
    runs and is that of the file's owner: `pid`, `start_ticks`, and `run`, None where it is the id of none."""
    found = [agent for path in sorted(home.glob("agent-*.json")) for agent in [live_agent(path)] if agent]
    return [agent for agent in found if run in (None, agent.get("run"))]


def live_agent(path: Path) -> dict[str, Any] | None:
    try:
        text, owner = read_plain(path)
        record = json.loads(text)
        pid, began, run = int(record["pid"]), int(record["start_ticks"]), str(record.get("run"))
        # Root may read it too, and must not end whatever process an ordinary account names there.
        alive = start_ticks(pid) == began and owner == Path(f"/proc/{pid}").stat().st_uid
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return {"pid": pid, "start_ticks": began, "run": run if RUN_ID.fullmatch(run) else None} if alive else None


def stop_agents(home: Path, run: str | None = None, patience_s: float = 8) -> list[dict[str, Any]]:
    """End the recorded agents, of one run or of all, and nothing else: SIGTERM first, and SIGCONT, without which a
    stopped process hears nothing; SIGKILL to those that go on. `signal` of each is what ended it, or None."""
    ended: dict[int, dict[str, Any]] = {}
    for numbers in ((signal.SIGTERM, signal.SIGCONT), (signal.SIGKILL,)):
        for path in sorted(home.glob("agent-*.json")):
            agent = send(path, run, numbers)
            if agent:
                ended[agent["pid"]] = {**agent, "signal": numbers[0].name}
        deadline = time.monotonic() + patience_s
        while live_agents(home, run) and time.monotonic() < deadline:
            time.sleep(0.05)
    for agent in live_agents(home, run):  # one that began meanwhile too
        ended[agent["pid"]] = {**agent, "signal": None}
    return list(ended.values())


def send(path: Path, run: str | None, numbers: Sequence[signal.Signals]) -> dict[str, Any] | None:
    """Signal the agent of this record; returns the record, or None where it runs no longer, or for another run. By
    pidfd, where Python and the kernel have it: the id may be another process's from one moment to the next."""
    agent = live_agent(path)
    if agent is None or run not in (None, agent.get("run")):
        return None
    with contextlib.suppress(ProcessLookupError):
        if not hasattr(signal, "pidfd_send_signal"):  # before Python 3.9
            for number in numbers:
                os.kill(agent["pid"], number)
            return agent
        process = os.pidfd_open(agent["pid"])
        try:
            if live_agent(path) != agent:  # is what was opened still that process?
                return None
            for number in numbers:
                signal.pidfd_send_signal(process, number)
        finally:
            os.close(process)
    return agent


def runs(home: Path) -> list[str]:
    """The runs whose logs still lie here. Another name is none of ours, and would stand in a command that a person is
    told to type."""
    try:
        return sorted(entry.name for entry in (home / "runs").iterdir() if RUN_ID.fullmatch(entry.name))
    except OSError:
        return []


def writable(path: Path) -> bool:
    """May this user make, or write in, the directory?"""
    nearest = path
    # Path.exists() raises where a directory above may not be searched.
    while not os.access(str(nearest), os.F_OK) and nearest != nearest.parent:
        nearest = nearest.parent
    return nearest.is_dir() and os.access(str(nearest), os.W_OK | os.X_OK)


def absent(app: Path, programs: Sequence[str], scripts: Sequence[str]) -> list[str]:
    """The programs that this user cannot run, and the scripts that it cannot read, from the directory where agents run.
    A name without a slash is looked up in PATH."""
    missing = [name for name in programs if not shutil.which(str(app / name) if "/" in name else name)]
    return missing + [name for name in scripts if not os.access(str(app / name), os.R_OK)]


def may_become(user: str) -> bool:
    """May this user become another without a password? Only the controller knows a password that Ansible was given."""
    command = ["sudo", "-n", "-u", user, "--", "true"]
    try:
        answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.returncode == 0


def account_facts(name: str) -> dict[str, Any]:
    """What this user sees of the account that the inventory gives the host; `uid` None: there is none of this name."""
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        return {"name": name, "uid": None, "reached": False}
    return {"name": name, "uid": uid, "reached": may_become(name)}


def cpu_facts(cpuinfo: str) -> dict[str, str | None]:
    """The CPU's model, and the vendor of a virtual machine or `none`; None where the kernel does not say."""
    lines = [line.partition(":") for line in cpuinfo.splitlines()]
    known = {name.strip(): value.strip() for name, _, value in reversed(lines)}
    virtualisation = None
    if "flags" in known:
        vendor = read("/sys/class/dmi/id/sys_vendor") or "hypervisor"
        virtualisation = vendor if "hypervisor" in known["flags"].split() else "none"
    return {"cpu_model": known.get("model name"), "virtualisation": virtualisation}


def login_address() -> str | None:
    """The address of this host over which its SSH session came; None without one."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    return words[2] if len(words) == 4 else None


def facts(home: Path, address: str = "", ports: Sequence[int] = ()) -> dict[str, Any]:
    """All that is told of the host; `address` is its load address, and on `ports` of it a server shall listen."""
    address = address if is_address(address) else ""
    memory = dict(line.split(":", 1) for line in (read("/proc/meminfo") or "").splitlines() if ":" in line)
    range_ = (read("/proc/sys/net/ipv4/ip_local_port_range") or "32768 60999").split()
    uid, netns = os.getuid(), Path("/proc/self/ns/net").stat().st_ino
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "boot_id": read("/proc/sys/kernel/random/boot_id"),
        "netns": netns,
        "arch": platform.machine(),
        "cpus": sorted(os.sched_getaffinity(0)),
        **cpu_facts(read("/proc/cpuinfo") or ""),
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "clocksource": read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "memory_bytes": int(memory.get("MemTotal", "0 kB").split()[0]) * 1024,
        "memory_available_bytes": int(memory.get("MemAvailable", "0 kB").split()[0]) * 1024,
        **rooms(home),
        "address_problem": address_problem(address),
        "login_address": login_address(),
        "ports_held": ports_held(address, ports) if address else [],
        "utc_s": time.time(),
        "nofile_hard": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "port_range": [int(range_[0]), int(range_[1])],
        "reserved_ports": read("/proc/sys/net/ipv4/ip_local_reserved_ports") or "",
        "somaxconn": int(read("/proc/sys/net/core/somaxconn") or 0),
        "syn_backlog": int(read("/proc/sys/net/ipv4/tcp_max_syn_backlog") or 0),
        "syncookies": int(read("/proc/sys/net/ipv4/tcp_syncookies") or 0),  # not 0: nothing reads the key above
        "file_max": int(read("/proc/sys/fs/file-max") or 0),
        "kernel": " ".join([platform.system(), platform.release(), platform.version()]),
        "kernel_release": platform.release(),
        "io_uring_disabled": read("/proc/sys/kernel/io_uring_disabled"),
        "implementation": platform.python_implementation(),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "libc": list(platform.libc_ver()),
        "hostname": platform.node(),
        "user": uid,
        "root": uid == 0 or may_become("root"),
        "base_writable": writable(home) and writable(home / "app") and writable(home / "runs"),
        "obstacle": obstacle(home),
        "agent": next(iter(live_agents(home)), None),
        "uncollected": runs(home),
        "tuned_by": tuned_by(netns),
        "locked_by": locked_by(LOCK, str(home.parent)),
        "lockable": os.access(f"{PLACE}.lock", os.R_OK),
    }
