"""An agent as a child of the test, and the conductor's side of its pipes."""

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.schemas import validator

PATIENCE_S = 20.0
Event = dict[str, Any]


class Pipes:
    """Every event is checked against the schema as it arrives, and kept in `heard`."""

    def __init__(self, home: Path, argv: list[str], cwd: Path, stdout: int = subprocess.PIPE) -> None:
        self.dir = home  # of the trial
        self.process = subprocess.Popen(
            [sys.executable, *argv], cwd=cwd, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE
        )
        self.heard: list[Event] = []
        self._events: queue.Queue[Event | None] = queue.Queue()
        if self.process.stdout:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._events.put(json.loads(line))
        self._events.put(None)

    def order(self, name: str, **fields: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"order": name, **fields}).encode() + b"\n")
        self.process.stdin.flush()

    def next(self, timeout_s: float = PATIENCE_S) -> Event | None:
        event = self._events.get(timeout=timeout_s)
        if event is not None:
            validator("protocol").validate(event)
            self.heard.append(event)
        return event

    def end(self) -> tuple[int, str]:
        """Hear it to its end; exit status and stderr."""
        while self.next() is not None:
            pass
        assert self.process.stderr
        text = self.process.stderr.read().decode()
        return self.process.wait(timeout=PATIENCE_S), text

    def lines(self) -> list[Event]:
        """The journal, which must be whole."""
        lines: list[Event] = [json.loads(line) for line in (self.dir / "agent.jsonl").read_text().splitlines()]
        for line in lines:
            validator("agent").validate(line)
        assert lines[0]["header"] == 1
        assert lines[-1]["trailer"] == 1
        assert lines[-1]["lines"] == len(lines) - 2
        return lines
