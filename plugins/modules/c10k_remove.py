#!/usr/bin/python
"""End what runs on a host, and remove what was deployed there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: c10k_remove
short_description: Stop the agent of a host, or remove what was deployed
description:
  - An agent is ended by its recorded process id, and only where that process began when the record says.
  - Logs that were not collected are never removed.
options:
  home:
    description: The directory of this host, <base>/<host>.
    type: path
    required: true
  deployed:
    description: Also remove the deployed files.
    type: bool
    default: false
author: C10K benchmark
"""
EXAMPLES = r"""
- name: End our agent
  c10k_remove:
    home: /var/lib/c10k/client1
"""
RETURN = r"""
agent:
  description: The agent that was ended, or null.
  type: dict
  returned: always
left:
  description: What is still there on purpose.
  type: list
  returned: always
"""

import contextlib
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_host import live_agent, runs, stop_agent

SPEC = {
    "home": {"type": "path", "required": True},
    "deployed": {"type": "bool", "default": False},
}


def remove(home: Path) -> bool:
    """The deployed files (venv and wheels: of earlier versions), then every directory that is empty without them."""
    base = home.parent
    deployed = [place for place in (home / "app", home / "venv", home / "wheels") if place.exists()]
    for place in deployed:
        shutil.rmtree(str(place))
    (home / "agent.json").unlink(missing_ok=True)
    if not list((base / "kernel").glob("*.json")):
        (base / "kernel/lock").unlink(missing_ok=True)
    for directory in (home / "runs", home, base / "kernel", base):
        with contextlib.suppress(OSError):
            directory.rmdir()
    return bool(deployed)


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    home = Path(module.params["home"])
    if module.check_mode:
        agent = live_agent(home)
        module.exit_json(changed=agent is not None, agent=agent, left=runs(home))
    try:
        agent = stop_agent(home)
        if agent and agent["signal"] is None:
            module.fail_json(msg=f"The agent of run {agent.get('run')} (process {agent['pid']}) does not end.")
        removed = remove(home) if module.params["deployed"] else False
    except OSError as error:
        module.fail_json(msg=f"{error}.")
    module.exit_json(changed=bool(agent or removed), agent=agent, left=runs(home))


if __name__ == "__main__":
    main()
