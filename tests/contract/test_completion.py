"""What bash completes, asked of a real bash."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import line


def completed(script: str, function: str, *words: str) -> list[str]:
    quoted = " ".join(f"'{word}'" for word in words)
    asked = (
        f"{script}\nCOMP_WORDS=({quoted}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); {function}; echo ${{COMPREPLY[@]}}"
    )
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.fixture(scope="module")
def analysis() -> str:
    command = [sys.executable, "-m", "analysis", "completion"]
    return subprocess.run(command, cwd=line.ROOT, capture_output=True, text=True, check=True).stdout


def test_commands_and_options_of_analysis(analysis: str) -> None:
    assert completed(analysis, "_c10k_analysis", "analysis", "su") == ["summary"]
    assert completed(analysis, "_c10k_analysis", "python3", "-m", "analysis", "re") == ["report"]
    assert "--figure" in completed(analysis, "_c10k_analysis", "python", "-m", "analysis", "plot", "--")
    assert completed(analysis, "_c10k_analysis", "analysis", "gate", "--fail") == ["--fail-on"]


def test_another_module_of_python_is_left_alone(analysis: str) -> None:
    assert completed(analysis, "_c10k_analysis", "python3", "-m", "http.server", "") == []


def test_commands_and_options_of_loadgen(tmp_path: Path) -> None:
    built = tmp_path / "loadgen"
    subprocess.run(
        [str(line.BIN / "go"), "build", "-o", str(built), "./cmd/loadgen"], cwd=line.ROOT / "loadgen", check=True
    )
    script = subprocess.run([str(built), "completion"], capture_output=True, text=True, check=True).stdout
    assert completed(script, "_loadgen", "loadgen", "r") == ["run"]
    assert completed(script, "_loadgen", "loadgen", "run", "--tar") == ["--target"]
