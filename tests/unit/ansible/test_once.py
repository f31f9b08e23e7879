"""What a failed task shows."""

from types import SimpleNamespace
from typing import Any

import pytest

from plugins.callback.c10k_once import CallbackModule, sentence


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


def test_what_was_put_back_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CallbackModule.__base__, "v2_runner_on_ok", lambda *_given: None)
    said = SimpleNamespace(
        task=SimpleNamespace(action="c10k_kernel"), host=SimpleNamespace(get_name=lambda: "client1"),
        result={"said": "put back, and read again: a 2 → 1."},
    )  # fmt: skip
    CallbackModule().v2_runner_on_ok(said)
    assert capsys.readouterr().out == "client1: put back, and read again: a 2 → 1.\n"
