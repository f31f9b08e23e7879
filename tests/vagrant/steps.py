"""Steps of the real boot: each is a command that prints as it runs, and is timed."""

import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
NOISE = re.compile(r"Progress: \d+%|^\s*$")
"""vagrant draws thousands of these lines."""
END_S = 10


class Failed(SystemExit):
    """A step that did not do what it should; the sentence says which."""


def step(name: str, command: Sequence[object], cwd: Path) -> str:
    """Run a command to its end, show what it prints, and return it. Raises Failed where it does not end with 0."""
    began = time.monotonic()
    print(f"== {name}", flush=True)
    process = subprocess.Popen(
        [str(word) for word in command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    said = []
    try:
        assert process.stdout is not None
        for raw in process.stdout:
            if not NOISE.search(line := CODES.sub("", raw)):
                said.append(line)
                print(f"   {line}", end="", flush=True)
        status = process.wait()
    finally:
        end(process)
    took_s = time.monotonic() - began
    print(f"== {name}: {took_s:.0f} s", flush=True)
    if status:
        raise Failed(f"{name} ended with {status} after {took_s:.0f} s.")
    return "".join(said)


def end(process: "subprocess.Popen[str]") -> None:
    """unshare takes no notice of SIGTERM, but what it started dies with it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
