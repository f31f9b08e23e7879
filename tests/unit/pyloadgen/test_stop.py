"""What must end does so, and what is over is forgotten."""

import gc
import json
import mmap
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pyloadgen import asyncio_client
from pyloadgen.blocking import Walker
from pyloadgen.books import SECOND, Interval
from pyloadgen.generator import Addresses
from pyloadgen.record import Recorder, Request
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


@pytest.mark.parametrize(("name", "make"), [("threads", Threads), ("asyncio", asyncio_client.Client)])
def test_a_churn_ends_before_all_connections_have_come(target: str, name: str, make: type) -> None:
    seen: list[Interval] = []
    only = {"generator": name, "workload": "churn", "connect_rate": 0.5 / PATIENCE_S, "duration": 1, "warmup": 0}
    one = generator(make, target, seen, requests=None, **only)
    assert len(outcome(lambda: one.go(time.monotonic_ns() + 300_000_000))) == 1
    assert sum(interval.counts["answered"] for interval in seen) > 0
    one.close()
