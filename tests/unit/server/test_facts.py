"""What the catalogue says of the kernel, of Python and of packages, each shown by itself, without a server of ours."""

import asyncio
import fcntl
import importlib
import multiprocessing
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from server.linux import processes, sockdiag
from tests.unit.server.harness import PATIENCE_S, eventually, python_for, read_to_end


@contextmanager
def forked(work: Callable[[], None]) -> Iterator[int]:
    """A child process that does this; gives its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def asleep(pid: int) -> bool:
    seen = processes.stat(pid)
    return seen is not None and seen.state == "S"


class Waiter:
    """A process that waits exclusively for newcomers, says which it is when it gets one, and can be nudged."""

    def __init__(self, index: int, listener: socket.socket, news: int) -> None:
        self.index, self.listener, self.news = index, listener, news
        self.nudges, self.nudge = os.pipe()

    def work(self) -> None:
        epoll = select.epoll()
        epoll.register(self.listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        epoll.register(self.nudges, select.EPOLLIN)
        os.write(self.news, b"r")
        while True:
            for fd, _ in epoll.poll():
                if fd == self.nudges:
                    os.read(fd, 1)
                    os.write(self.news, b"n")
                else:
                    self.listener.accept()[0].close()
                    os.write(self.news, b"%d" % self.index)


def test_exclusive_wakes_the_process_that_registered_first() -> None:
    """Of four that registered one after another and sleep, whichever went to sleep last."""
    heard, news = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        waiters = [Waiter(index, listener, news) for index in range(4)]
        served = []
        with ExitStack() as stack:
            pids = []
            for waiter in waiters:
                pids.append(stack.enter_context(forked(waiter.work)))
                assert os.read(heard, 1) == b"r", "it has registered"
            for last in (3, 2, 1, 0, 2, 3):
                os.write(waiters[last].nudge, b".")
                assert os.read(heard, 1) == b"n"
                eventually(lambda: all(map(asleep, pids)), "all asleep")
                socket.create_connection(listener.getsockname()).close()
                served.append(os.read(heard, 1))
    assert served == [b"0"] * 6


def test_a_closed_number_is_the_next_ones() -> None:
    first = os.open(os.devnull, os.O_RDONLY)
    os.close(first)
    with socket.socket() as second:
        assert second.fileno() == first


def test_only_with_the_one_shot_is_an_event_told_once() -> None:
    """To the two who ask, as two threads do; and armed again it is told again, though nothing came."""
    ours, theirs = socket.socketpair()
    theirs.send(b".")
    with ours, theirs, select.epoll() as epoll:
        epoll.register(ours, select.EPOLLIN)
        assert [len(epoll.poll(0)) for _ in range(2)] == [1, 1]
        epoll.modify(ours, select.EPOLLIN | select.EPOLLONESHOT)
        assert [len(epoll.poll(0)) for _ in range(2)] == [1, 0]
        epoll.modify(ours, select.EPOLLIN | select.EPOLLONESHOT)
        assert len(epoll.poll(0)) == 1


def test_an_epoll_made_before_a_fork_is_shared() -> None:
    """A process is told of a socket that only the other one has registered."""
    ours, theirs = socket.socketpair()
    heard, news = os.pipe()
    with ours, theirs, select.epoll() as epoll:

        def work() -> None:
            copy = os.dup(ours.fileno())  # a number that the parent does not have
            epoll.register(copy, select.EPOLLIN)
            os.write(news, b"%d" % copy)
            time.sleep(60)

        with forked(work):
            number = int(os.read(heard, 10))
            theirs.send(b".")
            assert epoll.poll(PATIENCE_S) == [(number, select.EPOLLIN)]
    os.close(heard)
    os.close(news)


def test_poll_walks_the_whole_list() -> None:
    """One socket of many is ready: a call of poll costs many times what it costs beside a few, of epoll not."""
    ours, theirs = socket.socketpair()
    theirs.send(b".")

    def cost_s(idle: int, kind: Callable[[], Any]) -> float:
        with ExitStack() as stack:
            poller = kind()
            poller.register(ours, select.POLLIN)
            for _ in range(idle):
                copy = os.dup(theirs.fileno())
                stack.callback(os.close, copy)
                poller.register(copy, select.POLLIN)
            took = []
            for _ in range(5):
                begin = time.thread_time()
                for _ in range(50):
                    assert len(poller.poll()) == 1
                took.append(time.thread_time() - begin)
            return min(took)

    assert cost_s(800, select.poll) > 5 * cost_s(4, select.poll)
    assert cost_s(800, select.epoll) < 5 * cost_s(4, select.epoll)
    ours.close()
    theirs.close()


def test_select_refuses_a_descriptor_of_1024() -> None:
    with socket.socket() as sock:
        high = fcntl.fcntl(sock, fcntl.F_DUPFD, 1024)
        try:
            with pytest.raises(ValueError, match="out of range"):
                select.select([high], [], [], 0)
        finally:
            os.close(high)


def test_modify_without_data_forgets_the_connection() -> None:
    with selectors.DefaultSelector() as selector, socket.socket() as sock:
        selector.register(sock, selectors.EVENT_READ, "the connection")
        assert selector.modify(sock, selectors.EVENT_WRITE).data is None
        assert isinstance(selector, selectors.EpollSelector)


def test_one_signal_stands_for_many_children() -> None:
    """In a process without other threads, for a signal goes to any that does not block it."""
    code = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
pids = [os.fork() or os._exit(0) for _ in range(5)]
for pid in pids: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
assert signal.sigtimedwait({signal.SIGCHLD}, 10) is not None
assert signal.sigtimedwait({signal.SIGCHLD}, 0) is None, "one for all five"
from server.linux import processes
assert [one.state for one in map(processes.stat, pids) if one] == ["Z"] * 5, "until each is asked for"
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_threads_that_add_lose_counts() -> None:
    """Where the interpreter may switch between the reading and the storing: here in a call of a function."""
    code = """
import sys, threading
sys.setswitchinterval(1e-6)
class Total: count = 0
def one(): return 1
def add():
    for _ in range(20_000): Total.count += one()
for _ in range(200):
    Total.count = 0
    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    if Total.count < 80_000: sys.exit(0)
sys.exit(1)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_threads_have_one_cpu_together_where_there_is_a_gil() -> None:
    code = """
import sys, threading, time
def work():
    end = time.monotonic() + 0.5
    while time.monotonic() < end: pass
threads = [threading.Thread(target=work) for _ in range(4)]
begin = time.monotonic()
for thread in threads: thread.start()
for thread in threads: thread.join()
print(time.process_time() / (time.monotonic() - begin))
"""
    used = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True).stdout
    assert float(used) < 1.2, "of a CPU"


def test_a_socket_cannot_be_handed_to_another_interpreter() -> None:
    """A number can, such as that of its descriptor."""
    code = """
import importlib, socket, sys
module = importlib.import_module("_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters")
with socket.socket() as sock:
    print(module.is_shareable(sock), module.is_shareable(sock.fileno()))
"""
    python = python_for("interpreter_per_core")
    said = subprocess.run([python, "-c", code], check=True, timeout=60, capture_output=True, text=True).stdout
    assert said == "False True\n"


def test_a_semaphore_stays_taken_when_its_holder_dies() -> None:
    lock = multiprocessing.get_context("fork").Lock()
    heard, news = os.pipe()

    def hold() -> None:
        lock.acquire()
        os.write(news, b".")
        time.sleep(60)

    with forked(hold):
        assert os.read(heard, 1) == b"."
    assert not lock.acquire(timeout=0.2)


def test_what_waits_for_one_of_those_that_share_a_port_is_lost_with_it() -> None:
    """The hash gives it clients though it takes none and the other has nothing to do; and they go with it."""
    first = socket.create_server(("127.0.0.1", 0), reuse_port=True)
    second = socket.create_server(first.getsockname(), reuse_port=True)
    first.setblocking(False)
    address = first.getsockname()
    clients = [socket.create_connection(address) for _ in range(64)]
    eventually(lambda: sum(one.waiting for one in sockdiag.listeners_for(*address)) == 64, "all in the queues")
    taken: dict[Any, socket.socket] = {}
    with suppress(BlockingIOError):
        while True:
            sock, client_address = first.accept()
            taken[client_address] = sock
    second.close()
    assert 0 < len(taken) < 64
    for client in clients:
        client.settimeout(PATIENCE_S)
        if client.getsockname() not in taken:
            with pytest.raises(ConnectionResetError):
                client.recv(1)
    for sock in (first, *taken.values(), *clients):
        sock.close()


def test_asyncio_asks_for_256_kib() -> None:
    assert asyncio.selector_events._SelectorTransport.max_size == 256 * 1024  # type: ignore[attr-defined]  # private


async def stuck_writer(sock: socket.socket) -> asyncio.StreamWriter:
    sock.setblocking(False)
    _, writer = await asyncio.open_connection(sock=sock)
    return writer


def test_without_drain_a_writer_keeps_everything() -> None:
    async def write() -> int:
        ours, theirs = socket.socketpair()
        writer = await stuck_writer(ours)
        for _ in range(1000):
            writer.write(bytes(16_384))
            await asyncio.sleep(0)
        kept: int = writer.transport.get_write_buffer_size()
        writer.transport.abort()
        theirs.close()
        return kept

    assert asyncio.run(write()) > 15_000_000


def test_a_transport_keeps_a_view() -> None:
    async def write() -> bytes:
        ours, theirs = socket.socketpair()
        writer = await stuck_writer(ours)
        while not writer.transport.get_write_buffer_size():
            writer.write(bytes(16_384))
        buffer = bytearray(b"a" * 16)
        writer.transport.write(memoryview(buffer))
        buffer[:] = b"b" * 16
        theirs.setblocking(False)
        data = b""
        while data[-16:-15] not in (b"a", b"b"):
            await asyncio.sleep(0)
            with suppress(BlockingIOError):
                data += theirs.recv(1 << 20)
        writer.transport.abort()
        theirs.close()
        return data[-16:]

    keeps_the_view = sys.version_info >= (3, 12)  # a copy before
    assert asyncio.run(write()) == (b"b" if keeps_the_view else b"a") * 16


def test_a_call_that_gevent_does_not_know_stops_all() -> None:
    gevent = pytest.importorskip("gevent")
    seen = []

    def other() -> None:
        while True:
            seen.append(time.monotonic())
            gevent.sleep(0.001)

    def sleeps(call: Callable[[float], None]) -> int:
        greenlet = gevent.spawn(other)
        gevent.sleep(0.01)
        before = len(seen)
        call(0.2)
        came = len(seen) - before
        greenlet.kill()
        return came

    assert sleeps(time.sleep) == 0
    assert sleeps(gevent.sleep) > 0


def test_an_error_in_one_task_of_a_nursery_cancels_the_others() -> None:
    trio = pytest.importorskip("trio")
    cancelled = []

    async def patient() -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            cancelled.append(1)
            raise

    async def wrong() -> None:
        await trio.sleep(0)
        raise KeyError

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(patient)
            nursery.start_soon(wrong)

    with suppress(Exception):
        trio.run(main)
    assert len(cancelled) == 3


def test_an_error_in_one_task_of_a_group_cancels_the_others() -> None:
    anyio = pytest.importorskip("anyio")
    cancelled = []

    async def patient() -> None:
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            cancelled.append(1)
            raise

    async def wrong() -> None:
        await anyio.sleep(0)
        raise KeyError

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(patient)
            group.start_soon(wrong)

    with suppress(Exception):
        anyio.run(main, backend="asyncio")
    assert len(cancelled) == 3


LARGE_BYTES = 64 << 20  # more than the kernel keeps for a connection


def ends() -> tuple[socket.socket, socket.socket]:
    """The two ends of a TCP connection; the first does not block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    return ours, theirs


def test_a_stream_of_tornado_closes_with_answers_unsent() -> None:
    iostream = pytest.importorskip("tornado.iostream")
    ours, theirs = ends()

    async def write_and_read() -> None:
        stream = iostream.IOStream(ours)
        writing = stream.write(bytes(LARGE_BYTES))
        theirs.shutdown(socket.SHUT_WR)
        for waiting in (stream.read_bytes(1), writing):
            with pytest.raises(iostream.StreamClosedError):
                await asyncio.wait_for(waiting, PATIENCE_S)

    asyncio.run(write_and_read())
    assert 0 < len(read_to_end(theirs)) < LARGE_BYTES
    theirs.close()


def test_twisted_closes_with_answers_unsent_unless_half_closed() -> None:
    """That it does not where it can be half closed, the clause half_close shows."""
    pytest.importorskip("twisted.internet")
    reactor = importlib.import_module("twisted.internet.epollreactor").EPollReactor()
    protocol = importlib.import_module("twisted.internet.protocol")

    class Whole(protocol.Protocol):  # type: ignore[misc, name-defined]
        def connectionMade(self) -> None:
            self.transport.write(bytes(LARGE_BYTES))

        def connectionLost(self, _reason: object) -> None:
            reactor.stop()

    ours, theirs = ends()
    reactor.adoptStreamConnection(ours.fileno(), socket.AF_INET, protocol.Factory.forProtocol(Whole))
    ours.close()
    theirs.shutdown(socket.SHUT_WR)
    reactor.callLater(PATIENCE_S, reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert len(read_to_end(theirs)) < LARGE_BYTES
    theirs.close()
