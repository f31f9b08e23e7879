"""Every strategy on the wire: no byte lost or altered, whatever the client does."""

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server import catalog, slots
from tests.unit.server.harness import Served, alive, echoes, eventually, read_exactly, read_to_end, reset, serving

# The servers in C have tests of their own (tests/unit/reference).
# Those that serve a few clients at a time, and keep the others waiting, have tests of their own.
STRATEGIES = tuple(
    name
    for name, one in catalog.load().items()
    if not one.is_program and (one.loop != "blocking" or one.distribution in ("per_process", "per_thread"))
)
DEALT = ("queue", "sendfd")  # distributions that deal to each worker in turn
MIB = 1 << 20


@pytest.fixture(scope="module", params=STRATEGIES)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests of a strategy that leave it as it was."""
    with serving(request.param, tmp_path_factory.mktemp(request.param)) as running:
        yield running
        assert running.process.poll() is None


@pytest.fixture
def served(shared: Served) -> Served:
    """The shared server, once it has noticed that the test before closed its connections."""
    shared.holds("open", 0)
    return shared


@pytest.fixture(params=STRATEGIES)
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", [1, 32, 16_384, 16_385, MIB])
def test_the_same_bytes_come_back(served: Served, size: int) -> None:
    data = noise(size)
    with served.connect() as sock:
        sender = threading.Thread(target=sock.sendall, args=[data])
        sender.start()
        assert read_exactly(sock, size) == data
        sender.join()


def test_a_byte_at_a_time(served: Served) -> None:
    with served.connect() as sock:
        for byte in noise(200):
            assert echoes(sock, bytes([byte]))


def test_merged_and_split_records(served: Served) -> None:
    data = noise(64 * 100)
    with served.connect() as sock:
        sock.sendall(data)
        assert read_exactly(sock, len(data)) == data
        for at in range(0, len(data), 640):
            sock.sendall(data[at : at + 17])
            time.sleep(0.001)
            sock.sendall(data[at + 17 : at + 640])
        assert read_exactly(sock, len(data)) == data


def test_a_peer_that_does_not_read_is_not_read_from(served: Served) -> None:
    """The memory stays bounded, and when the peer reads at last it gets everything."""
    piece, sent = noise(MIB), bytearray()
    with served.connect(receive_buffer=4096) as slow, served.connect() as other:
        served.holds("open", 2)
        before = served.rss_bytes()  # with the processes of these two, where each has one
        slow.settimeout(0.3)
        with pytest.raises(TimeoutError):
            while len(sent) < 64 * MIB:
                sent += piece[: slow.send(piece)]
        assert len(sent) < 64 * MIB
        assert served.rss_bytes() - before < 8 * MIB
        begin = served.cpu_s()
        assert echoes(other, b"not held up")
        time.sleep(0.3)
        assert served.cpu_s() - begin < 0.15, "it spins on a peer that does not read"
        slow.settimeout(10)
        # What send() reported is what was queued, in pieces that each begin where `piece` does.
        assert read_exactly(slow, len(sent)) == bytes(sent)
        assert echoes(slow, b"and goes on")


def test_half_close_is_answered_in_full(served: Served) -> None:
    data = noise(3 * MIB)
    with served.connect(receive_buffer=4096) as sock:

        def send_and_shut() -> None:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send_and_shut)
        sender.start()
        time.sleep(0.1)
        assert read_to_end(sock) == data
        sender.join()
    with served.connect() as sock:
        sock.shutdown(socket.SHUT_WR)
        assert read_to_end(sock) == b""


@pytest.mark.parametrize("state", ["silent", "idle", "unread", "blocked", "half-closed"])
def test_reset_in_each_state(served: Served, state: str) -> None:
    closed = served.total("closed")
    for _ in range(5):
        sock = served.connect(receive_buffer=4096)
        if state != "silent":
            assert echoes(sock)
        if state in ("unread", "half-closed"):
            sock.sendall(noise(1000))
        if state == "half-closed":
            sock.shutdown(socket.SHUT_WR)
        if state == "blocked":
            sock.settimeout(0.05)
            with pytest.raises(TimeoutError):
                sock.sendall(bytes(16 * MIB))
        reset(sock)
    eventually(lambda: served.total("closed") >= closed + 5, "resets noticed")
    with served.connect() as sock:
        assert echoes(sock)


def test_connect_and_say_nothing(served: Served) -> None:
    silent = [served.connect() for _ in range(20)]
    served.holds("open", 20)
    with served.connect() as sock:
        assert echoes(sock)
    for sock in silent:
        sock.close()
    served.holds("open", 0)


def test_a_burst_of_connections_is_taken_in_whole(served: Served) -> None:
    burst = [served.connect() for _ in range(300)]
    served.holds("open", 300)
    for number, sock in enumerate(burst):
        sock.sendall(number.to_bytes(4, "big"))
    assert all(read_exactly(sock, 4) == number.to_bytes(4, "big") for number, sock in enumerate(burst))
    for sock in burst:
        sock.close()
    served.holds("open", 0)


def test_nothing_is_left_after_many_connections(served: Served) -> None:
    """Twice 200: what the first round leaves for good (caches, a helper thread), the second does not add to."""
    left = []
    for _ in range(2):
        for _ in range(200):
            with served.connect() as sock:
                assert echoes(sock)
        served.holds("open", 0)
        left.append((served.descriptors(), len(served.pids())))
    assert left[0] == left[1]


def test_an_idle_server_uses_no_cpu(served: Served) -> None:
    with served.connect() as sock:
        assert echoes(sock)
        begin = served.cpu_s()
        time.sleep(0.3)
        assert served.cpu_s() - begin <= 0.02


def test_the_counters_are_right(strategy: str, tmp_path: Path) -> None:
    with serving(strategy, tmp_path) as served:
        socks = [served.connect() for _ in range(10)]
        assert all(echoes(sock, b"x" * 100) for sock in socks)
        for sock in socks[:4]:
            sock.close()
        served.holds("closed", 4)
        served.holds("bytes_out", 1000)
        expected = {"accepted": 10, "open": 6, "closed": 4, "bytes_in": 1000, "bytes_out": 1000, "limit_code": 0}
        assert {name: served.total(name) for name in expected} == expected
        assert 6 <= served.total("peak") <= 10
        assert {slot["pid"] for slot in served.stats.slots()} <= served.pids()
        if catalog.find(strategy).distribution in DEALT:
            assert all(slot["accepted"] == 10 // served.workers for slot in served.stats.slots()), "spread evenly"
        for sock in socks[4:]:
            sock.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_within_a_second(strategy: str, tmp_path: Path, number: int) -> None:
    with serving(strategy, tmp_path) as served:
        socks = [served.connect() for _ in range(100)]
        socks[0].settimeout(0.1)
        with pytest.raises(TimeoutError):
            socks[0].sendall(bytes(16 * MIB))
        pids, begin = served.pids(), time.monotonic()
        os.kill(served.process.pid, number)
        assert served.process.wait(timeout=5) == 0
        assert time.monotonic() - begin < 1
        eventually(lambda: not any(map(alive, pids)), "no process left")
        assert len((tmp_path / "log").read_text().splitlines()) == 1, "it ends quietly"
        for sock in socks:
            sock.close()


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "fork_per_connection"])  # has one each
def test_out_of_descriptors(strategy: str, tmp_path: Path) -> None:
    """It goes on serving those it holds, closes the rest at once, does not spin, and takes new ones when it can."""
    with serving(strategy, tmp_path, descriptors=100) as served:
        socks = [served.connect() for _ in range(300)]
        served.holds("accepted", 300)
        held = served.total("open")
        assert 300 > held > 60
        assert {code for slot in served.stats.slots() if (code := slot["limit_code"])} == {slots.DESCRIPTORS}
        begin = served.cpu_s()
        kept = []
        for sock in socks:
            try:
                if echoes(sock):
                    kept.append(sock)
            except (AssertionError, ConnectionError):
                sock.close()
        assert len(kept) == held
        time.sleep(0.3)
        assert served.cpu_s() - begin < 0.3
        for sock in kept[: held // 2]:
            sock.close()
        eventually(lambda: served.total("open") == held - held // 2, "closed ones noticed")
        again = [served.connect() for _ in range(10)]
        assert all(echoes(sock) for sock in again + kept[held // 2 :])
        for sock in again + kept:
            sock.close()


def test_select_meets_its_own_limit(tmp_path: Path) -> None:
    with serving("select", tmp_path) as served:
        socks = [served.connect() for _ in range(1100)]
        served.holds("accepted", 1100)
        held = served.total("open")
        assert 1000 < held < 1024
        assert served.total("limit_code") == slots.FD_SETSIZE
        assert all(echoes(sock) for sock in socks[:held])
        assert all(read_to_end(sock) == b"" for sock in socks[held:])
        for sock in socks:
            sock.close()


def test_the_server_ends_when_a_worker_does(tmp_path: Path) -> None:
    with serving("workers", tmp_path) as served:
        os.kill(served.stats.slots()[0]["pid"], signal.SIGKILL)
        assert served.process.wait(timeout=5) == 1
        assert "ended on its own" in (tmp_path / "log").read_text()


def test_workers_do_not_outlive_the_acceptor(tmp_path: Path) -> None:
    with serving("workers", tmp_path) as served:
        pids = served.pids()
        assert len(pids) == 3
        served.process.kill()
        served.process.wait()
        eventually(lambda: not any(map(alive, pids)), "no process left")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_several_ports(strategy: str, tmp_path: Path) -> None:
    """All ports accept, in a burst as one by one, and no connection of any is left in a queue."""
    with serving(strategy, tmp_path, ports=3) as server:
        one_by_one = [server.connect(number=number) for number in (2, 0, 1, 2)]
        assert all(echoes(sock, bytes([number])) for number, sock in enumerate(one_by_one))
        burst = [server.connect(number=i % 3) for i in range(300)]
        for i, sock in enumerate(burst):
            sock.sendall(b"%d" % i)
        assert all(read_exactly(sock, len(b"%d" % i)) == b"%d" % i for i, sock in enumerate(burst))
        server.holds("open", 304)
        for sock in (*one_by_one, *burst):
            sock.close()
        server.holds("open", 0)
        # Nothing comes any more, so nothing may wake it.
        before = server.cpu_s()
        time.sleep(0.3)
        assert server.cpu_s() - before < 0.1
