"""Looks at the command line before Ansible reads any inventory: a file of -e that cannot be used is told in a sentence,
where every reader of inventories would tell it anew; and `strategy` may be given, which Ansible reserves for plays.

An inventory plugin is the first of ours that Ansible loads. This one never reads an inventory.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

import yaml
from ansible import context
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.vars import reserved

DOCUMENTATION = """
    name: c10k_first
    short_description: Judges the files that follow -e
    description: Refuses a command line with a file that is not there; claims no inventory.
    options: {}
"""
ROOT = Path(__file__).resolve().parents[2]
REFUSED = 2


class InventoryModule(BaseInventoryPlugin):
    NAME = "c10k_first"

    def verify_file(self, _path: str) -> bool:
        """False: no inventory is for this plugin. Ends the playbook where the command line names a file in vain."""
        # A variable of this name does no harm here, and Ansible has no other way not to warn of it.
        reserved._RESERVED_NAMES = reserved._RESERVED_NAMES - {"strategy"}
        if problem := unusable(context.CLIARGS.get("extra_vars") or ()):
            self.display.error(problem, wrap_text=False)
            raise SystemExit(REFUSED)
        return False


def unusable(given: Iterable[str]) -> str | None:
    """A sentence on the first file of -e that is not there or holds no parameters; `given` is what follows each -e."""
    files = [word for word in given if word.startswith("@")]
    return next((f"-e {word}: {what}" for word in files if (what := wrong(Path(word[1:])))), None)


def wrong(path: Path) -> str | None:
    """What is wrong with a file of parameters; a missing one may be meant for a scenario."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        names = {there.stem: os.path.relpath(there) for there in sorted(ROOT.glob("scenarios/*.yml"))}
        close = difflib.get_close_matches(path.stem, names, n=1)
        meant = f"did you mean `-e @{names[close[0]]}`?" if close else f"there are {', '.join(names.values())}."
        return f"there is no such file; {meant}"
    except (OSError, ValueError) as error:
        return f"it cannot be read ({getattr(error, 'strerror', None) or 'it is no text'})."
    if text.startswith("$ANSIBLE_VAULT"):
        return None
    try:
        root = yaml.compose(text)  # which minds no tag, be it of Ansible's vault
    except yaml.YAMLError as error:
        at = getattr(error, "problem_mark", None)
        where = f" in line {at.line + 1}" if at else ""
        return f"it is no YAML ({getattr(error, 'problem', None) or 'it cannot be parsed'}{where})."
    return None if isinstance(root, yaml.MappingNode) else "it holds no parameters, as in `rate: 1000`."
