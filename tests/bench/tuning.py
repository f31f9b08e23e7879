"""Killed between any two writes of the tuning: is every kernel value as it was, after restore.yml?

    .venv/bin/python -m tests.bench.tuning [--profile c10k …] [--every 1]

Needs the lab (playbooks/lab.yml). For every profile, and every file that the tuning of client1 opens for writing,
renames, makes or removes, it is ended there by SIGKILL. `sysctl -a` of that host must then differ only in keys that
differ between readings around restores that have nothing to do. In a container values of the whole machine are not
tuned, so there this says nothing of them.
"""

import argparse
import signal
import subprocess
import sys
from pathlib import Path

from tests import harm, line

HOST = "client1"
PROFILES = ("none", "c10k", "c100k", "c1m")
MOST = 500
VICTIM = """
import os, signal, sys, yaml
from plugins.module_utils.c10k_sysctl import Kernel

left = int(sys.argv[2])

def count(event, given):
    global left
    writes = event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR)
    if not writes and event not in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"):
        return
    if str(given[0]).startswith(("/run/c10k", "/proc/sys/")):
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

with open(f"playbooks/profiles/{sys.argv[1]}.yml") as file:
    entries = yaml.safe_load(file) or []
sys.addaudithook(count)
Kernel("20260101T000000Z-abcdef").tune(entries, [9000])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--profile", nargs="+", choices=PROFILES, default=PROFILES)
    parser.add_argument("--every", type=int, default=1, help="kill only at every so many-th of these moments")
    options = parser.parse_args()
    broken = [problem for profile in options.profile for problem in check(profile, options.every)]
    print(f"{len(broken)} values not as they were: {broken}")
    sys.exit(1 if broken else 0)


def check(profile: str, every: int = 1) -> list[str]:
    """What was not put back after a kill at any moment of the tuning; the last time it goes to its end."""
    found, kills, changed = [], 0, 0
    readings = [values()]
    for _ in range(3):
        restore()
        readings.append(values())
    before, noise = readings[-1], set().union(*(differing(one, readings[-1]) for one in readings))
    for after in range(0, MOST, every):
        killed = tune(profile, after) == -signal.SIGKILL
        kills += killed
        changed = max(changed, len(differing(before, values()) - noise))
        restore()
        found += [f"{profile}, killed after {after} writes: {key}" for key in differing(before, values()) - noise]
        if not killed:
            break
    else:
        found.append(f"{profile}: not at its end after {MOST} writes")
    if bool(changed) != (profile != "none"):
        found.append(f"{profile}: it changed {changed} values, so this proves nothing")
    print(
        f"{profile}: {kills} kills, up to {changed} values changed: {'; '.join(found) or 'all as it was'}", flush=True
    )
    return found


def tune(profile: str, after: int) -> int:
    command = ["ip", "netns", "exec", f"c10k-{HOST}", sys.executable, "-c", VICTIM, profile, str(after)]
    done = subprocess.run(command, cwd=line.ROOT, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), done.stderr
    return -signal.SIGKILL if done.returncode else 0


def restore() -> None:
    done = line.play("playbooks/restore.yml", "lab")
    assert done.returncode == 0, done.stdout
    assert not harm.SAVED.exists(), f"{harm.SAVED} is still there"


def values() -> dict[str, str]:
    """`sysctl -a` of the host, but what nobody can write: these are the kernel's own counts."""
    command = ["ip", "netns", "exec", f"c10k-{HOST}", "sysctl", "-a"]
    read = subprocess.run(command, text=True, capture_output=True, timeout=60, check=True).stdout
    found = {key: value for key, _, value in (text.partition(" = ") for text in read.splitlines())}
    return {key: value for key, value in found.items() if may_be_written(Path("/proc/sys", *key.split(".")))}


def may_be_written(path: Path) -> bool:
    """One that is not in the controller's network may be."""
    return not path.exists() or bool(path.stat().st_mode & 0o222)


def differing(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


if __name__ == "__main__":
    main()
