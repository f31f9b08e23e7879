from typing import Any

import pytest

from conductor.clock import Clock
from conductor.outcome import Proof, Seen, counts_of, held, outcome_of, start_skew_ms
from contracts.declared import COUNTS, INTEGRITY, WORKLOADS, WRONG

TEN = Proof(1000, 1000, 1000)
NONE, RIGHT = dict.fromkeys(COUNTS, 0), dict.fromkeys(INTEGRITY, 0)


def done(surplus: int = 0, first_send_ns: int = 5_000_000, wrong: Any = None, **counts: int) -> dict[str, Any]:
    load = NONE | dict.fromkeys(("planned", "sent", "answered"), 500) | counts
    return {
        "event": "done", "first_send_ns": first_send_ns, "surplus": surplus, "integrity": RIGHT | (wrong or {}),
        "totals": {"warmup": NONE, "load": load},
    }  # fmt: skip


def armed(verified: int = 500, **failed: int) -> dict[str, Any]:
    return {"event": "armed", "connected": 500, "verified": verified, "failed": failed}


def seen(**changes: Any) -> Seen:
    good: dict[str, Any] = {
        "workload": "open", "connections": 1000, "expected_requests": 1000,
        "armed": {"client1": armed(), "client2": armed()}, "barrier": TEN,
        "done": {"client1": done(), "client2": done()},
        "clocks": {"client1": Clock(0, 50_000), "client2": Clock(1_000_000, 50_000)},
    }  # fmt: skip
    merged = good | changes
    return Seen(**{**merged, "workload": WORKLOADS[merged["workload"]]})


LIMIT = {"event": "limit", "resource": "FD_SETSIZE", "held": 1015}


@pytest.mark.parametrize(
    ("changes", "word", "reason"),
    [
        ({}, "ok", None),
        ({"interrupted": "SIGINT received"}, "interrupted", "SIGINT"),
        ({"interrupted": "SIGINT received", "server_lost": "gone"}, "interrupted", "SIGINT"),
        ({"server_lost": "died of signal 9", "lost": {"client2": "gone"}}, "crashed", "signal 9"),
        ({"lost": {"client2": "it ended on its own"}, "done": {"client1": done()}}, "partial", "client2 was lost"),
        ({"limit": LIMIT, "dnf": True, "done": {}}, "dnf", "FD_SETSIZE"),
        ({"limit": LIMIT, "lost": {"client1": "gone"}}, "partial", "client1"),
        ({"spoiled": {"client1": "the go came late"}}, "invalid", "client1: the go came late"),
        ({"refused": "client1: no ports."}, "invalid", "no ports"),
        ({"armed": {"client1": armed(499, **{"connect/refused": 1})}}, "invalid", "connect/refused 1"),
        ({"barrier": Proof(1001, 1000, 1000), "done": {}}, "invalid", "kernel 1,001"),
        ({"done": {"client1": done(answered=499, mismatched=1)}}, "invalid", "not their own"),
        ({"done": {"client1": done(surplus=1)}}, "invalid", "no request asked for"),
        (
            {"done": {"client1": done(wrong={"corrupt": 1, "crossed": 3, "late": 9}), "client2": done()}},
            "invalid", "client1: 3 replies crossed, 1 corrupt",
        ),
        *(({"done": {"client2": done(wrong={kind: 2})}}, "invalid", f"client2: 2 replies {kind}") for kind in WRONG),
        ({"done": {"client1": done(answered=498, timed_out=2, wrong={"late": 2})}}, "ok", None),
        ({"armed": {"client1": armed(98)}, "barrier": Proof(100, 98, 98)}, "invalid", "do not agree"),
        ({"workload": "calibrate", "armed": {"client1": armed(0)}, "barrier": None}, "ok", None),
        (
            {"workload": "calibrate", "armed": {"client1": armed(0, **{"connect/refused": 2})}, "barrier": None},
            "invalid", "connect/refused 2",
        ),
        ({"done": {"client1": done(answered=499)}}, "invalid", "499 are accounted for"),
        ({"done": {"client1": done(sent=501)}}, "invalid", "accounted for"),
        ({"done": {"client1": done(sent=495, answered=495, dropped=5)}}, "ok", None),
        ({"done": {"client1": done(sent=494, answered=494, dropped=6)}}, "invalid", "never sent"),
        ({"done": {"client1": done(planned=0, sent=0, answered=0)}}, "invalid", "no request was planned"),
        ({"done": {"client1": done(answered=400, timed_out=100)}}, "ok", None),
        (
            {"lost": {"client2": "gone"}, "done": {"client1": done(answered=499, mismatched=1)}},
            "invalid", "client2 was lost: gone; client1: 1 replies",
        ),
    ],
)  # fmt: skip
def test_outcome(changes: dict[str, Any], word: str, reason: str | None) -> None:
    found, why = outcome_of(seen(**changes))
    assert found == word
    assert why is None if reason is None else reason in str(why)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 1000),
        ({"barrier": Proof(1000, None, 1000)}, 1000),
        ({"barrier": Proof(1001, 1000, 1000)}, None),
        ({"barrier": Proof(1018, 1015, 1015), "dnf": True, "limit": LIMIT}, 1015),
        ({"barrier": None}, None),
        ({"workload": "churn", "barrier": None}, None),
    ],
)
def test_held_is_only_what_was_proved(changes: dict[str, Any], count: int | None) -> None:
    assert held(seen(**changes)) == count


def test_skew_is_in_the_controllers_clock() -> None:
    apart = {"client1": done(first_send_ns=5_000_000), "client2": done(first_send_ns=6_400_000)}
    assert start_skew_ms(seen(done=apart)) == pytest.approx(0.4)


def test_counts_are_summed_over_clients() -> None:
    counts = counts_of(seen().done)
    assert counts is not None
    assert counts["planned"] == counts["answered"] == 1000
    assert counts_of({}) is None
