"""The controller is Linux: elsewhere the first command says so, and says where to go."""

import os
import subprocess
from pathlib import Path

import pytest

from tests import line


@pytest.mark.parametrize("script", ["bootstrap", "benchmark", "test"])
def test_another_system_is_refused_in_a_sentence(script: str, tmp_path: Path) -> None:
    uname = tmp_path / "uname"
    uname.write_text("#!/bin/sh\necho Darwin\n")
    uname.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([line.ROOT / "script" / script], env=environment, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "script/bootstrap: the benchmark runs on Linux, and this is Darwin; run it in a Linux virtual machine: "
        "docs/vagrant.md says how\n"
    )
    assert (line.ROOT / "docs/vagrant.md").is_file()
