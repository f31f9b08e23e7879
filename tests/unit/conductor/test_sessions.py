"""The way to an agent: another account's, and a stream that says too much."""

import itertools
import shlex
from queue import SimpleQueue

import pytest

from conductor import inbox
from conductor.inbox import Inbox, Item, StreamEnd, Tag, drain_in_background
from conductor.sessions import as_account, command_line

TAG = Tag("server", 1)


def test_the_agent_of_an_account_is_the_same_command_through_sudo() -> None:
    argv, cwd = ["/usr/bin/python3", "-m", "server", "agent", "--spec", '{"a": "it\'s $(id) `id`"}'], "/srv/a b/app"
    assert as_account(None, argv, cwd) == (argv, cwd)
    words, where = as_account("bench", argv, cwd)
    assert where == "/"
    outer = shlex.split(command_line(words, where))
    assert outer[outer.index("exec") + 1 : -1] == ["sudo", "-n", "-u", "bench", "--", "/bin/sh", "-c"]
    inner = shlex.split(outer[-1])
    assert inner[inner.index("cd") + 1] == cwd
    assert inner[inner.index("exec") + 1 :] == argv


def heard(chunks: list[bytes], stream: str) -> list[Item]:
    items: Inbox = SimpleQueue()
    pieces = itertools.chain(chunks, itertools.repeat(b""))
    drain_in_background(items, TAG, stream, lambda _size: next(pieces))
    found = [items.get(timeout=10)]
    while not isinstance(found[-1], StreamEnd):
        found.append(items.get(timeout=10))
    return found


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_that_says_too_much_is_not_kept(stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The measured server can write to the pipes of its agent: what it says stays in no memory and on no disk."""
    monkeypatch.setattr(inbox, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(inbox, "BYTES_PER_S", 0)
    end = heard([b"x" * 65_536 + b"\n"] * 64, stream)[-1]
    assert isinstance(end, StreamEnd) and "says too much" in end.why


def test_of_a_flood_on_stderr_the_rest_is_counted_to_the_end() -> None:
    """All in one read, so in one second: the last that was not kept is told too, though nothing follows."""
    *lines, end = heard([b"x\n" * 1500], "stderr")
    assert len(lines) == 1001 and "(500 lines of stderr not kept)" in str(lines[-1]) and end == StreamEnd(TAG, "stderr")


def test_a_long_run_may_say_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MOST_BYTES", 0)
    monkeypatch.setattr(inbox, "BYTES_PER_S", 1 << 50)
    *lines, end = heard([b"a\n", b"b\n"], "stdout")
    assert len(lines) == 2 and end == StreamEnd(TAG, "stdout")
