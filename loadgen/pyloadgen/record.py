"""The record that a generator sends and that must come back unchanged (docs/contracts.md, "The record"); streams of it.

The checksum is CRC32C, for which Python has no function, so that it is computed by table. Of a record only the 28 bytes
of the header change, and a checksum is linear: it is that of a header of zeros, changed by what each byte of the header
does to it at its place. A table for each place says what that is, the filler behind it included.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import NamedTuple, Optional

from contracts.declared import INTEGRITY

HEADER_BYTES = 32
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
