"""The record that a generator sends and that must come back unchanged (docs/contracts.md, "The record").

The checksum is CRC32C, for which Python has no function, so that it is computed by table, a byte at a time. Only the
28 bytes of the header are walked for each record: what the filler does to a checksum is the same for all of them, and
a linear function of the 32 bits that the header left, so that it too is a matter of four tables.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional

HEADER_BYTES = 32
MAX_BYTES = 1 << 20
MAGIC = 0xC10C
VERSION = 1
LOAD, ARM, PROVE = 0, 1, 2  # what a record is for; its flags

FIELDS = struct.Struct("<HBBIIIIQ")  # all of the header but the checksum
CHECKSUM = struct.Struct("<I")
POLYNOMIAL = 0x82F63B78  # Castagnoli, reflected
MASK64 = (1 << 64) - 1


def _table() -> list[int]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return table


TABLE = _table()


def walk(state: int, data: bytes) -> int:
    """The checksum's state after more data, before the last inversion."""
    table = TABLE
    for byte in data:
        state = state >> 8 ^ table[(state ^ byte) & 0xFF]
    return state


def crc32c(data: bytes) -> int:
    return walk(0xFFFFFFFF, data) ^ 0xFFFFFFFF


def apply(columns: list[int], state: int) -> int:
    """A linear function of 32 bits, given what it makes of each bit alone."""
    result = 0
    for column in columns:
        if state & 1:
            result ^= column
        state >>= 1
    return result


def after_zeros(count: int) -> list[int]:
    """What `count` zero bytes do to each bit of a state, by repeated squaring: the filler may be a megabyte."""
    result = [1 << bit for bit in range(32)]
    power = [walk(1 << bit, b"\0") for bit in range(32)]
    while count:
        if count & 1:
            result = [apply(power, column) for column in result]
        power = [apply(power, column) for column in power]
        count >>= 1
    return result


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
        columns = after_zeros(len(self._filler))
        self._tables = [[apply(columns, byte << shift) for byte in range(256)] for shift in (0, 8, 16, 24)]
        self._constant = walk(0, self._filler) ^ 0xFFFFFFFF

    def encode(self, flags: int, connection: int, sequence: int, intended: int) -> bytes:
        header = FIELDS.pack(MAGIC, VERSION, flags, self.size, self.run, connection, sequence, intended)
        state = walk(0xFFFFFFFF, header)
        low, second, third, high = self._tables
        state = low[state & 0xFF] ^ second[state >> 8 & 0xFF] ^ third[state >> 16 & 0xFF] ^ high[state >> 24]
        return header + CHECKSUM.pack(state ^ self._constant) + self._filler


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
