"""The client's side of a check: a connection that knows what must come back, and says in a sentence what did not."""

from __future__ import annotations

import itertools
import random
import select
import socket
import struct
import time
from collections.abc import Sequence

BLOCK_BYTES = 65_521  # a prime: whatever is lost, doubled or swapped in any usual unit, the rest does not fit any more
SLOW_RECEIVE_BYTES = 4096
SLOW_SEND_BYTES = 262_144
_STREAM = memoryview(random.Random(BLOCK_BYTES).randbytes(BLOCK_BYTES) * 2)
_starts = itertools.count(0, 4_099)  # each connection begins elsewhere, so that an answer to another one shows


class Failed(AssertionError):
    """A clause is not met: one sentence of evidence."""


class Client:
    """One connection. It sends an endless known stream, and checks that this and nothing else comes back."""

    def __init__(self, address: tuple[str, int], patience_s: float, slow: bool = False) -> None:
        """`slow`: one that will not read for a while; with small buffers it is soon noticed."""
        self._patience_s = patience_s
        self._start = next(_starts) % BLOCK_BYTES
        self.sent = self.received = 0
        self.ended = False  # the server closed its side
        self._sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        if slow:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_RECEIVE_BYTES)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SLOW_SEND_BYTES)
        self._sock.settimeout(patience_s)
        try:
            self._sock.connect(address)
        except OSError as error:
            self._sock.close()
            raise Failed(f"a connection was refused: {error.strerror or error}") from None
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.setblocking(False)

    def push(self, size: int) -> int:
        """Send up to so many bytes, and not more than the kernel takes now; how many."""
        at = (self._start + self.sent) % BLOCK_BYTES
        try:
            count = self._sock.send(_STREAM[at : at + min(size, BLOCK_BYTES)])
        except BlockingIOError:
            return 0
        except OSError as error:
            raise Failed(
                f"the server broke the connection when {self.sent} bytes had been sent: {error.strerror}"
            ) from None
        self.sent += count
        return count

    def pull(self) -> int:
        """Receive what is there, and check it; how many bytes."""
        try:
            data = self._sock.recv(BLOCK_BYTES)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise Failed(
                f"the server broke the connection after {self.received} of {self.sent} bytes: {error.strerror}"
            ) from None
        if not data:
            self.ended = True
        at = (self._start + self.received) % BLOCK_BYTES
        if data != _STREAM[at : at + len(data)]:
            wrong = next(i for i, byte in enumerate(data) if byte != _STREAM[at + i])
            raise Failed(f"byte {self.received + wrong + 1} that came back is not the one that was sent")
        self.received += len(data)
        if self.received > self.sent:
            raise Failed(f"{self.received} bytes came back, and only {self.sent} were sent")
        return len(data)

    def exchange(self, size: int = 0, within_s: float | None = None) -> None:
        """Send so many bytes more, and receive until everything sent has come back."""
        within_s = min(within_s or self._patience_s, self._patience_s)
        goal, deadline = self.sent + size, time.monotonic() + within_s
        while self.received < goal:
            more = self.sent < goal
            if not self.ready(select.POLLIN | (select.POLLOUT if more else 0), deadline - time.monotonic()):
                taken = f", and no more than {self.sent} were taken" if more else ""
                raise Failed(f"{self.received} of {goal} bytes came back within {within_s:g} s{taken}")
            if more:
                self.push(goal - self.sent)
            self.pull()
            if self.ended:
                raise Failed(f"the server closed the connection after {self.received} of {goal} bytes")

    def read_to_end(self) -> None:
        """Receive until the server closes its side, which must be when everything sent has come back."""
        deadline = time.monotonic() + self._patience_s
        while not self.ended:
            if not self.ready(select.POLLIN, deadline - time.monotonic()):
                came = f"{self.received} of {self.sent} bytes came back"
                raise Failed(f"{came}, and the connection was not closed within {self._patience_s:g} s")
            self.pull()
        if self.received < self.sent:
            raise Failed(f"the server closed the connection after {self.received} of {self.sent} bytes")

    def ready(self, events: int, within_s: float) -> bool:
        """One of these events of poll(2), or the end of the connection, came in time."""
        poller = select.poll()
        poller.register(self._sock, events)
        return bool(poller.poll(max(0.0, within_s) * 1000))

    def alive(self) -> bool:
        """The server has not closed the connection, as far as is known here."""
        try:
            self.pull()
        except Failed:
            return False
        return not self.ended

    def shut(self) -> None:
        """Close this side for writing; what was sent is still to be answered."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise Failed(f"the server had broken the connection: {error.strerror}") from None

    def close(self) -> None:
        self._sock.close()

    def reset(self) -> None:
        reset(self._sock)


def reset(sock: socket.socket) -> None:
    """Close a connection with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def exchange_all(clients: Sequence[Client], size: int = 64, within_s: float | None = None) -> None:
    """Let all of them send, then wait for each answer in turn."""
    for client in clients:
        client.push(size)
    for client in clients:
        client.exchange(within_s=within_s)
