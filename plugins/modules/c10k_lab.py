#!/usr/bin/python
"""Several hosts on one machine: network namespaces with their own hostname, sshd and, if asked, clock."""

from __future__ import annotations

# JSON is YAML too, and a host need not have a reader of YAML: its options are read from here.
DOCUMENTATION = r"""
{
"module": "c10k_lab",
"short_description": "Make, mend or take down the lab of network namespaces",
"description": [
  "C(present) makes what is missing, mends what is broken, and removes the hosts that are too many.",
  "C(absent) ends whatever runs in the lab, and removes every trace of it."
],
"options": {
  "state": {
    "type": "str", "choices": ["present", "absent"], "default": "present",
    "description": "Whether there is to be a lab."
  },
  "clients": {"type": "int", "default": 3, "description": "How many client hosts, 1 to 32."},
  "time_offset_s": {
    "type": "dict", "default": {},
    "description": "For each host the seconds by which its CLOCK_MONOTONIC is ahead."
  },
  "inventory": {
    "type": "path", "required": true,
    "description": "The directory that becomes the lab's inventory; it belongs to the lab alone."
  },
  "base": {
    "type": "path", "default": "/var/lib/c10k-lab",
    "description": "The directory that holds everything of the benchmark on a host."
  },
  "directory": {"type": "path", "default": "/run/c10k-lab", "description": "Where the lab keeps its own files."}
},
"author": "C10K benchmark"
}
"""
EXAMPLES = r"""
- name: Make the lab
  c10k_lab:
    clients: 3
    inventory: "{{ playbook_dir }}/../inventory/lab"
"""
RETURN = r"""
steps: {type: list, returned: always, description: "What was done, or in check mode would be done."}
notes: {type: list, returned: always, description: What a person should know.}
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils import c10k_lab_network as network
from ansible.module_utils import c10k_lab_ssh as ssh
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.c10k_lab_request import HOST_NAMESPACE, PREFIX, SWITCH, Host, hosts
from ansible.module_utils.c10k_state import PLACE, State

PROGRAMS = {
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "ip": "iproute2",
    "unshare": "util-linux",
}
SSHD_DIRECTORY = Path("/run/sshd")
"""sshd needs this directory, empty, when it starts."""
LOCK = Path(f"{PLACE}.lock")
"""Runs in the lab make it, since its hosts have this machine's /run."""


def impossible() -> str | None:
    """Why this machine cannot hold the lab now."""
    if os.geteuid() != 0:
        return "The lab needs root, since it makes network namespaces: run this as root."
    missing = [name for name in PROGRAMS if ssh.program(name) is None]
    if missing:
        packages = " ".join(dict.fromkeys(PROGRAMS[name] for name in missing))
        return f"The lab needs {' and '.join(missing)}: run `apt-get install {packages}`, or script/bootstrap as root."
    return None


class Lab:
    def __init__(self, directory: Path, inventory: Path, base: Path, dry: bool) -> None:
        self.directory, self.inventory, self.base, self.dry = directory, inventory, base, dry
        self.steps: list[str] = []
        self.notes: list[str] = []
        self.stay: list[str] = []
        self.records = (directory / "ours.json", inventory / ".ssh/ours.json")
        """The same twice: a lab that has lost one of its two directories still knows what to remove."""
        self.ours: dict[str, bool] = {}
        """For each directory outside the lab's own: did the lab make it, and so has to remove it?"""
        for record in reversed(self.records):
            with contextlib.suppress(OSError, ValueError):
                self.ours = json.loads(record.read_text())

    def step(self, what: str, act: Callable[..., Any], *arguments: Any) -> None:
        self.steps.append(what)
        if not self.dry:
            act(*arguments)

    def save(self) -> None:
        """Save it before anything is made, so that a removal knows what to take away after any interruption."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for record in self.records:
            ssh.write(record, json.dumps(self.ours, indent=1) + "\n")

    # Making -----------------------------------------------------------------------------------------------------------

    def make(self, wanted: list[Host]) -> None:
        needed = [SSHD_DIRECTORY, LOCK, network.NAMESPACES, *(self.base / host.name for host in wanted)]
        new = {str(path): not path.exists() for path in needed if str(path) not in self.ours}
        if new or not all(record.exists() for record in self.records):
            self.ours.update(new)
            self.step("note what was there before", self.save)
        for namespace in network.namespaces():
            if HOST_NAMESPACE.fullmatch(namespace) and namespace not in {host.namespace for host in wanted}:
                self.remove_host(namespace.removeprefix(PREFIX))
        if not SSHD_DIRECTORY.is_dir():
            self.step(f"make {SSHD_DIRECTORY}", SSHD_DIRECTORY.mkdir, 0o755)
        if not network.switch_is_whole():
            self.step("make the switch", network.make_switch)
        self.make_key(self.inventory / ".ssh/id_ed25519")
        user_key = self.inventory / ".ssh/id_ed25519"
        ports = network.links(SWITCH) if network.inode(SWITCH) else {}
        for host in wanted:
            self.make_host(host, ports)
        if self.dry and self.steps:
            return
        self.keep(self.directory / "authorized_keys", ssh.public(user_key) + "\n")
        files = ssh.inventory_files(wanted, self.inventory, self.directory, str(self.base))
        for name, text in files.items():
            self.keep(self.inventory / name, text)

    def keep(self, path: Path, text: str) -> bool:
        """Does the file already say so?"""
        if ssh.differs(path, text):
            self.step(f"write {path}", ssh.write, path, text)
            return False
        return True

    def make_key(self, key: Path) -> bool:
        if ssh.key_is_whole(key):
            return True
        self.step(f"make the key {key}", ssh.make_key, key, "c10k lab")
        return False

    def make_host(self, host: Host, ports: dict[str, dict[str, Any]]) -> None:
        home = self.directory / host.name
        config = ssh.sshd_config(host, home, self.directory / "authorized_keys")
        known = self.make_key(home / "host_key")
        configured = self.keep(home / "sshd_config", config)
        if network.inode(host.namespace) is None:
            self.step(f"make the namespace {host.namespace}", network.make_namespace, host.namespace)
            if not self.dry:
                self.forget_kernel(host.name)
        if network.inode(host.namespace) is None or not network.host_is_wired(host, ports):
            self.step(f"wire {host.name}", network.wire_host, host)
        if not known or not configured or ssh.listener(host, home) is None:
            self.step(f"start the sshd of {host.name}", self.boot, host, home)

    @staticmethod
    def boot(host: Host, home: Path) -> None:
        """Start the host as after a reboot: nothing from before still runs."""
        network.end_processes({network.inode(host.namespace) or 0, *ssh.running(home)})
        ssh.start_sshd(host, home)

    # Removing ---------------------------------------------------------------------------------------------------------

    def remove(self) -> None:
        if (self.directory / "control").is_dir():
            self.step("end Ansible's connections", ssh.sessions_end, self.directory / "control")
        there = [name for name in network.namespaces() if HOST_NAMESPACE.fullmatch(name)]
        inodes = {inode for inode in map(network.inode, [*there, SWITCH]) if inode} | ssh.running(self.directory)
        if network.processes(inodes):
            self.step("end what runs in the lab", network.end_processes, inodes)
        noted = [Path(path).name for path in self.ours if Path(path).parent == self.base]
        for name in dict.fromkeys([*(namespace.removeprefix(PREFIX) for namespace in there), *noted]):
            self.remove_host(name)
        if network.CABLE in network.links(None):
            self.step("remove the controller's cable", network.remove_cable, network.CABLE, None)
        if SWITCH in network.namespaces():
            self.step("remove the switch", network.remove_namespace, SWITCH)
        if self.inventory.exists() or self.directory.exists():
            self.step(f"remove {self.inventory} and {self.directory}", self.remove_directories)
        if self.stay:
            self.notes.append(f"What was there before the lab stays: {', '.join(self.stay)}.")

    def remove_host(self, name: str) -> None:
        namespace = PREFIX + name
        inode = network.inode(namespace)
        inodes = ssh.running(self.directory / name) | ({inode} if inode else set())
        if network.processes(inodes):
            self.step(f"end what runs on {name}", network.end_processes, inodes)
        if inode:
            self.forget_kernel(name)
            if network.inode(SWITCH):
                self.step(f"unwire {name}", network.remove_cable, name, SWITCH)
        if namespace in network.namespaces():
            self.step(f"remove the namespace {namespace}", network.remove_namespace, namespace)
        self.remove_home(self.base / name)
        if (self.directory / name).exists():
            self.step(f"remove {self.directory / name}", shutil.rmtree, self.directory / name)

    def remove_home(self, home: Path) -> None:
        """Remove <base>/<host> if the lab made it; a directory from before holds the runs of another inventory."""
        ours = self.ours.get(str(home))
        if ours and home.exists():
            self.step(f"remove {home}", shutil.rmtree, home)
        elif home.exists() and ours is not None:
            self.stay.append(str(home))
        if self.ours.pop(str(home), None) is not None and not self.dry:
            self.save()

    def forget_kernel(self, name: str) -> None:
        """Remove the saved originals of a namespace: another namespace may get its number."""
        state = State(PLACE, "", network.inode(PREFIX + name) or 0, "")
        saved = state.files["netns"]
        if saved.exists():
            self.notes.append(f"{name} was still tuned; {saved} goes with its namespace.")
            self.step(f"remove {saved}", self.forget, state)

    @staticmethod
    def forget(state: State) -> None:
        with state.held(make=False) as there:
            if there:
                state.save("netns", "", {})

    def remove_directories(self) -> None:
        shutil.rmtree(self.inventory, ignore_errors=True)
        for path in (SSHD_DIRECTORY, network.NAMESPACES):
            if self.ours.get(str(path)) and not (path == SSHD_DIRECTORY and ssh.running()):
                with contextlib.suppress(network.Failed, OSError):
                    # `ip netns` has bound its directory upon itself, which is_mount() does not see.
                    if path == network.NAMESPACES and not any(path.iterdir()):
                        network.run("umount", str(path))
                with contextlib.suppress(OSError):
                    path.rmdir()
        self.remove_empty_base()
        self.remove_lock()
        shutil.rmtree(self.directory, ignore_errors=True)

    def remove_lock(self) -> None:
        """Unless a run on this machine holds it, or has tuned its kernel."""
        if not self.ours.get(str(LOCK)) or not LOCK.exists():
            return
        with LOCK.open(encoding="utf-8") as file, contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if file.read().strip() in ("", "{}"):
                LOCK.unlink()

    def remove_empty_base(self) -> None:
        with contextlib.suppress(OSError):
            self.base.rmdir()


def main() -> None:
    module = AnsibleModule(argument_spec=json.loads(DOCUMENTATION)["options"], supports_check_mode=True)
    given = module.params
    problem = impossible()
    if problem:
        module.fail_json(msg=problem)
    lab = Lab(Path(given["directory"]), Path(given["inventory"]), Path(given["base"]), module.check_mode)
    alone = os.open("/run", os.O_RDONLY)
    fcntl.flock(alone, fcntl.LOCK_EX)
    try:
        if given["state"] == "present":
            lab.make(hosts(given["clients"], given["time_offset_s"]))
        else:
            lab.remove()
    except (network.Failed, OSError) as error:
        module.fail_json(msg=f"{error}", steps=lab.steps, notes=lab.notes)
    module.exit_json(changed=bool(lab.steps), steps=lab.steps, notes=lab.notes)


if __name__ == "__main__":
    main()
