#!/usr/bin/python
"""Tune the kernel of a host, or put it back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: c10k_kernel
short_description: Tune kernel values so that every one can be put back
description:
  - The originals are on the disk before the first value is written, every value is read back, and hosts that share a
    kernel take turns.
options:
  base:
    description: The directory that holds everything of the benchmark on the host.
    type: path
    required: true
  state:
    description: C(tuned) asks for the entries, C(restored) puts back all that was saved.
    type: str
    choices: [tuned, restored]
    default: tuned
  entries:
    description: Mappings of C(key), C(value), C(scope), and C(at_least) where a better value may stay.
    type: list
    elements: dict
    default: []
  ports:
    description: Ports of listeners, which no range may swallow.
    type: list
    elements: int
    default: []
  run:
    description: The run that asks, written beside the originals.
    type: str
    default: ""
  strict:
    description: Fail where a value was refused, or could not be put back.
    type: bool
    default: false
author: C10K benchmark
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
keys:
  description: For each key the value before, the value asked for, the value after, and a status.
  type: list
  returned: always
unrestored:
  description: Keys that could not be put back; they stay saved.
  type: list
  returned: state is restored
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_sysctl import Kernel

SPEC = {
    "base": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["tuned", "restored"], "default": "tuned"},
    "entries": {"type": "list", "elements": "dict", "default": []},
    "ports": {"type": "list", "elements": "int", "default": []},
    "run": {"type": "str", "default": ""},
    "strict": {"type": "bool", "default": False},
}


def shown(keys: list[dict[str, Any]], field: str) -> str:
    return "".join(f"{entry['key']} = {entry[field]}\n" for entry in keys)


def describe(keys: list[dict[str, Any]]) -> str:
    return ", ".join(f"{entry['key']} ({entry['status']})" for entry in keys)


def restore(module: AnsibleModule, kernel: Kernel) -> None:
    try:
        result = kernel.restore()
    except PermissionError as error:
        unrestored = [{"key": str(error.filename), "status": "refused"}]
        result = {"restored": [], "unrestored": unrestored}
    unrestored = result["unrestored"]
    changed = [entry for entry in result["restored"] if entry["status"] == "set"]
    outcome = {
        "changed": bool(changed),
        "keys": result["restored"] + unrestored,
        "unrestored": unrestored,
        "diff": {"before": shown(changed, "before"), "after": shown(changed, "after")},
    }
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
    outcome = {
        "changed": bool(kernel.written or (kernel.dry and done)),
        "keys": keys,
        "diff": {"before": shown(done, "before"), "after": shown(done, "after")},
    }
    refused = [entry for entry in keys if entry["status"] in ("read_only", "refused")]
    if refused and module.params["strict"]:
        module.fail_json(
            msg=f"tune=required, but the kernel refused {describe(refused)}; tune=auto goes on without.", **outcome
        )
    module.exit_json(**outcome)


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    kernel = Kernel(module.params["base"], module.params["run"], dry=module.check_mode)
    (restore if module.params["state"] == "restored" else tune)(module, kernel)


if __name__ == "__main__":
    main()
