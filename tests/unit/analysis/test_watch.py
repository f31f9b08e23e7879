"""The table of a run under way: the figures are those of the summary, whatever a host says is only shown."""

import io
import json
import math
import random
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.demo.truth import Cell, truth
from analysis.demo.write import write as write_demo
from analysis.ingest.run import ingest
from analysis.unreadable import Unreadable
from analysis.watch.state import Run
from analysis.watch.table import lines
from analysis.watch.tail import Tail
from analysis.watch.watch import INTERRUPTED, begun, watch
from tests.unit.analysis import build
from tests.unit.analysis.old_runs import DATA

CELLS = (
    Cell("epoll", rate=900, duration=2),
    Cell("select", duration=2),
    Cell("poll", "ramp", rate=300, duration=2, steps=3),
)
COLUMNS = {
    "connections": "held_connections", "requests_per_s": "requests_per_s", "p99_ns": "response_p99_ns",
    "cpu_share": "server_cpu_share", "errors": "errors_requests",
}  # fmt: skip
ESCAPE = "\x1b]0;owned\x07\x1b[31m[bold red]"


def folded(folder: Path) -> Run:
    run = Run()
    for event in Tail(folder / "events.jsonl").news():
        run.take(event)
    run.end()
    return run


def page(folder: Path, width: int = 120) -> str:
    return "\n".join(lines(folded(folder), "run", width))


def differing(folder: Path) -> Iterator[str]:
    """Figures of the table that are not those of the summary's table `trials`."""
    run, table = folded(folder), ingest(str(folder)).trials
    begun = table[table["outcome"] != "not run"].to_dict("records")
    assert begun
    for row in begun:
        n = int(row["trial"])
        trial = run.trials[n]
        name, all_ = trial.rows(run.hosts, run.server)[-1]
        assert name == "" and trial.outcome == row["outcome"]
        for mine, theirs in COLUMNS.items():
            found, wanted = getattr(all_, mine), float(row[theirs])
            if not (math.isclose(found, wanted, rel_tol=1e-9) or (math.isnan(found) and math.isnan(wanted))):
                yield f"trial {n}: {theirs} is {wanted}, watch says {found}"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watch") / "run"
    write_demo(folder, made=truth(1, None, CELLS, blocks=2))
    return folder


# The figures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [None, "corrupt", "saturated_generator", "drift", "overflow"])
def test_the_figures_are_those_of_the_summary(fault: str | None, tmp_path: Path) -> None:
    write_demo(tmp_path / "run", made=truth(3, fault, CELLS, blocks=2))
    assert list(differing(tmp_path / "run")) == []


@pytest.mark.parametrize("name", ["churnreq", "dnf", "ramp"])
def test_and_of_runs_that_were_really_measured(name: str, tmp_path: Path) -> None:
    with tarfile.open(DATA / f"{name}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    assert list(differing(tmp_path / name)) == []


def test_and_of_a_run_that_is_cut_off_anywhere(demo: Path, tmp_path: Path) -> None:
    data, draw = (demo / "events.jsonl").read_bytes(), random.Random(1)
    begins = data.index(b'"state":"started"')
    for size in sorted(draw.randrange(begins + 2000, len(data)) for _ in range(30)):
        (tmp_path / "events.jsonl").write_bytes(data[:size])
        assert list(differing(tmp_path)) == [], size


def test_of_an_interrupted_trial_only_the_whole_seconds_count(tmp_path: Path) -> None:
    """client2 did not report the last one; an interval said twice counts once."""
    planned = build.trial(1)
    told = [event for event in build.whole(planned, {build.MS: 1000}) if event["event"] != "done"]
    twice = [event for event in told if event["event"] == "interval"][-2]
    missing = [event for event in told if event["event"] == "interval"][-1]
    kept = [event for event in told[:-1] if event is not missing]
    build.write(tmp_path, [planned], [*kept, twice, build.ended(planned, "interrupted")], end=130)
    assert list(differing(tmp_path)) == []
    assert folded(tmp_path).trials[1].rows(["server", "client1", "client2"], "server")[-1][1].requests_per_s == 2000


def test_of_each_host_what_it_said_itself(tmp_path: Path) -> None:
    planned = build.trial(1)
    events = build.whole(planned, {build.MS: 1000})
    own = {"cpu_user_ns": 2 * build.S, "cpu_system_ns": build.S, "wall_ns": 4 * build.S}
    events = [event | {"self": own} if event["event"] == "done" else event for event in events]
    events.insert(5, build.event("armed", "client1", 1, connected=500, verified=500, failed={}))
    build.write(tmp_path, [planned], events)
    run = folded(tmp_path)
    rows = dict(run.trials[1].rows(run.hosts, run.server))
    assert list(rows) == ["server", "client1", "client2", ""]
    assert rows["client1"].connections == 500 and math.isnan(rows["client2"].connections)
    assert rows["client1"].requests_per_s == 1000 and rows["client1"].cpu_share == 0.75
    assert rows["server"].connections == 1000 and rows["server"].cpu_share == pytest.approx(0.02)
    assert math.isnan(rows["server"].requests_per_s) and math.isnan(rows["server"].errors)


def test_what_no_event_tells_is_a_dash(tmp_path: Path) -> None:
    planned = build.trial(1)
    build.write(tmp_path, [planned], [build.started(planned)], end=None)
    (table,) = [line for line in page(tmp_path).splitlines() if line.startswith("client1")]
    assert table.split() == ["client1", "–", "–", "–", "–", "–"]


# While it goes on ----------------------------------------------------------------------------------------------------


def test_a_file_that_grows_byte_by_byte_is_read_once_and_in_whole_lines(demo: Path, tmp_path: Path) -> None:
    data, path = (demo / "events.jsonl").read_bytes(), tmp_path / "events.jsonl"
    tail, run, draw = Tail(path), Run(), random.Random(2)
    assert list(tail.news()) == []  # it is not there yet
    with path.open("wb", buffering=0) as file:
        for at in range(0, len(data), size := draw.randrange(700, 900)):
            file.write(data[at : at + size])
            for event in tail.news():
                run.take(event)
    assert lines(run, "run", 120) == lines(folded(demo), "run", 120)


def test_a_trial_under_way_shows_its_newest_second_and_the_window_so_far(tmp_path: Path) -> None:
    first, second = build.trial(1), build.trial(2, "poll", cell="c2", connections=600)
    told = [event for event in build.whole(second, {build.MS: 1500}) if event["event"] not in ("done", "trial")]
    build.write(tmp_path, [first, second], [*build.whole(first), build.started(second), *told], end=None)
    run = Run()
    for event in Tail(tmp_path / "events.jsonl").news():
        run.take(event)
    text = lines(run, "run", 120)
    assert "trial 2 of 2: poll connections=600 · load, 3 of 3 s" in text
    (row,) = [line.split() for line in text if line.startswith("client1")]
    assert row == ["client1", "–", "1,500", "1.00", "ms", "–", "0"]
    (row,) = [line.split() for line in text if line.startswith("all")]
    assert row == ["all", "–", "3,000", "1.00", "ms", "2", "0"]
    assert any(line.split()[:3] == ["1", "epoll", "connections=1000"] for line in text)


@pytest.mark.parametrize(("over", "factor"), [({}, "rate=4000"), ({"over": "connections"}, "connections=2000")])
def test_the_rungs_of_a_search_are_told_apart(over: dict[str, str], factor: str, tmp_path: Path) -> None:
    entry, after = build.trial(1) | {"search": {"most_rungs": 10, **over}}, build.trial(11, cell="c2")
    rung = build.trial(2, cell="c1@2000", rate=4000, connections=2000)
    build.write(tmp_path, [entry, after], [*build.whole(build.trial(1)), build.started(rung)], end=None)
    assert f"trial 1 of 2: epoll {factor} · unfinished" in page(tmp_path).splitlines()


def test_what_a_lost_client_once_said_is_not_how_it_stands(tmp_path: Path) -> None:
    planned = build.trial(1, duration=20)
    told = [build.interval(1, "client1", k, {build.MS: 1000}) for k in range(1, 10)]
    last = build.interval(1, "client2", 1, {build.MS: 500})
    for lag, shown in ((8, ["500", "1,500"]), (9, ["–", "1,000"])):
        build.write(tmp_path, [planned], [build.started(planned), build.went(1), last, *told[:lag]], end=None)
        run = Run()
        for event in Tail(tmp_path / "events.jsonl").news():
            run.take(event)
        text = [line.split() for line in lines(run, "run", 120)]
        assert [words[2] for words in text if words[:1] in (["client2"], ["all"])] == shown


def test_two_that_run_side_by_side_are_both_shown(tmp_path: Path) -> None:
    both = [build.trial(1) | {"beside": 2}, build.trial(2, "poll", cell="c2", server_port=9001) | {"beside": 1}]
    build.write(tmp_path, both, [build.started(one) for one in both], end=None)
    run = Run()
    for event in Tail(tmp_path / "events.jsonl").news():
        run.take(event)
    assert [line for line in lines(run, "run", 120) if line.startswith("trial ") and " of 2: " in line] == [
        "trial 1 of 2: epoll · starting", "trial 2 of 2: poll · starting",
    ]  # fmt: skip


def test_a_low_terminal_shows_the_newest_trials(demo: Path) -> None:
    text = lines(folded(demo), "run", 120, height=24)
    assert len(text) < 24
    assert [line for line in text if line.endswith("earlier trials")] == ["3 earlier trials"]
    assert [line.split()[0] for line in text if " ok " in f"{line} " or " dnf " in f"{line} "][-5:] == list("45678")


def test_a_narrow_terminal_leaves_columns_out(demo: Path) -> None:
    assert all(len(line) <= 50 for line in lines(folded(demo), "run", 50))


def test_trials_that_are_measured_again_are_forgotten(tmp_path: Path) -> None:
    planned = [build.trial(1), build.trial(2)]
    again = build.event("resumed", again=[2], since=1)
    events = [*build.whole(planned[0]), *build.whole(planned[1], outcome="partial"), again]
    build.write(tmp_path, planned, events, end=None)
    assert list(folded(tmp_path).trials) == [1]
    assert begun(tmp_path) == [1]


# What others wrote ---------------------------------------------------------------------------------------------------


def test_what_a_host_says_is_shown_and_never_executed(demo: Path, tmp_path: Path) -> None:
    text = (demo / "events.jsonl").read_text()
    inner = json.dumps(ESCAPE)[1:-1]
    for word in ("client1", "epoll", "FD_SETSIZE"):
        text = text.replace(word, word + inner)
    (tmp_path / "events.jsonl").write_text(text)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=160, color_system="truecolor")
    assert watch(tmp_path, lambda: False, console) == 0
    shown = screen.getvalue()
    assert "client1\\u001b" in shown and "epoll\\u001b" in shown
    assert all(line.isprintable() for line in shown.split("\n"))


WRONG: tuple[Any, ...] = (None, [], {}, "x", -1, 1e400, float("nan"), 2**70, True, [[]], {"a": {}}, "\ud800", 1.5, "\0")


def test_a_value_that_is_none_of_ours_is_not_known(demo: Path, tmp_path: Path) -> None:
    """Whatever stands anywhere: a table, and no traceback."""
    documents, draw = [json.loads(line) for line in (demo / "events.jsonl").read_text().splitlines()], random.Random(3)
    for _ in range(150):
        copies = json.loads(json.dumps(documents))
        for document in (copies[1], *draw.sample(copies[2:], 40)):
            at: Any = document
            while True:
                key = draw.choice([name for name in at if name != "header"] if isinstance(at, dict) else range(len(at)))
                if not isinstance(at[key], dict | list) or not at[key] or draw.random() < 0.1:
                    at[key] = draw.choice(WRONG)
                    break
                at = at[key]
        (tmp_path / "events.jsonl").write_text("".join(json.dumps(document) + "\n" for document in copies))
        assert page(tmp_path)


def test_a_line_too_long_is_left_out(tmp_path: Path) -> None:
    planned = build.trial(1)
    flood = build.event("stderr", "client1", 1, text="x" * (3 << 20))
    build.write(tmp_path, [planned], [build.started(planned), flood, *build.whole(planned)[1:]])
    assert list(differing(tmp_path)) == []


def test_what_is_no_run_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text("a shopping list\n")
    with pytest.raises(Unreadable, match=r"is not an events\.jsonl of this benchmark"):
        watch(tmp_path, lambda: False, Console(file=io.StringIO()))
    (tmp_path / "events.jsonl").unlink()
    (tmp_path / "events.jsonl").symlink_to("/etc/passwd")
    with pytest.raises(Unreadable, match="it is a link"):
        watch(tmp_path, lambda: False, Console(file=io.StringIO()))


# The terminal --------------------------------------------------------------------------------------------------------


def shown(folder: Path, goes_on: Callable[[], bool], **terminal: Any) -> tuple[int, str]:
    screen = io.StringIO()
    status = watch(folder, goes_on, Console(file=screen, width=120, **terminal))
    return status, screen.getvalue()


@pytest.mark.parametrize("terminal", [{}, {"force_terminal": True, "_environ": {"TERM": "dumb"}}])
def test_where_nothing_can_be_drawn_anew_it_shows_once_how_the_run_stands(demo: Path, terminal: Any) -> None:
    status, text = shown(demo, lambda: True, **terminal)
    assert status == 0
    assert text.count("trial  strategy") == 1 and "\x1b" not in text
    assert text.splitlines()[0].endswith("its playbook brings the logs home and puts the hosts back")


def test_a_run_that_goes_on_is_drawn_anew_until_its_playbook_has_ended(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, path = (demo / "events.jsonl").read_bytes(), tmp_path / "events.jsonl"
    parts = [data[: len(data) // 3], data[len(data) // 3 : len(data) // 2], data[len(data) // 2 :]]

    def second(_seconds: float) -> None:
        with path.open("ab") as file:
            file.write(parts.pop(0))

    monkeypatch.setattr("analysis.watch.watch.time.sleep", second)
    status, text = shown(tmp_path, lambda: bool(parts), force_terminal=True, height=50)
    assert status == 0
    assert f"run {tmp_path.name} · under way: no trial has begun" in text
    assert f"run {tmp_path.name} · under way\n" in text
    assert text.endswith("\n".join(lines(folded(demo), f"run {tmp_path.name} · ended, conductor exit 0", 120)) + "\n")
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is there again


def test_ctrl_c_leaves_the_table_and_no_traceback(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("analysis.watch.watch.time.sleep", interrupted)
    status, text = shown(demo, lambda: True, force_terminal=True, height=50)
    assert status == INTERRUPTED
    assert text.endswith("too little to say\n")


def test_a_run_that_was_broken_off_says_so(demo: Path, tmp_path: Path) -> None:
    data = (demo / "events.jsonl").read_bytes()
    (tmp_path / "events.jsonl").write_bytes(data[: data.rindex(b'"event":"went"')])
    status, text = shown(tmp_path, lambda: False)
    assert status == 0
    assert text.startswith(f"run {tmp_path.name} · broken off\n")
    assert "unfinished" in text
    (tmp_path / "events.jsonl").unlink()
    assert shown(tmp_path, lambda: False) == (0, f"run {tmp_path.name} · broken off: no trial had begun\n")
