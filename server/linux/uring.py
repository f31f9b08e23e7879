"""The smallest part of io_uring that an echo server needs, with nothing but the standard library.

A ring is memory that a process shares with the kernel: requests are written into it (64 bytes each), completions are
read out of it (16 bytes each), and one system call hands over any number of requests.

Head and tail of these queues are plain stores here, without memory barriers. That is right on every processor, because
of IORING_SETUP_DEFER_TASKRUN: the kernel takes requests, uses buffers and writes completions only inside
io_uring_enter(), in the thread that called it.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
import time
from array import array

from server.common import NO_MEMORY_PAUSE_S

SETUP, ENTER, REGISTER = 425, 426, 427  # the same numbers on every architecture

# io_uring_setup(): completions as many as asked for; one thread that submits, and the kernel's work done when it asks.
SETUP_CQSIZE, SETUP_SINGLE_ISSUER, SETUP_DEFER_TASKRUN = 1 << 3, 1 << 12, 1 << 13
ENTER_GETEVENTS = 1
REGISTER_PBUF_RING = 22
OFFSET_OF_REQUESTS = 0x1000_0000
MAP_POPULATE = 0x8000

POLL_ADD, ASYNC_CANCEL, SEND, RECV = 6, 14, 26, 27  # what to do
SELECT_BUFFER, SKIP_SUCCESS = 1 << 5, 1 << 6  # flags of a request
MULTISHOT = 1 << 1  # in the place of a priority: a receive that goes on
BUFFER, MORE = 1, 2  # flags of a completion: it has used a buffer (number in the upper half); it is not the last one

PARAMETERS = 30  # words of struct io_uring_params
REQUEST = struct.Struct("<BBHiQQIIQH22x")
COMPLETION = struct.Struct("<QiI")
BUFFER_ENTRY = struct.Struct("<QIHH")
REGISTRATION = struct.Struct("<QIH26x")
OVERFLOW = 1 << 1  # a flag of the ring
CACHE_LINE = 64
GROUP = 0  # the only pool of buffers
INTERRUPTED = (errno.EINTR, errno.EBUSY)  # by a signal; by completions that must be taken first

Completion = tuple[int, int, int]  # the request's mark; its result, or minus an errno; flags

_call = ctypes.CDLL(None, use_errno=True).syscall
_call.argtypes = [ctypes.c_long] * 7
_call.restype = ctypes.c_long


def system_call(number: int, first: int, second: int, third: int, fourth: int = 0) -> int:
    """syscall(2); OSError where it fails."""
    result = int(_call(number, first, second, third, fourth, 0, 0))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def address_of(data: bytes) -> int:
    """Where bytes lie, for as long as somebody holds them."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


def request(
    operation: int, fd: int, mark: int, address: int = 0, length: int = 0,
    flags: int = 0, how: int = 0, multishot: int = 0,
) -> bytes:  # fmt: skip
    """One request. `mark` comes back with its completion, `how` is the operation's own flags."""
    return REQUEST.pack(operation, flags, multishot, fd, 0, address, length, how, mark, GROUP)


def unavailable() -> str | None:
    """Why there is no io_uring here, in one sentence; None where there is."""
    try:
        Ring(1, 2).close()
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EINVAL):
            return f"io_uring as it is used here needs Linux 6.1 or later, and this is {os.uname().release}."
        if error.errno == errno.EPERM:
            return "io_uring is forbidden here, by sysctl kernel.io_uring_disabled or by a container's seccomp filter."
        return f"io_uring cannot be set up: {error.strerror}."
    return None


class Memory:
    """Zeroed memory of our own that begins on a page, and its address."""

    def __init__(self, size: int) -> None:
        self.bytes = memoryview(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.bytes))


class Ring:
    """A queue of requests, and one of completions.

    The first `kept` requests are the caller's: written once, changed and handed over again as often as needed.
    """

    def __init__(self, requests: int, completions: int, kept: int = 0) -> None:
        flags = SETUP_CQSIZE | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN
        parameters = (ctypes.c_uint32 * PARAMETERS)(0, completions, flags)
        self.fd = system_call(SETUP, requests, ctypes.addressof(parameters), 0)
        self._size, self._completions = parameters[0], parameters[1]
        queue, done = parameters[10:20], parameters[20:30]  # offsets of their parts in the shared memory
        size = max(queue[6] + 4 * self._size, done[5] + COMPLETION.size * self._completions)
        shared = mmap.mmap(self.fd, size, mmap.MAP_SHARED | MAP_POPULATE)
        size = REQUEST.size * self._size
        self.requests = memoryview(mmap.mmap(self.fd, size, mmap.MAP_SHARED | MAP_POPULATE, offset=OFFSET_OF_REQUESTS))
        words = memoryview(shared).cast("I")
        self._tail = words[queue[1] // 4 :]
        self._order = words[queue[6] // 4 :]  # which requests are handed over, in which order
        self._done_head, self._done_tail = words[done[0] // 4 :], words[done[1] // 4 :]
        self._done = memoryview(shared)[done[5] : done[5] + COMPLETION.size * self._completions]
        self._flags = words[queue[4] // 4 :]
        self._kept = self._free = kept
        self._queued = 0

    def write(self, slot: int, request: bytes) -> None:
        self.requests[slot * REQUEST.size : (slot + 1) * REQUEST.size] = request

    def queue(self, slots: list[int]) -> None:
        """Hand these requests over with the next submit(). There is room for each slot once."""
        begin = self._tail[0] % self._size
        first = slots[: self._size - begin]  # the rest, if any, goes round to the beginning
        self._order[begin : begin + len(first)] = array("I", first)
        self._order[: len(slots) - len(first)] = array("I", slots[len(first) :])
        self._tail[0] = (self._tail[0] + len(slots)) & 0xFFFF_FFFF
        self._queued += len(slots)

    def add(self, request: bytes) -> None:
        """Write a request to a free slot, and queue it."""
        if self._free == self._size:
            self.submit()
        self.write(self._free, request)
        self._free += 1
        self.queue([self._free - 1])

    def submit(self) -> None:
        """Hand over what is queued. What need not wait is done when this returns, and its completion is there."""
        while True:
            try:
                self._queued -= system_call(ENTER, self.fd, self._queued, 0, ENTER_GETEVENTS)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    time.sleep(NO_MEMORY_PAUSE_S)
                elif error.errno not in INTERRUPTED:
                    raise
            if not self._queued:
                self._free = self._kept
                return

    def wait(self) -> None:
        """Wait for a completion. A signal ends the wait too, so that Python can run its handler."""
        try:
            system_call(ENTER, self.fd, 0, 1, ENTER_GETEVENTS)
        except OSError as error:
            if error.errno not in INTERRUPTED:
                raise

    def completions(self) -> list[Completion]:
        """Take all that are there, in their order."""
        found = self._take()
        while self._flags[0] & OVERFLOW:  # the kernel keeps what the queue could not hold, until there is room
            system_call(ENTER, self.fd, 0, 0, ENTER_GETEVENTS)
            found += self._take()
        return found

    def _take(self) -> list[Completion]:
        head, tail = self._done_head[0], self._done_tail[0]
        if head == tail:
            return []
        begin, end = head % self._completions * COMPLETION.size, tail % self._completions * COMPLETION.size
        if begin < end:
            found = list(COMPLETION.iter_unpack(self._done[begin:end]))
        else:
            found = [*COMPLETION.iter_unpack(self._done[begin:]), *COMPLETION.iter_unpack(self._done[:end])]
        self._done_head[0] = tail
        return found

    def close(self) -> None:
        os.close(self.fd)


class Buffers:
    """A pool from which the kernel takes a buffer at the moment when there is something to put into it.

    The kernel takes them in the order in which they lie in a queue. Where all that were taken come back before the
    queue has gone round, each finds its entry as it was, and giving buffers back is to move the tail.
    """

    def __init__(self, ring: Ring, count: int, size: int) -> None:
        stride = size + CACHE_LINE  # at equal places of a page they would compete for the same few lines of the cache
        self._memory = Memory(count * stride)
        self._queue = Memory(count * BUFFER_ENTRY.size)
        self._stride = stride
        self.addresses = [self._memory.address + number * stride for number in range(count)]
        for number, address in enumerate(self.addresses):
            BUFFER_ENTRY.pack_into(self._queue.bytes, number * BUFFER_ENTRY.size, address, size, number, 0)
        self._tail = self._queue.bytes[14:16].cast("H")  # it lies in the first entry
        self.give_back(count)
        registration = REGISTRATION.pack(self._queue.address, count, GROUP)
        system_call(REGISTER, ring.fd, REGISTER_PBUF_RING, address_of(registration), 1)

    def give_back(self, count: int) -> None:
        """The `count` that were taken first."""
        self._tail[0] = (self._tail[0] + count) & 0xFFFF

    def copy(self, number: int, begin: int, end: int) -> bytes:
        """Part of what a buffer holds."""
        first = number * self._stride
        return bytes(self._memory.bytes[first + begin : first + end])
