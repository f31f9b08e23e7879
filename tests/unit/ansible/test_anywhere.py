"""Ansible finds the checkout's configuration from any directory, in any locale; a checkout that anybody may write is
refused."""

import os
import subprocess
from pathlib import Path

import pytest

from plugins import anywhere
from plugins.callback import c10k_command_line
from tests import line


def playbook(place: Path, **environment: str) -> tuple[int, str]:
    outside = {"LANG", "LC_ALL", "LC_CTYPE", "ANSIBLE_CONFIG"}
    inherited = {name: value for name, value in line.environment().items() if name not in outside}
    done = subprocess.run(
        [str(line.BIN / "ansible-playbook"), str(line.ROOT / "run_benchmark.yml"), "-e", "rate=0"],
        cwd=place, env={**inherited, **environment}, text=True, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("locale", ["C", "xx_YY.UTF-8", "C.UTF-8", None])
def test_a_run_starts_in_any_directory_and_locale(tmp_path: Path, locale: str | None) -> None:
    status, said = playbook(tmp_path, **({"LC_ALL": locale} if locale else {}))
    assert (status, "rate=0 is out of range" in said) == (2, True), said
    assert "inventory" not in said and "WARNING" not in said


def test_a_configuration_of_the_readers_own_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, str] = {}
    monkeypatch.chdir(tmp_path)
    anywhere.configure(given)
    assert given == {"ANSIBLE_CONFIG": str(line.ROOT / "ansible.cfg")}
    anywhere.configure(named := {"ANSIBLE_CONFIG": "/etc/mine.cfg"})
    assert named == {"ANSIBLE_CONFIG": "/etc/mine.cfg"}
    (tmp_path / "ansible.cfg").touch()
    anywhere.configure(here := dict[str, str]())
    assert here == {}
    os.chdir(line.ROOT)  # where Ansible would ignore it if others may write the directory
    anywhere.configure(at_home := dict[str, str]())
    assert at_home == given


def test_a_checkout_that_anybody_may_write_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for mode, problems in ((0o777, [c10k_command_line.ANYBODY]), (0o755, [])):
        tmp_path.chmod(mode)
        monkeypatch.setattr(c10k_command_line, "ROOT", tmp_path)
        assert c10k_command_line.unsafe() == problems
