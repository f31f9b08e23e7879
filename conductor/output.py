"""What the conductor says to people. Nobody listening is no reason to stop: the results are in files."""

import contextlib
import os
import sys
from typing import TextIO

from contracts.visible import sayable


def say(text: str, stream: TextIO = sys.stdout) -> None:
    """Straight to the descriptor: no buffer is left that could fail again when the interpreter ends."""
    with contextlib.suppress(OSError):
        os.write(stream.fileno(), (sayable(text) + "\n").encode(errors="replace"))


def complain(text: str) -> None:
    say(text, sys.stderr)
