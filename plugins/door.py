"""What most action plugins are: a task's arguments go to a function of planner/, and a refusal fails the task."""

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from contracts.visible import one_line, sayable
from planner.parameters import Refused
from planner.variables import NAMES

QUIET_S = 4.0
"""A person who sees nothing new for longer wonders whether it still goes on."""


def plain(value: Any) -> Any:
    """The value without Ansible's tags, of JSON's types."""
    return json.loads(json.dumps(value))


def variables_of(hostvars: Mapping[str, Any], names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The inventory's variables of these hosts that the gate reads."""
    return {name: {key: plain(hostvars[name][key]) for key in NAMES if key in hostvars[name]} for name in names}


def sentence(error: Exception) -> str:
    """What an exception says to a person, in a few hundred characters."""
    if isinstance(error, OSError):
        what = error.filename2 or error.filename or "a file of the controller"
        return f"{what} cannot be used: {error.strerror or error}."
    return one_line(error)


class Door(ActionBase):
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        try:
            with self.heard():
                return self.do(plain(self._task.args), task_vars or {})
        except Refused as refused:
            raise AnsibleActionFail(sayable(" ".join(refused.problems))) from None
        except OSError as error:  # of a file of the controller
            raise AnsibleActionFail(sayable(sentence(error))) from None

    def do(self, given: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def say(self, line: str) -> None:
        """Show a line at once; workers are cut off from stdout."""
        self.said_s = time.monotonic()
        self._display.display(sayable(line))

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Name the task, and how long it has taken, whenever nothing else was said for QUIET_S: Ansible shows the name
        of a task only with its result."""
        began_s = self.said_s = time.monotonic()
        over = threading.Event()

        def tick() -> None:
            while not over.wait(QUIET_S / 8):
                if time.monotonic() - self.said_s >= QUIET_S:
                    self.say(f"{self._task.name}: {time.monotonic() - began_s:.0f} s")

        ticker = threading.Thread(target=tick, daemon=True)
        ticker.start()
        try:
            yield
        finally:
            over.set()
            ticker.join()
