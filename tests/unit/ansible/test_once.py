"""What a failed task shows."""

from typing import Any

import pytest

from plugins.callback.c10k_once import sentence


@pytest.mark.parametrize(
    ("action", "host", "result", "shown"),
    [
        ("c10k_admit", "localhost", {"msg": "server is full."}, "server is full."),
        ("c10k_kernel", "client1", {"msg": "/run/c10k cannot be used."}, "client1: /run/c10k cannot be used."),
        ("c10k_probe", "client1", {"msg": "client1 has no Python."}, "client1 has no Python."),
        ("c10k_kernel", "client1", {"msg": "MODULE FAILURE", "module_stderr": "Traceback"}, None),
        ("c10k_admit", "localhost", {"msg": "Unexpected failure during module execution: 'x'"}, None),
        ("c10k_admit", "localhost", {"results": []}, None),
        ("ansible.builtin.fail", "localhost", {"msg": "somebody else's"}, None),
    ],
)
def test_a_task_of_ours_is_told_by_its_sentence(
    action: str, host: str, result: dict[str, Any], shown: str | None
) -> None:
    assert sentence(action, host, result) == shown
