"""What is told before any inventory is read."""

import subprocess
from pathlib import Path

import pytest

from plugins.inventory.c10k_first import unusable
from tests import line


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("chrun.yml", None, "there is no such file; did you mean `-e @scenarios/churn.yml`?"),
        ("zzzzz.yml", None, "there is no such file; there are scenarios/c100k.yml, "),
        ("bad.yml", "rate: [1\nduration: 5\n", "it is no YAML (expected ',' or ']', but got ':' in line 2)."),
        ("list.yml", "- rate\n", "it holds no parameters, as in `rate: 1000`."),
        ("empty.yml", "", "it holds no parameters"),
        ("binary.yml", "\udcff", "it cannot be read (it is no text)."),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, name: str, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8", errors="surrogateescape")
    said = unusable(["rate=5", f"@{tmp_path / name}"]) or ""
    assert said.startswith(f"-e @{tmp_path / name}: {sentence}")


@pytest.mark.parametrize(
    "text", ["rate: 5\n", "$ANSIBLE_VAULT;1.1;AES256\n61\n", "ansible_become_password: !vault x\n"]
)
def test_others_are_left_to_ansible(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yml").write_text(text)
    assert unusable([f"@{tmp_path / 'a.yml'}", "strategy=poll"]) is None


def playbook(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(line.BIN / "ansible-playbook"), *words],
        cwd=line.ROOT, env=line.environment(), text=True, capture_output=True, timeout=60, check=False,
    )  # fmt: skip


def test_ansible_says_it_once_and_reads_no_inventory() -> None:
    done = playbook("run_benchmark.yml", "-e", "@nosuch.yml")
    said = done.stdout + done.stderr
    assert (done.returncode, said.count("nosuch.yml"), "inventory" in said) == (2, 1, False), said


def test_a_refusal_is_one_sentence_without_a_frame_and_without_a_warning() -> None:
    done = playbook("run_benchmark.yml", "-e", "strategy=pol")
    said = done.stdout + done.stderr
    assert done.returncode == 2
    assert said.count("There is no strategy `pol`") == 1
    assert "Origin:" not in said and "fatal:" not in said and "WARNING" not in said


def test_with_v_ansible_shows_all_that_it_has() -> None:
    done = playbook("-v", "run_benchmark.yml", "-e", "strategy=pol")
    assert "fatal: [localhost]: FAILED! =>" in done.stdout
