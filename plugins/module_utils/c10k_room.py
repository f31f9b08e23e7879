"""What room a host has for a run: memory, disk, processes, tables, ports. Runs on the hosts (Python 3.8)."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

CGROUPS = Path("/sys/fs/cgroup")
CONNTRACK = Path("/proc/sys/net/netfilter")
LISTENS = "0A"


def number(path: Path) -> int | None:
    """The whole number in a file of the kernel; None where there is none (`max`, or no file)."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def rooms(home: Path) -> dict[str, Any]:
    nearest = home
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    disk = os.statvfs(str(nearest))
    table = {name: number(CONNTRACK / f"nf_conntrack_{name}") for name in ("max", "count")}
    return {
        "disk_free_bytes": disk.f_bavail * disk.f_frsize,
        "noexec": bool(disk.f_flag & os.ST_NOEXEC),
        "conntrack": table if None not in table.values() else None,
        "cgroup": cgroup(CGROUPS, own_cgroup()),
    }


def own_cgroup() -> str:
    """The path of this session's cgroup; of version 1 nothing is read."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return line[3:].lstrip("/")
    return ""


def cgroup(root: Path, path: str) -> dict[str, int | None]:
    """The least room of the cgroup and of those above it: bytes of memory, processes and threads. None: no limit."""
    found: dict[str, int | None] = {"memory_bytes": None, "pids": None}
    here = root / path
    for place in (here, *here.parents):
        for name, what in (("memory_bytes", "memory"), ("pids", "pids")):
            limit, used = number(place / f"{what}.max"), number(place / f"{what}.current")
            if limit is not None:
                known = found[name]
                room = max(0, limit - (used or 0))
                found[name] = room if known is None else min(known, room)
        if place == root:
            break
    return found


def is_address(text: str) -> bool:
    """Not a name, which would be looked up."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(text)
        return True
    return False


def address_problem(address: str) -> str | None:
    """Why no socket of this host can have the address; None: one can."""
    if not address:
        return None
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
            sock.bind((address, 0))
    except OSError as error:
        return error.strerror or str(error)
    return None


def ports_held(address: str, ports: Sequence[int]) -> list[dict[str, Any]]:
    """Those of the ports on which this user cannot listen, with the reason as the end of a sentence."""
    found = []
    for port in ports:
        try:
            with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((address, port))
                sock.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                who = holder(port)
                found.append({"port": port, "why": f"is in use by {who}" if who else "is in use"})
            elif error.errno == errno.EACCES:
                found.append({"port": port, "why": "is for root only (net.ipv4.ip_unprivileged_port_start)"})
            elif error.errno != errno.EADDRNOTAVAIL:  # that is told of the address
                found.append({"port": port, "why": f"cannot be listened on ({error.strerror})"})
    return found


def listening(port: int) -> Iterator[int]:
    """The inodes of the sockets that listen on the port, of any address."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table) as lines:
            for line in lines:  # sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
                words = line.split()
                if words[3] == LISTENS and words[1].endswith(f":{port:04X}"):
                    yield int(words[9])


def holder(port: int) -> str | None:
    """Who listens on a port, as far as this user may see it."""
    wanted = set(listening(port))
    for process in Path("/proc").glob("[0-9]*") if wanted else ():
        with contextlib.suppress(OSError):
            for link in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    file = link.stat()
                    if stat.S_ISSOCK(file.st_mode) and file.st_ino in wanted:
                        return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return None
