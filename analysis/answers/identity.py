"""What each strategy looks like, in every chart and every report the same: colour and shape, never colour alone."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache

from server.catalog import Strategy, load

# Each has a contrast of 3.6 or more both on white and on the dark page, and they differ for colour-blind eyes too in
# lightness or by their shape.
COLOURS = ("#2f7fd6", "#d06a00", "#1f9158", "#c2478f", "#8a63d2", "#0f8f9c", "#d8463b", "#85851a", "#a0693f", "#6f8199")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


@dataclass(frozen=True)
class Identity:
    """`is_reference`: not written in Python, there to compare with."""

    colour: str
    shape: str
    is_reference: bool


@cache
def catalog() -> dict[str, Strategy]:
    """The catalogue of strategies."""
    return load()


@cache
def identity(strategy: str) -> Identity:
    """By the place in the catalogue; of an unknown name by the name itself, so that it too is always the same."""
    entries = catalog()
    known = strategy in entries
    place = list(entries).index(strategy) if known else zlib.crc32(strategy.encode("utf-8", "replace"))
    return Identity(
        colour=COLOURS[place % len(COLOURS)],
        # Two of one colour differ in shape: the colours come round before the shapes do.
        shape=SHAPES[(place + place // len(COLOURS)) % len(SHAPES)],
        is_reference=known and entries[strategy].is_program,
    )
