"""`python -m analysis check` as a person and as a build see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.__main__ import main
from analysis.checks.explain import explain
from tests.unit.analysis.build import Document, encode, ended, trial, whole, write

MS = 1_000_000


def results(folder: Path, lag: dict[int, int] | None = None, **fields: Any) -> Path:
    """Six blocks of epoll against itself; `fields` are of the result of the first trial, `lag` of its client1."""
    planned = [trial(n, block=(n + 1) // 2, control=n % 2 == 0) for n in range(1, 13)]
    events: list[Document] = []
    for one in planned:
        events += whole(one, **(fields if one["n"] == 1 else {}))
    for event in events:
        if lag and (event["event"], event["host"], event["trial"]) == ("done", "client1", 1):
            event["lag"] = encode(lag)
    write(folder, planned, events)
    (folder / "manifest.json").write_text(json.dumps({"schema": 1}))
    return folder


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["check", *map(str, arguments)])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_a_clean_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = call(capsys, results(tmp_path / "r"), "--strict")
    assert status == 0 and err == ""
    # A second of 500 requests has 10 beyond its p99 and nothing to say of the p99.9; nobody calibrated.
    assert "0 invalid, 0 warn, 2 info" in out.splitlines()[0]
    assert out.splitlines()[-1] == "Cells that no finding doubts (1 of 1): epoll."


def test_a_warning_is_an_error_only_if_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = results(tmp_path / "r", lag={30_000: 980, 12 * MS: 20})
    status, out, _ = call(capsys, path)
    assert status == 0
    lines = [line.strip() for line in out.splitlines()]
    assert "warn     LG1   A client sent late" in lines
    assert "what      client1 sent one request in a hundred more than 12.0 ms late." in lines
    assert "where     epoll · trial 1 · client1" in lines
    assert "evidence  trial 1, lag p99 ms 12.0" in lines
    assert any(line.startswith("matters   Response counts") for line in lines)
    assert any(line.startswith("remedy    Lower the rate") for line in lines)
    assert lines[-1] == "Cells that no finding doubts (0 of 1): none."
    assert call(capsys, path, "--strict")[0] == 1


def test_an_invalid_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = trial(1)
    path = write(tmp_path / "r", [planned], [*whole(planned)[:-1], ended(planned, "crashed", reason="signal 11")])
    status, out, _ = call(capsys, path)
    assert status == 3
    assert out.index("invalid  DT7") < out.index("warn     DS1")
    assert "what      epoll crashed: signal 11." in out and "where     struck: epoll · trial 1" in out


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, results(tmp_path / "r", outcome="crashed", reason="signal 11"), "--json")
    document = json.loads(out)
    assert status == 0  # one of six repetitions
    first = document["findings"][0]
    assert (first["check"], first["trials"], first["cells"], first["hosts"]) == ("DT7", [1], [], [])
    assert first["evidence"] == [{"trial": 1, "outcome": "crashed", "reason": "signal 11"}]
    assert document["clean"] == [] and document["left_out"] == []


def test_json_names_clean_cells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(call(capsys, results(tmp_path / "r"), "--json")[1])
    assert [one["label"] for one in document["clean"]] == ["epoll"]


def test_hostile_text_is_made_visible(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = results(tmp_path / "r", outcome="crashed", reason="\x1b[31mred\u202e<script>")
    _, out, _ = call(capsys, path)
    assert "\x1b" not in out and "\u202e" not in out and "\\u001b[31mred\\u202e<script>" in out


def test_what_was_left_out_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = results(tmp_path / "r")
    with (path / "events.jsonl").open("a") as file:
        file.write('{"event":')
    status, _, err = call(capsys, path, "--strict")
    assert status == 1 and "cut in mid-line" in err


@pytest.mark.parametrize("arguments", [["nowhere"], []])
def test_nothing_to_read(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    status, out, err = call(capsys, *arguments)
    assert status == 2 and out == "" and err.startswith("analysis: ") and "results/latest" in err


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "--explain")
    assert status == 0 and out == explain() and "### GN1" in out
