#!/usr/bin/python
"""The host's side of a copy of programs; the action plugin of the same name is the controller's side, and says why."""

from __future__ import annotations

# JSON is YAML too, and a host need not have a reader of YAML: its options are read from here.
DOCUMENTATION = r"""
{
"module": "c10k_ship",
"short_description": "Keep programs on a host equal to the controller's",
"description": [
  "Compares by content, sends only what differs, removes what is gone.", "What is right already is not touched."
],
"options": {
  "home": {"type": "path", "required": true, "description": "The directory on the host that holds the programs."},
  "programs": {"type": "dict", "description": "For each name in it the file or directory on the controller."},
  "imports": {
    "type": "list", "elements": "str", "default": [],
    "description": "Packages among the programs that the Python of this host must be able to import."
  },
  "wanted": {"type": "dict", "description": "What must be there; made by the action plugin."},
  "archive": {"type": "path", "description": "The files to put there; made by the action plugin."}
},
"author": "C10K benchmark"
}
"""
EXAMPLES = r"""
- name: Copy the servers
  c10k_ship:
    home: /var/lib/c10k/server/app
    programs:
      server: "{{ playbook_dir }}/../server"
"""
RETURN = r"""
send: {type: list, returned: always, description: Files that differ or are missing.}
remove: {type: list, returned: always, description: Files that are there too much.}
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_tree import compare, install


def prove(module: AnsibleModule, packages: Path) -> None:
    """Import the packages once, in a Python of its own; fail with the last words of what cannot be imported."""
    names = ", ".join(module.params["imports"])
    code = f"import sys; sys.path.insert(0, {str(packages)!r}); sys.dont_write_bytecode = True; import {names}"
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        why = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        module.fail_json(
            msg=f"Python {platform.python_version()} at {sys.executable} cannot import {names} ({why}): "
            "name another CPython as ansible_python_interpreter, or leave the strategies that need them out."
        )


def main() -> None:
    module = AnsibleModule(argument_spec=json.loads(DOCUMENTATION)["options"], supports_check_mode=True)
    home, wanted = Path(module.params["home"]), module.params["wanted"]
    try:
        if module.params["archive"]:
            os.umask(0o022)  # whatever the user's: other accounts may see what lies here
            install(home, wanted, module.params["archive"])
        found = compare(home, wanted)
        if not module.check_mode:
            for relative, mode in found["chmod"].items():
                (home / relative).chmod(mode)
            for relative in found["remove"]:
                (home / relative).unlink()
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{home}: {error}.")
    if module.params["imports"] and not module.check_mode and not found["send"]:
        prove(module, home / "packages")
    module.exit_json(changed=bool(module.params["archive"] or any(found.values())), **found)


if __name__ == "__main__":
    main()
