"""What the lessons say is so, and each can be run. That each fails its clauses alone, test_conformance.py shows."""

import inspect
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from server import catalog, lesson, lesson_page
from server.conformance.clauses import CLAUSES
from server.lessons import NAMES
from server.lessons.correct import Server
from tests.unit.server.harness import PATIENCE_S, ROOT, echoes, free_port

LESSONS = [lesson.find(name) for name in NAMES]


def run(*words: str, module: str = "server") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_every_lesson_can_be_named() -> None:
    found = {path.stem for path in (ROOT / "server/lessons").glob("[a-z]*.py")} - {"correct"}
    assert sorted(NAMES) == sorted(found)
    assert not set(NAMES) & set(catalog.load()), "a name would mean two things"


@pytest.mark.parametrize("one", LESSONS, ids=lambda one: one.name)
def test_a_lesson_says_what_it_is_and_names_clauses_and_a_strategy_that_meets_them(one: lesson.Lesson) -> None:
    assert all((one.mistake, one.why, one.seen, one.mend, one.fails))
    assert set(one.fails) <= {clause.name for clause in CLAUSES}
    assert not set(one.fails) & set(catalog.find(one.right).cannot)
    source = inspect.getsource(one.server)
    assert source.count("# the mistake: ") == 1
    assert one.server.__mro__[1] is Server


def test_the_page_is_what_the_lessons_say() -> None:
    """Made again with: python -m server lesson --markdown > docs/lessons.md"""
    assert (ROOT / "docs/lessons.md").read_text() == lesson_page.markdown(LESSONS)
    assert run("lesson", "--markdown").stdout == lesson_page.markdown(LESSONS)


def test_without_a_name_all_are_listed() -> None:
    lines = run("lesson").stdout.splitlines()
    assert [line.split()[0] for line in lines[::2]] == [*NAMES]


def test_a_lesson_serves_until_a_signal_comes(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "server", "lesson", "fatal_reset", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            said = process.stderr.readline()
            assert said.startswith(f"fatal_reset listens on 127.0.0.1:{port}; Ctrl-C ends it. A lesson: A client that")
            with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as client:
                assert echoes(client)
            taken = run("lesson", "sendall", "--port", str(port))
            assert (taken.returncode, taken.stderr.count("\n")) == (2, 1)
            assert f"Port {port} on 127.0.0.1 is in use" in taken.stderr
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["lesson", "sendal"], "There is no lesson 'sendal'. Did you mean 'sendall'?"),
        (["lesson", "sendall", "--stats", "/nowhere/at/all"], "Cannot write the statistics to /nowhere/at/all: No "),
        (["serve", "--strategy", "sendall"], "`sendall` is a lesson, a server with a mistake, and belongs in no "),
    ],
)
def test_bad_input_is_one_sentence(words: list[str], says: str) -> None:
    done = run(*words, *(["--port", str(free_port())] if words[0] == "lesson" else []))
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_bench_counts_who_is_left_waiting() -> None:
    done = run(module="tests.bench.one_accept")
    rows = [[*map(int, row)] for row in re.findall(r"(?:runs|was stopped) +(\d+) +(\d+)", done.stdout)]
    assert sum(rows[0]) == 500 and rows[0][0] < 500
    assert rows[1:] == [[1, 499], [500, 0], [500, 0]]
    assert alike(done.stdout) in alike((ROOT / "docs/measurements.md").read_text())


def alike(text: str) -> str:
    """The words of a text, whatever its figures."""
    return " ".join(re.sub(r"\d+", "N", text).split())
