#!/usr/bin/python
"""Make, as root, the directory that the SSH user may not make himself, or remove it where it is empty."""

from __future__ import annotations

# JSON is YAML too, and a host need not have a reader of YAML: its options are read from here.
DOCUMENTATION = r"""
{
"module": "c10k_ground",
"short_description": "Make the directory of the benchmark on a host, as root, for another user",
"description": [
  "It is made only below directories of root that nobody else can write, and no link is followed.",
  "What is there already keeps its owner and its mode."
],
"options": {
  "home": {"type": "path", "required": true, "description": "The directory of this host, <base>/<host>."},
  "state": {
    "type": "str", "choices": ["present", "absent"], "default": "present",
    "description": "C(absent) removes it and the base, where they are empty."
  },
  "owner": {"type": "int", "description": "The id of the user for whom it is made; needed for C(present)."}
},
"author": "C10K benchmark"
}
"""
EXAMPLES = r"""
- name: Make the directory of the user 1000
  become: true
  c10k_ground:
    home: /var/lib/c10k/client1
    owner: 1000
"""
RETURN = r""""""

import json
import pwd
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_ground import NotRoots, make, obstacle, remove_empty


def main() -> None:
    module = AnsibleModule(
        argument_spec=json.loads(DOCUMENTATION)["options"], supports_check_mode=True,
        required_if=[("state", "present", ["owner"])],
    )  # fmt: skip
    home, owner = Path(module.params["home"]), module.params["owner"]
    if module.params["state"] == "absent":
        module.exit_json(changed=not module.check_mode and remove_empty(home))
    if module.check_mode:
        module.exit_json(changed=obstacle(home) is None)
    try:
        group = pwd.getpwuid(owner).pw_gid
    except KeyError:  # an account of a directory service that this host does not ask
        group = -1
    try:
        module.exit_json(changed=make(home, owner, group))
    except (NotRoots, OSError) as refusal:
        module.fail_json(msg=f"{home} cannot be made by root: {refusal}.")


if __name__ == "__main__":
    main()
