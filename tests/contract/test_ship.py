"""The task c10k_ship as Ansible runs it, with small programs and packages made here: no network, no lab."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import line

BIN = Path(sys.executable).parent
IMPORTS = {"python": sys.executable, "packages": "packages", "names": ["gevent", "uvloop"]}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two packages, a directory with a program in it, and a single program."""
    for name in ("gevent", "uvloop"):
        package(tmp_path / "source", name, "WORD = 'first'")
    (tmp_path / "source/server").mkdir()
    (tmp_path / "source/server/run").write_text("#!/bin/sh\n")
    (tmp_path / "source/server/run").chmod(0o755)
    (tmp_path / "source/server/old.py").write_text("")
    (tmp_path / "source/loadgen").write_text("binary")
    return tmp_path / "source"


def package(source: Path, name: str, content: str) -> None:
    (source / "packages" / name).mkdir(parents=True, exist_ok=True)
    (source / "packages" / name / "__init__.py").write_text(content)


def ship(source: Path, *words: str) -> dict[str, Any]:
    """One run of the task; its answer."""
    programs = {path.name: str(path) for path in source.iterdir()}
    arguments = {"home": str(source.parent / "app"), "programs": programs, "imports": [IMPORTS]}
    command = [str(BIN / "ansible"), "server", "-i", "inventory/local", "-m", "c10k_ship"]
    result = subprocess.run(
        [*command, "-a", json.dumps(arguments), *words],
        cwd=line.ROOT, env={**line.environment(), "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"}
        | {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.oneline", "ANSIBLE_DEPRECATION_WARNINGS": "0"},
        text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    answer = result.stdout[result.stdout.index("{") :]
    return dict(json.loads(answer[: answer.rindex("}") + 1]))


def state(tree: Path) -> dict[str, tuple[str, int, int]]:
    """Content, mode and time of every file; Python's own cache is none of the project's files."""
    return {
        str(path.relative_to(tree)): (path.read_text(), path.stat().st_mode & 0o777, path.stat().st_mtime_ns)
        for path in tree.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }  # fmt: skip


def test_check_ship_ship_again_and_mend(source: Path) -> None:
    app = source.parent / "app"
    checked = ship(source, "--check", "--diff")
    assert checked["changed"]
    assert "server/run" in checked["send"]
    assert not app.exists(), "check mode changed something"

    assert ship(source)["changed"]
    first = state(app)
    assert {name: entry[:1] for name, entry in first.items()} == {
        name: entry[:1] for name, entry in state(source).items()
    }
    assert (first["server/run"][1], first["loadgen"][1]) == (0o755, 0o644)

    assert not ship(source)["changed"]
    assert not ship(source, "--check")["changed"]
    assert state(app) == first, "a second run changed something"

    # Damaged, made unexecutable, and there too much: each is put right, and nothing else is touched.
    (app / "loadgen").write_text("b1nary")
    (app / "server/run").chmod(0o644)
    (app / "server/extra").write_text("")
    (source / "server/old.py").unlink()
    package(source, "uvloop", "WORD = 'second'")
    assert ship(source)["changed"]
    mended = state(app)
    assert {name: entry[:2] for name, entry in mended.items()} == {
        name: entry[:2] for name, entry in state(source).items()
    }
    assert mended["packages/gevent/__init__.py"] == first["packages/gevent/__init__.py"]


def test_a_program_that_is_not_built_is_foretold_in_check_mode_and_else_refused(source: Path) -> None:
    (source / "reference").symlink_to(source / "nowhere")
    checked = ship(source, "--check")
    assert checked["changed"]
    assert checked["msg"].startswith("reference: not built yet")
    assert ship(source)["msg"] == f"There is no {source}/reference to copy."


def test_a_link_in_the_way_is_replaced_and_not_followed(source: Path) -> None:
    app, elsewhere = source.parent / "app", source.parent / "elsewhere"
    elsewhere.write_text("mine")
    app.mkdir()
    (app / "loadgen").symlink_to(elsewhere)
    assert ship(source)["changed"]
    assert (app / "loadgen").read_text() == "binary"
    assert not (app / "loadgen").is_symlink()
    assert elsewhere.read_text() == "mine"


def test_what_cannot_be_imported_is_one_sentence_and_is_tried_again_next_time(source: Path) -> None:
    package(source, "uvloop", "import a_library_that_is_not_there")
    for _ in range(2):
        answer = ship(source)
        assert "cannot import gevent, uvloop" in answer["msg"]
        assert "a_library_that_is_not_there" in answer["msg"]
        assert "\n" not in answer["msg"]
    package(source, "uvloop", "WORD = 'mended'")
    mended = ship(source)
    assert mended["changed"]
    assert mended["gil"] == {sys.executable: True}


def test_an_interpreter_that_this_account_cannot_run_is_one_sentence(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(IMPORTS, "python", "/nowhere/python3.99")
    answer = ship(source)
    assert answer["msg"].startswith("/nowhere/python3.99 cannot import gevent, uvloop (")
    assert "\n" not in answer["msg"]
