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
    "type": "list", "elements": "dict", "default": [],
    "options": {
      "python": {"type": "path", "required": true, "description": "An interpreter of this host."},
      "packages": {"type": "str", "required": true, "description": "The directory of its packages among the programs."},
      "names": {"type": "list", "elements": "str", "required": true, "description": "What it must be able to import."}
    },
    "description": "Interpreters of this host, and packages among the programs that each must be able to import."
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
gil: {type: dict, returned: always, description: "Of each interpreter among the imports, whether its GIL is on then."}
remove: {type: list, returned: always, description: Files that are there too much.}
"""

import json
import os
import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_tree import compare, install


def prove(module: AnsibleModule, home: Path, python: str, packages: str, names: list[str]) -> bool:
    """Import the packages once in this interpreter; does it have its GIL then? An extension module that is not made for
    the free-threaded build switches the GIL on. Fails with the last words of what cannot be imported."""
    code = f"import sys; sys.path.insert(0, {str(home / packages)!r}); sys.dont_write_bytecode = True\n"
    code += "".join(f"import {name}\n" for name in names)
    code += "print(getattr(sys, '_is_gil_enabled', lambda: True)())"
    try:
        done = subprocess.run(
            [python, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as error:  # an account of its own need not be able to run what the SSH user can
        done = subprocess.CompletedProcess([], 1, "", str(error))
    if done.returncode:
        why = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        what = f"cannot import {', '.join(names)}" if names else "cannot be run"
        module.fail_json(
            msg=f"{python} {what} ({why}): name another interpreter (python=…, or ansible_python_interpreter for the "
            "host's own), or leave the strategies that need it out."
        )
    return done.stdout.strip() == "True"


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
    gil = {}
    if not module.check_mode and not found["send"]:
        gil = {one["python"]: prove(module, home, **one) for one in module.params["imports"]}
    module.exit_json(changed=bool(module.params["archive"] or any(found.values())), gil=gil, **found)


if __name__ == "__main__":
    main()
