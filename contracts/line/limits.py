"""The limit of open files."""

from __future__ import annotations

import resource
from pathlib import Path


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one, and return the soft limit that holds then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = int(Path("/proc/sys/fs/nr_open").read_text())
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):
        return soft
    return hard
