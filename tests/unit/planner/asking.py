"""What the tests of the planner ask for, on which hosts, and what is planned of it."""

from typing import Any

from planner import plan as planning
from planner.cells import Request, resolve
from server.catalog import load

CATALOG = load()
HERE, THERE, ELSEWHERE = "boot-of-the-controller", "boot-of-a-server", "boot-of-a-client"


def request(**given: Any) -> Request:
    return resolve(given, CATALOG, ["c10k"], ["run", "purge"])


def host(name: str, boot: str = HERE, cores: int = 4) -> dict[str, Any]:
    return {
        "name": name, "role": "server" if name == "server" else "client", "connection": "ssh", "ssh": name,
        "ssh_args": [], "python": "/usr/bin/python3", "load_address": "198.18.0.10", "base": "/var/lib/c10k",
        "sources": ["198.18.0.11"], "weight": 1,
        "boot_id": boot, "cpus": list(range(cores)), "nofile_hard": 20_000,
    }  # fmt: skip


SHARED = [host("server"), host("client1"), host("client2")]


def plan(hosts: list[dict[str, Any]] = SHARED, seed: int = 7, references: bool = False, **given: Any) -> dict[str, Any]:
    run, here = "20261122T190312Z-3f9a1c", {"boot_id": HERE}
    return planning.make(run, seed, request(**given), CATALOG, hosts, here, references)
