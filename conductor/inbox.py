"""Everything that happens to the conductor arrives in one queue, read by one thread; where two trials run side by side,
each has a queue and a thread of its own."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

LONGEST_LINE = 1 << 20
STDERR_LINES_PER_S = 1000
MOST_BYTES, BYTES_PER_S = 64 << 20, 1 << 20
"""So much may a stream say at once, and so much more each second; an agent of ours says a few KB. The measured server
can write to its agent's pipes, and what comes is kept in memory and on the disk."""


@dataclass(frozen=True)
class Tag:
    """Which agent something came from: a late line of one trial's agent is never taken for the next one's."""

    host: str
    trial: int


@dataclass(frozen=True)
class Line:
    """One line of an agent, stamped in the controller's clock by the thread that read it."""

    tag: Tag
    stream: str
    at_ns: int
    text: str


@dataclass(frozen=True)
class StreamEnd:
    tag: Tag
    stream: str
    why: str = "its agent ended on its own"


@dataclass(frozen=True)
class Interrupt:
    """A signal, or the death of the owner. It may be put from a signal handler: SimpleQueue allows that."""

    why: str


@dataclass
class Task:
    """A piece of blocking work in a thread of its own; at its end it is put into the inbox, and wakes who waits for it.

    `result` or `error` is there once `over` is true.
    """

    host: str
    over: bool = False
    result: Any = None
    error: Exception | None = None


Item = Line | StreamEnd | Interrupt | Task
Inbox = SimpleQueue[Item]


def in_background(inbox: Inbox, host: str, work: Callable[[], object]) -> Task:
    """Do blocking work in a thread of its own, so that one slow host does not hold up the others."""
    task = Task(host)

    def run() -> None:
        try:
            task.result = work()
        except Exception as error:
            task.error = error
        task.over = True
        inbox.put(task)

    threading.Thread(target=run, name=f"task-{host}", daemon=True).start()
    return task


def drain_in_background(inbox: Inbox, tag: Tag, stream: str, read: Callable[[int], bytes]) -> None:
    """Read a stream to its end in a thread of its own: a stream that nobody reads would stall the agent.

    Of stderr so many lines a second are kept and the rest counted: a flood must not fill memory and disk. A stream that
    says far too much is taken as ended, and read on without being kept.
    """
    second = passed = dropped = 0

    def pass_on(at_ns: int, line: bytes) -> None:
        nonlocal second, passed, dropped
        if at_ns // 1_000_000_000 != second:
            second, passed = at_ns // 1_000_000_000, 0
        passed += 1
        if stream == "stderr" and passed > STDERR_LINES_PER_S:
            dropped += 1
            return
        tell_dropped(at_ns)
        inbox.put(Line(tag, stream, at_ns, line.decode(errors="replace")))

    def tell_dropped(at_ns: int) -> None:
        nonlocal dropped
        if dropped:
            inbox.put(Line(tag, stream, at_ns, f"({dropped} lines of stderr not kept)"))
            dropped = 0

    def some() -> bytes:
        try:
            return read(65536)
        except (OSError, EOFError, ValueError):
            return b""

    def run() -> None:
        rest, said, began = b"", 0, time.monotonic()
        while True:
            data = some()
            said += len(data)
            if said > MOST_BYTES + BYTES_PER_S * (time.monotonic() - began):
                tell_dropped(time.monotonic_ns())
                inbox.put(StreamEnd(tag, stream, f"its agent says too much: {said >> 20} MiB on {stream}"))
                while some():
                    pass
                return
            at_ns = time.monotonic_ns()
            *lines, rest = (rest + data).split(b"\n")
            if rest and not data:
                lines.append(rest)
            if len(rest) > LONGEST_LINE:
                lines, rest = [*lines, rest[:200] + b" (a line too long)"], b""
            for line in lines:
                pass_on(at_ns, line)
            if not data:
                tell_dropped(at_ns)
                inbox.put(StreamEnd(tag, stream))
                return

    threading.Thread(target=run, name=f"{stream}-{tag.host}", daemon=True).start()
