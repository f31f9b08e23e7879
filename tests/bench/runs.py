"""Runs of the whole way, from a bench: by the playbook, one after the other."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.common import ROOT


def play(inventory: str, given: Mapping[str, Any], log: Path) -> tuple[Path | None, int]:
    """The run's directory (None: refused before anything was measured) and the playbook's status."""
    latest = ROOT / "results/latest"
    before = latest.resolve()
    playbook = str(Path(sys.executable).with_name("ansible-playbook"))
    words = [playbook, "-i", inventory, "run_benchmark.yml", "-e", json.dumps(given)]
    with log.open("w") as file:
        ran = subprocess.run(
            words, cwd=ROOT, check=False, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
    run = latest.resolve()
    return (None if run == before else run), ran.returncode
