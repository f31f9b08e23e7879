"""Runs the real line (ansible-playbook, conductor, agents) for the tests, and looks at what it left behind."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".venv/bin"
RESULTS = ROOT / "results"

RUN_ID = re.compile(r"\b\d{8}T\d{6}Z-[0-9a-f]{6}\b")
named: set[str] = set()
"""Ids of runs that the playbooks of this session have named."""

lab_stands = False
"""The lab of three clients has been made in this session, and no test has taken it down."""

SMALL: dict[str, Any] = {
    "strategy": "epoll",
    "connections": 600,
    "rate": 600,
    "connect_rate": 3000,
    "repetitions": 1,
    "warmup": 0,
    "duration": 3,
}


def environment() -> dict[str, str]:
    """What a user has after `. .venv/bin/activate`, without colours."""
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin", "ANSIBLE_NOCOLOR": "1", "COLUMNS": "160"}


def playbook_command(name: str, inventory: str, **variables: Any) -> list[str]:
    source = inventory if "/" in inventory else f"inventory/{inventory}"
    if name == "run_benchmark.yml" and "run" not in variables:
        variables = {"calibrate": False, **variables}  # only where a test is about it
    command = [str(BIN / "ansible-playbook"), "-i", source, name]
    for key, value in variables.items():
        # As a user types it; a value with spaces in JSON, since Ansible would split it.
        if key == "scenario":
            command += ["-e", f"@{value}"]
        else:
            command += ["-e", json.dumps({key: value}) if " " in str(value) else f"{key}={value}"]
    return command


def play(
    name: str, inventory: str, timeout_s: float = 180, more: Sequence[str] = (), **variables: Any
) -> subprocess.CompletedProcess[str]:
    """Run a playbook to its end, with `more` words behind its variables; stdout and stderr are one text, as a person
    sees them."""
    result = subprocess.run(
        [*playbook_command(name, inventory, **variables), *more],
        cwd=ROOT, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, timeout=timeout_s, check=False,
    )  # fmt: skip
    named.update(RUN_ID.findall(result.stdout))
    return result


def analysis(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "python"), "-m", "analysis", *arguments],
        cwd=ROOT, env=environment(), text=True, capture_output=True, timeout=60, check=False,
    )  # fmt: skip


def newest() -> Path | None:
    link = RESULTS / "latest"
    return link.resolve() if link.exists() else None


def events(run: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a run's events.jsonl."""
    for line in (run / "events.jsonl").read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)


def trials(run: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((run / "trials").glob("*/trial.json"))]


def manifest(run: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((run / "manifest.json").read_text())
    return document


def processes_of(run: Path) -> dict[int, str]:
    """Every live process of this machine, in any namespace, whose command line names the run."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if run.name in command and state != "Z" and int(entry.name) != os.getpid():
            found[int(entry.name)] = command
    return found


def eventually(what: str, holds: Any, within_s: float) -> Any:
    """Wait until `holds()` is true; fail with `what` after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.05)


@dataclass
class Running:
    """A playbook in mid-load, in a session of its own as a terminal would give it."""

    process: "subprocess.Popen[str]"
    run: Path
    output: Path

    def find(self, *words: str) -> list[int]:
        """The live processes of the run whose command line holds all the words."""
        return [pid for pid, command in processes_of(self.run).items() if all(word in command for word in words)]

    def interrupt(self) -> None:
        """Ctrl-C: SIGINT to the whole foreground process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def end(self, within_s: float) -> int:
        return self.process.wait(timeout=within_s)

    def ends(self, within_s: float) -> int | None:
        """Its status, or None where it goes on."""
        try:
            return self.end(within_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it, and all that it started here."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def start(inventory: str, output: Path, program: str = "", **variables: Any) -> Running:
    """Start the main job and return when its conductor has begun. A variable that is None is not given.

    `program`, such as script/benchmark, takes the place of `ansible-playbook run_benchmark.yml`.
    """
    before = newest()
    asked = {**SMALL, "duration": 25, **variables}
    command = playbook_command("run_benchmark.yml", inventory, **{k: v for k, v in asked.items() if v is not None})
    if program:
        command = [program, *(word for word in command[1:] if word != "run_benchmark.yml")]
    with output.open("w") as sink:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), text=True, stdout=sink, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def begun() -> Path | None:
        run = newest()
        if run is not None and run != before and (run / "events.jsonl").exists():
            return run
        assert process.poll() is None, output.read_text()
        return None

    run = eventually("a run that has begun", begun, 90)
    named.add(run.name)
    return Running(process, run, output)


def start_and_wait_for_load(inventory: str, output: Path, program: str = "", **variables: Any) -> Running:
    """Start the main job and return when every client has delivered an interval of the first trial's load."""
    running = start(inventory, output, program, **variables)

    def loading() -> bool:
        assert running.process.poll() is None, running.text()
        hosts = {event["host"] for event in events(running.run) if event.get("event") == "interval"}
        return len(hosts) >= 3

    eventually("an interval from each client", loading, 90)
    return running
