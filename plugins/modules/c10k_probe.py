#!/usr/bin/python
"""What must be known of a host before anything is changed on it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: c10k_probe
short_description: Say what a host is, and what earlier runs left on it
description:
  - Changes nothing. The action plugin of the same name turns a host that cannot be reached, or has no Python, into
    one sentence in C(problem).
options:
  base:
    description: The directory that holds everything of the benchmark on the host.
    type: path
    required: true
  host:
    description: Name of the host in the inventory.
    type: str
    required: true
author: C10K benchmark
"""
EXAMPLES = r"""
- name: Look at the host
  c10k_probe:
    base: /var/lib/c10k
    host: client1
"""
RETURN = r"""
facts:
  description: Kernel, user, limits, and what earlier runs left.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_host import facts


def main() -> None:
    module = AnsibleModule(
        argument_spec={"base": {"type": "path", "required": True}, "host": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    module.exit_json(changed=False, facts=facts(module.params["base"], module.params["host"]))


if __name__ == "__main__":
    main()
