"""What the action plugins say, and what they refuse."""

from typing import Any
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from planner.parameters import Refused
from plugins.door import Door

FORGED, SHOWN = "the agent of \x1b[2J still runs", "the agent of \\u001b[2J still runs"


def test_what_a_host_says_is_not_executed_by_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Says(Door):
        def do(self, _given: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
            self.say(FORGED)
            raise Refused([FORGED])

    monkeypatch.setattr(ActionBase, "run", lambda *_given: {})
    door = Says(*(Mock(args={}) for _ in range(6)))
    door._display = Mock()
    with pytest.raises(AnsibleActionFail) as refusal:
        door.run()
    door._display.display.assert_called_once_with(SHOWN)
    assert SHOWN in str(refusal.value)
