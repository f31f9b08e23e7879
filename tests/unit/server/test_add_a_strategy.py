"""docs/add-a-strategy.md is true: what it says, done to the letter, makes a strategy that meets every clause."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from server.conformance.clauses import CLAUSES
from tests.unit.server.harness import ROOT


def test_one_file_and_one_entry_are_enough(tmp_path: Path) -> None:
    page = (ROOT / "docs/add-a-strategy.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (entry,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (path,) = re.findall(r"Save this as `(server/loops/\w+\.py)`", page)
    shutil.copytree(ROOT / "server", tmp_path / "server")
    (tmp_path / path).write_text(code)
    catalog = tmp_path / "server/catalog.yml"
    catalog.write_text(f"{catalog.read_text()}\n{entry}")
    check = [sys.executable, "-m", "server", "check", "--strategy", Path(path).stem]
    result = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1].endswith(f"0 of {len(CLAUSES)} clauses failed.")
