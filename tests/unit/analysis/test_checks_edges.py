"""Each check just below and just above its threshold, where one row of one table decides."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.declared import WRONG
from tests.unit.analysis.check_data import MS, RATE, S, change, healthy, told

INF = float("inf")
CLIENT = ("generators", "client2")
TRIAL = ("trials", None)


@pytest.mark.parametrize(
    ("check", "place", "below", "above"),
    [
        # Late by 1 ms at the least, and by half of the response.
        ("GN3", TRIAL, {"lag_p99_ns": 1.0 * MS, "response_p99_ns": 1.5 * MS}, {"lag_p99_ns": 1.01 * MS}),
        ("GN3", TRIAL, {"lag_p99_ns": 2.49 * MS, "response_p99_ns": 5.0 * MS}, {"lag_p99_ns": 2.5 * MS}),
        ("GN3", TRIAL, {"lag_p99_ns": 2.5 * MS, "response_p99_ns": INF}, {"response_p99_ns": 5.0 * MS}),
        ("LG1", CLIENT, {"lag_p99_ns": 10.0 * MS}, {"lag_p99_ns": 10.1 * MS}),
        # With 1.2 s of system time 0.892 and 0.908 of its one CPU; the others are of 12 s.
        ("GN2", CLIENT, {"cpu_user_ns": 9.5 * S}, {"cpu_user_ns": 9.7 * S}),
        ("GN2", CLIENT, {"steal_ns": 0.11 * S}, {"steal_ns": 0.13 * S}),
        ("GN2", CLIENT, {"throttled_ns": 0.11 * S}, {"throttled_ns": 0.13 * S}),
        ("GN2", CLIENT, {"gc_pause_ns": 0.11 * S}, {"gc_pause_ns": 0.13 * S}),
        ("GN2", CLIENT, {"max_loop_gap_ns": 100 * MS}, {"max_loop_gap_ns": 101 * MS}),
        # Of 20,000 ports and descriptors.
        ("GN5", CLIENT, {"connections_share": 10_999}, {"connections_share": 11_000}),
        ("GN6", CLIENT, {"connections_share": 18_000}, {"connections_share": 18_001}),
        ("GN6", CLIENT, {"connections_share": 18_001, "processes": 2}, {"processes": 1}),
        ("GN7", CLIENT, {"response_p99_ns": 10.0 * MS}, {"response_p99_ns": 10.1 * MS}),
        ("GN7", CLIENT, {"response_p99_ns": 5.0 * MS}, {"response_p99_ns": INF}),
        # Of 12 s × 900/s 3,600 are each client's share: 5 % are 180, but five times its square root are 300. With 36/s
        # more: 4,032 of 11,232, whose third is 3,744: 288 too many, of 306. With 40: 320 of 307.
        ("GN7", CLIENT, {"sent_per_s": RATE + 36}, {"sent_per_s": RATE + 40}),
        ("DT2", ("workers", None), {"bytes_out": 64 * 10_800}, {"bytes_out": 64 * 10_799}),
        ("DT13", TRIAL, {"disturb": "restart/1s", "disturbed": 1}, {"disturbed": 0}),
        ("DT13", TRIAL, {"disturb": None, "disturbed": 0}, {"disturb": "stall:100ms/1s", "disturbed": None}),
        *(("DT3", CLIENT, {name: 0}, {name: 3}) for name in WRONG),
        ("DT3", CLIENT, {"late": 3}, {"corrupt": 1}),  # late replies are right ones
        ("DT4", CLIENT, {"over_60s": 0}, {"over_60s": 1}),
        ("DT5", TRIAL, {"response_p99_9_tail_requests": 100.0}, {"response_p99_9_tail_requests": 99.9}),
        ("DT7", TRIAL, {"outcome": "dnf"}, {"outcome": "partial"}),  # a limit is a result
        ("SV2", ("listen_queue", None), {"limit": 2048}, {"limit": 2047}),
        ("CL1", ("clocks", "client1"), {"bound_ns": 5.0 * MS}, {"bound_ns": 5.1 * MS}),
        # From 5 ms, both ends known to 0.1 ms.
        ("CK1", ("clocks", "client3"), {"offset_after_ns": 15.2 * MS}, {"offset_after_ns": 15.3 * MS}),
        ("CK1", ("clocks", "client3"), {"offset_after_ns": -5.2 * MS}, {"offset_after_ns": -5.3 * MS}),
    ],
)
def test_below_and_above(
    check: str, place: tuple[str, str | None], below: dict[str, Any], above: dict[str, Any]
) -> None:
    rows = change(healthy(), place[0], 1, place[1], **below)
    assert told(check, rows) == []
    assert told(check, change(rows, place[0], 1, place[1], **above)) == [1]
