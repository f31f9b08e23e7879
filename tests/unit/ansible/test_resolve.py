"""The first task of a run, under an Ansible that is not the checkout's."""

import sys
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from plugins.action.c10k_resolve import ActionModule


@pytest.mark.parametrize("kind", [ImportError, TypeError])
def test_a_python_that_cannot_read_the_planner_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """Python 3.9 ends with TypeError at the first annotation `str | None`."""

    class Older:
        @staticmethod
        def find_spec(name: str, *_more: Any) -> None:
            if name == "planner.resolve":
                raise kind("unsupported")

    monkeypatch.delitem(sys.modules, "planner.resolve", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Older(), *sys.meta_path])
    monkeypatch.setattr(ActionBase, "run", lambda *_given: {})
    with pytest.raises(AnsibleActionFail, match="script/bootstrap"):
        ActionModule(*(Mock() for _ in range(6))).run()
