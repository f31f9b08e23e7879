"""The conformance suite: every strategy passes it, it finds lessons' mistakes and planted defects, and says so."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from server import catalog, lesson
from server.conformance import start
from server.conformance.clauses import CLAUSES, FIRST, Clause
from server.conformance.start import ROOT, Target
from server.conformance.subject import Subject
from server.conformance.suite import CANNOT, FAILED, NOT_ASKED, OK, SKIPPED, Suite
from server.lessons import NAMES as NAMES_OF_LESSONS
from server.linux import log
from tests.unit.server.harness import need_program

# What it swallows, null_server does not answer, so that nothing can be asked of it.
STRATEGIES = tuple(name for name, strategy in catalog.load().items() if FIRST.name not in strategy.cannot)
WHERE = ("--host", "{host}", "--port", "{port}", "--stats", "{stats}")
NAMES = {clause.name for clause in CLAUSES}

DEFECTS = {  # those that are no lesson, for all parts of the suite to have a fault to find
    "none": set(),
    "whole_buffer": {"exact_bytes"},
    "zombies": {"leaks"},
    "leaked_descriptor": {"leaks"},
    "off_by_one": {"counters"},
    "ignores_sigterm": {"sigterm", "sigterm_idle"},
    "fails_idle": {"sigterm_idle"},
}


def test_the_page_for_users_explains_every_clause() -> None:
    page = (ROOT / "docs/own-server.md").read_text()
    for clause in CLAUSES:
        assert f"| `{clause.name}` | {clause.meaning} |" in page


def test_of_a_server_that_floods_its_log_the_beginning_and_the_last_line_are_kept(tmp_path: Path) -> None:
    """A file of all that it wrote would fill the disk: a server can write 1 GB in three seconds."""
    script = tmp_path / "own.py"
    script.write_text("import sys\nfor _ in range(16):\n    print('x' * (1 << 20))\nsys.exit('no licence')\n")
    own = start.command(f"{sys.executable} {script} {{host}} {{port}}")
    with Suite(own, tmp_path) as suite, pytest.raises(start.NotStarted, match=r"ended with status 1 \(no licence\)"):
        suite.run(FIRST)
    assert (tmp_path / "log").stat().st_size <= 2 * log.HEAD_BYTES


@pytest.fixture(scope="module", params=STRATEGIES)
def suite(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    need_program(request.param)
    with Suite(start.strategy(request.param), tmp_path_factory.mktemp("suite")) as suite:
        yield suite


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.name)
def test_every_strategy(suite: Suite, clause: Clause) -> None:
    result = suite.run(clause)
    assert result.outcome in (OK, CANNOT), result.reason


def test_what_the_catalogue_says_cannot_be_met_are_clauses() -> None:
    for strategy in catalog.load().values():
        assert set(strategy.cannot) <= NAMES, strategy.name
        assert bool(strategy.cannot) == bool(strategy.because), strategy.name


def python(*words: str) -> Target:
    """A server of one process, at the root of the project."""
    return Target(words[1], (sys.executable, *words, *WHERE), slots=1)


def defective(defect: str) -> Target:
    return python("-m", "tests.fixtures.defective_server", defect)


@pytest.mark.parametrize("name", [*NAMES_OF_LESSONS, *DEFECTS])
def test_a_lesson_and_a_defect_fail_their_clauses_and_no_other(name: str, tmp_path: Path) -> None:
    is_lesson = name in NAMES_OF_LESSONS
    fails = set(lesson.find(name).fails) if is_lesson else DEFECTS[name]
    with Suite(start.of_lesson(name) if is_lesson else defective(name), tmp_path) as suite:
        results = list(suite.run_all(CLAUSES))
    reasons = "\n".join(map(str, results))
    assert {result.clause for result in results if result.outcome == FAILED} == fails, reasons
    rest = SKIPPED if FIRST.name in fails else OK
    assert {result.outcome for result in results if result.outcome != FAILED} == {rest}, reasons


@pytest.mark.parametrize(("is_stopped", "idles"), [(False, True), (True, False)])
def test_a_server_that_is_stopped_is_not_taken_to_idle(is_stopped: bool, idles: bool) -> None:
    """It may be spinning whenever it runs."""
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            subject = Subject(process, ("127.0.0.1", 1), str, None)
            with subject.frozen() if is_stopped else nullcontext():
                assert subject.idles() == idles
        finally:
            process.kill()


def test_the_clauses_about_bytes_each_find_a_wrong_one(tmp_path: Path) -> None:
    with Suite(defective("whole_buffer"), tmp_path) as suite:
        for clause in CLAUSES[:4]:
            assert suite.run(clause).outcome == FAILED, clause.name


def test_a_claim_of_the_catalogue_that_is_not_true_is_a_defect(tmp_path: Path) -> None:
    target = replace(start.of_lesson("sendall"), cannot=("no_stall", "byte_at_a_time"), because="It is said so.")
    with Suite(target, tmp_path) as suite:
        results = {clause.name: suite.run(clause) for clause in CLAUSES if clause.name in target.cannot}
    assert (results["no_stall"].outcome, results["no_stall"].reason) == (CANNOT, "It is said so.")
    assert (results["byte_at_a_time"].outcome, results["byte_at_a_time"].reason[:9]) == (FAILED, "it is met")


def test_what_cannot_be_asked_is_said(tmp_path: Path) -> None:
    with Suite(start.command(f"{ROOT / 'tests/fixtures/nothing'} {{host}} {{port}}"), tmp_path) as suite:
        counts = next(clause for clause in CLAUSES if clause.counts)
        assert suite.run(counts).outcome == NOT_ASKED
        with pytest.raises(start.NotStarted, match="cannot be started: No such file"):
            suite.run(FIRST)
    greedy = "import os; [os.open('/dev/null', 0) for _ in range(150)]; from server import __main__; __main__.main()"
    with Suite(python("-c", greedy, "lesson", "sendall"), tmp_path) as suite:
        result = suite.run(next(clause for clause in CLAUSES if clause.descriptors))
    assert (result.outcome, "Too many open files" in result.reason) == (SKIPPED, True)


def check(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "server", "check", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_prints_a_line_for_each_clause() -> None:
    result = check("--strategy", "epoll", "--only", "byte_at_a_time,exact_bytes", "--connections", "20")
    assert result.returncode == 0
    assert result.stdout.splitlines() == [
        "exact_bytes       ok",
        "byte_at_a_time    ok",
        "epoll: 0 of 2 clauses failed.",
    ]


def test_the_command_prints_json_and_fails_with_1() -> None:
    own = f"{sys.executable} -m server lesson half_close_as_close --host {{host}} --port {{port}}"
    result = check("--command", own, "--only", "half_close,counters", "--json")
    assert result.returncode == 1
    said = json.loads(result.stdout)
    assert said["failed"] == 1
    half_close, counters = said["clauses"]
    assert (half_close["clause"], half_close["outcome"]) == ("half_close", FAILED)
    assert "of 50001 bytes" in half_close["reason"]
    assert (counters["clause"], counters["outcome"]) == ("counters", NOT_ASKED)


def test_the_command_shows_which_clauses_a_lesson_fails_and_why() -> None:
    result = check("--lesson", "half_close_as_close", "--only", "exact_bytes,half_close")
    assert result.returncode == 1
    fine, failed, total, why = result.stdout.splitlines()
    assert fine == "exact_bytes       ok"
    assert failed.startswith("half_close        FAILED: ")
    assert total == "half_close_as_close: 1 of 2 clauses failed."
    mistake = lesson.find("half_close_as_close").mistake
    assert why == f"The mistake: {mistake} See docs/lessons.md#half_close_as_close"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--strategy", "epol"], "no strategy 'epol'. Did you mean 'epoll'?"),
        (["--lesson", "sendal"], "no lesson 'sendal'. Did you mean 'sendall'?"),
        (["--strategy", "sendall"], "`sendall` is a lesson, a server with a mistake, and belongs in no ranking"),
        (["--only", "half-close"], "no clause 'half-close'. Did you mean 'half_close'?"),
        (["--command", "./mine --port {port}"], "does not hold {host} and {port}"),
        (["--command", "./mine '{host} {port}"], "is not a command line"),
        (["--command", "false {host} {port}"], "Before it listened, the server ended with status 1."),
        (["--strategy", "poll", "--command", "x {host} {port}"], "not allowed with argument"),
    ],
)
def test_bad_input_is_one_sentence(words: list[str], says: str) -> None:
    result = check(*words)
    assert result.returncode == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_null_server_answers_nothing() -> None:
    need_program("null_server")
    result = check("--strategy", "null_server")
    assert result.returncode == 0
    first, second, *_ = result.stdout.splitlines()
    assert first == f"exact_bytes       cannot: {catalog.find('null_server').because}"
    assert second.startswith("split_and_merged  skipped: exact_bytes is not met")
