"""io_uring: a process writes requests into memory that it shares with the kernel, and reads there what became of them.

The kernel tells this loop not that a socket is ready, as it tells the others, but what is done. Each connection has one
receive, which goes on as long as the connection does (multishot), and takes a buffer from a pool only when something
has come. The answer is sent straight out of that buffer. One system call hands over the answers of a whole turn, and
brings the next completions, which saves the kernel as much as Python costs.

An answer is sent in haste: at once or not at all, and it reports only when not all of it went. So when submit() has
returned, the buffers are free again. A connection whose answer did not go at once, that sent more than one chunk in a
turn, or that ended, is set aside: its receive is cancelled, a patient send takes what waits, and only when nothing of
it is under way any more, it is taken up again or closed. So a peer that does not read is not read from, and no
completion can be mistaken for one of the connection that will have its descriptor next.

Use it for thousands of busy connections with small records. On large ones epoll is cheaper, because a receive that
goes on brings up to 32 chunks before it can be cancelled, and they must be copied; so half a mebibyte may wait for a
peer that does not read. It needs Linux 6.1, and many containers forbid it.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections import deque

from server.common import CHUNK_BYTES, Intake, Worker
from server.linux import uring

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

    __slots__ = ("cancelled", "hears", "over", "sending", "waiting")

    def __init__(self) -> None:
        self.hears = True  # its receive has not ended yet
        self.cancelled = False
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
        self.unsettled: set[int] = set()  # connections aside to which something happened
        self.starved: deque[int] = deque()  # connections aside that wait for nothing but a buffer
        self.taken = self.sent = 0  # buffers and bytes of the answers that were queued last

    def hear(self, fd: int) -> None:
        """Receive, until the receive is cancelled or fails."""
        self.ring.add(uring.request(uring.RECV, fd, fd, flags=uring.SELECT_BUFFER, multishot=uring.MULTISHOT))

    def answered(self) -> None:
        """All answers that were queued are sent, but for what turned out otherwise."""
        self.worker.bytes_out += self.sent
        self.worker.publish()
        self.buffers.give_back(self.taken)
        self.sent = self.taken = 0

    def turn(self, completions: list[uring.Completion]) -> bool:
        """Answer what came; whether the intake has newcomers.

        The answers are queued before anything else, so that their completions come before those of anything later.
        """
        newcomers = False
        answers: list[int] = []
        answering: set[int] = set()
        received = kept = kept_bytes = 0
        aside, answer_to, answer_size = self.aside, self.answer_to, self.answer_size  # bound once: this is the hot path
        for mark, result, flags in completions:
            if flags & uring.BUFFER:
                number = flags >> 16
                received += result
                if mark in answering or mark in aside:  # one answer at a time, or they might change places
                    self.set_aside(mark).waiting += self.buffers.copy(number, 0, result)
                    kept += 1
                    kept_bytes += result
                else:
                    answer_to[number] = mark
                    answer_size[number] = result
                    answers.append(number)
                    answering.add(mark)
                if flags & uring.MORE:
                    continue
            if mark == NEWCOMERS << 32:
                newcomers = True
            else:
                self.unusual(mark >> 32, mark & 0xFFFF_FFFF, result)
        self.answered()
        self.worker.bytes_in += received
        self.sent, self.taken = received - kept_bytes, len(answers) + kept
        self.ring.queue(answers)
        self.settle(answering)
        return newcomers

    def unusual(self, kind: int, fd: int, result: int) -> None:
        """A completion that says more than that there is something to answer."""
        if kind == ANSWER:
            self.fell_short(fd, result)
        elif kind == PATIENT:
            self.sent_patiently(fd, result)
        elif kind == RECEIVE:  # has ended
            peer = self.set_aside(fd)
            peer.hears = False
            peer.over |= result <= 0 and result not in ENDED_BY_US
        elif fd in self.aside:  # its receive was not found, since it was just then at work
            self.set_aside(fd).cancelled = False

    def set_aside(self, fd: int) -> Aside:
        """The connection, which is not taken up again before it has settled."""
        self.unsettled.add(fd)
        if fd not in self.aside:
            self.aside[fd] = Aside()
        return self.aside[fd]

    def fell_short(self, number: int, result: int) -> None:
        """An answer did not go whole: what is left of it goes before anything that came later."""
        fd, size = self.answer_to[number], self.answer_size[number]
        peer, done = self.set_aside(fd), max(result, 0)
        self.sent -= size - done
        peer.waiting = self.buffers.copy(number, done, size) + peer.waiting
        if result < 0 and result != -errno.EAGAIN:
            peer.over, peer.waiting = True, b""

    def sent_patiently(self, fd: int, result: int) -> None:
        """All of it, unless the connection broke."""
        peer, done = self.set_aside(fd), max(result, 0)
        self.worker.bytes_out += done
        peer.waiting = peer.sending[done:] + peer.waiting
        peer.sending = b""
        if result < 0:
            peer.over, peer.waiting = True, b""

    def settle(self, answering: set[int]) -> None:
        """One step with each connection aside to which something happened.

        Whether an answer that was just queued goes whole is known in the next turn; until then nothing more is sent.
        """
        for fd in self.unsettled:
            peer = self.aside[fd]
            if peer.hears and not peer.cancelled:
                self.ring.add(uring.request(uring.ASYNC_CANCEL, -1, CANCEL << 32 | fd, fd, flags=uring.SKIP_SUCCESS))
                peer.cancelled = True
            if fd in answering:
                continue
            if peer.waiting and not peer.sending:
                peer.sending, peer.waiting = peer.waiting, b""
                mark, address = PATIENT << 32 | fd, uring.address_of(peer.sending)
                self.ring.add(uring.request(uring.SEND, fd, mark, address, len(peer.sending), how=socket.MSG_WAITALL))
            elif not peer.sending and not peer.hears:
                if peer.over:
                    del self.aside[fd]
                    os.close(fd)
                    self.worker.ended()
                else:
                    self.starved.append(fd)
        self.unsettled &= answering
        for _ in range(min(len(self.starved), BUFFERS - self.taken)):  # more would be in vain, again and again
            fd = self.starved.popleft()
            del self.aside[fd]
            self.hear(fd)


def run(intake: Intake, worker: Worker) -> None:
    echo = Echo(worker)
    ring = echo.ring

    events = select.EPOLLIN | (select.EPOLLEXCLUSIVE if intake.wake_one else 0)

    def watch() -> None:
        """Once for each time that newcomers were taken: asking anew finds those that are left over."""
        ring.add(uring.request(uring.POLL_ADD, intake.fileno(), NEWCOMERS << 32, how=events))

    watch()
    worker.begin()
    try:
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
    finally:
        worker.bytes_out += echo.sent  # a signal has come before the next turn, which would have counted them
