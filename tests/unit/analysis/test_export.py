"""Tables in the formats of other tools: what is in them, and that nothing in them is executed."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

from analysis import histograms
from analysis.__main__ import main
from analysis.export import files, hgrm, markdown, schema
from analysis.model import TABLES
from analysis.spreadsheet import csv_text
from tests.unit.analysis.build import MS, RUN, trial, whole, write
from tests.unit.analysis.chart_data import dataset_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A trial of two clients: each answers 250 a second, each request in 1 ms."""
    one = trial(1)
    return write(tmp_path / "run", [one], whole(one))


def counts(values_ns: dict[int, int]) -> histograms.Counts:
    """So many of each value at its slot: the first whose highest value is not below it."""
    found = histograms.empty()
    for value, times in values_ns.items():
        found[int(np.searchsorted(histograms.values_ns(), value))] += times
    return found


def rows_of(text: str) -> list[list[float]]:
    """As HdrHistogram's plotter reads a file: lines of numbers that are no comment; its heading is none either."""
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [[float(word) for word in words] for words in lines[1:]]


def test_hgrm_by_hand() -> None:
    # A slot is 512 ns wide at 1 ms and 1,024 ns at 2 ms: the highest values are 1,000,447 and 2,000,895 ns,
    # the middles 1,000,192 and 2,000,384. Three of the one and one of the other: mean 1,250,240 ns, deviation
    # 250,048 × √3 = 433,096 ns.
    text = hgrm.text(counts({1 * MS: 3, 2 * MS: 1}))
    assert rows_of(text) == [[1.000447, 0.75, 3, 4.0], [2.000895, 1.0, 4]]
    assert text.splitlines()[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    told = [line.replace(" ", "") for line in text.splitlines() if line.startswith("#")]
    assert told == [
        "#[Mean=1.250240,StdDeviation=0.433096]",
        "#[Max=2.000895,Totalcount=4]",
        "#[Buckets=20,SubBuckets=2048]",
    ]


def test_hgrm_counts_what_was_never_answered_among_the_planned() -> None:
    text = hgrm.text(counts({1 * MS: 3, 2 * MS: 1}), absent=1)
    assert rows_of(text) == [[1.000447, 0.6, 3, 2.5], [2.000895, 0.8, 4, 5.0]]
    assert text.endswith("#[Never answered = 1, of 5 planned]\n")


def test_hgrm_of_nothing() -> None:
    assert rows_of(hgrm.text(histograms.empty())) == []


def test_hgrm_of_a_run_merges_its_clients(run: Path, tmp_path: Path) -> None:
    # Two clients answer 250 a second, each in 1 ms, in the two seconds of the window: 1,000 together.
    assert main(["export", str(run), "--format", "hgrm", "-o", str(tmp_path / "out")]) == 0
    found = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in found] == [f"{RUN}-001-epoll-response.hgrm"]
    assert rows_of(found[0].read_text()) == [[1.000447, 1.0, 1000]]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", ".hidden", "a b", "ü", "\udc80", "x" * 300])
def test_a_hostile_name_stays_a_name_in_its_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / hgrm.plain(name)
    assert path.parent == tmp_path and not path.name.startswith(".") and len(path.name) < 100
    assert hgrm.plain(name) != hgrm.plain(name + "!")


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]


def test_csv_has_no_formula_and_no_control_character() -> None:
    table = pd.DataFrame({"text": pd.Series(FORMULAS, dtype="string"), "number": [-1.0, math.inf, math.nan, 1, 2, 3]})
    told = list(csv.reader(csv_text(table).splitlines()))
    assert told[0] == ["text", "number"]
    assert [row[0] for row in told[1:]] == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\\u0009=1", "'\\u000d=1"]
    assert [row[1] for row in told[1:]] == ["-1.0", "inf", "", "1.0", "2.0", "3.0"]


def test_csv_of_categories_is_as_safe_and_keeps_what_is_missing() -> None:
    table = pd.DataFrame({"host": pd.Series(["=1", None, "client1", "=1"], dtype="category")})
    assert csv_text(table) == "host\n'=1\n\"\"\nclient1\n'=1\n"


def test_json_is_what_the_published_schema_says(run: Path, tmp_path: Path) -> None:
    assert main(["export", str(run), "--format", "json", "-o", str(tmp_path / "out")]) == 0
    published = json.loads(schema.json_schema())
    for name in TABLES:
        document = json.loads((tmp_path / "out" / f"{name}.json").read_text())
        Draft202012Validator(published | {"oneOf": [{"$ref": f"#/$defs/{name}"}]}).validate(document)
    trials = json.loads((tmp_path / "out" / "trials.json").read_text())["rows"]
    # 1,000 answers in 2 s; each cost 40 µs, a quarter of it in user mode.
    assert (trials[0]["requests_per_s"], trials[0]["cpu_us_per_request"]) == (500, pytest.approx(40))
    assert trials[0]["server_command"] is None


def test_json_says_infinity_and_nothing_without_breaking_json() -> None:
    table = pd.DataFrame({"a": [math.inf, math.nan, -math.inf, 1.5], "b": pd.array([1, None, 3, 4], dtype="Int64")})
    told = files.records(table)
    assert told == [{"a": "inf", "b": 1}, {"a": None, "b": None}, {"a": "-inf", "b": 3}, {"a": 1.5, "b": 4}]
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_parquet_has_the_meanings_beside_the_columns(run: Path, tmp_path: Path) -> None:
    assert main(["export", str(run), "--format", "parquet", "--table", "trials", "-o", str(tmp_path / "out")]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["trials.parquet"]
    found = pq.read_schema(tmp_path / "out" / "trials.parquet")
    assert found.field("go_ns").metadata == {b"kind": b"int", b"meaning": b"on the controller's clock"}


def test_markdown_has_no_markup_of_a_file() -> None:
    hostile = "a|b<script>alert(1)</script>[x](http://y)"
    metrics = {"metric": "p99", "n": 3, "quality": "solid"}
    data = dataset_of(
        [f"{hostile} is missing"],
        runs=[{"run": hostile}],
        trials=[{"run": hostile, "trial": 1, "cell": "c1", "strategy": hostile, "outcome": "ok", "control": False}],
        estimates=[{"run": hostile, "cell": "c1", "value": 2e6, "low": 1.9e6, "high": 2.1e6} | metrics],
        contrasts=[{"run": hostile, "cell": "c1", "baseline": "c1", "metric": "p99", "verdict": "not comparable",
                    "why": hostile}],
    )  # fmt: skip
    told = markdown.text(data)
    assert all(sign not in told.replace("<code>", "").replace("</code>", "") for sign in ("<", "](", "script>"))
    row = next(line for line in told.splitlines() if "2.00 ms" in line)
    assert row.count("|") == 7 and "1.90 ms to 2.10 ms" in row and "| 3 | solid |" in row


def test_markdown_of_contrasts() -> None:
    figures = {"ratio": 1.1, "low": 1.05, "high": 1.15, "family_low": 1.02, "family_high": 1.18, "p_holm": 0.012}
    told = {"metric": "p99", "n": 10, "verdict": "worse"}
    data = dataset_of(
        runs=[{"run": "r"}],
        trials=[
            {"run": "r", "trial": i, "cell": f"c{i}", "strategy": name, "outcome": "ok", "control": False}
            for i, name in enumerate(("epoll", "poll"), start=1)
        ],
        contrasts=[{"run": "r", "cell": "c2", "baseline": "c1"} | figures | told],
    )
    assert (
        "| <code>poll</code> | <code>epoll</code> | p99 | 1.100 | 1.020 to 1.180 | 0.012 | 10 | worse |"
        in markdown.text(data).splitlines()
    )


def test_all_tables_by_default_beside_the_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run)]) == 0
    assert {path.name for path in (run / "export").iterdir()} == {f"{name}.csv" for name in TABLES}
    assert capsys.readouterr().out.startswith(f"{run / 'export'}: {len(TABLES)} .csv files\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["RUN", "--table", "trails"], "there is no table trails; there is runs, trials,"),
        (["RUN", "--format", "md", "--table", "trials"], "--table is of csv, parquet and json; md says"),
        (["RUN", "-o", "FILE/x"], "cannot be written: Not a directory. Give another place with -o."),
        (["RUN", "--format", "md", "-o", "FILE/x"], "cannot be written: Not a directory."),
        (["RUN", "--format", "hgrm", "-o", "FILE/x"], "cannot be written: Not a directory."),
        ([], "export needs a run"),
    ],
)
def test_one_sentence_for_what_a_user_can_get_wrong(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    given = [text.replace("RUN", str(run)).replace("FILE", str(file)) for text in arguments]
    assert main(["export", *given]) == 2
    told = capsys.readouterr().err
    assert sentence in told and len(told.splitlines()) == 1


def test_the_page_is_up_to_date() -> None:
    """Make it again with `python -m analysis export --schema md`."""
    assert (ROOT / "docs" / "dataset.md").read_text() == schema.page()
