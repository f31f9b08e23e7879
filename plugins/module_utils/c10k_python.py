"""The interpreters of a host that a run asks for, by version or by path. Runs on the hosts (Python 3.8)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

HOMES = ("~/.pyenv/versions/*/bin", "~/.local/share/uv/python/*/bin", "~/.local/bin", "/usr/local/bin", "/opt/*/bin")
"""Where interpreters lie beside PATH."""
ANSWER_S = 20
ASK = """
import json, platform, sys, sysconfig
print(json.dumps({
    "executable": sys.executable, "python": platform.python_version(),
    "implementation": platform.python_implementation(),
    "build": " ".join((*platform.python_build(), platform.python_compiler())),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "gil": getattr(sys, "_is_gil_enabled", lambda: True)(), "libc": list(platform.libc_ver()),
}))
"""


def interpreters(asked: Iterable[str]) -> dict[str, dict[str, Any] | None]:
    """What each of them says of itself, None where there is none."""
    return {name: next(answers(name), None) for name in asked}


def answers(name: str) -> Iterator[dict[str, Any]]:
    """Of every interpreter that is what was asked for, that of PATH first."""
    for path in [name] if name.startswith("/") else places(name):
        found = ask(path)
        if found and (name.startswith("/") or fits(name, found)):
            yield found


def places(version: str) -> list[str]:
    """Where programs lie that may be of this version: `3.13.1` may be called python3.13."""
    release = re.sub(r"^(\D*\d+\.\d+)\.\d+", r"\1", version)
    program = release if release.startswith("pypy") else f"python{release}"
    homes = [Path(home) for home in os.environ.get("PATH", os.defpath).split(os.pathsep) if home]
    # pyenv's shims start no version that its user has not chosen; the interpreters are beside them.
    for shims in [home for home in homes if home.name == "shims"]:
        homes += sorted(shims.parent.glob("versions/*/bin"), key=numbers, reverse=True)
    for pattern in HOMES:
        root, _, rest = str(Path(pattern).expanduser()).rpartition("/*/")
        homes += sorted(Path(root).glob(f"*/{rest}"), key=numbers, reverse=True) if root else [Path(rest)]
    return [str(home / program) for home in dict.fromkeys(homes) if os.access(home / program, os.X_OK)]


def numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def fits(version: str, found: dict[str, Any]) -> bool:
    """Is an interpreter of that version, of that implementation, and free-threaded where that was asked for?"""
    wanted = version.replace("pypy", "").rstrip("t").split(".")
    is_pypy = found["implementation"] == "PyPy"
    return bool(
        found["python"].split(".")[: len(wanted)] == wanted
        and is_pypy == version.startswith("pypy")
        and found["free_threaded"] == version.endswith("t")
    )


def ask(path: str) -> dict[str, Any] | None:
    """What an interpreter says of itself; None where it is none."""
    try:
        answer = subprocess.run(
            [path, "-I", "-S", "-c", ASK], stdin=subprocess.DEVNULL, capture_output=True, timeout=ANSWER_S, check=False
        )
        found = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return found if answer.returncode == 0 and isinstance(found, dict) else None
