"""The histograms of the line protocol: their range, and that a text is one, before it may take memory."""

from __future__ import annotations

import base64
import struct
import zlib

LOWEST_NS, HIGHEST_NS, DIGITS = 100, 60_000_000_000, 3
MOST_BYTES = 1 << 18
"""A payload's header, and the longest number for every slot, are fewer."""
HEAD = struct.Struct(">iiiiqqd")
"""Cookie, length, offset of the indexes, digits, lowest and highest value, ratio."""


class BadHistogram(ValueError):
    """The text is no HDR V2 histogram of 100 ns to 60 s with 3 digits."""


def check(text: str) -> None:
    """BadHistogram, where a base64 text is not one of ours: a line of it could unpack to gigabytes, and the range that
    it names decides how much memory its counts take."""
    try:
        inflater = zlib.decompressobj()
        payload = inflater.decompress(base64.b64decode(text[: 2 * MOST_BYTES])[8:], MOST_BYTES)
    except (ValueError, zlib.error) as error:
        raise BadHistogram(str(error)) from None
    if inflater.unconsumed_tail or not inflater.eof:
        raise BadHistogram("it unpacks to more than such a histogram can hold")
    if len(payload) < HEAD.size:
        raise BadHistogram("it has no header")
    _, _, offset, digits, lowest, highest, _ = HEAD.unpack_from(payload)
    if (lowest, highest, digits) != (LOWEST_NS, HIGHEST_NS, DIGITS) or offset != 0:
        raise BadHistogram(f"its range is {(lowest, highest, digits)}, not {(LOWEST_NS, HIGHEST_NS, DIGITS)}")
