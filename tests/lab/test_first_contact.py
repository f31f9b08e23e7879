"""A newcomer's first minutes, with all that may be odd about his machine at once: an ordinary user, a blank and an
umlaut in the path, LC_ALL=C, a Go that is too old, another directory. tests/bench/first_contact.py has each apart."""

import pytest

from tests.first_contact import CELLS, TABLE, attempt

WORDS = ("strategy=poll", "connections=1000", "rate=500", "repetitions=1", "duration=1", "calibrate=false")


@pytest.mark.lab  # it asks for root, to be somebody else
def test_everything_odd_at_once() -> None:
    seen = attempt(CELLS[-1], [part for word in WORDS for part in ("-e", word)])
    assert seen.status == 0, seen.said
    assert TABLE in seen.said and "Traceback" not in seen.said, seen.said
    assert "reserved name" not in seen.said and "deprecated" not in seen.said.lower(), seen.said
