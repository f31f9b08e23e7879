"""Judges the command line of each of our playbooks before any host is touched: a refusal is one sentence and exit 2.
So it refuses a play for which the inventory has no host, which Ansible would call done.

It is a callback, since these alone hear of a playbook whatever its tags and its hosts. An exception of theirs would be
a warning; SystemExit ends the playbook. A playbook of somebody else that imports ours is judged by its own author.
"""

from __future__ import annotations

import shlex
import stat
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.utils.vars import load_extra_vars

DOCUMENTATION = """
    name: c10k_command_line
    type: aggregate
    short_description: Refuses a command line that would do something else than it seems to say
    description: Names that no playbook knows, tags, and runs that are not there.
"""
ROOT = Path(__file__).resolve().parents[2]
NO_VENV = (
    "This Ansible does not have the benchmark's packages: use the one of the checkout, `. .venv/bin/activate`"
    " (script/bootstrap makes it)."
)
TAGS = ("prepare", "measure", "restore", "report")
NO_PARTS = (
    "Nothing here can be left out: leave --tags, --skip-tags and --start-at-task away. run_benchmark.yml alone has tags"
    f" ({', '.join(TAGS)}), each for one part of a run."
)
ANYBODY = (
    f"Anybody may write {ROOT}, and could change what this does on your hosts: `chmod o-w {shlex.quote(str(ROOT))}`, or"
    " copy the checkout to a directory that you alone may write."
)
NO_HOST = (
    "Nothing was done: the inventory has no host in the group c10k (c10k_server and c10k_clients); `-i INVENTORY` names"
    " the one that has."
)
REFUSED = 2


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "c10k_command_line"

    def v2_playbook_on_start(self, playbook: Any) -> None:
        path = Path(playbook._file_name).resolve()
        self.is_ours = path.parent in (ROOT, ROOT / "playbooks")
        if self.is_ours and (problems := unsafe() or judged(path.stem, load_extra_vars(playbook._loader))):
            self.refuse(*problems)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.is_of_hosts = play.hosts == ["c10k"]
        self.everywhere = play.get_variable_manager()._inventory.groups["all"].vars

    def v2_playbook_on_no_hosts_matched(self) -> None:
        if self.is_ours and self.is_of_hosts and not context.CLIARGS["subset"]:  # else --limit has left it out
            self.refuse(str(self.everywhere.get("c10k_absent", NO_HOST)))

    def refuse(self, *problems: str) -> None:
        self._display.error(" ".join(problems), wrap_text=False)
        raise SystemExit(REFUSED)


def unsafe() -> list[str]:
    """A sentence where others than its owner may write the checkout."""
    return [ANYBODY] if ROOT.stat().st_mode & stat.S_IWOTH else []


def judged(playbook: str, given: dict[str, Any]) -> list[str]:
    """A sentence for each thing that is wrong with the command line; `given` are the extra variables."""
    try:
        from planner import command_line
    except (ImportError, TypeError):  # TypeError: annotations that an older Python does not know
        return [NO_VENV]
    asked = context.CLIARGS
    other = set(asked["tags"]) - {"all", *(TAGS if playbook == "run_benchmark" else ())}
    in_part = other or asked["skip_tags"] or asked["start_at_task"]
    return [NO_PARTS] if in_part else command_line.problems(playbook, given)
