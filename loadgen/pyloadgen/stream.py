"""What one connection was asked and what came back: replies are matched in order and checked byte for byte."""

from __future__ import annotations

from collections import deque
from typing import Optional

from contracts.declared import INTEGRITY
from pyloadgen.record import Recorder, decode


def no_integrity() -> dict[str, int]:
    """What is wrong with replies, by its class; and how many bytes came that no request had asked for."""
    return {**dict.fromkeys(INTEGRITY, 0), "surplus": 0}


class Request:
    """One record, from the plan to its reply. `right` tells what came back, once that is whole."""

    __slots__ = ("intended", "k", "record", "right", "sent", "sequence", "settled")

    def __init__(self, intended: int, k: int = -1) -> None:
        self.intended = intended
        self.k = k  # its second in the ledger; -1: it is no load
        self.record = b""
        self.sequence = 0
        self.sent = 0  # ns; 0: not yet
        self.right: Optional[bool] = None  # None: no reply yet
        self.settled = False  # it has its outcome: a reply counts no more


class Stream:
    """The bytes of one connection. Records have one length, so that a wrong one does not lose the place of the next."""

    __slots__ = ("_integrity", "_missing", "_number", "_part", "_recorder", "_sequence", "pending")

    def __init__(self, recorder: Recorder, number: int, integrity: dict[str, int]) -> None:
        self._recorder = recorder
        self._number = number
        self._integrity = integrity
        self._sequence = 0
        self._part = b""  # of the next reply
        self._missing: set[int] = set()  # records whose place another one took
        self.pending: deque[Request] = deque()

    def ask(self, request: Request, flags: int) -> bytes:
        """Make a request the next record of this connection; its reply is now waited for."""
        request.sequence = self._sequence
        self._sequence += 1
        request.record = self._recorder.encode(flags, self._number, request.sequence, request.intended)
        self.pending.append(request)
        return request.record

    def feed(self, data: bytes) -> list[Request]:
        """The requests whose replies are now whole, those given up left out."""
        pending = self.pending
        if pending and not self._part and data == pending[0].record:  # nearly always
            return self._replied(pending.popleft(), data)
        self._part += data
        size = self._recorder.size
        whole: list[Request] = []
        while len(self._part) >= size:
            reply, self._part = self._part[:size], self._part[size:]
            if pending:
                whole += self._replied(pending.popleft(), reply)
            else:
                self._wrong(reply, self._sequence, surplus=True)
        return whole

    def _replied(self, request: Request, reply: bytes) -> list[Request]:
        request.right = reply == request.record
        if request.settled and request.right:
            self._integrity["late"] += 1
        elif not request.right:
            self._wrong(reply, request.sequence, surplus=request.settled)
        return [] if request.settled else [request]

    def _wrong(self, reply: bytes, expected: int, surplus: bool) -> None:
        self._integrity["surplus"] += len(reply) * surplus
        self._integrity[self._classify(reply, expected)] += 1

    def _classify(self, reply: bytes, expected: int) -> str:
        self._missing.add(expected)
        header = decode(reply)
        if header is None:
            return "corrupt"
        if header.run != self._recorder.run:
            return "foreign"
        if header.connection != self._number:
            return "crossed"
        if header.sequence == expected:
            return "corrupt"  # a record, but not the one that was sent
        if header.sequence > expected or header.sequence in self._missing:
            self._missing.discard(header.sequence)
            return "reordered"
        return "duplicated"

    def cut(self) -> None:
        """The connection was lost: what is left of a reply is truncated."""
        if self._part and self.pending:
            self._integrity["truncated"] += 1
            self._part = b""

    def sweep(self) -> None:
        """The load is over: what is left of a reply that nobody waits for is surplus."""
        if self._part and not self.pending:
            self._integrity["surplus"] += len(self._part)
            self._part = b""

    def reset(self) -> None:
        """The connection was closed; its next one goes on with the same numbers."""
        self.sweep()
        self._part = b""
        self.pending.clear()
