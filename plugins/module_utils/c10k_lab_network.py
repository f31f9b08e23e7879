"""The lab's network: a namespace for each host, wired to a bridge in a namespace of its own, and no way out of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from .c10k_lab_request import CONTROLLER_ADDRESS, PREFIX, SOURCES, SWITCH, Host

OWN = Path("/proc/self/ns/net")
NAMESPACES = Path("/run/netns")
BRIDGE = "bridge"
CABLE = PREFIX + "lab"
"""The controller's end of its own cable."""
PATIENCE_S = 3.0


class Failed(Exception):
    """One sentence."""


def run(*command: str, given: str | None = None) -> str:
    """The output of a command; Failed has the words of a command that fails."""
    environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "LC_ALL": "C"}
    result = subprocess.run(command, input=given, capture_output=True, text=True, env=environment, check=False)
    if result.returncode:
        raise Failed(f"`{' '.join(command)}` failed: {(result.stderr or result.stdout).strip()}")
    return result.stdout


def namespaces() -> list[str]:
    return sorted(path.name for path in NAMESPACES.glob(PREFIX + "*"))


def inode(namespace: str) -> int | None:
    """The inode of the network namespace with that name; None if there is no such namespace."""
    try:
        found = (NAMESPACES / namespace).stat()
    except OSError:
        return None
    return found.st_ino if found.st_dev == OWN.stat().st_dev else None


def make_namespace(namespace: str) -> None:
    remove_namespace(namespace)
    run("ip", "netns", "add", namespace)
    run("ip", "-n", namespace, "link", "set", "lo", "up")


def remove_namespace(namespace: str) -> None:
    if (NAMESPACES / namespace).exists():
        run("ip", "netns", "del", namespace)


# Cables ---------------------------------------------------------------------------------------------------------------


def links(namespace: str | None) -> dict[str, dict[str, Any]]:
    """The links of a namespace (None: the controller's) by name, with their addresses."""
    where = ["-n", namespace] if namespace else []
    return {link["ifname"]: link for link in json.loads(run("ip", *where, "-j", "addr", "show") or "[]") if link}


def is_up(link: dict[str, Any] | None) -> bool:
    return bool(link and "UP" in link["flags"])


def has_address(link: dict[str, Any], address: str) -> bool:
    return any(entry.get("local") == address and entry.get("prefixlen") == 24 for entry in link.get("addr_info", []))


def switch_is_whole() -> bool:
    if inode(SWITCH) is None:
        return False
    found = links(SWITCH)
    return is_up(found.get(BRIDGE)) and is_wired(CABLE, None, "controller", CONTROLLER_ADDRESS, found)


def make_switch() -> None:
    """The bridge, and the controller's own cable to it. The cables of the hosts are then to be made anew."""
    remove_cable(CABLE, None)
    make_namespace(SWITCH)
    made = f"link add {BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0\nlink set {BRIDGE} up\n"
    run("ip", "-n", SWITCH, "-batch", "-", given=made)
    wire(CABLE, None, "controller", CONTROLLER_ADDRESS)


def is_wired(
    name: str, namespace: str | None, port: str, address: str, ports: dict[str, dict[str, Any]] | None = None
) -> bool:
    """Does a working cable lead from the link `name` of the namespace to that port of the switch?"""
    ours, theirs = links(namespace).get(name), (links(SWITCH) if ports is None else ports).get(port)
    if not ours or not theirs or not is_up(ours) or not is_up(theirs) or not has_address(ours, address):
        return False
    lo = namespace is None or is_up(links(namespace).get("lo"))
    return bool(lo and ours.get("link_index") == theirs["ifindex"] and theirs.get("master") == BRIDGE)


def wire(name: str, namespace: str | None, port: str, address: str) -> None:
    """A new cable. Its offloads stay on, as they come: nothing is checksummed or cut up on the way."""
    remove_cable(name, namespace)
    remove_cable(port, SWITCH)
    end = f"netns {namespace}" if namespace else f"netns {os.getpid()}"
    # The same hardware address as before a repair: other hosts may still have it in their tables.
    ours = f"name {name} address 02:c1:0c:00:00:{int(address.rpartition('.')[2]):02x} {end}"
    run("ip", "-n", SWITCH, "link", "add", port, "type", "veth", "peer", *ours.split())
    run("ip", "-n", SWITCH, "link", "set", port, "master", BRIDGE, "up")
    batch = f"addr replace {address}/24 dev {name}\nlink set {name} up\n" + ("link set lo up\n" if namespace else "")
    run("ip", *(["-n", namespace] if namespace else []), "-batch", "-", given=batch)


def remove_cable(name: str, namespace: str | None) -> None:
    """Remove both ends of a cable. The kernel removes it too, a moment after the namespace of the other end went."""
    if (namespace is None or inode(namespace) is not None) and name in links(namespace):
        try:
            run("ip", *(["-n", namespace] if namespace else []), "link", "del", name)
        except Failed:
            if name in links(namespace):
                raise


def host_is_wired(host: Host, ports: dict[str, dict[str, Any]]) -> bool:
    return is_wired("eth0", host.namespace, host.name, host.address, ports)


def wire_host(host: Host) -> None:
    wire("eth0", host.namespace, host.name, host.address)
    # A local route makes a whole network its own, without an address for each; the others reach it over the switch.
    routes = f"route replace local {host.sources} dev lo\nroute replace {SOURCES}.0.0/16 dev eth0\n"
    run("ip", "-n", host.namespace, "-batch", "-", given=routes)


# What runs in them ----------------------------------------------------------------------------------------------------


def processes(inodes: Collection[int]) -> list[int]:
    """Every process that lives in one of these network namespaces."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "ns/net").stat().st_ino in inodes:
                    found.append(int(entry.name))
    return found


def end_processes(inodes: Collection[int]) -> int:
    """End all processes there, with SIGTERM first, then SIGKILL; returns how many there were."""
    inodes = set(inodes) - {OWN.stat().st_ino}
    first = processes(inodes)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in processes(inodes):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if eventually(lambda: not processes(inodes), PATIENCE_S):
            return len(first)
    raise Failed(f"Processes {processes(inodes)} of the lab do not end, though they were killed.")


def eventually(holds: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
