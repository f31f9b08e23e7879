"""The clauses about one connection's bytes, and about clients that are slow, silent or rude."""

from __future__ import annotations

from contextlib import suppress

from server.conformance.client import Failed, exchange_all
from server.conformance.subject import Subject, eventually

MIB = 1 << 20
SLOW_BYTES = 64 * MIB  # more than the kernel ever keeps for one connection
MEMORY_BYTES = 16 * MIB
OTHERS = 8  # enough that each of a few workers has one
STALL_S = 3.0
MUTE = 20


def exact_bytes(subject: Subject) -> None:
    """Records of 1 byte to 64 KiB come back, and no byte is lost, altered or added."""
    client = subject.client()
    for size in (1, 32, 1000, 16_384, 16_385, 65_537, 1):  # the last one meets what came too much before
        client.exchange(size)


def split_and_merged(subject: Subject) -> None:
    """Records that arrive in pieces come back, and so do many that arrive at once."""
    client = subject.client()
    for size in (17, 47, 64, 1, 127, 640, 33):  # each answer is awaited, so that the server meets just these pieces
        client.exchange(size)
    for size in [64] * 100 + [37, 91] * 50:
        client.push(size)
    client.exchange()


def byte_at_a_time(subject: Subject) -> None:
    """Bytes that come one by one are answered one by one (hostile kind byte_writer)."""
    client = subject.client()
    for _ in range(200):
        client.exchange(1)


def one_mebibyte(subject: Subject) -> None:
    """A client that writes a mebibyte before it reads gets all of it back."""
    client = subject.client()
    subject.fill(client, MIB)
    client.exchange(MIB - client.sent)
    client.exchange(1)


def slow_reader(subject: Subject) -> None:
    """The server stops reading from a client that does not read: memory stays bounded, no CPU is used, and all is
    answered later (hostile kind slow_read).
    """
    client = subject.client(slow=True)
    client.exchange(1)
    before = subject.rss_bytes()
    blocked = subject.fill(client, SLOW_BYTES)
    grown = subject.rss_bytes() - before
    if grown > MEMORY_BYTES:
        raise Failed(
            f"it read {client.sent >> 20} MiB of a client that reads nothing, and its memory grew by {grown >> 20} MiB"
        )
    if not blocked:
        raise Failed(f"it read {client.sent >> 20} MiB of a client that reads nothing, and would go on")
    if not subject.idles():
        raise Failed("it spins while it waits for a client to read")
    client.exchange(MIB)
    client.exchange(1)


def half_close(subject: Subject) -> None:
    """A client that shuts its writing side gets all its answers, then the end (hostile kind half_close)."""
    silent = subject.client()
    silent.shut()
    silent.read_to_end()
    small = subject.client()
    small.exchange(1)
    with subject.frozen():  # data and its end meet the server at the same time
        small.push(50_000)
        small.shut()
    small.read_to_end()
    large = subject.slow_client()
    large.shut()
    large.read_to_end()


def reset(subject: Subject) -> None:
    """A reset in any state, or of many connections in the same turn, harms nobody else (hostile kind reset)."""
    for state in ("silent", "idle", "unread", "half-closed", "blocked"):
        client = subject.slow_client() if state == "blocked" else subject.client()
        if state not in ("silent", "blocked"):
            client.exchange(64)
        if state in ("unread", "half-closed"):
            client.push(1000)
        if state == "half-closed":
            client.shut()
        client.reset()
        still_serves(subject, f"a connection that was {state} was reset")
    many = [subject.client() for _ in range(40)] if subject.holds_many else []
    exchange_all(many)
    with subject.frozen():  # so that the resets, and what the others write, are events of the same turn
        for client in many:
            client.push(500)
        for client in many[::2]:
            client.reset()
    try:
        exchange_all(many[1::2])
    except Failed as failed:
        raise Failed(
            f"when every second one of {len(many)} connections was reset at once, of another {failed}"
        ) from None
    still_serves(subject, "many connections were reset at once")


def still_serves(subject: Subject, after: str) -> None:
    client = subject.client()
    try:
        client.exchange(64)
    except Failed as failed:
        raise Failed(f"after {after}, of a new one {failed}") from None
    client.close()


def mute(subject: Subject) -> None:
    """Silent connections are held, cost no CPU, and keep nobody waiting (hostile kind mute)."""
    silent = [subject.client() for _ in range(MUTE)]
    other = subject.client()
    other.exchange(64)
    if not subject.idles():
        raise Failed(f"it uses the CPU while {MUTE} connections say nothing")
    exchange_all(silent)
    other.exchange(64)


def no_stall(subject: Subject) -> None:
    """A connection that takes no answers, or sent half a record, holds no other up."""
    others = [subject.client() for _ in range(OTHERS)]
    exchange_all(others)
    slow, half = subject.slow_client(), subject.client()
    half.push(10)
    others += [subject.client() for _ in range(OTHERS)]
    try:
        exchange_all(others, within_s=STALL_S)
    except Failed as failed:
        what = "while one connection takes no answers and another has sent half a record"
        raise Failed(f"{what}, of a third one {failed}") from None
    with suppress(Failed):
        slow.exchange()


def accept_queue(subject: Subject) -> None:
    """A burst that its accept queue has room for is taken in whole, whatever it was doing (hostile kind storm)."""
    listeners = subject.listeners()
    room = sum(one.room for one in listeners) // (1 if len(listeners) == 1 else 2)  # a hash deals unevenly
    count = max(1, min(subject.connections, room))
    with subject.frozen():
        burst = [subject.client(paced=False) for _ in range(count)]
        for client in burst:
            client.push(64)
    for number, client in enumerate(burst, 1):
        try:
            client.exchange()
        except Failed as failed:
            raise Failed(f"of number {number} of {count} connections that came at once, {failed}") from None
        client.close()
    eventually(lambda: subject.waiting() == 0, "the accept queue empty", subject.patience_s)
