"""`fab` beside real runs: what it says of busy hosts, and a table that ends at the figures of the summary."""

import csv
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import line

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]

FAB = str(line.BIN / "fab")
ON_LAB = ("-i", "inventory/lab")
HOSTS = ("server", "client1", "client2", "client3")


def fab(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [FAB, *words], cwd=line.ROOT, env=line.environment(), text=True, capture_output=True, timeout=120,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def status() -> dict[str, list[str]]:
    """By host the words of its row."""
    told = fab("status", *ON_LAB)
    assert told.returncode == 0, told.stderr
    return {words[0]: words[1:] for text in told.stdout.splitlines()[1:] if (words := text.split())}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[line.Running]:
    one = line.start_and_wait_for_load("lab", tmp_path / "out", tune="required", duration=60)
    yield one
    one.kill()
    assert line.play("playbooks/restore.yml", "lab").returncode == 0


def test_what_it_says_of_a_run_under_way_and_that_stop_ends_it(running: line.Running) -> None:
    run = running.run.name
    shown = fab("watch")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"run {run} · under way\n\ntrial 1 of 1: epoll · load, ")
    (all_,) = [text.split() for text in shown.stdout.splitlines() if text.startswith("all ")]
    assert all_[1] == "600" and all_[-1] == "0"

    told = status()
    assert list(told) == list(HOSTS)
    assert {tuple(words[:3]) for words in told.values()} == {(run, run, run)}

    logs = fab("logs")
    assert logs.returncode == 0, logs.stderr
    assert "== server · server.log of trial 1, on the host\nepoll listens on 198.18.0.10:9000" in logs.stdout
    assert all(f"on {name}: run {run}, trial 1" in logs.stdout for name in HOSTS[1:])
    one = fab("logs", "--host", "client2", "--trial", "1")
    assert one.stdout.count("== ") == 1 and "== client2 · loadgen.log of trial 1, on the host" in one.stdout

    assert fab("stop", *ON_LAB).returncode == 0
    assert running.end(120) != 0
    assert {tuple(words[:3]) for words in status().values()} == {("–", "–", "–")}
    ended = fab("watch")
    assert ended.stdout.startswith(f"run {run} · ended, conductor exit 3\n"), ended.stdout
    assert "== client1 · loadgen.log of trial 1, fetched" in fab("logs").stdout


def test_beside_a_run_it_ends_with_the_figures_of_the_summary(tmp_path: Path) -> None:
    running = line.start(
        "lab", tmp_path / "out", strategy="epoll,poll", repetitions=2, duration=3, connections=1200, rate=3000
    )
    ours, its = pty.openpty()
    environment = {**line.environment(), "TERM": "xterm", "COLUMNS": "140", "LINES": "60"}
    watching = subprocess.Popen([FAB, "watch"], cwd=line.ROOT, env=environment, stdin=its, stdout=its, stderr=its)
    os.close(its)
    try:
        shown = b""
        while more := read(ours):
            shown += more
        assert watching.wait(timeout=60) == 0
        assert running.end(120) == 0, running.text()
    finally:
        watching.kill()
        running.kill()
        os.close(ours)
    text = shown.decode().replace("\r\n", "\n")
    assert f"run {running.run.name} · under way" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h")
    last = text[text.rindex(f"run {running.run.name} · ended, conductor exit 0\n") :]
    table = tmp_path / "trials.csv"
    assert line.analysis("summary", str(running.run), "--csv", str(table)).returncode == 0
    with table.open(encoding="utf-8", newline="") as file:
        trials = {row["trial"]: row for row in csv.DictReader(file)}
    rows = {words[0]: words for text in last.splitlines() if (words := text.split()) and words[0] in trials}
    assert len(rows) == len(trials) == 6
    for n, words in rows.items():
        assert words[-1] == trials[n]["outcome"]
        assert words[-2] == trials[n]["errors_requests"]
        held = words.index(f"{int(trials[n]['held_connections']):,}")
        rate, p99, unit, cpu = words[held + 1 : held + 5]
        assert float(rate.replace(",", "")) == pytest.approx(float(trials[n]["requests_per_s"]), rel=0.01)
        p99_ns = float(p99.replace(",", "")) * {"µs": 1e3, "ms": 1e6, "s": 1e9}[unit]
        assert p99_ns == pytest.approx(float(trials[n]["response_p99_ns"]), rel=0.01)
        assert float(cpu) == pytest.approx(100 * float(trials[n]["server_cpu_share"]), abs=0.51)


def read(terminal: int) -> bytes:
    """What comes next; nothing once the program at the other end has ended."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
