#!/usr/bin/python
"""The host's side of a copy of some files; the action plugin of the same name is the controller's."""

from __future__ import annotations

DOCUMENTATION = r"""
module: c10k_ship
short_description: Keep a copy of files on a host equal to the controller's
description:
  - Compares by content, sends only what differs, removes what is gone. What is right already is not touched.
options:
  home:
    description: The directory on the host that holds the copy.
    type: path
    required: true
  name:
    description: The name of the file or directory in it.
    type: str
    required: true
  source:
    description: The file or directory on the controller.
    type: path
  mode:
    description: Permissions of a single file, in octal.
    type: str
    default: "0"
  wanted:
    description: What must be there; made by the action plugin.
    type: dict
  archive:
    description: The files to put there; made by the action plugin.
    type: path
author: C10K benchmark
"""
EXAMPLES = r"""
- name: Copy the servers
  c10k_ship:
    source: "{{ playbook_dir }}/../server"
    home: /var/lib/c10k/server/app
    name: server
"""
RETURN = r"""
send:
  description: Files that differ or are missing.
  type: list
  returned: always
remove:
  description: Files that are there too much.
  type: list
  returned: always
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_tree import compare, install

SPEC = {
    "home": {"type": "path", "required": True},
    "name": {"type": "str", "required": True},
    "source": {"type": "path"},
    "mode": {"type": "str", "default": "0"},
    "wanted": {"type": "dict"},
    "archive": {"type": "path"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    home, wanted = Path(module.params["home"]), module.params["wanted"]
    try:
        if module.params["archive"]:
            install(home, wanted, module.params["archive"])
        found = compare(home, wanted, module.params["name"])
        if not module.check_mode:
            for relative in found["chmod"]:
                (home / relative).chmod(wanted[relative]["mode"])
            for relative in found["remove"]:
                (home / relative).unlink()
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{home}: {error}.")
    module.exit_json(changed=bool(module.params["archive"] or any(found.values())), **found)


if __name__ == "__main__":
    main()
