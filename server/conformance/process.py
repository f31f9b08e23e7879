"""The clauses about the server as processes: descriptors, signals, what is left behind, and what it counts."""

from __future__ import annotations

import random
import resource
import signal
import time
from contextlib import suppress

from server.conformance.client import Client, Failed, exchange_all
from server.conformance.subject import Subject, alive, scheduled_ns

DESCRIPTORS = 100  # for each process: enough for an interpreter to start
QUIET_S = 1.0
SETTLE_S, FIRST_SETTLE_S = 3.0, 0.5
END_S = 1.0
COUNT_S = 5.0


def descriptors(subject: Subject) -> None:
    """Out of descriptors the server goes on serving the connections it holds, does not spin, and recovers."""
    own = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - DESCRIPTORS
    count = min(own, DESCRIPTORS * len(subject.family()) + DESCRIPTORS // 2)
    room = sum(one.room for one in subject.listeners())
    clients: list[Client] = []
    while len(clients) < count and subject.waiting() < room:
        clients.append(subject.client())
    for client in clients:
        with suppress(Failed):  # closed already
            client.push(64)
    held = answered(subject, clients)
    if not held:
        raise Failed(f"of {count} connections it serves none when it is out of descriptors")
    if not subject.idles():
        raise Failed(f"it spins when it is out of descriptors: it holds {len(held)} connections, and {count} came")
    for client in held:
        client.exchange(64)
    closed = [client for client in clients if not client.alive()]
    if closed and subject.keeps_stats and not subject.stats.limits():
        raise Failed(f"it closed {len(closed)} connections, and shows no limit_code")
    random.Random(len(held)).shuffle(held)  # the workers may have taken them in turn, and each is to lose some
    kept = held[: len(held) // 2]
    for client in {*clients} - {*kept}:
        client.close()
    recovers(subject, min(10, max(1, len(kept))))
    exchange_all(kept)


def recovers(subject: Subject, count: int) -> None:
    """New connections must be served once the server has noticed that others ended."""
    deadline = time.monotonic() + subject.patience_s
    while True:
        again = [subject.client() for _ in range(count)]
        try:
            return exchange_all(again)
        except Failed as failed:
            if time.monotonic() > deadline:
                raise Failed(
                    f"{subject.patience_s:g} s after half of its connections ended, of new ones {failed}"
                ) from None
        for client in again:
            client.close()
        time.sleep(0.02)


def answered(subject: Subject, clients: list[Client]) -> list[Client]:
    """Those that got their answer, when nothing more is to be expected; the rest are closed, or wait."""
    deadline = time.monotonic() + subject.patience_s
    open_ones, changed = list(clients), time.monotonic()
    while open_ones and time.monotonic() < min(deadline, changed + QUIET_S):
        left = [client for client in open_ones if client.alive() and client.received < client.sent]
        if len(left) < len(open_ones):
            changed = time.monotonic()
        open_ones = left
        time.sleep(0.005)
    return [client for client in clients if client.received and client.alive()]


def sigterm(subject: Subject) -> None:
    """SIGTERM ends all its processes within a second, with connections open and one blocked."""
    subject.slow_client()
    for _ in range(20):
        subject.client()
    ends_on_sigterm(subject)


def sigterm_idle(subject: Subject) -> None:
    """SIGTERM ends it as soon with nobody connected, and not as a mistake: with status 0, or by the signal itself."""
    ends_on_sigterm(subject)
    code = subject.process.wait(subject.patience_s)
    if code not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):  # the last is what a shell or a JVM makes of it
        raise Failed(f"SIGTERM with nobody connected ended it with status {code}{subject.last_words()}")


def ends_on_sigterm(subject: Subject) -> None:
    pids, begin, before = subject.pids(), time.monotonic(), subject.scheduled_ns()[1]
    waited = 0.0  # for a CPU: that is the machine's doing
    subject.process.send_signal(signal.SIGTERM)
    while left := [pid for pid in pids if alive(pid)]:
        waited = max(waited, (sum(scheduled_ns(pid)[1] for pid in pids) - before) / 1e9)
        if time.monotonic() - begin - waited > END_S:
            raise Failed(f"{len(left)} of {len(pids)} processes ran on {END_S:g} s after SIGTERM")
        time.sleep(0.005)


def leaks(subject: Subject) -> None:
    """However connections end, they leave no descriptor, child or zombie behind."""
    kept = left_behind(subject)
    for patience_s in (FIRST_SETTLE_S, SETTLE_S):
        before = kept
        for number in range(subject.connections):
            client = subject.client()
            client.exchange(64)
            end_somehow(client, number)
        kept = settled(subject, before, patience_s)
    if any(now > then for now, then in zip(kept, before)):
        raise Failed(
            f"after {subject.connections} connections it had {before[0]} descriptors and {before[1]} processes "
            f"(zombies included), after as many again {kept[0]} and {kept[1]}"
        )


def end_somehow(client: Client, number: int) -> None:
    """End a connection in one of the ways there are."""
    if number % 3 == 0:
        client.shut()
        client.read_to_end()
    if number % 3 == 1:
        client.reset()
    else:
        client.close()


def left_behind(subject: Subject) -> tuple[int, int]:
    """Its descriptors and its processes, zombies included."""
    return subject.descriptors(), len(subject.family())


def settled(subject: Subject, goal: tuple[int, int], within_s: float) -> tuple[int, int]:
    """The least that was left behind, once it is no more than `goal` or the time is over."""
    deadline, least = time.monotonic() + within_s, left_behind(subject)
    while (least[0] > goal[0] or least[1] > goal[1]) and time.monotonic() < deadline:
        client = subject.client()  # some look after what has ended only when there is news
        client.exchange(1)
        client.close()
        time.sleep(0.02)
        now = left_behind(subject)
        least = (min(least[0], now[0]), min(least[1], now[1]))
    return least


def counters(subject: Subject) -> None:
    """The workers' statistics slots are right."""
    total = 0
    for at_once in (10, 1, 1) if subject.holds_many else (1, 1):
        held = [subject.client() for _ in range(at_once)]
        exchange_all(held, 100)
        expect(subject, accepted=total + at_once, open=at_once, closed=total)
        if not total:
            expect(subject, peak=at_once)
        for client in held:
            client.close()
        total += at_once
        expect(subject, accepted=total, open=0, closed=total, bytes_in=100 * total, bytes_out=100 * total)
    expect(subject, limit_code=0)
    strangers = {slot["pid"] for slot in subject.stats.slots()} - subject.pids()
    if strangers:
        raise Failed(f"pid names {sorted(strangers)}, which is no process of this server")


def expect(subject: Subject, **values: int) -> None:
    """Wait until the sums over the workers are these."""
    deadline = time.monotonic() + min(COUNT_S, subject.patience_s)
    while wrong := [name for name, value in values.items() if subject.total(name) != value]:
        if time.monotonic() > deadline:
            name = wrong[0]
            raise Failed(f"{name} is {subject.total(name)} over all workers, and should be {values[name]}")
        time.sleep(0.005)
