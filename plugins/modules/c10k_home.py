#!/usr/bin/python
"""The directory of a host, <base>/<host>: what earlier runs left there, packed, ended or removed."""

from __future__ import annotations

# JSON is YAML too, and a host need not have a reader of YAML: its options are read from here.
DOCUMENTATION = r"""
{
"module": "c10k_home",
"short_description": "Look at a host, pack the logs of a run, stop the agents, or remove what was deployed",
"description": [
  "An agent is ended by its recorded process id, and only where that process began when the record says.",
  "Logs that were not collected are never removed."
],
"options": {
  "home": {"type": "path", "required": true, "description": "The directory of this host, <base>/<host>."},
  "state": {
    "type": "str", "required": true, "choices": ["described", "packed", "read", "stopped", "removed"],
    "description": [
      "C(described) changes nothing, and says what the host is and what earlier runs left on it.",
      "C(packed) waits until the run's agents have ended, so that nothing is cut off, ends those that go on (be they",
      "frozen), and makes one archive of its logs.",
      "C(read) gives one part of the archive, from the offset on; C(packed) gives the first.",
      "C(stopped) ends the agents that run; C(removed) also removes the deployed files."
    ]
  },
  "address": {"type": "str", "default": "", "description": "Load address of the host; C(described) tries it."},
  "ports": {
    "type": "list", "elements": "int", "default": [],
    "description": "On these ports of the address a server shall listen; C(described) tells which are taken."
  },
  "programs": {
    "type": "list", "elements": "str", "default": [],
    "description": "Programs that shall be run from the deployed directory; C(described) tells which are not there."
  },
  "scripts": {
    "type": "list", "elements": "str", "default": [],
    "description": "Files that a program shall read there; C(described) tells which cannot be."
  },
  "interpreters": {
    "type": "list", "elements": "str", "default": [],
    "description": "Versions of Python, or whole paths; C(described) says what each is, or null where there is none."
  },
  "account": {"type": "str", "default": "", "description": "Another account; C(described) says whether it can be had."},
  "offset": {"type": "int", "default": 0, "description": "C(read) begins there, in bytes."},
  "run": {"type": "str", "default": "", "description": "Id of the run of which the logs are packed."}
},
"author": "C10K benchmark"
}
"""
EXAMPLES = r"""
- name: End our agent
  c10k_home:
    home: /var/lib/c10k/client1
    state: stopped
"""
RETURN = r"""
facts: {type: dict, returned: state is described, description: "Kernel, user, limits, and what earlier runs left."}
account: {type: dict, returned: state is described, description: "Name, id, and may this user become it; else null."}
archive: {type: str, returned: state is packed, description: "Path, or null where the host has nothing of the run."}
sha256: {type: str, returned: state is packed, description: Of the archive.}
bytes: {type: int, returned: state is packed, description: Of the archive.}
content: {type: str, returned: state is packed or read, description: "Of the archive, at most 8 MiB, in base64."}
agent_runs: {type: bool, returned: state is packed, description: An agent of the run does not end.}
ended: {type: list, returned: state is packed, description: "The agents of the run that did not end by themselves."}
agents: {type: list, returned: state is stopped or removed, description: "The agents that were ended."}
left: {type: list, returned: state is stopped or removed, description: What is still there on purpose.}
"""

import base64
import contextlib
import errno
import json
import os
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_host import absent, account_facts, facts, live_agents, runs, stop_agents
from ansible.module_utils.c10k_python import interpreters
from ansible.module_utils.c10k_tree import digest, open_plain

PART_BYTES, MOST_BYTES = 8 << 20, 4 << 30
"""Of an archive in one answer; of the logs in one archive, more than which nobody unpacks."""
PACKING = ".packing-"


def of_run(module: AnsibleModule, home: Path, run: str) -> None:
    if Path(run).name != run or run in ("", ".", ".."):
        module.fail_json(msg=f"{run} is not the id of a run.")
    logs, archive = home / "runs" / run, home / f"collect-{run}.tar.gz"
    if module.params["state"] == "read":
        try:
            module.exit_json(changed=False, content=part(archive, module.params["offset"]))
        except OSError as error:
            module.fail_json(msg=f"The logs of {run} cannot be read: {error}.")
    if not logs.is_dir() or module.check_mode:
        module.exit_json(changed=False, archive=None, sha256=None, agent_runs=False, ended=[])
    deadline = time.monotonic() + 10
    while live_agents(home, run) and time.monotonic() < deadline:
        time.sleep(0.1)
    ended = stop_agents(home, run)  # the conductor is gone, so what is left is frozen
    try:
        packed = pack(logs, archive)
    except OSError as error:
        module.fail_json(msg=f"The logs of {run} cannot be packed: {error}.")
    module.exit_json(changed=True, archive=str(archive), agent_runs=bool(live_agents(home, run)), ended=ended, **packed)


def pack(logs: Path, archive: Path) -> dict[str, Any]:
    """What lies under the archive's name is replaced and never opened: the measured server may have put a pipe there,
    which nobody ever reads."""
    remove_all(archive.parent.glob(f"{PACKING}*"))
    handle, name = tempfile.mkstemp(dir=str(archive.parent), prefix=PACKING)
    with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as packed:
        room = MOST_BYTES
        for path in logs_of(logs):
            with open_plain(path) as log:
                member = tarfile.TarInfo(f"./{path.parent.name}/{path.name}")
                member.size = os.fstat(log.fileno()).st_size
                room -= member.size
                if room < 0:
                    raise OSError(errno.EFBIG, f"there are more than {MOST_BYTES >> 30} GiB", str(logs))
                packed.addfile(member, log)
    told = {"sha256": digest(Path(name)), "bytes": Path(name).stat().st_size}
    Path(name).replace(archive)
    return {**told, "content": part(archive, 0)}


def logs_of(logs: Path) -> Iterator[Path]:
    """The plain files of each trial. What else may lie there (links, pipes, trees without a bottom) is no log."""
    for trial in sorted(logs.iterdir()):
        if trial.is_dir() and not trial.is_symlink():
            for path in sorted(trial.iterdir()):
                if path.is_file() and not path.is_symlink() and path.name.isprintable():
                    yield path


def part(archive: Path, offset: int) -> str:
    with open_plain(archive) as file:
        file.seek(offset)
        return base64.b64encode(file.read(PART_BYTES)).decode()


def remove(home: Path) -> bool:
    """The deployed files (venv and wheels: of earlier versions), then every directory that is empty without them."""
    deployed = remove_all([home / "app", home / "venv", home / "wheels"])
    remove_all([*home.glob("agent-*.json*"), *home.glob(f"{PACKING}*")])
    for directory in (home / "runs", home, home.parent):
        with contextlib.suppress(OSError):
            directory.rmdir()
    return deployed


def remove_all(places: Iterable[Path]) -> bool:
    """Whatever lies there; returns whether anything did. `rm` follows no link, and finds the bottom of any tree, where
    Python's own way (before 3.13) goes as deep as its stack."""
    there = [str(place) for place in places if os.path.lexists(str(place))]
    if not there:
        return False
    done = subprocess.run(["rm", "-rf", "--", *there], capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise OSError((done.stderr.strip() or "rm does not say why").splitlines()[-1])
    return True


def stop(module: AnsibleModule, home: Path) -> None:
    if module.check_mode:
        agents = live_agents(home)
        module.exit_json(changed=bool(agents), agents=agents, left=runs(home))
    try:
        agents = stop_agents(home)
        for agent in agents:
            if agent["signal"] is None:
                module.fail_json(msg=f"The agent of run {agent.get('run')} (process {agent['pid']}) does not end.")
        removed = module.params["state"] == "removed" and remove(home)
    except OSError as error:
        module.fail_json(msg=f"{error}.")
    module.exit_json(changed=bool(agents or removed), agents=agents, left=runs(home))


def main() -> None:
    module = AnsibleModule(argument_spec=json.loads(DOCUMENTATION)["options"], supports_check_mode=True)
    home, state = Path(module.params["home"]), module.params["state"]
    if state == "described":
        account = module.params["account"]
        found = facts(home, module.params["address"], module.params["ports"])
        found["absent"] = absent(home / "app", module.params["programs"], module.params["scripts"])
        found["interpreters"] = interpreters(module.params["interpreters"])
        module.exit_json(changed=False, facts=found, account=account_facts(account) if account else None)
    elif state in ("packed", "read"):
        of_run(module, home, module.params["run"])
    else:
        stop(module, home)


if __name__ == "__main__":
    main()
