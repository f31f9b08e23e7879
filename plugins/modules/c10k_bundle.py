#!/usr/bin/python
"""The logs of one run on a host, as one archive; the action plugin c10k_collect fetches it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: c10k_bundle
short_description: Pack the logs of a run, or delete them
description:
  - C(packed) waits until the run's agent has ended, so that nothing is cut off.
options:
  home:
    description: The directory of this host, <base>/<host>.
    type: path
    required: true
  run:
    description: Id of the run.
    type: str
    required: true
  state:
    description: C(packed) makes the archive, C(deleted) removes the logs and the archive.
    type: str
    choices: [packed, deleted]
    default: packed
author: C10K benchmark
"""
EXAMPLES = r"""
- name: Pack the logs
  c10k_bundle:
    home: /var/lib/c10k/client1
    run: 20261122T190312Z-3f9a1c
"""
RETURN = r"""
archive:
  description: Path of the archive, or null where the host has nothing of the run.
  type: str
  returned: state is packed
sha256:
  description: Of the archive.
  type: str
  returned: state is packed
agent_runs:
  description: The run's agent was still alive after ten seconds.
  type: bool
  returned: state is packed
"""

import shutil
import tarfile
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_host import live_agent
from ansible.module_utils.c10k_tree import digest

SPEC = {
    "home": {"type": "path", "required": True},
    "run": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["packed", "deleted"], "default": "packed"},
}


def agent_of(home: Path, run: str) -> bool:
    agent = live_agent(home)
    return agent is not None and agent.get("run") == run


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    home, run = Path(module.params["home"]), module.params["run"]
    if Path(run).name != run or run in ("", ".", ".."):
        module.fail_json(msg=f"{run} is not the id of a run.")
    logs, archive = home / "runs" / run, home / f"collect-{run}.tar.gz"
    if module.params["state"] == "deleted":
        there = logs.exists() or archive.exists()
        if not module.check_mode:
            shutil.rmtree(str(logs), ignore_errors=True)
            archive.unlink(missing_ok=True)
        module.exit_json(changed=there)
    if not logs.is_dir() or module.check_mode:
        module.exit_json(changed=False, archive=None, sha256=None, agent_runs=False)
    deadline = time.monotonic() + 10
    while agent_of(home, run) and time.monotonic() < deadline:
        time.sleep(0.1)
    try:
        with tarfile.open(str(archive), "w:gz", compresslevel=1) as packed:
            packed.add(str(logs), arcname=".")
    except OSError as error:
        module.fail_json(msg=f"The logs of {run} cannot be packed: {error}.")
    module.exit_json(changed=True, archive=str(archive), sha256=digest(archive), agent_runs=agent_of(home, run))


if __name__ == "__main__":
    main()
