"""The histogram log of a real run, read by the package hdrhistogram and by a decoder of its own, index by index."""

import base64
import struct
import zlib
from collections import Counter
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from tests.bench import common
from tests.unit.server import harness

LOWEST_NS, HIGHEST_NS, DIGITS = 100, 60_000_000_000, 3
WARMUP_S, WINDOW_S = 1, 2
COMPRESSED, PLAIN = 0x1C849314, 0x1C849313  # cookies of version 2, word size in the fifth bit
HEADER = struct.Struct(">iiiiqqd")  # cookie, bytes of counts, index offset, digits, lowest, highest, ratio


def decode(text: str) -> list[int]:
    """The counts of a base64 HDR V2 compressed histogram, by index, to the last that is not 0.

    Each number is a zigzag LEB128, of which the ninth byte has eight bits: a count, or if negative that many zeros.
    """
    raw = base64.b64decode(text, validate=True)
    cookie, size = struct.unpack_from(">II", raw)
    assert (cookie, size) == (COMPRESSED, len(raw) - 8)
    plain = zlib.decompress(raw[8:])
    cookie, size, *rest = HEADER.unpack_from(plain)
    assert (cookie, size) == (PLAIN, len(plain) - HEADER.size)
    assert rest == [0, DIGITS, LOWEST_NS, HIGHEST_NS, 1.0]
    counts: list[int] = []
    at = HEADER.size
    while at < len(plain):
        number = shift = 0
        while True:
            byte = plain[at]
            at += 1
            last = shift == 56
            number |= (byte if last else byte & 0x7F) << shift
            shift += 7
            if last or byte < 0x80:
                break
        number = number >> 1 ^ -(number & 1)
        counts += [0] * -number if number < 0 else [number]
    while counts and not counts[-1]:
        counts.pop()
    return counts


def by_package(histogram: HdrHistogram) -> list[int]:
    counts = [histogram.get_count_at_index(i) for i in range(histogram.counts_len)]
    while counts and not counts[-1]:
        counts.pop()
    return counts


def log_lines(path: Path) -> list[tuple[str, float, float, float, str]]:
    """Tag, start, length, largest value and histogram of each line."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("Tag=")]
    fields = [line.removeprefix("Tag=").split(",") for line in lines]
    return [(tag, float(start), float(length), float(top), text) for tag, start, length, top, text in fields]


@pytest.mark.parametrize("engine", ["epoll", "goroutine"])
def test_three_readers_agree_at_every_index(engine: str, tmp_path: Path) -> None:
    common.generator()
    log = tmp_path / "latency.hlog"
    with harness.serving("epoll", tmp_path) as server:
        report = common.generate(
            f"127.0.0.1:{server.port}", cpu=None, timeout_s=60, engine=engine, c=50, r=2_000, arrival="poisson",
            warmup=f"{WARMUP_S}s", d=f"{WINDOW_S}s", hlog=log,
        )  # fmt: skip
    assert report.exit == 0, report.json["reasons"]
    intervals = report.json["intervals"]
    lines = log_lines(log)
    assert Counter(tag for tag, *_ in lines) == {
        "response": WARMUP_S + WINDOW_S, "service": 1, "lag": 1, "connect": 1, "loop_lag": 1,
    }  # fmt: skip

    # By the package's own reader of logs, and by the decoder above.
    reader = HistogramLogReader(str(log), HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS))
    read = []
    while (histogram := reader.get_next_interval_histogram()) is not None:
        read.append(histogram)
    reader.close()
    assert [histogram.get_tag() for histogram in read] == [tag for tag, *_ in lines]
    for histogram, (tag, _, _, top_ms, text) in zip(read, lines, strict=True):
        counts = decode(text)
        assert by_package(histogram) == counts, tag
        assert sum(counts) > 0, tag
        assert top_ms == pytest.approx(histogram.get_max_value() / 1e6, abs=0.001), tag

    # And what --json says is the same again.
    responses = {start: decode(text) for tag, start, _, _, text in lines if tag == "response"}
    assert responses == {float(one["k"]): decode(one["response"]) for one in intervals}
    for one in intervals:
        assert sum(responses[one["k"]]) == one["answered"] == one["planned"]
    whole = {tag: decode(text) for tag, _, _, _, text in lines if tag != "response"}
    assert whole == {kind: decode(report.done[kind]) for kind in whole}
    assert sum(whole["service"]) == report.load["answered"]
    assert sum(whole["lag"]) == report.load["sent"]
    assert sum(whole["connect"]) == 50
