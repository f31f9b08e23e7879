"""One thread of control over blocking sockets: it asks, waits for the reply, and only then thinks of the next request.

`pool` has one of these a process, `threads` one a thread. What makes it simple is what makes it lie: while it waits
for one reply it sends nothing else, so that a slow server is offered less than was asked (coordinated omission). Here
each request keeps the time for which it was intended, and its latency counts from then: `lag` shows how late it was
really sent.
"""

from __future__ import annotations

import heapq
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Optional

from pyloadgen.books import FAILED, LATE, SECOND, TIMED_OUT, WAITING
from pyloadgen.errors import Lost, PeerClosed
from pyloadgen.generator import LINGER_NS, Generator
from pyloadgen.pacing import Arrival
from pyloadgen.record import ARM, LOAD, PROVE, Request

READ_BYTES = 1 << 16
SHORTEST_SLICE_S, LONGEST_SLICE_S = 0.02, 0.5  # of a wait, after which it looks at the clock
BACKOFF_NS = SECOND // 20  # after a connection that could not be made


class Channel:
    """One connection, held by whoever calls. A slice is the longest that a call waits before it looks at the clock."""

    def __init__(self, owner: Generator, index: int) -> None:
        self.index = index
        self._owner = owner
        self._slice_s = min(LONGEST_SLICE_S, max(SHORTEST_SLICE_S, owner.spec.timeout / 10))
        self._unsent = memoryview(b"")
        self.sock: Optional[socket.socket] = None  # while it is open
        self.free_at = 0  # ns; until then a request was under way
        self.stream = owner.stream(index)

    def connect(self, deadline: int) -> int:
        """Make the handshake; how many ns it took."""
        began = time.monotonic_ns()
        try:
            sock, target = self._owner.addresses.open(self.index)
            self.sock = sock
            sock.settimeout(max(0.001, (deadline - began) / 1e9))
            sock.connect(target)
            self.free_at = time.monotonic_ns()
            sock.setblocking(True)
            slice_ = struct.pack("ll", int(self._slice_s), int(self._slice_s % 1 * 1e6))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, slice_)
            return self.free_at - began
        except OSError as error:
            raise self._lose("connect", error) from None

    def exchange(self, flags: int, request: Request, deadline: int) -> None:
        """Send a record and wait for its reply, until the deadline or the end; Lost where the connection is no more.

        What came before is read first: it is no reply to this record, and a server that has closed is asked no more.
        """
        phase = "read"
        try:
            self._receive(socket.MSG_DONTWAIT)
            phase = "write"
            self._send(self.stream.ask(request, flags), request, deadline)
            phase = "read"
            while request.right is None and not self._owner.stopped() and time.monotonic_ns() < deadline:
                self._receive(0)
        except OSError as error:
            raise self._lose("verify" if flags == ARM else phase, error) from None
        finally:
            self.free_at = time.monotonic_ns()
            if request.sent and flags == LOAD:
                self._owner.books.sent(request)

    def _lose(self, phase: str, error: OSError) -> Lost:
        self.stream.cut()
        self.close()
        return Lost.of(phase, error)

    def _send(self, record: bytes, request: Request, deadline: int) -> None:
        """Write without waiting; where a large record does not fit, read in between, or both sides get stuck."""
        assert self.sock
        rest = memoryview(bytes(self._unsent) + record if self._unsent else record)
        while rest:
            now = time.monotonic_ns()
            try:
                rest = rest[self.sock.send(rest, socket.MSG_DONTWAIT) :]
                if not request.sent and len(rest) < len(record):
                    request.sent = now
            except BlockingIOError:
                self._unsent = rest
                if self._owner.stopped() or time.monotonic_ns() >= deadline:
                    return
                poller = select.poll()
                poller.register(self.sock, select.POLLIN | select.POLLOUT)
                poller.poll(self._slice_s * 1e3)
                self._receive(socket.MSG_DONTWAIT)
        self._unsent = rest

    def _receive(self, how: int) -> None:
        assert self.sock
        try:
            data = self.sock.recv(READ_BYTES, how)
        except BlockingIOError:
            return
        if not data:
            raise PeerClosed
        now = time.monotonic_ns()
        self._owner.books.read(self.stream.feed(data, now), now)

    def glance(self) -> None:
        """Take what came unasked; Lost where the server has closed meanwhile."""
        try:
            self._receive(socket.MSG_DONTWAIT)
        except OSError as error:
            raise self._lose("read", error) from None

    def close(self) -> None:
        self.stream.reset(time.monotonic_ns())
        self._unsent = memoryview(b"")
        if self.sock:
            self.sock.close()
            self.sock = None


class Walker:
    """One thread of control over some connections of its process. `pause` sleeps at most so many seconds."""

    def __init__(self, owner: Generator, indices: list[int], turns: range, pause: Callable[[float], object]) -> None:
        self._owner = owner
        self._spec = owner.spec
        self._books = owner.books
        self._indices = indices
        self._turns = turns
        self._pause = pause
        self._channels: dict[int, Channel] = {}

    def wait(self, until: int) -> bool:
        """Sleep until then; False where it was told to stop, or no request is left."""
        slept = False
        while not (self._owner.stopped() or self._books.spent):
            left = until - time.monotonic_ns()
            if left <= 0:
                if slept:
                    with self._books.lock:
                        self._books.kinds["loop_lag"].record(-left)
                return True
            self._pause(left / 1e9)
            slept = True
        return False

    def _open(self) -> list[Channel]:
        return [channel for channel in self._channels.values() if channel.sock]

    def arm(self, total: int, start: int, deadline: int) -> None:
        """Connect and verify those below `total` that were not tried yet."""
        for index in self._indices:
            if index < total and index not in self._channels and self.wait(start + self._spec.connect_due_ns(index)):
                channel = self._channels[index] = Channel(self._owner, index)
                try:
                    if time.monotonic_ns() >= deadline:
                        raise Lost("connect", "timeout")
                    self._books.connected(channel.connect(deadline))
                    request = Request(time.monotonic_ns())
                    channel.exchange(ARM, request, deadline)
                    if not request.right:
                        raise Lost("verify", "timeout" if request.right is None else "mismatched")
                    self._books.verified()
                except Lost as lost:
                    self._books.lost(lost, index, arming=True)
                    channel.close()
                if not self._spec.does.holds:
                    channel.close()

    def prove(self, deadline: int) -> list[bool]:
        """Of each connection that is still open, whether it answered one echo."""
        self._glance()
        right, heard = [], time.monotonic_ns()
        for channel in self._open():
            request = Request(time.monotonic_ns())
            if request.intended - heard >= self._spec.timeout_ns:  # mute: all others have failed too
                right.append(False)
                continue
            try:
                channel.exchange(PROVE, request, min(deadline, request.intended + self._spec.timeout_ns))
            except Lost as lost:
                self._books.lost(lost, channel.index)
            request.settled = True
            right.append(request.right is True)
            heard = time.monotonic_ns() if request.right is True else heard
        return right

    def _glance(self) -> None:
        """Find out which connections the server has closed."""
        for channel in self._open():
            try:
                channel.glance()
            except Lost as lost:
                self._books.lost(lost, channel.index)

    def look(self) -> int:
        """After the load: how many connections are open; what came unasked or in part is counted."""
        self._glance()
        now = time.monotonic_ns()
        until = max((channel.stream.undecided(now) for channel in self._open()), default=0)
        if self.wait(min(until, now + LINGER_NS)):
            self._glance()
        for channel in self._open():
            channel.stream.sweep(time.monotonic_ns(), self._owner.stopped())
        return len(self._open())

    def offer(self) -> None:
        """Send each request at its intended time, or as soon after it as the one before has come back."""
        at, ledger, paced = self._owner.at, self._books.ledger, self._spec.does.paced
        second = 0
        for after, index in self._owner.arrivals(self._turns) if paced else self._rounds():
            intended = at + after
            if intended >= self._owner.end:
                break
            if not self.wait(intended) and (not paced or intended > time.monotonic_ns()):
                break
            with self._books.lock:
                second = ledger.move(second, intended)
                request = self._books.plan(intended)
            self._request(self._channels.get(index), request)
        with self._books.lock:
            ledger.leave(second)

    def _rounds(self) -> Iterator[Arrival]:
        """Each connection when it is free again and its time to think is over; lost ones have no more turns.

        The first turns are spread over one such time, or all would for ever ask at once.
        """
        think_ns, active = int(self._spec.think_time * SECOND), self._spec.active
        free = [(think_ns * index // active, index) for index in self._turns]
        while free:
            due, index = heapq.heappop(free)
            channel = self._channels.get(index)
            if channel and channel.sock:
                yield due, index
                heapq.heappush(free, (time.monotonic_ns() - self._owner.at + think_ns, index))

    def _request(self, channel: Optional[Channel], request: Request) -> None:
        """Send it and wait for its reply, if there is still time for it."""
        books, now, deadline = self._books, time.monotonic_ns(), request.intended + self._spec.timeout_ns
        unsent = WAITING
        if channel is None or not channel.sock:
            books.settle(request, FAILED)
        elif now < deadline and not self._owner.stopped():
            books.gaps.note(now)
            try:
                channel.exchange(LOAD, request, deadline)
            except Lost as lost:
                books.lost(lost, channel.index)
                books.settle(request, FAILED)
            now = time.monotonic_ns()
        elif channel.free_at < (deadline if now >= deadline else request.intended):
            unsent = LATE  # the connection was free, and this thread elsewhere
        books.judge(request, now, unsent)

    def churn(self) -> None:
        """Connect, echo, close, again and again. A connection of the share is due when it was closed, or could not be
        made and has rested; where one thread has several, they wait for each other."""
        ledger, second, at, end = self._books.ledger, 0, self._owner.at, self._owner.end
        turns = [(min(end, at + self._spec.connect_due_ns(index)), index) for index in self._indices]
        while turns:
            due, index = turns[0]
            if not self.wait(due) or time.monotonic_ns() >= end:
                break
            with self._books.lock:
                second = ledger.move(second, due)
                if not self._books.take_quota():
                    break
                request = self._books.plan(due)
            stood = self._visit(self._channels.setdefault(index, Channel(self._owner, index)), request)
            heapq.heapreplace(turns, (time.monotonic_ns() + (0 if stood else BACKOFF_NS), index))
        with self._books.lock:
            ledger.leave(second)

    def _visit(self, channel: Channel, request: Request) -> bool:
        """One request of a churn; False where no connection could be made."""
        deadline = request.intended + self._spec.timeout_ns
        if time.monotonic_ns() >= deadline:
            self._books.settle(request, TIMED_OUT, unsent=LATE)
            return True
        try:
            took = channel.connect(deadline)
        except Lost as lost:
            self._books.lost(lost, channel.index)
            self._books.settle(request, TIMED_OUT if lost.cause == "timeout" else FAILED)
            return False
        with self._books.lock:
            self._books.record("connect", request, took)
        self._request(channel, request)
        channel.close()
        return True

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()
