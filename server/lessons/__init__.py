"""Lessons: the classic mistakes of servers with many connections, each alone in a server that is otherwise correct.

A module states, and docs/lessons.md is made from it:

- the docstring: its first line is the mistake, the rest is why it is one;
- `SEEN`: what its users see in production;
- `FAILS`: the clauses of the conformance suite that it fails, and it fails no other;
- `MEND` and `RIGHT`: how it is mended, and the strategy that does so;
- `Lesson`: the server of `correct`, but for the few lines around the mistake.
"""

from __future__ import annotations

NAMES = (  # in the order of docs/lessons.md
    "read_once_per_edge",
    "one_accept_per_edge",
    "forgotten_rest",
    "sendall",
    "unbounded_buffer",
    "always_writable",
    "half_close_as_close",
    "fatal_reset",
    "stale_event",
    "emfile_spin",
)


def refusal(name: str) -> str:
    """Why a lesson cannot be where a strategy is asked for: one sentence."""
    return (
        f"`{name}` is a lesson, a server with a mistake, and belongs in no ranking: a server that fails a clause has "
        f"no speed worth knowing; `python -m server check --lesson {name}` shows which it fails."
    )
