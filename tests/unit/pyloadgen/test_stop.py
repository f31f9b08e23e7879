"""What must end does so, and what is over is forgotten."""

import gc
import json
import mmap
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pyloadgen import asyncio_client
from pyloadgen.blocking import Channel, Walker
from pyloadgen.books import SECOND, Interval
from pyloadgen.generator import Addresses
from pyloadgen.pool import Pool
from pyloadgen.record import PROVE, Recorder, Request
from pyloadgen.spec import parse
from pyloadgen.threads import Threads

VECTOR = json.loads((Path(__file__).parents[2] / "contract/vectors/loadgen-spec.json").read_text())
PATIENCE_S = 30


@pytest.fixture(name="target")
def _target() -> Iterator[str]:
    """An echo server."""

    def echo(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            while data := sock.recv(1 << 16):
                sock.sendall(data)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def generator(make: type, target: str, seen: list[Interval], **load: Any) -> Any:
    """The only process of a generator."""
    some = {**VECTOR["load"], "connections": 2, "active": 2, "connect_rate": None, "hostile": None, **load}
    spec = parse(json.dumps({**VECTOR, "targets": [target], "sources": [], "first_connection": 0, "load": some}))
    recorder = Recorder(spec.run_number, spec.payload_bytes, spec.seed)
    return make(spec, 0, 1, recorder, Addresses(spec), mmap.mmap(-1, 1), seen.append)


def outcome(deed: Callable[[], object]) -> list[object]:
    """What a deed that must end returns or raises."""
    said: list[object] = []

    def work() -> None:
        try:
            said.append(deed())
        except Exception as error:
            said.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    return said


def test_a_failed_thread_fails_its_process(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = generator(Threads, target, [], generator="threads")
    wrong = RuntimeError("a defect")

    def arm(walker: Walker, *_: int) -> None:
        if walker is threads._walkers[1]:
            raise wrong

    monkeypatch.setattr(Walker, "arm", arm)
    assert outcome(lambda: threads.arm(2, 0)) == [wrong]
    threads.close()


def test_a_stop_is_heard_while_a_paced_connection_waits(target: str) -> None:
    # Both the thread of the active connection and the one that holds the idle ones wait for their turns.
    threads = generator(Threads, target, [], generator="threads", active=1)
    threading.Timer(0.5, lambda: threads.flag.write_byte(1)).start()
    start = time.monotonic_ns() + 2 * PATIENCE_S * SECOND
    assert outcome(lambda: threads.arm(2, start)["connected"]) == [0]
    threads.close()


def test_a_reply_that_comes_twice_does_not_shift_the_next() -> None:
    pool = generator(Pool, "127.0.0.1:1", [], generator="pool", workload="open", connections=1, active=1)
    channel, (channel.sock, server) = Channel(pool, 0), socket.socketpair()
    size = pool.spec.payload_bytes

    def echo() -> bytes:
        record = server.recv(size, socket.MSG_WAITALL)
        server.sendall(record)
        return record

    for again in (True, False):
        request = Request(time.monotonic_ns())
        with ThreadPoolExecutor() as executor:
            record = executor.submit(echo)
            channel.exchange(PROVE, request, request.intended + PATIENCE_S * SECOND)
            if again:
                server.sendall(record.result())
        assert request.right
    assert {name: count for name, count in pool.books.integrity.items() if count} == {"duplicated": 1, "surplus": size}
    channel.close()
    server.close()


def test_requests_of_a_churn_are_forgotten_when_they_are_settled(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio_client, "TICK_S", 0.001)
    seen: list[Interval] = []
    client = generator(
        asyncio_client.Client, target, seen, generator="asyncio", workload="churn", requests=500, warmup=0
    )
    alive: list[int] = []
    take = client.books.take_quota

    def take_quota() -> bool:
        more = bool(take())
        if not more:
            alive.append(sum(isinstance(one, Request) for one in gc.get_objects()))
        return more

    client.books.take_quota = take_quota
    assert len(outcome(lambda: client.go(time.monotonic_ns() + 300_000_000))) == 1
    assert sum(interval.counts["answered"] for interval in seen) == 500
    assert alive[0] < 250
    client.close()


def test_a_second_waits_for_the_turns_that_a_late_loop_has_not_come_to(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Interval] = []
    client = generator(
        asyncio_client.Client,
        target,
        seen,
        generator="asyncio",
        workload="closed",
        think_time=1.9,
        duration=2,
        warmup=0,
    )
    assert client.arm(2, 0)["verified"] == 2
    at = time.monotonic_ns() + 500_000_000
    give_up = client._give_up

    def late(**what: bool) -> None:  # from before the second connection's first turn to the second after it
        if at + 600_000_000 < time.monotonic_ns() < at + SECOND:
            time.sleep((at + 1_100_000_000 - time.monotonic_ns()) / 1e9)
        give_up(**what)

    monkeypatch.setattr(client, "_give_up", late)
    assert len(outcome(lambda: client.go(at))) == 1
    assert [(interval.k, interval.counts["planned"]) for interval in seen][:1] == [(0, 2)]
    assert sorted(interval.k for interval in seen) == [0, 1]
    client.close()


@pytest.mark.parametrize(("name", "make"), [("threads", Threads), ("asyncio", asyncio_client.Client)])
def test_a_churn_ends_before_all_connections_have_come(target: str, name: str, make: type) -> None:
    seen: list[Interval] = []
    only = {"generator": name, "workload": "churn", "connect_rate": 0.5 / PATIENCE_S, "duration": 1, "warmup": 0}
    one = generator(make, target, seen, requests=None, **only)
    assert len(outcome(lambda: one.go(time.monotonic_ns() + 300_000_000))) == 1
    assert sum(interval.counts["answered"] for interval in seen) > 0
    one.close()
