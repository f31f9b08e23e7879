"""The one error that a command of analysis reports."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Unreadable(Exception):
    """An input cannot be read or used; the text is the one sentence that a user reads."""


@contextmanager
def writing(path: Path, remedy: str = "") -> Iterator[None]:
    """What goes wrong in writing there, as a sentence, and what to do."""
    try:
        yield
    except OSError as error:
        raise Unreadable(f"{path} cannot be written: {error.strerror or error}.{remedy}") from error
