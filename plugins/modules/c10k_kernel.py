#!/usr/bin/python
"""Tune the kernel of a host, or put it back."""

from __future__ import annotations

# JSON is YAML too, and a host need not have a reader of YAML: its options are read from here.
DOCUMENTATION = r"""
{
"module": "c10k_kernel",
"short_description": "Tune kernel values so that every one can be put back",
"description": [
  "The originals are in C(/run/c10k), of root alone, before the first value is written; every value is read back.",
  "No key is written that no profile ever had. Hosts that share a kernel take turns."
],
"options": {
  "state": {
    "type": "str", "choices": ["lockable", "tuned", "restored"], "default": "tuned",
    "description": [
      "C(lockable) makes the file by which a run keeps others away.",
      "C(tuned) asks for the entries, C(restored) puts back all that was saved."
    ]
  },
  "entries": {
    "type": "list", "elements": "dict", "default": [],
    "description": [
      "Mappings of C(key), C(value), C(at_least) where a better value may stay,",
      "and C(needed) where a kernel has to have the key."
    ]
  },
  "ports": {
    "type": "list", "elements": "int", "default": [],
    "description": "Ports of listeners, which no connection may take: they are reserved."
  },
  "run": {"type": "str", "default": "", "description": "The run that asks, written beside the originals."},
  "wait_s": {
    "type": "int",
    "description": "Restore only when no run has the lock of this kernel; how many seconds to wait for it."
  },
  "strict": {
    "type": "bool", "default": false, "description": "Fail where a value was refused, or could not be put back."
  }
},
"author": "C10K benchmark"
}
"""
EXAMPLES = r"""
- name: Tune the kernel
  become: true
  c10k_kernel:
    entries:
      - {key: net.core.somaxconn, value: 65535, at_least: true}
"""
RETURN = r"""
keys: {type: list, returned: always, description: "For each key the values before, asked for and after, and a status."}
unrestored: {type: list, returned: state is restored, description: Keys that could not be put back; they stay saved.}
problem: {type: str, returned: a value is still tuned, description: One sentence.}
said: {type: str, returned: state is restored, description: "What was put back, for a person."}
"""

import json
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_lock import Taken, take
from ansible.module_utils.c10k_state import Distrusted
from ansible.module_utils.c10k_sysctl import UNRESTORED, Kernel


def diff(keys: list[dict[str, Any]]) -> dict[str, str]:
    return {when: "".join(f"{entry['key']} = {entry[when]}\n" for entry in keys) for when in ("before", "after")}


def describe(keys: list[dict[str, Any]]) -> str:
    return ", ".join(f"{entry['key']} ({entry.get('why', entry['status'])})" for entry in keys)


def told(entry: dict[str, Any]) -> str | None:
    """What a person should know of a key that was not put back and need not be."""
    if entry["status"] == "absent":
        return f"{entry['key']} is gone, so it was not put back to {entry['asked']}."
    if entry["status"] == "changed":
        return (
            f"{entry['key']} is {entry['before']}, which no run of ours has set: somebody changed it meanwhile, so it "
            f"stays; it was {entry['asked']}."
        )
    return None


def locked(module: AnsibleModule, kernel: Kernel) -> int | None:
    """The lock, where it is asked for and there is one: without the file no run of ours is under way as root."""
    if module.params["wait_s"] is None or not kernel.state.notice.exists():
        return None
    try:
        return int(take(str(kernel.state.notice), f"restore-{os.getpid()}", module.params["wait_s"]))
    except Taken as taken:
        msg = f"Nothing is put back, since the host is in use by {taken}; that run puts it back at its end."
    module.fail_json(msg=msg, keys=[])
    return None


def restore(module: AnsibleModule, kernel: Kernel) -> None:
    keys: list[dict[str, Any]] = []
    problem = None
    try:
        lock = locked(module, kernel)
        keys = kernel.restore()
        if lock is not None:
            os.close(lock)
    except Distrusted as refusal:
        problem = str(refusal)
    except OSError as error:
        problem = f"The kernel's originals cannot be used: {error}."
    for line in filter(None, map(told, keys)):
        module.warn(line)
    unrestored = [entry for entry in keys if entry["status"] in UNRESTORED]
    if unrestored:
        problem = f"The kernel refused to put back {describe(unrestored)}."
    changed = [entry for entry in keys if entry["status"] == "set"]
    outcome = {"changed": bool(changed), "keys": keys, "unrestored": unrestored, "diff": diff(changed)}
    if module.params["strict"]:
        if problem:
            module.fail_json(msg=problem, **outcome)
        back = ", ".join(f"{entry['key']} {entry['before']} → {entry['after']}" for entry in changed)
        done = "would be put back" if kernel.dry else "put back, and read again"
        outcome["said"] = f"{done}: {back}." if changed else "there is nothing to put back."
    elif changed and not unrestored and not kernel.dry:
        outcome["said"] = f"{len(changed)} kernel value{'s' * (len(changed) > 1)} put back, and read again."
    module.exit_json(problem=problem, **outcome)


def tune(module: AnsibleModule, kernel: Kernel) -> None:
    try:
        keys = kernel.tune(module.params["entries"], module.params["ports"])
    except Distrusted as refusal:
        module.fail_json(msg=str(refusal), keys=[])
    except OSError as error:
        module.fail_json(msg=f"The kernel's originals cannot be saved, so it is not tuned: {error}.", keys=[])
    done = [entry for entry in keys if entry["status"] == "set" and entry["before"] != entry["after"]]
    outcome = {"changed": bool(kernel.written or (kernel.dry and done)), "keys": keys, "diff": diff(done)}
    refused = [entry for entry in keys if entry["status"] in ("read_only", "refused")]
    if refused and module.params["strict"]:
        module.fail_json(
            msg=f"tune=required, but the kernel refused {describe(refused)}; tune=auto goes on without.", **outcome
        )
    module.exit_json(**outcome)


def make_lockable(module: AnsibleModule, kernel: Kernel) -> None:
    there = kernel.state.notice.exists()
    try:
        if not module.check_mode:
            kernel.state.open_notice().close()
    except (Distrusted, OSError) as refusal:
        module.fail_json(msg=str(refusal))
    module.exit_json(changed=not there)


DEEDS = {"lockable": make_lockable, "tuned": tune, "restored": restore}


def main() -> None:
    module = AnsibleModule(argument_spec=json.loads(DOCUMENTATION)["options"], supports_check_mode=True)
    kernel = Kernel(module.params["run"], dry=module.check_mode)
    DEEDS[module.params["state"]](module, kernel)


if __name__ == "__main__":
    main()
