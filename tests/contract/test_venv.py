"""The module c10k_venv as Ansible runs it, with small wheels made here: no network, no lab."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from tests import line

BIN = Path(sys.executable).parent


def wheel(home: Path, name: str, content: str = "", version: str = "1") -> None:
    (home / "wheels").mkdir(exist_ok=True)
    with zipfile.ZipFile(home / f"wheels/{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}/__init__.py", content)


def make(home: Path, *words: str) -> dict[str, Any]:
    """One call of the module; its answer."""
    command = [str(BIN / "ansible"), "server", "-i", "inventory/local", "-m", "c10k_venv", "-a", f"home={home}", *words]
    result = subprocess.run(
        command, cwd=line.ROOT, env={**line.environment(), "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"}
        | {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.oneline", "ANSIBLE_DEPRECATION_WARNINGS": "0"},
        text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    answer = result.stdout[result.stdout.index("{") :]
    return dict(json.loads(answer[: answer.rindex("}") + 1]))


def imported(home: Path, name: str) -> str:
    python = home / "venv/bin/python"
    return subprocess.run(
        [python, "-c", f"import {name}; print({name}.WORD)"], capture_output=True, text=True, timeout=20, check=True
    ).stdout.strip()


def test_check_make_make_again_and_make_anew(tmp_path: Path) -> None:
    for name in ("gevent", "trio"):
        wheel(tmp_path, name)
    wheel(tmp_path, "uvloop", "WORD = 'first'")

    assert make(tmp_path, "--check")["changed"]
    assert not (tmp_path / "venv").exists(), "check mode changed something"

    assert make(tmp_path)["changed"]
    assert imported(tmp_path, "uvloop") == "first"
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "venv").rglob("*") if path.is_file()}
    assert before

    assert not make(tmp_path)["changed"]
    assert not make(tmp_path, "--check")["changed"]

    wheel(tmp_path, "uvloop", "WORD = 'second'")
    assert make(tmp_path)["changed"]
    assert imported(tmp_path, "uvloop") == "second"


def test_what_cannot_be_imported_is_one_sentence_and_is_made_again_next_time(tmp_path: Path) -> None:
    for name in ("gevent", "trio"):
        wheel(tmp_path, name)
    wheel(tmp_path, "uvloop", "import a_library_that_is_not_there")
    for _ in range(2):
        answer = make(tmp_path)
        assert "cannot be made with Python" in answer["msg"]
        assert "a_library_that_is_not_there" in answer["msg"]
        assert "\n" not in answer["msg"]
    wheel(tmp_path, "uvloop", "WORD = 'mended'")
    assert make(tmp_path)["changed"]
    assert imported(tmp_path, "uvloop") == "mended"
