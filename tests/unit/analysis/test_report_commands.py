"""`python -m analysis report` and `plot`: files whole or not at all, errors in one sentence."""

import json
import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from analysis.__main__ import main
from analysis.charts import theme
from tests.unit.analysis.build import trial, whole, write


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trials = [trial(n, "epoll" if n % 2 else "poll", block=(n + 1) // 2, cell=f"c{n % 2}") for n in range(1, 7)]
    events = [event for one in trials for event in whole(one, cpu=1.0 if one["n"] % 2 else 2.0 + one["n"] / 10)]
    return write(tmp_path_factory.mktemp("results") / "run", trials, events)


def test_the_report_is_in_the_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run)]) == 0
    path = run / "report.html"
    assert capsys.readouterr().out == f"report: {path}\n"
    assert path.read_text().startswith("<!doctype html>")
    assert path.stat().st_mode & 0o777 == 0o644
    assert not list(run.glob(".report-*"))


def test_the_report_elsewhere_and_of_the_log_alone(run: Path, tmp_path: Path) -> None:
    assert main(["report", str(run / "events.jsonl"), "-o", str(tmp_path / "mine.html")]) == 0
    assert "</html>" in (tmp_path / "mine.html").read_text()


def test_another_baseline(run: Path, tmp_path: Path) -> None:
    assert main(["report", str(run), "--baseline", "poll", "-o", str(tmp_path / "r.html")]) == 0
    assert "as many requests per CPU second as poll" in (tmp_path / "r.html").read_text()


def test_where_nobody_may_write(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run), "-o", str(tmp_path / "nowhere" / "r.html")]) == 2
    assert "cannot be written: No such file or directory." in capsys.readouterr().err


def test_the_figures_are_listed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", str(run), "--list"]) == 0
    listed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert {"glance", "spectrum", "cost", "effects"} <= set(listed)
    assert "knee" not in listed
    assert listed["glance"] == "At a glance"


@pytest.mark.parametrize(
    ("ending", "begin"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("json", b"{"), ("csv", b"label,")]
)
def test_every_format(run: Path, tmp_path: Path, ending: str, begin: bytes) -> None:
    path = tmp_path / f"cost.{ending}"
    assert main(["plot", str(run), "--figure", "cost", "-o", str(path)]) == 0
    assert path.read_bytes().startswith(begin)


def test_dark_and_light_differ_in_ink_only(run: Path, tmp_path: Path) -> None:
    for name, more in (("light", []), ("dark", ["--dark"])):
        assert main(["plot", str(run), "--figure", "cost", "-o", str(tmp_path / f"{name}.json"), *more]) == 0
    light, dark = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("light", "dark"))
    assert light["datasets"] == dark["datasets"]
    assert light["config"] != dark["config"]


def test_a_picture_is_well_formed_and_stands_alone(run: Path, tmp_path: Path) -> None:
    assert main(["plot", str(run), "--figure", "effects", "-o", str(tmp_path / "e.svg")]) == 0
    text = (tmp_path / "e.svg").read_text()
    # A picture of our own, so no XML of a stranger.
    ElementTree.fromstring(text)  # nosec B314
    assert "href" not in text.replace("xmlns:xlink", "")


def test_plot_says_where_it_writes(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", str(run), "--figure", "cost", "-o", str(tmp_path / "c.svg")]) == 0
    assert capsys.readouterr().out == f"cost: {tmp_path / 'c.svg'}\n"


def test_a_picture_without_a_place_goes_to_the_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plot", str(run), "--figure", "cost"]) == 0
    assert capsys.readouterr().out == f"cost: {run / 'export' / 'cost.svg'}\n"
    assert (run / "export" / "cost.svg").read_bytes().startswith(b"<svg") and not list(tmp_path.iterdir())
    (run / "export" / "cost.svg").unlink()


def test_an_unknown_chart_is_said_before_the_run_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.commands.plot.load", None)
    for arguments in (["--figure", "nope"], ["-o", "x.svg"], ["--figure", "cost", "-o", "x.gif"]):
        assert main(["plot", "nowhere", *arguments]) == 2


@pytest.mark.parametrize(("more", "ground"), [([], b"\xff\xff\xff\xff"), (["--dark"], b"\x15\x18\x1d\xff")])
def test_a_png_is_opaque(run: Path, tmp_path: Path, more: list[str], ground: bytes) -> None:
    assert main(["plot", str(run), "--figure", "cost", "-o", str(tmp_path / "c.png"), *more]) == 0
    data = (tmp_path / "c.png").read_bytes()
    packed, at = b"", 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        packed += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    assert zlib.decompress(packed)[1:5] == ground  # of the first pixel no filter takes anything away


def test_a_slide_has_its_title_and_what_was_left_out() -> None:
    document = theme.slide({"mark": "bar"}, "Cost", ["It costs.", " Left out: select (FD_SETSIZE)."])
    assert document["title"]["text"] == "Cost"
    assert document["title"]["subtitle"] == ["It costs.", "Left out: select (FD_SETSIZE)."]
    assert document["background"] == "#ffffff"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--figure", "pie"], "there is no chart pie; there is glance"),
        (["--figure", "knee"], "there is no data for a chart knee here; there is glance"),
        (["-o", "x.svg"], "plot writes one chart: say which with --figure NAME, of glance"),
        (["--figure", "cost", "-o", "cost.gif"], "a chart is written as svg, png, pdf, json or csv, not as gif"),
        (["--figure", "glance", "-o", "g.svg"], "glance is a table: write it as csv"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    run: Path,
    arguments: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plot", str(run), *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
