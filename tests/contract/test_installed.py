"""`pip install .` gives those who only read results the command `analysis`, without the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests import line


def test_the_package_has_all_that_analysis_reads(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--disable-pip-version-check",
        "-w",
        str(tmp_path),
    ]
    subprocess.run(
        ["git", "clone", "-q", str(line.ROOT), str(tmp_path / "c10k")], check=True
    )  # a build leaves files there
    subprocess.run([*command, str(tmp_path / "c10k")], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "installed")
        (scripts,) = (packed.read(name).decode() for name in packed.namelist() if name.endswith("entry_points.txt"))
    assert "analysis = analysis.__main__:main" in scripts
    away = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    where = subprocess.run(
        [sys.executable, "-P", "-c", "import analysis; print(analysis.__file__)"], env=away, cwd=tmp_path,
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert where.startswith(str(tmp_path))
    subprocess.run(
        [sys.executable, "-P", "-m", "analysis", "demo", "-o", "demo"], env=away, cwd=tmp_path, capture_output=True,
        check=True,
    )  # fmt: skip
    assert (tmp_path / "demo/report.html").stat().st_size > 100_000
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["c10k", "demo", "installed", wheel.name])
