"""Says, where a playbook ends before its restore, which hosts are still tuned, and what puts them back and goes on.

Ansible runs no later play after Ctrl-C, or when one of its own processes was killed. This is the last that is heard.
Who holds the locks ends with the playbook, but not while a signal has stopped it, so it is woken here.
"""

from __future__ import annotations

import atexit
import os
import shlex
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: c10k_way_out
    type: aggregate
    short_description: Says which hosts are still tuned when a playbook ends early
    description: Prints one sentence with the command that puts them back.
"""


ROOT = Path(__file__).resolve().parents[2]


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "c10k_way_out"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.tuned: dict[str, bool] = {}
        """For each host whose kernel a task of this playbook was to change: may it still be changed?"""
        self.state: str | None = None
        """What the task at hand asks of the kernels."""
        self.run: str | None = None
        self.is_over = False
        self.holder: int | None = None
        """A descriptor of the process that holds the locks."""
        atexit.register(self.leave)

    def v2_playbook_on_task_start(self, task: Any, **_given: Any) -> None:
        self.state = task.args.get("state", "tuned") if task.action == "c10k_kernel" and not task.check_mode else None

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        if task.action == "c10k_kernel" and self.state == "tuned":
            self.tuned[host.get_name()] = True

    def v2_runner_on_skipped(self, result: Any) -> None:
        """As with tune=off."""
        if result.task.action == "c10k_kernel" and self.state == "tuned":
            self.tuned.pop(result.host.get_name(), None)

    def v2_runner_on_ok(self, result: Any) -> None:
        if result.task.action == "c10k_kernel" and self.state == "restored":
            self.tuned.pop(result.host.get_name(), None)
        if result.task.action == "c10k_resolve":
            self.run = result.result["run"]
        if pid := result.result.get("holder") if result.task.action == "c10k_hold" else None:
            with suppress(ProcessLookupError):
                self.holder = os.pidfd_open(pid)

    def v2_playbook_on_stats(self, _stats: Any) -> None:
        self.is_over = True  # the playbook ended by itself, and its own last words say how

    def leave(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who presses Ctrl-C again shall hear it too
        self.say()
        self.wake()

    def say(self) -> None:
        if self.tuned and not self.is_over:
            given = context.CLIARGS
            words = [word for source in given.get("inventory") or () for word in ("-i", source)]
            words += ["-K"] if given.get("become_ask_pass") else []
            command = shlex.join(["ansible-playbook", *words])
            sentences = [
                f"The playbook ended before its restore, so the kernel of {', '.join(self.tuned)} is still tuned; this "
                f"puts it back: {command} playbooks/restore.yml"
            ]
            if self.run and (ROOT / "results" / self.run / "plan.yml").exists():
                sentences += [f"This goes on with the run: {command} run_benchmark.yml -e run={self.run}"]
            for sentence in sentences:
                self._display.display(sentence, stderr=True)  # which c10k_visible makes harmless

    def wake(self) -> None:
        if self.holder is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.holder, signal.SIGCONT)
