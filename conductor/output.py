"""What the conductor says to people. Nobody listening is no reason to stop: the results are in files."""

import contextlib
import os
import sys


def say(text: str) -> None:
    _write(sys.stdout.fileno(), text)


def complain(text: str) -> None:
    _write(sys.stderr.fileno(), text)


def _write(descriptor: int, text: str) -> None:
    """Straight to the descriptor: no buffer is left that could fail again when the interpreter ends."""
    with contextlib.suppress(OSError):
        os.write(descriptor, (text + "\n").encode(errors="replace"))
