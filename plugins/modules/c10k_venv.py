#!/usr/bin/python
"""A virtual environment on a host, of the wheels that were copied there; neither pip nor a network is needed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: c10k_venv
short_description: Keep the virtual environment of a host equal to its wheels
description:
  - Makes C(venv) beside the directory C(wheels), for the Python that runs this module, and imports every package once.
  - A stamp says what it was made of and by which Python; while both are the same nothing is touched.
options:
  home:
    description: The directory on the host that holds C(wheels).
    type: path
    required: true
author: C10K benchmark
"""
EXAMPLES = r"""
- name: Make the environment
  c10k_venv:
    home: /var/lib/c10k/server
"""
RETURN = r"""
venv:
  description: Where it is.
  type: str
  returned: success
"""

import platform
import sys
import zipfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_venv import PACKAGES, is_made, make


def main() -> None:
    module = AnsibleModule(argument_spec={"home": {"type": "path", "required": True}}, supports_check_mode=True)
    home = Path(module.params["home"])
    wheels, venv = home / "wheels", home / "venv"
    if is_made(wheels, venv):
        module.exit_json(changed=False, venv=str(venv))
    if module.check_mode:
        module.exit_json(changed=True, venv=str(venv), msg=f"{venv} would be made of the wheels in {wheels}.")
    try:
        make(wheels, venv)
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:
        module.fail_json(
            msg=f"{venv} cannot be made with Python {platform.python_version()} at {sys.executable} ({error}), and"
            f" {', '.join(PACKAGES)} need it: name another CPython as ansible_python_interpreter, or leave them out."
        )
    module.exit_json(changed=True, venv=str(venv))


if __name__ == "__main__":
    main()
