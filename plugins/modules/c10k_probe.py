#!/usr/bin/python
"""The facts of a host, before anything is changed there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: c10k_probe
short_description: Say what a host is, and what earlier runs left on it
description:
  - Changes nothing. The action plugin of the same name turns a host that cannot be reached, or has no Python, into
    one sentence in C(problem).
options:
  home:
    description: The directory of this host, <base>/<host>.
    type: path
    required: true
  limited:
    description: For the action plugin; the run does not have every host that it needs.
    type: bool
    default: false
  strict:
    description: For the action plugin; fail where the host cannot answer.
    type: bool
    default: false
author: C10K benchmark
"""
EXAMPLES = r"""
- name: Look at the host
  c10k_probe:
    home: /var/lib/c10k/client1
"""
RETURN = r"""
facts:
  description: Kernel, user, limits, and what earlier runs left.
  type: dict
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_host import facts

SPEC = {
    "home": {"type": "path", "required": True},
    "limited": {"type": "bool", "default": False},
    "strict": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    module.exit_json(changed=False, facts=facts(Path(module.params["home"])))


if __name__ == "__main__":
    main()
