"""The doctor as a person starts it."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from conductor import doctor
from tests import line

PORT = 9377
"""No other test listens there."""


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(line.BIN / "python"), "-m", "conductor", "doctor", *arguments]
    return subprocess.run(
        command, cwd=line.ROOT, env=line.environment(), text=True, capture_output=True, timeout=120, check=False
    )


def test_hosts_that_fit_are_a_table_and_nothing_is_left() -> None:
    before = line.newest()
    found = run("-i", "inventory/local", "-e", f"server_port={PORT}")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines()[0].split() == ["host", "checked", "need", "have", "verdict"]
    for name in ("server", "client1", "client2", "client3"):
        assert f"\n{name} " in found.stdout
    assert found.stdout.count(f"from 127.0.0.1:{PORT}  ") == 3
    assert found.stdout.endswith("All 4 hosts fit: a run would work.\n")
    assert line.newest() == before
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", PORT))


def test_all_that_would_refuse_a_run_is_told_at_once(tmp_path: Path) -> None:
    copy = tmp_path / "inventory"
    shutil.copytree(line.ROOT / "inventory/local", copy)
    (copy / "zz-more.ini").write_text(
        "[c10k_clients]\nheavy c10k_load_address=127.0.0.19 c10k_weight=heavy\nlost\n"
        "named c10k_load_address=localhost\nsix c10k_load_address=::1\n"
        "listed c10k_load_address=127.0.0.20 c10k_sources=127.0.0.20,127.0.0.21\n"
    )
    with socket.create_server(("127.0.0.1", PORT)):
        found = run("-i", str(copy), "-e", f"server_port={PORT}", "-e", "sources=2", "-e", "connections=10")
    assert found.returncode == 2
    refused = [said for said in found.stdout.splitlines() if said.startswith("refused: ")]
    for words in (
        f"server: port {PORT} of 127.0.0.1 is in use by ", "c10k_weight of heavy", "lost has no c10k_load_address",
        "c10k_load_address of named is 'localhost'", "six has ::1",
    ):  # fmt: skip
        assert sum(words in said for said in refused) == 1, found.stdout
    assert "listed" not in " ".join(refused)  # a text with commas, as hosts.ini has it
    assert "Traceback" not in found.stdout + found.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-i", "/nowhere"], "/nowhere is no inventory that Ansible can read"),
        (["-e", "conections=10"], "There is no parameter `conections`"),
        (["-e", "@nowhere.yml"], "nowhere.yml: there is no such file"),
        (["--limit", "client1"], "leave --limit away"),
        (["--bogus"], "unrecognized arguments: --bogus"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(arguments: list[str], words: str) -> None:
    found = run(*arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert words in found.stderr and found.stderr.count("\n") == 1


def test_columns_are_as_wide_as_their_words() -> None:
    assert doctor.lines([("host", "have"), ("a-long-name", "1"), ("b", "")]) == [
        "host         have", "a-long-name  1", "b",
    ]  # fmt: skip
