"""Whatever a file holds, `load` gives a dataset or one sentence, and a report can be made of what it gives."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.dataset import derive, load
from analysis.demo.truth import Cell, truth
from analysis.demo.write import write
from analysis.ingest.run import ingest
from analysis.report.build import html
from analysis.unreadable import Unreadable

WRONG: tuple[Any, ...] = (None, [], {}, "x", -1, 1e400, float("nan"), 2**70, True, [[]], {"a": {}}, "\ud800", 1.5, "\0")
CELLS = (
    Cell("epoll", rate=300, duration=2),
    Cell("select", duration=2),
    Cell("poll", "ramp", rate=300, duration=2, steps=3),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damaged") / "run"
    write(folder, made=truth(1, None, CELLS, blocks=1))
    return folder


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "broken").mkdir()
    return tmp_path / "broken"


def survives(folder: Path, turn: int = 0) -> bool:
    """Whether there was something to read; anything but a dataset or one sentence fails the test.

    To derive all that follows takes longer than to read: of several turns each fifth does.
    """
    try:
        raw = ingest(str(folder))
    except Unreadable as problem:
        assert "\n" not in str(problem)
        assert str(problem).endswith(".")
        return False
    if turn % 5 == 0:
        derive(raw)
    return True


def test_cut_anywhere(run: Path, broken: Path) -> None:
    data = (run / "events.jsonl").read_bytes()
    draw, read = random.Random(1), []
    sizes = sorted({*range(0, 400, 40), *(draw.randrange(len(data)) for _ in range(50)), len(data) - 1})
    for turn, size in enumerate(sizes):
        (broken / "events.jsonl").write_bytes(data[:size])
        read.append(survives(broken, turn))
    # Up to some length there is no plan, and from there on there is a dataset.
    assert read == sorted(read)
    assert any(read)


def test_flipped_bits(run: Path, broken: Path) -> None:
    data = (run / "events.jsonl").read_bytes()
    draw = random.Random(2)
    for turn in range(60):
        damaged = bytearray(data)
        for _ in range(draw.choice((1, 1, 20, 400))):
            damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        (broken / "events.jsonl").write_bytes(damaged)
        survives(broken, turn)


def paths(document: object, depth: int = 0) -> Iterator[tuple[Any, ...]]:
    """The way to each field of a document, two elements of an array."""
    items = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document[:2])
        if isinstance(document, list)
        else ()
    )
    for key, value in items:
        yield (key,)
        if depth < 4:
            for rest in paths(value, depth + 1):
                yield (key, *rest)


def changed(document: dict[str, Any], path: tuple[Any, ...], value: object) -> dict[str, Any]:
    made: Any = copy.deepcopy(document)
    at = made
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    found: dict[str, Any] = made
    return found


def kinds(lines: list[dict[str, Any]]) -> list[int]:
    """The first line of each kind of event, the header among them."""
    seen: dict[tuple[object, ...], int] = {}
    for i, line in enumerate(lines[:-1]):
        seen.setdefault((line.get("event"), line.get("state"), line.get("when"), line.get("host")), i)
    return list(seen.values())


@pytest.mark.parametrize("turn", range(4))
def test_any_field_may_be_anything(turn: int, run: Path, broken: Path) -> None:
    """A quarter of all fields each, one wrong value each."""
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    draw = random.Random(turn)
    every = [(i, path) for i in kinds(lines) for path in paths(lines[i])]
    assert len(every) > 400
    for step, (i, path) in enumerate(every[turn::4]):
        out = [*lines[:i], changed(lines[i], path, draw.choice(WRONG)), *lines[i + 1 :]]
        (broken / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in out))
        survives(broken, step)


def test_any_field_of_the_manifest_may_be_anything(run: Path, broken: Path) -> None:
    (broken / "events.jsonl").write_bytes((run / "events.jsonl").read_bytes())
    manifest = json.loads((run / "manifest.json").read_text())
    draw = random.Random(5)
    every = list(paths(manifest))
    for turn, path in enumerate(draw.sample(every, min(80, len(every)))):
        (broken / "manifest.json").write_text(json.dumps(changed(manifest, path, draw.choice(WRONG))))
        assert survives(broken, turn)


@pytest.mark.parametrize("seed", range(6))
def test_a_report_of_what_is_left(seed: int, run: Path, broken: Path) -> None:
    """A tenth of the lines gone, and a field in each of three others wrong."""
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    draw = random.Random(seed)
    head, rest = lines[:2], [line for line in lines[2:] if draw.random() < 0.9]
    for _ in range(3):
        i = draw.randrange(len(rest))
        rest[i] = changed(rest[i], draw.choice(list(paths(rest[i]))), draw.choice(WRONG))
    (broken / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (*head, *rest)))
    assert "</html>" in html(load([str(broken)]))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "its first line is not the header"),
        (b"PK\x03\x04" * 50, "its first line is not the header"),
        (b'{"header": 1, "file": "agent", "version": 1}\n', "its first line is not the header"),
        (
            b'{"header": 1, "file": "events", "version": 99, "run": "r"}\n',
            "is of version 99; this analysis reads version 1",
        ),
        (b'{"header": 1, "file": "events", "version": 1, "run": "r"}\n', "ends before its plan was recorded"),
        (b"[" * 100_000, "its first line is not the header"),
    ],
    ids=["empty", "png", "zip", "an agent's log", "another schema", "no plan", "deeply nested"],
)
def test_what_is_not_ours_is_one_sentence(content: bytes, sentence: str, broken: Path) -> None:
    (broken / "events.jsonl").write_bytes(content)
    with pytest.raises(Unreadable, match=sentence):
        load([str(broken)])


def test_a_directory_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").mkdir()
    with pytest.raises(Unreadable, match="cannot be read: Is a directory"):
        load([str(tmp_path)])
    with pytest.raises(Unreadable, match=r"has no events\.jsonl"):
        load([str(tmp_path / "nowhere")])


def test_the_others_are_still_analysed(run: Path, broken: Path) -> None:
    (broken / "events.jsonl").write_bytes(b"nonsense")
    dataset = load([str(broken), str(run)])
    assert len(dataset.runs) == 1
    assert any("its first line is not the header" in note for note in dataset.notes)
    assert "its first line is not the header" in html(dataset)


def test_trials_that_were_measured_again_are_read_once(run: Path, broken: Path) -> None:
    """The second part repeats trial 2: what the first had of it is void, and a trailer between the parts is no end."""
    for name in ("manifest.json", "plan.yml"):
        (broken / name).write_bytes((run / name).read_bytes())
    header, *lines, trailer = (run / "events.jsonl").read_text().splitlines(keepends=True)
    ends = max(at for at, line in enumerate(lines) if json.loads(line)["trial"] == 2)
    own = [line for line in lines[: ends + 1] if json.loads(line)["trial"] == 2]
    cut = [line for line in own if '"state":"ended"' not in line.replace(" ", "")][: len(own) // 2]
    before = [line for line in lines[: ends + 1] if line not in own]
    resumed = {"event": "resumed", "again": [2], "utc": "x", "host": "controller", "trial": None, "at": 1}
    parts = [header, *before, *cut, trailer, json.dumps(resumed) + "\n", *own, *lines[ends + 1 :]]
    (broken / "events.jsonl").write_text("".join(parts))
    assert not bool(ingest(str(broken)).runs["is_whole"].iloc[0]), "the trailer of the first part ended the second"
    count = len(parts) - 2
    (broken / "events.jsonl").write_text("".join([*parts, f'{{"trailer":1,"lines":{count},"t":1}}\n']))
    whole, resumed_run = ingest(str(run)), ingest(str(broken))
    assert bool(resumed_run.runs["is_whole"].iloc[0]) and not resumed_run.notes
    for table in ("trials", "seconds", "intervals", "generators"):
        first, second = (getattr(one, table).reset_index(drop=True) for one in (whole, resumed_run))
        assert first.equals(second), table
