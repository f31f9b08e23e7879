"""One connection over a blocking socket: connect, send a record and wait for its reply, within a deadline."""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import Optional

from pyloadgen.errors import Lost, PeerClosed
from pyloadgen.generator import Generator
from pyloadgen.record import ARM
from pyloadgen.stream import Request

READ_BYTES = 1 << 16
SHORTEST_SLICE_S = 0.02  # of a wait, after which it looks at the clock
LONGEST_SLICE_S = 0.5


class Channel:
    """One connection, held by whoever calls. A slice is the longest that a call waits before it looks at the clock."""

    def __init__(self, owner: Generator, index: int) -> None:
        self.index = index
        self._owner = owner
        self._slice_s = min(LONGEST_SLICE_S, max(SHORTEST_SLICE_S, owner.spec.timeout / 10))
        self._unsent = memoryview(b"")
        self._sock: Optional[socket.socket] = None
        self._stream = owner.stream(index)

    @property
    def open(self) -> bool:
        return self._sock is not None

    def connect(self, deadline: int) -> int:
        """Make the handshake; how many ns it took."""
        began = time.monotonic_ns()
        try:
            sock = self._sock = self._owner.addresses.open(self.index)
            sock.settimeout(max(0.001, (deadline - began) / 1e9))
            sock.connect(self._owner.addresses.target(self.index)[1])
            took = time.monotonic_ns() - began
            sock.setblocking(True)
            slice_ = struct.pack("ll", int(self._slice_s), int(self._slice_s % 1 * 1e6))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, slice_)
            return took
        except OSError as error:
            raise self._lose("connect", error) from None

    def exchange(self, flags: int, request: Request, deadline: int) -> None:
        """Send a record and wait for its reply, until the deadline or the end; Lost where the connection is no more."""
        phase = "write"
        try:
            self._send(self._stream.ask(request, flags), request, deadline)
            phase = "read"
            while request.right is None and not self._owner.stopped() and time.monotonic_ns() < deadline:
                self._receive(0)
        except OSError as error:
            raise self._lose("verify" if flags == ARM else phase, error) from None

    def _lose(self, phase: str, error: OSError) -> Lost:
        self._stream.cut()
        self.close()
        return Lost.of(phase, error)

    def _send(self, record: bytes, request: Request, deadline: int) -> None:
        """Write without waiting; where a large record does not fit, read in between, or both sides get stuck."""
        assert self._sock
        rest = memoryview(bytes(self._unsent) + record if self._unsent else record)
        request.sent = time.monotonic_ns()
        while rest:
            try:
                rest = rest[self._sock.send(rest, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                self._unsent = rest
                if self._owner.stopped() or time.monotonic_ns() >= deadline:
                    return
                poller = select.poll()
                poller.register(self._sock, select.POLLIN | select.POLLOUT)
                poller.poll(self._slice_s * 1e3)
                self._receive(socket.MSG_DONTWAIT)
        self._unsent = rest

    def _receive(self, how: int) -> None:
        assert self._sock
        try:
            data = self._sock.recv(READ_BYTES, how)
        except BlockingIOError:
            return
        if not data:
            raise PeerClosed
        self._stream.feed(data)

    def glance(self) -> None:
        """Take what came unasked; Lost where the server has closed meanwhile."""
        try:
            self._receive(socket.MSG_DONTWAIT)
            self._stream.sweep()
        except OSError as error:
            raise self._lose("read", error) from None

    def close(self) -> None:
        self._stream.reset()
        self._unsent = memoryview(b"")
        if self._sock:
            self._sock.close()
            self._sock = None
