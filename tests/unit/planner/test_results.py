"""results/: where it may be."""

import shutil
import subprocess
from pathlib import Path

import pytest

from planner import results

ROOT = Path(results.__file__).parents[1]


def test_results_may_be_a_link_to_a_bigger_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout, disk = tmp_path / "checkout", tmp_path / "disk"
    checkout.mkdir()
    disk.mkdir()
    shutil.copy(ROOT / ".gitignore", checkout)
    monkeypatch.setattr(results, "ROOT", checkout)
    monkeypatch.setattr(results, "RESULTS", checkout / "results")
    for words in (
        ["init", "-q"], ["add", "."], ["-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x"],
    ):  # fmt: skip
        subprocess.run(["git", "-C", str(checkout), *words], check=True)
    (checkout / "results").symlink_to(disk)
    run = results.RESULTS / "20261122T190312Z-3f9a1c"
    results.write_plan(run, {"version": 3})
    results.point_latest(run)
    assert results.git_state()["dirty"] is False
    (checkout / "slide.png").write_bytes(b"")  # what a reader writes there is no change of what runs
    assert results.git_state()["dirty"] is False
    (checkout / "server").mkdir()
    (checkout / "server/mine.py").write_text("")
    assert results.git_state()["dirty"] is True
    (checkout / "server/mine.py").unlink()
    assert results.git_state()["dirty"] is False
    (checkout / ".gitignore").write_text("")  # whatever the commit holds may have a say in what runs
    assert results.git_state()["dirty"] is True
    assert results.find("latest").name == results.existing(run.name).name == run.name
