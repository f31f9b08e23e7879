"""The events of a file that still grows, each once and as soon as its line is whole."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from analysis.foreign import opened
from analysis.ingest.events import MOST_LINE_BYTES, MOST_PLAN_BYTES, Event, header_of, is_event, object_of
from analysis.unreadable import Unreadable


class Tail:
    """`path` is an events.jsonl, which need not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BufferedReader | None = None
        self._most = MOST_PLAN_BYTES  # of a line: the plan's, which comes first, grows with its trials
        self._is_too_long = False  # the line of which the end is still to come
        self._has_begun = False

    def news(self) -> Iterator[Event]:
        """The events since the last call. A line without an end is still being written, or was cut off: it waits. What
        is no event is left out, as the other commands do. Raises Unreadable where it is no events.jsonl of ours."""
        for line in self._lines():
            if not self._has_begun:
                header_of(self._path, line, is_cut=False)
                self._has_begun = True
                continue
            self._most = MOST_LINE_BYTES
            event = object_of(line)
            if event is not None and is_event(event):
                yield {"trial": None} | event

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _lines(self) -> Iterator[bytes]:
        try:
            if self._file is None:
                self._file = opened(self._path)
            while line := self._file.readline(self._most):
                is_whole = line.endswith(b"\n")
                if not is_whole and len(line) < self._most:
                    self._file.seek(-len(line), 1)
                    return
                if is_whole and not self._is_too_long:
                    yield line
                self._is_too_long = not is_whole
        except FileNotFoundError:
            return
        except OSError as error:
            raise Unreadable(f"{self._path} cannot be read: {error.strerror}.") from error
