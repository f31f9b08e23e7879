"""What the catalogue says of the kernel, of Python and of packages, each shown by itself: no server of ours takes part."""

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from server.linux import processes
from tests.unit.server.harness import eventually


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
