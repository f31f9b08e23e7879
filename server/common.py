"""What all correct servers share: one connection's echo, taking in new connections, counting, and ending on a signal.

The rules that every loop keeps, because they are kept here:

- Send at once; wait for writability only after a short write.
- Read only while nothing waits to be sent. So at most one chunk is ever buffered, a peer that does not read is not read
  from, and the end of input is met only when all of it has been answered: a half-close needs no code of its own.
- Out of descriptors: give a spare one up, accept, close, take it back. The listener does not stay ready, and nothing
  spins.
"""

from __future__ import annotations

import atexit
import errno
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from server import slots

CHUNK_BYTES = 16_384  # larger reads cost page faults on every request, smaller ones more calls on large records
NO_MEMORY_PAUSE_S = 0.01
LOOK_S = 0.25  # how often Python looks for signals at least
PUBLISH_S = 0.1  # how often numbers of bytes are published by a loop that does not see its own turns

# What became of one step of a connection.
ECHOED = 0  # what was read has been sent
EMPTY = 1  # there is nothing to read
BLOCKED = 2  # the peer does not read: wait until it can be written to
FLUSHED = 3  # what waited has been sent: wait for input again
GONE = 4  # ended or broken: unregister, then close

STOPS = (signal.SIGTERM, signal.SIGINT)


class Stopped(BaseException):
    """SIGTERM or SIGINT came. Like KeyboardInterrupt, no handler of ordinary errors may catch it."""


def stop_on_signals() -> None:
    """Let SIGTERM and SIGINT end the loop, whatever it waits for, by raising Stopped; once is enough.

    A signal that comes after Python has last looked for one, and before the system call that waits has begun, would be
    heeded with the next event only, and on a quiet server there is none. So a timer cuts every wait short now and then.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)
        raise Stopped

    for number in STOPS:
        signal.signal(number, stop)
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)  # Python takes its handlers back before its end
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, LOOK_S, LOOK_S)


@contextmanager
def held_back(*numbers: int) -> Iterator[None]:
    """These signals wait until the block has ended; a process that is forked in it begins with them held back."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Worker:
    """What one process counts. Numbers of connections are stored at once, those of bytes once a turn (`publish`)."""

    accept_batch = 64  # connections accepted in one turn: a burst must not keep the others waiting

    backlog = 4096  # of a listener that a worker opens itself

    is_replaced = False  # by a successor, when a signal has ended it; of a distribution that REPLACES

    read_bytes = 262_144  # of asyncio: what its transport asks the kernel for

    __slots__ = ("_slot", "accepted", "bytes_in", "bytes_out", "closed", "everyone", "index", "peak")

    def __init__(self, everyone: slots.Slot, index: int = 0) -> None:
        """Counts in slot `index` of `everyone`: the slots of all workers, or its own alone."""
        self.everyone, self.index = everyone, index
        self._slot = everyone[index * slots.WORDS : (index + 1) * slots.WORDS] if index else everyone
        self.accepted = self.closed = self.peak = self.bytes_in = self.bytes_out = 0

    def succeed(self) -> None:
        """Go on counting for the process that has ended, if there was one in this slot: what it held is closed."""
        self.accepted = self.closed = self._slot[slots.CLOSED] = self._slot[slots.ACCEPTED]
        self._slot[slots.OPEN] = 0
        self.peak = self._slot[slots.PEAK]
        self.bytes_in, self.bytes_out = self._slot[slots.BYTES_IN], self._slot[slots.BYTES_OUT]

    def begin(self) -> None:
        """Say that this process is ready to serve."""
        self._slot[slots.PID] = os.getpid()

    def opened(self) -> None:
        self.accepted += 1
        held = self.accepted - self.closed
        self._slot[slots.ACCEPTED] = self.accepted
        self._slot[slots.OPEN] = held
        if held > self.peak:
            self.peak = self._slot[slots.PEAK] = held

    def ended(self) -> None:
        self.closed += 1
        self._slot[slots.CLOSED] = self.closed
        self._slot[slots.OPEN] = self.accepted - self.closed

    def refused(self, sock: socket.socket | None, limit_code: int) -> None:
        """Close what exceeds a limit, as soon as it was accepted; the first limit met is the one shown.

        None is for a connection that the kernel has closed already.
        """
        if sock is not None:
            sock.close()
        self.accepted += 1
        self.closed += 1
        self._slot[slots.ACCEPTED] = self.accepted
        self._slot[slots.CLOSED] = self.closed
        if not self._slot[slots.LIMIT_CODE]:
            self._slot[slots.LIMIT_CODE] = limit_code

    def publish(self) -> None:
        self._slot[slots.BYTES_IN] = self.bytes_in
        self._slot[slots.BYTES_OUT] = self.bytes_out


class Connection:
    """One client: reads a chunk, sends it back, and keeps what the peer does not take yet."""

    __slots__ = ("_pending", "_sock", "_worker")  # and no more: there are ten thousand of these

    def __init__(self, sock: socket.socket, worker: Worker) -> None:
        self._sock = sock
        self._pending: bytes | memoryview | None = None
        self._worker = worker
        worker.opened()

    def step(self) -> int:
        """Read once and answer, or send what waits. Never blocks; safe to call when nothing is ready."""
        data = self._pending
        worker = self._worker
        if data is None:
            try:
                data = self._sock.recv(CHUNK_BYTES)
            except BlockingIOError:
                return EMPTY
            except OSError:
                return GONE
            if not data:
                return GONE
            worker.bytes_in += len(data)
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return GONE
        worker.bytes_out += sent
        if sent < len(data):
            self._pending = memoryview(data)[sent:]
            return BLOCKED
        if self._pending is None:
            return ECHOED
        self._pending = None
        return FLUSHED

    def close(self) -> None:
        """Close the socket. Unregister it first: a registration lives as long as any copy of the open file."""
        self._sock.close()
        self._worker.ended()


class Intake(Protocol):
    """Where a loop gets its connections from: it becomes readable, and then gives non-blocking sockets.

    Several processes may wait for the same intake. `wake_one` asks a loop to be woken only where no other process has
    been, if it can (EPOLLEXCLUSIVE).
    """

    wake_one: bool = False
    more: bool = False  # the last `take` stopped at its batch, so that others may be waiting

    def fileno(self) -> int: ...

    def take(self, at_most: int | None = None) -> Iterator[socket.socket]:
        """New sockets, until there are none or `at_most` were taken; None: the worker's batch."""
        ...


class Spare:
    """A few descriptors held back, so that there is room to accept and close when all others are used."""

    def __init__(self, count: int = 1) -> None:
        self._held = [os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC) for _ in range(count)]
        self._count = count

    def give_up(self) -> None:
        while self._held:
            os.close(self._held.pop())

    def take_back(self) -> bool:
        """Open them again, as many as possible; False where that was not all."""
        try:
            while len(self._held) < self._count:
                self._held.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            return False
        return True


class Listener(Intake):
    """The listening socket, and the connections that wait in its queue."""

    def __init__(self, sock: socket.socket, worker: Worker, spare: Spare | None = None, wake_one: bool = False) -> None:
        self.wake_one = wake_one
        self._sock = sock
        self._worker = worker
        self._spare = spare or Spare()

    def fileno(self) -> int:
        return self._sock.fileno()

    def block(self) -> None:
        """From now on `take` waits for newcomers: ask for one at a time."""
        self._sock.setblocking(True)

    def take(self, at_most: int | None = None) -> Iterator[socket.socket]:
        self.more = False
        for _ in range(at_most or self._worker.accept_batch):
            try:
                sock, _ = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    if not self._refuse_one():
                        return
                elif error.errno in (errno.ENOBUFS, errno.ENOMEM):
                    time.sleep(NO_MEMORY_PAUSE_S)
                # Anything else is about the one connection that broke while it waited, and it is gone.
            else:
                sock.setblocking(False)
                yield sock
        self.more = True

    def _refuse_one(self) -> bool:
        """Accept and close; False where nobody waited: out of descriptors, accept fails before it looks."""
        self._spare.give_up()
        try:
            sock, _ = self._sock.accept()
        except BlockingIOError:
            return False
        except OSError:
            time.sleep(NO_MEMORY_PAUSE_S)  # another process was faster to the descriptor
        else:
            self._worker.refused(sock, slots.DESCRIPTORS)
        finally:
            self._spare.take_back()
        return True


def listen(host: str, port: int, backlog: int, reuse_port: bool = False) -> socket.socket:
    """A non-blocking listening socket. OSError is the caller's to explain."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse_port)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
        sock.setblocking(False)
        sock.bind(address)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock
