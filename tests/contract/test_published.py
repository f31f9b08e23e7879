"""What a version consists of: one number everywhere, and a notebook whose cells run."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

from tests import line


def test_one_version_everywhere() -> None:
    project = tomllib.loads((line.ROOT / "pyproject.toml").read_text())["project"]["version"]
    cited = yaml.safe_load((line.ROOT / "CITATION.cff").read_text())["version"]
    program = re.search(r'var version = "(.*)"', (line.ROOT / "loadgen/cmd/loadgen/main.go").read_text())
    assert program and project == cited == program[1]


def test_the_cells_of_the_notebook_run(tmp_path: Path) -> None:
    notebook = json.loads((line.ROOT / "docs/notebook.ipynb").read_text(encoding="utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for words in (["demo", "-o", "results/demo"], ["ingest", "results/demo"]):
        subprocess.run([sys.executable, "-m", "analysis", *words], cwd=tmp_path, capture_output=True, check=True)
    (tmp_path / "docs").mkdir()
    shown = f"print({code[-1].splitlines()[-1]})"
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*code, shown])],
        cwd=tmp_path / "docs",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "epoll" in done.stdout) == (0, True), done.stderr
