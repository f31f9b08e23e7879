"""The packages of strategies: pip unpacks them on the controller, for the Python of the server host."""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

FETCH_S = 300
OLDEST_GLIBC = 17  # 2.17, of manylinux2014: what wheels are usually built for

Facts = Mapping[str, Any]


class NotFetched(Exception):
    """The packages cannot be fetched; the message is the reason, as the end of a sentence."""


def place_of(cache: Path, lock: Path, facts: Facts) -> Path:
    """The directory with the packages of a lock file for such a host; it never changes once it is there."""
    kind = f"{abi(facts)}-{facts['arch']}-{'-'.join(facts['libc']).strip('-') or 'musl'}"
    return cache / f"packages-{kind}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"


def abi(facts: Facts) -> str:
    """The tag of extension modules for this interpreter, such as cp313, or cp314t of the free-threaded build."""
    return f"cp{tag(facts)}{'t' if facts['free_threaded'] else ''}"


def tag(facts: Facts) -> str:
    return "".join(facts["python"].split(".")[:2])


def platforms(facts: Facts) -> list[str]:
    """The platforms whose wheels run on the host, the newest first."""
    name, version = facts["libc"]
    if name != "glibc":
        return [f"musllinux_1_{minor}_{facts['arch']}" for minor in (2, 1)]
    newest = int(version.split(".")[1])
    return [f"manylinux_2_{minor}_{facts['arch']}" for minor in range(newest, OLDEST_GLIBC - 1, -1)] + [
        f"manylinux2014_{facts['arch']}"
    ]


def requirements(lock: str, facts: Facts) -> str:
    """The entries of a lock file that are for such a host, without their conditions: pip would ask its own Python."""
    release = ".".join(facts["python"].split(".")[:2])
    environment = {
        "implementation_name": "cpython", "platform_python_implementation": "CPython", "os_name": "posix",
        "sys_platform": "linux", "platform_system": "Linux", "platform_machine": str(facts["arch"]),
        "python_version": release, "python_full_version": str(facts["python"]),
    }  # fmt: skip
    kept = []
    for entry in re.split(r"\n(?=[A-Za-z0-9])", lock):
        first, _, rest = entry.partition(" \\\n")
        requirement = Requirement(first)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            kept.append(f"{requirement.name}{requirement.specifier} \\\n{rest.rstrip()}\n")
    return "".join(kept)


def locked(lock: str, facts: Facts) -> set[str]:
    """The names of the packages that a lock file holds for such a host."""
    return set(re.findall(r"(?m)^([\w.-]+)==", requirements(lock, facts)))


def fetch(cache: Path, lock: Path, facts: Facts) -> Path:
    """The directory of packages for such a host, fetched unless it is there; NotFetched says why it cannot be."""
    place = place_of(cache, lock, facts)
    if place.is_dir():
        return place
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".packages-") as name:
        chosen, packages = Path(name) / "requirements.txt", Path(name) / "packages"
        chosen.write_text(requirements(lock.read_text(encoding="utf-8"), facts), encoding="utf-8")
        abis = (abi(facts), *(() if facts["free_threaded"] else ("abi3",)), "none")  # it has no stable ABI
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--retries", "2", "--no-deps", "--no-compile"]
        command += ["--only-binary=:all:", "--require-hashes", "--requirement", str(chosen), "--target", str(packages)]
        command += ["--implementation", "cp", "--python-version", tag(facts)]
        command += [word for one in abis for word in ("--abi", one)]
        command += [word for platform in platforms(facts) for word in ("--platform", platform)]
        try:
            result = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FETCH_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise NotFetched(f"pip had not fetched them after {FETCH_S} s") from None
        if result.returncode:
            lines = [line for line in result.stderr.splitlines() if line.startswith("ERROR")] or ["nothing"]
            raise NotFetched(f"pip said: {lines[-1].removeprefix('ERROR: ').rstrip('.')}")
        shutil.move(str(packages), str(place))
    return place
