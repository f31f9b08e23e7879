"""The record in Python against the recorded vectors."""

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyloadgen.record import ARM, HEADER_BYTES, Header, Recorder, crc32c, decode

VECTORS = json.loads((Path(__file__).parents[2] / "contract/vectors/record.json").read_text())["vectors"]
RECORD = Recorder(7, 77, 3).encode(ARM, 1, 2, 99)


def made(vector: dict[str, Any]) -> bytes:
    recorder = Recorder(vector["run"], vector["payload_bytes"], vector["seed"])
    return recorder.encode(vector["flags"], vector["connection"], vector["sequence"], vector["intended_ns"])


@pytest.mark.parametrize("vector", VECTORS)
def test_vector(vector: dict[str, Any]) -> None:
    assert made(vector).hex() == vector["hex"]
    header = decode(bytes.fromhex(vector["hex"]))
    assert header == Header(*(vector[name] for name in ("flags", "run", "connection", "sequence", "intended_ns")))


def test_checksum_is_castagnoli() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"123456789") != zlib.crc32(b"123456789")


@pytest.mark.parametrize("size", [32, 33, 39, 40, 63, 1024, 5000])
def test_the_short_way_to_the_checksum_is_the_long_one(size: int) -> None:
    record = Recorder(7, size, 3).encode(ARM, 1, 2, 99)
    assert len(record) == size
    assert int.from_bytes(record[28:32], "little") == crc32c(record[:28] + record[32:])


@given(st.integers(0, 8 * 77 - 1))
def test_no_bit_can_change_unseen(bit: int) -> None:
    record = bytearray(RECORD)
    record[bit // 8] ^= 1 << bit % 8
    assert decode(bytes(record)) is None


@given(st.binary(max_size=2 * HEADER_BYTES))
def test_anything_else_is_no_record(data: bytes) -> None:
    assert decode(data) is None
