"""A real Chromium, Debian's own, that may talk to nobody."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on this machine; as root on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield made
        made.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the demo, in which every figure has data."""
    from analysis.dataset import load
    from analysis.demo.write import write
    from analysis.report.build import html

    folder = tmp_path_factory.mktemp("demo")
    write(folder / "run")
    path = folder / "report.html"
    path.write_text(html(load([str(folder / "run")])), encoding="utf-8")
    assert path.stat().st_size <= 3_000_000
    return path
