"""What the action plugins say, and what they refuse."""

import threading
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from planner.parameters import Refused
from plugins import door
from plugins.door import Door

FORGED, SHOWN = "the agent of \x1b[2J still runs", "the agent of \\u001b[2J still runs"


def test_what_a_host_says_is_not_executed_by_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Says(Door):
        def do(self, _given: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
            self.say(FORGED)
            raise Refused([FORGED])

    monkeypatch.setattr(ActionBase, "run", lambda *_given: {})
    says = Says(*(Mock(args={}) for _ in range(6)))
    says._display = Mock()
    with pytest.raises(AnsibleActionFail) as refusal:
        says.run()
    says._display.display.assert_called_once_with(SHOWN)
    assert SHOWN in str(refusal.value)


def test_a_long_task_that_says_nothing_is_named_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = threading.Event()

    class Builds(Door):
        def do(self, _given: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
            return {"heard": heard.wait(30)}

    monkeypatch.setattr(ActionBase, "run", lambda *_given: {})
    monkeypatch.setattr(door, "QUIET_S", 0.01)
    task = Mock(args={})
    task.name = "Build the programs"
    builds = Builds(task, *(Mock() for _ in range(5)))
    builds._display = Mock()
    builds._display.display.side_effect = lambda _line: heard.set()
    assert builds.run() == {"heard": True}
    assert builds._display.display.call_args.args[0].startswith("Build the programs: ")
    assert [thread.name for thread in threading.enumerate() if "tick" in thread.name] == []
