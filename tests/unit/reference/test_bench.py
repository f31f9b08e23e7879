"""What the benches rest on: the HTTP twin, the frozen server's notes, and the arithmetic that follows from them."""

import shutil
import signal
import socket
import struct
from itertools import pairwise
from pathlib import Path

import pytest

from tests.bench import common, frozen
from tests.unit.server import harness

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="the benches' servers need a C compiler")
REQUEST = b"GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n"


def record(flags: int, intended_ns: int, size: int) -> bytes:
    header = struct.pack("<HBBIIIIQI", 0xC10C, 1, flags, size, 0, 0, 0, intended_ns, 0)
    return header + bytes(size - len(header))


def test_the_twin_answers_each_request_however_it_comes() -> None:
    with common.serving("http_twin") as server, socket.create_connection(("127.0.0.1", server.port), 5) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in REQUEST:
            assert server.answered() == 0
            sock.sendall(bytes([byte]))
        answer = harness.read_exactly(sock, common.RECORD_BYTES)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert int(head.rpartition(b":")[2]) == len(body)
        sock.sendall(REQUEST * 5_000)
        assert harness.read_exactly(sock, 5_000 * len(answer)) == answer * 5_000
        # It counts what it has written after writing it.
        harness.eventually(lambda: server.answered() == 5_001, "the last answer is counted")
        sock.sendall(REQUEST[:-1])
        sock.shutdown(socket.SHUT_WR)
        assert harness.read_to_end(sock) == b""


def test_frozen_notes_the_load_and_its_freezes(tmp_path: Path) -> None:
    period_ms, freeze_ms, out = 200, 50, tmp_path / "arrivals"
    port = harness.free_port()
    with common.process([common.c_program("frozen"), "127.0.0.1", port, period_ms, freeze_ms, out], None) as process:
        harness.eventually(lambda: common.listens(port), "the frozen server listens")
        with socket.create_connection(("127.0.0.1", port), 5) as sock:
            stream = b"".join(
                [record(1, 7, 32), record(0, 1 << 40, 32), record(0, 5, 100), record(2, 9, 64), record(0, 6, 33)]
            )
            for at in range(0, len(stream), 7):
                sock.sendall(stream[at : at + 7])
            assert harness.read_exactly(sock, len(stream)) == stream
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    words = struct.unpack(f"<{out.stat().st_size // 8}Q", out.read_bytes())
    assert words[:4] == (3, 1 << 40, 5, 6)
    starts, ends = words[5::2], words[6::2]
    assert words[4] == len(starts) == len(ends)
    assert all(end - start == freeze_ms * common.NS_PER_MS for start, end in zip(starts, ends, strict=True))
    assert {b - a for a, b in pairwise(starts)} <= {period_ms * common.NS_PER_MS}


def test_waits_of_the_arrivals_that_occurred(tmp_path: Path) -> None:
    at = [1, 10_000_000, 15_000_000, 19_999_999, 20_000_000, 35_000_000]
    path = tmp_path / "arrivals"
    path.write_bytes(struct.pack("<12Q", len(at), *at, 2, 10_000_000, 20_000_000, 30_000_000, 40_000_000))
    assert frozen.occurred_ms(path) == pytest.approx([0, 0, 0.000001, 5, 5, 10])


@pytest.mark.parametrize(
    ("freeze_ms", "expected"),
    [(250, {"95": 0, "99": 200, "99.9": 245}), (500, {"95": 250, "99": 450, "99.9": 495}), (1000, {"95": 750})],
)
def test_the_arithmetic_of_freezes(freeze_ms: int, expected: dict[str, float]) -> None:
    assert {percent: frozen.arithmetic_ms(percent, 5_000, freeze_ms) for percent in expected} == expected


def test_a_percentile_of_few() -> None:
    assert [frozen.of_sorted([1.0, 2.0, 3.0, 4.0], percent) for percent in ("25", "50", "99.9")] == [1, 2, 4]


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.0261, "0.026"), (1.954, "1.95"), (83_512.0, "83,512")])
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert common.figure(value) == text
