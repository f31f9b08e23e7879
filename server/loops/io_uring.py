"""io_uring: the process writes requests into memory that it shares with the kernel, and reads there what became of them.

Unlike the other loops this one is not told that a socket is ready, but that something is done. Each connection has one
receive, which goes on as long as the connection does (multishot), and takes a buffer from a pool only when something
has come. The answer is sent straight out of that buffer. One system call hands over the answers of a whole turn, and
brings the next completions, so a request costs the kernel a quarter less than with epoll, which pays for Python.

An answer is sent in haste: at once or not at all, and it reports only when not all of it went. So when submit() has
returned, the buffers are free again. A connection whose answer did not go at once, or that ended, is set aside:
its receive is cancelled, a patient send takes what waits, and only when nothing of it is under way any more, it is
taken up again or closed. So a peer that does not read is not read from, and no completion can be mistaken for one of
the connection that will have its descriptor next.

Use it from Linux 6.1 on where every microsecond of the kernel counts. It costs a second look at each assumption: many
containers forbid it.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections import deque

from server import uring
from server.common import CHUNK_BYTES, Intake, Worker

BUFFERS = 256
REQUESTS = 512  # one for each buffer, which is its answer, and as many for everything else
COMPLETIONS = 4096
HASTE = socket.MSG_DONTWAIT | socket.MSG_WAITALL  # all of it now, or say how much

# The upper half of a request's mark; the lower is a descriptor, or the number of a buffer. So the mark of a receive is
# its descriptor.
RECEIVE, ANSWER, PATIENT, CANCEL, NEWCOMERS = range(5)
ENDED_BY_US = (-errno.ENOBUFS, -errno.ECANCELED)  # no buffer was free, or the receive was cancelled


class Aside:
    """A connection in another state than usual; the usual one needs no object at all."""

    __slots__ = ("hears", "over", "sending", "waiting")

    def __init__(self, hears: bool) -> None:
        self.hears = hears  # its receive has not ended yet
        self.waiting = b""  # to be sent, after what is being sent
        self.sending = b""
        self.over = False  # close it when all is sent


class Echo:
    """The connections of one ring."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.ring = uring.Ring(REQUESTS, COMPLETIONS, kept=BUFFERS)
        self.buffers = uring.Buffers(self.ring, BUFFERS, CHUNK_BYTES)
        for number, address in enumerate(self.buffers.addresses):
            mark = ANSWER << 32 | number
            answer = uring.request(uring.SEND, 0, mark, address, flags=uring.SKIP_SUCCESS, how=HASTE)
            self.ring.write(number, answer)
        # Of an answer only these two change: its socket, and how long it is.
        words = self.ring.requests.cast("I")
        self.answer_to, self.answer_size = words[1::16], words[6::16]
        self.aside: dict[int, Aside] = {}
        self.unsettled: set[int] = set()  # those aside with whom something happened
        self.starved: deque[int] = deque()  # those aside who wait for nothing but a buffer
        self.taken = self.sent = 0  # buffers and bytes of the answers that were queued last

    def hear(self, fd: int) -> None:
        """Receive, until told otherwise."""
        self.ring.add(uring.request(uring.RECV, fd, fd, flags=uring.SELECT_BUFFER, multishot=uring.MULTISHOT))

    def answered(self) -> None:
        """All answers that were queued are sent, but for what turned out otherwise."""
        self.worker.bytes_out += self.sent
        self.worker.publish()
        self.buffers.give_back(self.taken)
        self.sent = self.taken = 0

    def turn(self, completions: list[uring.Completion]) -> bool:
        """Answer what came; whether the intake has newcomers."""
        newcomers = False
        answers: list[int] = []
        answering: set[int] = set()
        taken = received = sent = 0
        for mark, result, flags in completions:
            if flags & uring.BUFFER:
                fd, number = mark, flags >> 16
                taken += 1
                received += result
                if fd in answering or fd in self.aside:
                    self.set_aside(fd).waiting += self.buffers.copy(number, 0, result)
                else:
                    self.answer_to[number] = fd
                    self.answer_size[number] = result
                    answers.append(number)
                    answering.add(fd)
                    sent += result
                if flags & uring.MORE:
                    continue
            kind, fd = mark >> 32, mark & 0xFFFF_FFFF
            if kind == RECEIVE:
                peer = self.set_aside(fd, hears=False)
                peer.over |= result <= 0 and result not in ENDED_BY_US
            elif kind == NEWCOMERS:
                newcomers = True
            elif kind == ANSWER:
                self.fell_short(fd, max(result, 0), broken=result < 0 and result != -errno.EAGAIN)
            elif kind == PATIENT:
                self.sent_patiently(fd, result)
            elif fd in self.aside and self.aside[fd].hears:
                self.cancel(fd)  # the receive was about to go on, and could not be found
        self.answered()
        self.worker.bytes_in += received
        self.sent, self.taken = sent, taken
        self.ring.queue(answers)
        for fd in self.unsettled - answering:
            self.settle(fd)
        self.unsettled &= answering
        for _ in range(min(len(self.starved), BUFFERS - taken)):  # more would be in vain, time and again
            self.take_up(self.starved.popleft())
        return newcomers

    def set_aside(self, fd: int, hears: bool = True) -> Aside:
        """The connection, which nobody reads from any more; `hears` is false when its receive has ended."""
        self.unsettled.add(fd)
        peer = self.aside.get(fd)
        if peer is None:
            peer = self.aside[fd] = Aside(hears)
            if hears:
                self.cancel(fd)
        elif not hears:
            peer.hears = False
        return peer

    def cancel(self, fd: int) -> None:
        self.ring.add(uring.request(uring.ASYNC_CANCEL, -1, CANCEL << 32 | fd, fd, flags=uring.SKIP_SUCCESS))

    def fell_short(self, number: int, done: int, broken: bool) -> None:
        """An answer did not go whole: what is left of it goes before anything that came later."""
        fd, size = self.answer_to[number], self.answer_size[number]
        self.sent -= size - done
        peer = self.set_aside(fd)
        peer.waiting = self.buffers.copy(number, done, size) + peer.waiting
        if broken:
            peer.over, peer.waiting = True, b""

    def sent_patiently(self, fd: int, result: int) -> None:
        peer = self.set_aside(fd)
        self.worker.bytes_out += max(result, 0)
        peer.waiting = peer.sending[max(result, 0) :] + peer.waiting
        peer.sending = b""
        if result < 0:
            peer.over, peer.waiting = True, b""

    def settle(self, fd: int) -> None:
        """One step with a connection set aside, of which no answer is under way."""
        peer = self.aside[fd]
        if peer.sending:
            return
        if peer.waiting:
            peer.sending, peer.waiting = peer.waiting, b""
            address, length = uring.address_of(peer.sending), len(peer.sending)
            self.ring.add(uring.request(uring.SEND, fd, PATIENT << 32 | fd, address, length, how=socket.MSG_WAITALL))
        elif not peer.hears:
            if peer.over:
                del self.aside[fd]
                os.close(fd)
                self.worker.ended()
            else:
                self.starved.append(fd)

    def take_up(self, fd: int) -> None:
        del self.aside[fd]
        self.hear(fd)


def run(intake: Intake, worker: Worker) -> None:
    echo = Echo(worker)
    ring = echo.ring

    def watch() -> None:
        """Once for each time that newcomers were taken: asking anew tells of those who are left over."""
        ring.add(uring.request(uring.POLL_ADD, intake.fileno(), NEWCOMERS << 32, how=select.EPOLLIN))

    watch()
    worker.begin()
    while True:
        ring.submit()
        completions = ring.completions()
        if not completions and not echo.unsettled and not echo.starved:
            echo.answered()
            ring.wait()
            completions = ring.completions()
        if echo.turn(completions):
            for sock in intake.take():
                worker.opened()
                echo.hear(sock.detach())
            watch()
