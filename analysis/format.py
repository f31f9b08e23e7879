"""Numbers and tables as text: digits follow the uncertainty, columns line up, nothing foreign reaches the terminal."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.visible import visible as visible

MOST_FACTOR = 100  # of a difference that is told
NOTHING = "–"
BEYOND = "> timeout"
WIDTH = 120
TIME_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))


def decimals(value: float, spread: float = 0.0, least: int = 2, most: int = 3) -> int:
    """Decimal places that a value deserves: to the first digit of its spread, `least` to `most` digits in all.

    Negative places round to tens and hundreds. A spread whose first digit is 1 is worth another digit.
    """
    if value == 0 or not math.isfinite(value):
        return 0
    magnitude = math.floor(math.log10(abs(value)))
    digits = most
    if spread > 0 and math.isfinite(spread):
        place = math.floor(math.log10(spread))
        place -= spread / 10**place < 2
        digits = min(most, max(least, magnitude - place + 1))
    places = digits - 1 - magnitude
    # 9.996 rounds to 10.0, which has one digit more before the point.
    if round(abs(value), places) >= 10 ** (magnitude + 1):
        places -= 1
    return places


def number(value: float, spread: float = 0.0, most: int = 3, least: int = 2) -> str:
    """A plain number with thousands separators."""
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return BEYOND
    places = decimals(value, spread, least, most)
    return f"{round(value, places):,.{max(0, places)}f}"


def count(value: float) -> str:
    """A whole number, every digit of it."""
    return NOTHING if math.isnan(value) else f"{value:,.0f}"


def difference(value: float) -> str:
    """A share in percent, or the factor where it is more than twice; no more of it than anybody would look for."""
    if math.isinf(value):
        return "none"
    if value >= MOST_FACTOR:
        return f"a factor of more than {MOST_FACTOR}"
    return f"{number(100 * value, most=2)} %" if value < 1 else f"a factor of {number(1 + value, most=2)}"


def fraction(text: str) -> float:
    """3% and 0.03 are one; nan where the text is neither."""
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return math.nan


def unit_of(nanoseconds: float) -> tuple[float, str]:
    """The unit in which a time reads best, after rounding: 999.96 µs is 1.00 ms."""
    if nanoseconds > 0 and math.isfinite(nanoseconds):
        nanoseconds = round(nanoseconds, decimals(nanoseconds))
    return next((unit for unit in TIME_UNITS if nanoseconds >= unit[0]), TIME_UNITS[-1])


def time(nanoseconds: float, spread: float = 0.0, most: int = 3) -> str:
    """A duration with its unit."""
    if math.isnan(nanoseconds) or math.isinf(nanoseconds):
        return number(nanoseconds)
    size, unit = unit_of(nanoseconds)
    return f"{number(nanoseconds / size, spread / size, most)} {unit}"


def span(least: float, most: float, size: float = 1.0, digits: int = 3) -> str:
    """`least–most` in units of `size`, both to the digits of their half distance; nothing where they are one."""
    if math.isnan(least) or math.isnan(most) or least == most:
        return ""
    spread = (most - least) / 2 / size if math.isfinite(most) else 0.0
    texts = [number(value / size, spread, digits) for value in (least, most)]
    return "" if texts[0] == texts[1] else "–".join(texts)


@dataclass(frozen=True)
class Column:
    """One column: its heading (lines), a text per row, and how early it is dropped from a table too wide (0: never)."""

    heading: str
    texts: Sequence[str]
    left: bool = False
    drop: int = 0

    @property
    def width(self) -> int:
        return max(len(text) for text in (*self.heading.split("\n"), *self.texts))


def width_of(columns: Sequence[Column]) -> int:
    """Of a table of these columns."""
    return sum(column.width + 2 for column in columns) - 2


def fit(columns: Sequence[Column], width: int = WIDTH) -> tuple[list[Column], list[Column]]:
    """The columns that fit, and those left out: the highest `drop` goes first."""
    kept, dropped = list(columns), []
    while width_of(kept) > width and any(column.drop for column in kept):
        worst = max(kept, key=lambda column: column.drop)
        kept.remove(worst)
        dropped.append(worst)
    return kept, dropped


def table(columns: Sequence[Column], width: int = WIDTH) -> list[str]:
    """The lines of a table, a rule under its headings; what is still too wide ends in an ellipsis."""
    headings = [column.heading.split("\n") for column in columns]
    height = max(len(heading) for heading in headings)
    rows = [list(row) for row in zip(*([""] * (height - len(h)) + h for h in headings), strict=True)]
    rows.append(["─" * column.width for column in columns])
    rows += [list(row) for row in zip(*(column.texts for column in columns), strict=True)]
    lines = []
    for row in rows:
        cells = [
            text.ljust(column.width) if column.left else text.rjust(column.width)
            for text, column in zip(row, columns, strict=True)
        ]
        line = "  ".join(cells).rstrip()
        lines.append(line if len(line) <= width else line[: width - 1] + "…")
    return lines
