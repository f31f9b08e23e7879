"""`fab` at a prompt: its tasks, its refusals, and that a user's settings of Fabric and Invoke alter nothing."""

import fcntl
import os
import pty
import signal
import subprocess
import termios
import threading
from pathlib import Path

import pytest

from analysis.demo.truth import Cell, truth
from analysis.demo.write import write
from planner import results
from tests import line

FAB = str(line.BIN / "fab")
# results/ is one for all workers of pytest-xdist, so each has a run of its own there.
RUN = f"20260101T000000Z-de3{int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw')):03x}"
PLANTED = """
import pathlib
pathlib.Path({mark!r}).touch()
tasks = {{"collection_name": "planted", "search_root": {root!r}, "executor_class": "planted.Executor"}}
"""


def fab(*words: str, cwd: Path = line.ROOT, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [FAB, *words], cwd=cwd, env={**line.environment(), **environment}, text=True, capture_output=True, timeout=60,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def test_every_task_says_in_a_line_what_it_does() -> None:
    listed = fab("-l")
    assert listed.returncode == 0, listed.stderr
    tasks = {words[0]: words[1:] for text in listed.stdout.splitlines()[1:] if (words := text.split())}
    assert list(tasks) == ["doctor", "logs", "status", "stop", "watch"]
    assert all(tasks.values())


@pytest.mark.parametrize(
    "words",
    [("-H", "h1", "watch"), ("--hosts", "h1", "status"), ("-i", "key", "logs"), ("-S", "config", "logs"),
     ("-c", "other", "watch"), ("-f", "fabric.yml", "watch"), ("status", "--hosts", "h1")],
)  # fmt: skip
def test_what_names_hosts_keys_or_settings_is_refused_in_a_sentence(words: tuple[str, ...]) -> None:
    refused = fab(*words)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.startswith("No idea what '-") and refused.stderr.count("\n") == 1, refused.stderr


def test_the_settings_of_a_user_alter_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for name in ("fabric", "invoke", ".fabric", ".invoke"):
        (tmp_path / f"{name}.py").write_text(PLANTED.format(mark=str(mark), root=str(tmp_path)))
        (tmp_path / f"{name}.yml").write_text("{not: [yaml")
    for name in ("fabfile", "tasks", "planted"):
        (tmp_path / f"{name}.py").write_text(f"open({str(mark)!r}, 'w')\n")
    before = fab("-l")
    found = fab(
        "-l", cwd=tmp_path, HOME=str(tmp_path), INVOKE_RUNTIME_CONFIG=str(tmp_path / "invoke.py"),
        INVOKE_TASKS_EXECUTOR_CLASS="planted.Executor", FABRIC_RUN_DRY="1",
    )  # fmt: skip
    assert (found.returncode, found.stdout, found.stderr) == (0, before.stdout, "")
    watched = fab("watch", "--run", "x", cwd=tmp_path, HOME=str(tmp_path), INVOKE_TASKS_EXECUTOR_CLASS="planted.Nobody")
    assert watched.returncode == 2 and watched.stderr.startswith("run=x is not the id of a run")
    assert not mark.exists()


@pytest.fixture
def run() -> str:
    """A run of results/ that nobody measures."""
    told = truth(1, None, [Cell("epoll", duration=1)], blocks=1)
    write(line.RESULTS / RUN, made=told)
    (line.RESULTS / RUN / ".owner").unlink(missing_ok=True)
    line.named.add(RUN)
    return RUN


def test_it_shows_a_run_that_has_ended_and_ends(run: str, tmp_path: Path) -> None:
    shown = fab("watch", "--run", run, cwd=tmp_path, TERM="dumb")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"run {run} · ended, conductor exit 0\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("watch", "--run", "20261122T190312Z-3f9a1d"), "There is no run 20261122T190312Z-3f9a1d under results/"),
        (("watch", "--run", "../etc"), "run=../etc is not the id of a run"),
        (("logs", "--run", "RUN", "--host", "h9"), "RUN has no host h9; it has server, client1, client2, client3."),
        (("logs", "--run", "RUN", "--trial", "7"), "RUN has no logs of a trial 7: 3 have begun"),
        (("logs", "--run", "RUN", "--trial", "x"), "RUN has no logs of a trial x: 3 have begun"),
        (("logs", "--run"), "needed value"),
        (("watch", "RUN"), "No idea what 'RUN' is!"),
        (("watch", "--run", "\x1b[31m"), "run=\\u001b[31m is not the id of a run"),
        (("status", "-i", "/nowhere"), "/nowhere is no inventory that Ansible can read"),
    ],
)
def test_what_is_not_there_is_refused_in_a_sentence(run: str, words: tuple[str, ...], sentence: str) -> None:
    refused = fab(*(run if word == "RUN" else word for word in words))
    assert refused.returncode in (1, 2)
    assert sentence.replace("RUN", run) in refused.stderr and "Traceback" not in refused.stderr
    assert refused.stdout == ""


def test_ctrl_c_at_a_terminal_ends_the_table_of_a_run_that_goes_on(run: str) -> None:
    results.claim(line.RESULTS / run, os.getpid())
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [FAB, "watch", "--run", run], cwd=line.ROOT, env={**line.environment(), "TERM": "xterm"}, stdin=its,
        stdout=its, stderr=its, start_new_session=True, preexec_fn=as_a_login_does,
    )  # fmt: skip
    os.close(its)
    bound = threading.Timer(120, process.kill)
    bound.start()
    shown, is_told = b"", False
    try:
        while more := of_terminal(ours):
            shown += more
            if b"the hosts back" in shown and not is_told:
                os.write(ours, b"\x03")
                is_told = True
        assert process.wait(timeout=60) == 130
    finally:
        bound.cancel()
        process.kill()
        os.close(ours)
    assert b"Traceback" not in shown and shown.count(b"\x1b[?25l") == shown.count(b"\x1b[?25h") == 1
    assert shown.endswith(b"too little to say\r\n")


def as_a_login_does() -> None:
    """The terminal is its own, and Ctrl-C reaches it, also where the tests themselves run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def of_terminal(descriptor: int) -> bytes:
    """What comes next; nothing once the program at the other end has ended."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


@pytest.mark.parametrize("words", ["-l", "watch --run RUN"])
def test_nobody_who_reads_is_no_error(run: str, words: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"'{FAB}' {words.replace('RUN', run)} | :"], cwd=line.ROOT, env=dict(os.environ), text=True,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
