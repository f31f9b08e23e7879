"""Shared by all tests: what the lab needs, and that CI may not skip it."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lab_is_impossible_because() -> str | None:
    """Why this machine cannot hold the lab; None where it can."""
    if os.geteuid() != 0:
        return "the lab needs root"
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [name for name in ("sshd", "ip", "unshare") if shutil.which(name, path=search) is None]
    return f"the lab needs {', '.join(missing)}: script/bootstrap installs them as root on Debian" if missing else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the lab as skipped where there cannot be one; in CI nothing is skipped, so it fails there."""
    reason = lab_is_impossible_because()
    if reason and not os.environ.get("CI"):
        for item in items:
            if item.get_closest_marker("lab"):
                item.add_marker(pytest.mark.skip(reason=reason))
