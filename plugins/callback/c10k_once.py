"""Ansible's own screen, but for what a task of ours fails with: that is told once, as the sentence that it is. And what
was put back is told too.

The default callback shows it twice, in a frame of its own source and as JSON. With -v it does so here too; and what no
task of ours foresaw is always shown whole.
"""

from __future__ import annotations

from typing import Any

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as Default

DOCUMENTATION = """
    name: c10k_once
    type: stdout
    short_description: Ansible's default screen, on which a refusal is one sentence
    description: As the default callback; a failed task of the benchmark shows its message alone.
    extends_documentation_fragment:
      - default_callback
      - result_format_callback
"""
UNFORESEEN = ("module_stderr", "module_stdout")
"""What a result has when its module broke off."""


class CallbackModule(Default):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "c10k_once"

    def v2_runner_on_ok(self, result: Any) -> None:
        super().v2_runner_on_ok(result)
        if result.task.action == "c10k_kernel" and (said := result.result.get("said")):
            self._display.display(f"{result.host.get_name()}: {said}")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        told = sentence(result.task.action, result.host.get_name(), result.result)
        if told is None or self._display.verbosity:
            super().v2_runner_on_failed(result, ignore_errors)
            return
        if self._last_task_banner != result.task._uuid:
            self._print_task_banner(result.task)
        self._handle_warnings(result.result)
        aside = self.get_option("display_failed_stderr")
        self._display.display(f"[ERROR]: {told}", color=constants.COLOR_ERROR, stderr=aside)


def sentence(action: str, host: str, result: dict[str, Any]) -> str | None:
    """What a failed task says, with its host where that is not the controller; None: show all of the result."""
    said = result.get("msg")
    unforeseen = any(name in result for name in UNFORESEEN) or str(said).startswith("Unexpected failure")
    if not action.startswith("c10k_") or not isinstance(said, str) or not said or unforeseen:
        return None
    return said if host == "localhost" or said.startswith(host) else f"{host}: {said}"
