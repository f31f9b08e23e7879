"""Shared by all tests: what the lab needs, and that CI may not skip anything."""

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests import line

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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skip is a failure, whatever its reason: there everything that a test needs must be."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome, report.longrepr = "failed", f"skipped, which CI may not: {report.longreprtext}"
    return report


@pytest.fixture(scope="session")
def _lab_session() -> Iterator[None]:
    """The lab of three clients; taken down at the end of the session."""
    yield
    result = line.play("playbooks/lab.yml", "local", lab_state="absent")
    assert result.returncode == 0, result.stdout


@pytest.fixture(scope="module")
def lab(_lab_session: None) -> None:
    """A whole lab of three clients. What a test breaks there, it mends; tests/lab/test_lab.py takes the lab down."""
    if not line.lab_stands:
        result = line.play("playbooks/lab.yml", "local", lab_state="present", lab_clients=3)
        assert result.returncode == 0, result.stdout
        line.lab_stands = True


@pytest.fixture(scope="session", autouse=True)
def _own_results(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the tests add to results/ goes when they have passed, and `latest` is again the user's; else it stays."""
    link = line.RESULTS / "latest"
    before, latest = set(line.RESULTS.glob("2*")), link.readlink() if link.is_symlink() else None
    yield
    if request.session.testsfailed:
        return
    for run in set(line.RESULTS.glob("2*")) - before:
        if run.name in line.named:
            shutil.rmtree(run)
    if link.is_symlink() and not link.exists():
        link.unlink()
        if latest:
            link.symlink_to(latest)
