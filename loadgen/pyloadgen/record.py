"""The record that a generator sends and that must come back unchanged (docs/contracts.md, "The record"); streams of it.

The checksum is CRC32C, for which Python has no function, so that it is computed by table. Of a record only the 28 bytes
of the header change, and a checksum is linear: it is that of a header of zeros, changed by what each byte of the header
does to it at its place. A table for each place says what that is, the filler behind it included.
"""

from __future__ import annotations

import struct
from collections import deque
from itertools import islice
from typing import NamedTuple, Optional

from contracts.declared import INTEGRITY

HEADER_BYTES = 32
TOLD_APART_BYTES = 20  # of a record: no other one of its connection begins with these
RECOGNISED_BYTES = 4  # of a record: nothing else is likely to begin with these
MAGIC = 0xC10C
VERSION = 1
LOAD, ARM, PROVE = 0, 1, 2  # what a record is for; its flags

FIELDS = struct.Struct("<HBBIIIIQ")  # all of the header but the checksum
CHECKSUM = struct.Struct("<I")
POLYNOMIAL = 0x82F63B78  # Castagnoli, reflected
MASK64 = (1 << 64) - 1


def table_of(bit: int) -> list[int]:
    """What each byte makes of a checksum, given what the highest bit does: the one below it comes a step earlier."""
    bits = [bit]
    while len(bits) < 8:
        bits.append(bits[-1] >> 1 ^ (POLYNOMIAL if bits[-1] & 1 else 0))
    table = [0]
    for one in reversed(bits):
        table += [one ^ other for other in table]
    return table


TABLE = table_of(POLYNOMIAL)


def walk(state: int, data: bytes) -> int:
    """The checksum's state after more data, before the last inversion."""
    table = TABLE
    for byte in data:
        state = state >> 8 ^ table[(state ^ byte) & 0xFF]
    return state


def crc32c(data: bytes) -> int:
    return walk(0xFFFFFFFF, data) ^ 0xFFFFFFFF


def filler(size: int, seed: int) -> bytes:
    """The words of xorshift64*, little-endian; its state may not be 0, which it would never leave."""
    state = (seed + 0x9E3779B97F4A7C15) & MASK64 or 1
    words = bytearray()
    for _ in range((size + 7) // 8):
        state ^= state >> 12
        state ^= state << 25 & MASK64
        state ^= state >> 27
        words += (state * 0x2545F4914F6CDD1D & MASK64).to_bytes(8, "little")
    return bytes(words[:size])


class Header(NamedTuple):
    """What distinguishes one record from another. `intended` is in ns of the generator's CLOCK_MONOTONIC."""

    flags: int
    run: int
    connection: int
    sequence: int
    intended: int


class Recorder:
    """Makes the records of one trial; the filler and what it does to the checksum are computed once."""

    def __init__(self, run: int, payload_bytes: int, seed: int) -> None:
        self.run = run
        self.size = payload_bytes
        self._filler = filler(payload_bytes - HEADER_BYTES, seed)
        self._zeros = walk(walk(0xFFFFFFFF, bytes(FIELDS.size)), self._filler) ^ 0xFFFFFFFF
        # The last byte of the header is changed further by as many bytes as the filler has, one before it by one more.
        self._tables = [table_of(walk(POLYNOMIAL, bytes(len(self._filler))))]
        while len(self._tables) < FIELDS.size:
            self._tables.insert(0, [walk(state, b"\0") for state in self._tables[0]])

    def encode(self, flags: int, connection: int, sequence: int, intended: int) -> bytes:
        header = FIELDS.pack(MAGIC, VERSION, flags, self.size, self.run, connection, sequence, intended)
        checksum = self._zeros
        for table, byte in zip(self._tables, header):
            checksum ^= table[byte]
        return header + CHECKSUM.pack(checksum) + self._filler


def decode(record: bytes) -> Optional[Header]:
    """The header of a whole record whose every byte agrees with its checksum; else None."""
    if len(record) < HEADER_BYTES:
        return None
    magic, version, flags, length, run, connection, sequence, intended = FIELDS.unpack_from(record)
    if (magic, version, length) != (MAGIC, VERSION, len(record)):
        return None
    if CHECKSUM.unpack_from(record, FIELDS.size)[0] != crc32c(record[: FIELDS.size] + record[HEADER_BYTES:]):
        return None
    return Header(flags, run, connection, sequence, intended)


def no_integrity() -> dict[str, int]:
    """What is wrong with replies, by its class; and how many bytes came that no request had asked for."""
    return {**dict.fromkeys(INTEGRITY, 0), "surplus": 0}


class Request:
    """One record, from the plan to its reply. `right` tells what came back, once that is whole."""

    __slots__ = ("intended", "k", "left", "record", "right", "sent", "sequence", "settled")

    def __init__(self, intended: int, k: int = -1) -> None:
        self.intended = intended
        self.k = k  # its second in the ledger; -1: it is no load
        self.record = b""
        self.sequence = 0
        self.sent = 0  # ns; 0: not yet
        self.left = False  # the generator: it counts as sent
        self.right: Optional[bool] = None  # None: no reply yet
        self.settled = False  # it has its outcome: a reply counts no more


class Stream:
    """The bytes of one connection.

    A reply is taken to be as long as its record. Where it is none, the beginning of a record that is waited for tells
    what strayed in or was left out, so that one fault is counted once and does not make what follows wrong.
    """

    __slots__ = ("_heard", "_integrity", "_number", "_part", "_recorder", "_sequence", "_timeout_ns", "pending")

    def __init__(self, recorder: Recorder, number: int, integrity: dict[str, int], timeout_ns: int) -> None:
        self._recorder = recorder
        self._number = number
        self._integrity = integrity
        self._timeout_ns = timeout_ns
        self._sequence = 0
        self._part = b""  # of the next reply, or where none is waited for, of a record that nobody asked for
        self._heard = 0  # ns; when the last of it came
        self.pending: deque[Request] = deque()

    def ask(self, request: Request, flags: int) -> bytes:
        """Make a request the next record of this connection; its reply is now waited for."""
        if not self.pending:
            self._part = b""  # surplus that was counted: it does not shift the replies
        request.sequence = self._sequence
        self._sequence += 1
        request.record = self._recorder.encode(flags, self._number, request.sequence, request.intended)
        self.pending.append(request)
        return request.record

    def feed(self, data: bytes, now: int) -> list[Request]:
        """The requests whose replies are now whole, those included that have timed out."""
        pending = self.pending
        if pending and not self._part and data == pending[0].record:  # nearly always
            return self._replied(pending.popleft(), data)
        waited = bool(pending)
        self._part += data
        self._heard = now
        size = self._recorder.size
        whole: list[Request] = []
        while pending and len(self._part) >= size:
            reply = self._part[:size]
            if reply != pending[0].record and decode(reply) is None:
                begins = self._next_record()
                if begins is None:
                    break  # what follows will tell
                if begins < size:
                    whole += self._skip(begins)
                    continue
            self._part = self._part[size:]
            whole += self._replied(pending.popleft(), reply)
        if not pending and self._part:
            self._unasked(len(self._part) if waited else len(data))
        return whole

    def _next_record(self) -> Optional[int]:
        """Where in the place of the next reply it begins, or the one after it; the size of a record: neither does.

        None where its beginning has not come whole.
        """
        part, size = self._part, self._recorder.size
        begins = [request.record[:TOLD_APART_BYTES] for request in islice(self.pending, 2)]
        found = min((at for begin in begins if (at := part.find(begin, 1)) > 0), default=size)
        if found < size:
            return found
        for length in range(TOLD_APART_BYTES - 1, RECOGNISED_BYTES - 1, -1):
            if len(part) - length < size and any(part.endswith(begin[:length]) for begin in begins):
                return None
        return size

    def _skip(self, at: int) -> list[Request]:
        """The next reply begins there, or the one after it: what was before is surplus, or all of a reply cut short."""
        strange, self._part = self._part[:at], self._part[at:]
        if self._part.startswith(self.pending[0].record[:TOLD_APART_BYTES]):
            self._integrity["surplus"] += at
            return []
        request = self.pending.popleft()
        request.right = False
        self._integrity["truncated" if request.record.startswith(strange) else "corrupt"] += 1
        return [request]

    def _replied(self, request: Request, reply: bytes) -> list[Request]:
        request.right = reply == request.record
        if not request.right:
            self._integrity[self._classify(reply, request.sequence)] += 1
            self._integrity["surplus"] += len(reply) * request.settled
        elif request.settled and request.k >= 0:
            self._integrity["late"] += 1
        return [request]

    def _unasked(self, new: int) -> None:
        """So many of the last bytes came while no reply was waited for: name the records in them."""
        self._integrity["surplus"] += new
        size = self._recorder.size
        while len(self._part) >= size:
            record, self._part = self._part[:size], self._part[size:]
            if decode(record):
                self._integrity[self._classify(record, self._sequence)] += 1

    def _classify(self, reply: bytes, expected: int) -> str:
        header = decode(reply)
        if header is None:
            return "corrupt"
        if header.run != self._recorder.run:
            return "foreign"
        if header.connection != self._number:
            return "crossed"
        if header.sequence == expected:
            return "corrupt"  # a record, but not the one that was sent
        return "duplicated" if header.sequence < expected else "reordered"

    def _overdue(self, now: int) -> bool:
        """Whether the next reply has come in part, and its request has timed out."""
        return bool(self._part and self.pending) and now >= self.pending[0].intended + self._timeout_ns

    def _give_up(self, unless_wrong: str) -> None:
        """Name what has come of the next reply; a part that may go on counts of the load alone."""
        if not self.pending[0].record.startswith(self._part):
            self._integrity["corrupt"] += 1
        elif unless_wrong != "incomplete" or self.pending[0].k >= 0:
            self._integrity[unless_wrong] += 1

    def cut(self) -> None:
        """The connection was lost: what is left of a reply is truncated."""
        if self._part and self.pending:
            self._give_up("truncated")
        self._part = b""

    def undecided(self, now: int) -> int:
        """Until when, in ns, a reply may go on of which nothing has come since its request timed out; or 0."""
        if not self._overdue(now) or self._heard > self.pending[0].intended + self._timeout_ns:
            return 0
        until = self._heard + self._timeout_ns
        return until if now < until and self.pending[0].record.startswith(self._part) else 0

    def sweep(self, now: int, stopped: bool) -> None:
        """The load is over: a reply is cut short unless more has come, and lately, or nobody waited to see."""
        while self._overdue(now) and (begins := self._next_record() or 0) < min(self._recorder.size, len(self._part)):
            self._skip(begins)
        if self._overdue(now):
            follows = self._heard > self.pending[0].intended + self._timeout_ns or stopped
            self._give_up("incomplete" if follows and now < self._heard + self._timeout_ns else "truncated")

    def reset(self, now: int) -> None:
        """The connection was closed, by us; its next one goes on with the same numbers."""
        if self._overdue(now):
            self._give_up("incomplete")
        self._part = b""
        self.pending.clear()
