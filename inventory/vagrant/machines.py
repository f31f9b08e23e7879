#!/usr/bin/env python3
"""The hosts of `-i inventory/vagrant`: what Vagrant's machines play, as JSON for Ansible, which runs this program.

A machine that runs has an ssh_config in a directory of its name in `.ssh/`; the Vagrantfile makes and removes these.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ALONE = "lab"
"""The machine that plays every host; each client's own source address there tells its connections apart."""
ABSENT = "No machine of Vagrant runs here: `vagrant up` makes it, or starts it."


def inventory(machines: Sequence[str]) -> dict[str, Any]:
    """The JSON of `--list`, from the names of the machines that run. Without hosts, `c10k_absent` says why."""
    if not machines:
        return without_hosts(ABSENT)
    if ALONE in machines and len(machines) > 1:
        others = ", ".join(sorted(set(machines) - {ALONE}))
        return without_hosts(
            f"Vagrant's machine {ALONE} runs beside {others}, and a run takes either the one or the others: "
            "`vagrant destroy NAME` removes what it shall not take."
        )
    if ALONE in machines:
        hosts = {"server": host(ALONE, "127.0.0.1")}
        hosts |= {f"client{n}": host(ALONE, f"127.0.0.{10 + n}") for n in (1, 2, 3)}
    else:
        hosts = {name: host(name, f"192.168.56.{10 + int(name[6:] or 0)}") for name in machines}
    return grouped(hosts)


def host(machine: str, address: str) -> dict[str, str]:
    return {"ansible_host": machine, "c10k_load_address": address}


def grouped(hosts: dict[str, dict[str, str]]) -> dict[str, Any]:
    return {
        "c10k": {"children": ["c10k_server", "c10k_clients"]},
        "c10k_server": {"hosts": [name for name in hosts if name == "server"]},
        "c10k_clients": {"hosts": [name for name in hosts if name != "server"]},
        "_meta": {"hostvars": hosts},
    }


def without_hosts(why: str) -> dict[str, Any]:
    return {**grouped({}), "all": {"vars": {"c10k_absent": why}}}


if __name__ == "__main__":
    found = Path(__file__).parent.glob(".ssh/*/ssh_config")
    print(json.dumps(inventory(sorted(path.parent.name for path in found))))
