"""Runs recorded before plan 2 and trial.json 2 read to the same figures, digit for digit."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.unit.analysis.old_runs import DATA, differences, figures, today


@pytest.mark.parametrize("name", ["churnreq", "dnf", "ramp"])
def test_figures_of_an_old_run(name: str, tmp_path: Path) -> None:
    with tarfile.open(DATA / f"{name}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    old = figures(DATA / f"{name}.figures.json.xz")
    assert len(old["trials"]["run"]) and len(old["histograms"]["slot"])
    assert list(differences(name, old, today(tmp_path / name, tmp_path / "trials.csv"))) == []
