#!/usr/bin/python
"""Tune the kernel of a host, or put it back."""

from __future__ import annotations

# JSON is YAML too, and a host need not have a reader of YAML: its options are read from here.
DOCUMENTATION = r"""
{
"module": "c10k_kernel",
"short_description": "Tune kernel values so that every one can be put back",
"description": [
  "The originals are on the disk before the first value is written, and every value is read back.",
  "Hosts that share a kernel take turns."
],
"options": {
  "base": {
    "type": "path", "required": true,
    "description": "The directory that holds everything of the benchmark on the host."
  },
  "state": {
    "type": "str", "choices": ["tuned", "restored"], "default": "tuned",
    "description": "C(tuned) asks for the entries, C(restored) puts back all that was saved."
  },
  "entries": {
    "type": "list", "elements": "dict", "default": [],
    "description": "Mappings of C(key), C(value), C(scope), and C(at_least) where a better value may stay."
  },
  "ports": {
    "type": "list", "elements": "int", "default": [],
    "description": "Ports of listeners, which no range may swallow."
  },
  "run": {"type": "str", "default": "", "description": "The run that asks, written beside the originals."},
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
    base: /var/lib/c10k
    entries:
      - {key: net.core.somaxconn, value: 65535, at_least: true, scope: netns}
"""
RETURN = r"""
keys: {type: list, returned: always, description: "For each key the values before, asked for and after, and a status."}
unrestored: {type: list, returned: state is restored, description: Keys that could not be put back; they stay saved.}
"""

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_sysctl import Kernel


def diff(keys: list[dict[str, Any]]) -> dict[str, str]:
    return {when: "".join(f"{entry['key']} = {entry[when]}\n" for entry in keys) for when in ("before", "after")}


def describe(keys: list[dict[str, Any]]) -> str:
    return ", ".join(f"{entry['key']} ({entry['status']})" for entry in keys)


def restore(module: AnsibleModule, kernel: Kernel) -> None:
    try:
        restored, unrestored = kernel.restore()
    except PermissionError as error:
        restored, unrestored = [], [{"key": str(error.filename), "status": "refused"}]
    changed = [entry for entry in restored if entry["status"] == "set"]
    outcome = {"changed": bool(changed), "keys": restored + unrestored, "unrestored": unrestored, "diff": diff(changed)}
    if unrestored and module.params["strict"]:
        module.fail_json(
            msg=f"The kernel was not put back: {describe(unrestored)}. Run playbooks/restore.yml as root.",
            **outcome,
        )
    module.exit_json(**outcome)


def tune(module: AnsibleModule, kernel: Kernel) -> None:
    try:
        keys = kernel.tune(module.params["entries"], module.params["ports"])
    except PermissionError as error:
        module.fail_json(msg=f"The kernel's originals cannot be saved: {error}.", keys=[])
    done = [entry for entry in keys if entry["status"] == "set" and entry["before"] != entry["after"]]
    outcome = {"changed": bool(kernel.written or (kernel.dry and done)), "keys": keys, "diff": diff(done)}
    refused = [entry for entry in keys if entry["status"] in ("read_only", "refused")]
    if refused and module.params["strict"]:
        module.fail_json(
            msg=f"tune=required, but the kernel refused {describe(refused)}; tune=auto goes on without.", **outcome
        )
    module.exit_json(**outcome)


def main() -> None:
    module = AnsibleModule(argument_spec=json.loads(DOCUMENTATION)["options"], supports_check_mode=True)
    kernel = Kernel(module.params["base"], module.params["run"], dry=module.check_mode)
    (restore if module.params["state"] == "restored" else tune)(module, kernel)


if __name__ == "__main__":
    main()
