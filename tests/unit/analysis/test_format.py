"""Numbers as a person reads them."""

import math

import pytest

from analysis import format as show

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (12.3456, 0, "12.3"), (0.123456, 0, "0.123"), (12345.6, 0, "12,300"), (0, 0, "0"), (999.6, 0, "1,000"),
        # The spread's first digit is the last one shown; where it is 1, the next one too.
        (12.3456, 0.3, "12.3"), (12.3456, 4, "12"), (12.3456, 1.2, "12.3"), (12.3456, 80, "12"), (9.996, 0.0, "10.0"),
        (NAN, 0, "–"), (INF, 0, "> timeout"), (-2.345, 0, "-2.35"),
    ],
)  # fmt: skip
def test_number(value: float, spread: float, text: str) -> None:
    assert show.number(value, spread) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (150, "150 ns"), (999.7, "1.00 µs"), (312_400, "312 µs"), (999_960, "1.00 ms"), (1_240_000, "1.24 ms"),
        (2.305e9, "2.31 s"), (60e9, "60.0 s"), (INF, "> timeout"), (NAN, "–"), (0, "0 ns"),
    ],
)  # fmt: skip
def test_time(nanoseconds: float, text: str) -> None:
    assert show.time(nanoseconds) == text


def test_span() -> None:
    assert show.span(950_000, 1_240_000, 1e6) == "0.95–1.24"
    assert show.span(310_000, INF, 1e3) == "310–> timeout"
    assert show.span(9940, 10012, digits=4) == "9,940–10,010"
    assert show.span(5, 5) == show.span(NAN, NAN) == ""


def test_nothing_foreign_reaches_the_terminal() -> None:
    assert show.visible("\x1b[2Jé\u202e\x9b\ud800\n<b>") == "\\u001b[2Jé\\u202e\\u009b\\ud800\\u000a<b>"


def test_columns_are_dropped_until_the_rest_fits() -> None:
    wide = [
        show.Column("a", ["x" * 60], left=True),
        show.Column("b", ["y" * 40], drop=1),
        show.Column("c", ["z" * 30], drop=2),
    ]
    kept, dropped = show.fit(wide, 104)
    assert [[column.heading for column in part] for part in (kept, dropped)] == [["a", "b"], ["c"]]
    assert [len(line) for line in show.table(kept, 80)] == [80, 80, 80]
    assert show.table([show.Column("n\nof 9", ["1"]), show.Column("a", ["b"], left=True)]) == [
        "   n", "of 9  a", "────  ─", "   1  b",
    ]  # fmt: skip
    assert show.table([show.Column("n", ["1", "10"])]) == [" n", "──", " 1", "10"]
