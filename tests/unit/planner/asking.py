"""What the tests of the planner ask for, on which hosts, and what is planned of it."""

from typing import Any

from planner import plan as planning
from planner.cells import Request, resolve
from server.catalog import load

CATALOG = load()
HERE, THERE, ELSEWHERE = "boot-of-the-controller", "boot-of-a-server", "boot-of-a-client"


def request(**given: Any) -> Request:
    return resolve(given, CATALOG, ["c10k"], ["run", "purge"])


def interpreter(python: str, **told: Any) -> dict[str, Any]:
    """What a host says of one."""
    return {
        "executable": f"/opt/{python}/bin/python3", "python": python, "implementation": "CPython", "build": "main",
        "free_threaded": False, "gil": True, "libc": ["glibc", "2.36"], **told,
    }  # fmt: skip


def host(name: str, boot: str = HERE, cores: int = 4) -> dict[str, Any]:
    return {
        "name": name, "role": "server" if name == "server" else "client", "connection": "ssh", "ssh": name,
        "ssh_args": [], "python": "/usr/bin/python3", "load_address": "198.18.0.10", "base": "/var/lib/c10k",
        "sources": ["198.18.0.11"], "weight": 1,
        "boot_id": boot, "cpus": list(range(cores)), "nofile_hard": 20_000,
        "probe": {"facts": {"interpreters": {"3.13": interpreter("3.13.0"), "3.9": interpreter("3.9.2")}}},
    }  # fmt: skip


def probed(name: str = "client1", problem: str | None = None, **facts: Any) -> dict[str, Any]:
    """A host as the gate has it, which fits the default request but for what `facts` say."""
    found = {
        "python": "3.11.2", "arch": "x86_64", "base_writable": True, "obstacle": None, "root": True,
        "port_range": [32768, 60999], "reserved_ports": "", "boot_id": "there", "netns": 2,
        "somaxconn": 4096, "syn_backlog": 4096, "syncookies": 1, "nofile_hard": 20_000, "memory_bytes": 8 << 30,
        "memory_available_bytes": 4 << 30, "disk_free_bytes": 10 << 30, "noexec": False, "conntrack": None,
        "cgroup": {"memory_bytes": None, "pids": None}, "address_problem": None, "ports_held": [],
        "login_address": None,
        "file_max": 1_000_000, "tuned_by": [], "locked_by": None, "agent": None, "uncollected": [], "absent": [],
        "interpreters": {"3.13": interpreter("3.13.0"), "3.14t": None, "/opt/old": interpreter("3.8.1")},
        "cpus": [0, 1, 2, 3], **facts,
    }  # fmt: skip
    return {
        "name": name, "role": "server" if name == "server" else "client", "base": "/var/lib/c10k", "weight": 1,
        "load_address": "198.18.0.10" if name == "server" else "198.18.0.11", "sources": ["198.18.0.11"],
        "probe": {"problem": problem, "facts": found, "clock_ahead_s": 0.0, "ssh": None},
    }  # fmt: skip


SHARED = [host("server"), host("client1"), host("client2")]


def plan(hosts: list[dict[str, Any]] = SHARED, seed: int = 7, references: bool = False, **given: Any) -> dict[str, Any]:
    run, here = "20261122T190312Z-3f9a1c", {"boot_id": HERE}
    return planning.make(run, seed, request(**given), CATALOG, hosts, here, references)
