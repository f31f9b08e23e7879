from typing import Any

import pytest

from conductor.clock import Clock
from conductor.outcome import Proof, Seen, counts_of, held, outcome_of, start_skew_ms
from contracts.declared import COUNTS, INTEGRITY, WORKLOADS, WRONG

TEN = Proof(1000, 1000, 1000)
NONE, RIGHT = dict.fromkeys(COUNTS, 0), dict.fromkeys(INTEGRITY, 0)


def done(
    surplus: int = 0, first_send_ns: int = 5_000_000, wrong: Any = None, lost: int = 0, cause: str = "peer-closed",
    **counts: int,
) -> dict[str, Any]:  # fmt: skip
    load = NONE | dict.fromkeys(("planned", "sent", "answered"), 500) | counts
    return {
        "event": "done", "first_send_ns": first_send_ns, "surplus": surplus, "integrity": RIGHT | (wrong or {}),
        "totals": {"warmup": NONE, "load": load}, "connections": {"armed": 500, "open": 500 - lost, "lost": lost},
        "errors": [{"phase": "read", "cause": cause, "count": lost}] if lost else [],
    }  # fmt: skip


MUTE: dict[str, Any] = {"sent": 100, "unsent_waiting": 400, "answered": 0, "timed_out": 500}
CLOSED: dict[str, Any] = {"sent": 0, "unsent_waiting": 500, "answered": 0, "failed": 500, "lost": 500}
CUT: dict[str, Any] = {"answered": 100, "timed_out": 400}
LATE: dict[str, Any] = {"sent": 480, "unsent_late": 20, "answered": 480, "dropped": 20}


def armed(verified: int = 500, **failed: int) -> dict[str, Any]:
    return {"event": "armed", "connected": 500, "verified": verified, "failed": failed}


def seen(**changes: Any) -> Seen:
    good: dict[str, Any] = {
        "workload": "open", "connections": 1000, "expects_requests": True,
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
        ({"done": {"client1": done(sent=501)}}, "invalid", "client1: of 500 requests planned in load, 501 were sent"),
        ({"done": {"client1": done(sent=400, answered=400, timed_out=100)}}, "invalid", "400 were sent or known"),
        ({"done": {"client1": done(sent=495, unsent_late=5, answered=495, dropped=5)}}, "ok", None),
        (
            {"done": {"client1": done(sent=494, unsent_late=6, answered=494, dropped=6)}},
            "invalid", "6 of 500 planned requests (1.2%) were never sent: the generators of client1 were late",
        ),
        # What waited behind a busy or closed connection was the server's doing, and so a result, however much it is.
        ({"done": {"client1": done(**MUTE), "client2": done(**MUTE)}}, "ok", None),
        ({"done": {"client1": done(**CLOSED), "client2": done(**CLOSED)}}, "ok", None),
        ({"done": {"client1": done(**CUT), "client2": done()}}, "ok", None),
        ({"done": {"client1": done(planned=0, sent=0, answered=0)}}, "invalid", "no request was planned"),
        ({"done": {"client1": done(planned=0, sent=0, answered=0)}, "expects_requests": False}, "ok", None),
        ({"done": {"client1": done(answered=490, timed_out=10, wrong={"incomplete": 10})}}, "ok", None),
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


WRONG_TOO: dict[str, Any] = {"wrong": {"truncated": 3}}
TRUNCATED = "client1: 3 replies truncated"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        # The worst first: what the server did to all, then who is the odd one out, then what spoiled the trial.
        (
            {"done": {"client1": done(**CLOSED, **WRONG_TOO), "client2": done(**CLOSED)}},
            f"the server closed 1,000 of 1,000 connections; none of 1,000 requests was answered; {TRUNCATED}",
        ),
        (
            {"done": {"client1": done(**CLOSED, cause="timed-out", **WRONG_TOO), "client2": done(lost=1)}},
            "501 of 1,000 connections were lost; "
            f"client1: 500 of 500 requests were not answered (of the other clients' 500: 0); {TRUNCATED}",
        ),
        ({"done": {"client1": done(**MUTE, **WRONG_TOO)}}, f"none of 500 requests was answered; {TRUNCATED}"),
        (
            {
                "done": {
                    "client1": done(**WRONG_TOO),
                    "client2": done(**CUT),
                    "client3": done(answered=499, timed_out=1),
                }
            },
            "client2: 400 of 500 requests were not answered (of the other clients' 1,000: 1); " + TRUNCATED,
        ),
        # All slow alike, or one a little slower: nobody is odd. A few lost connections are not worth a word.
        ({"done": {"client1": done(**CUT, **WRONG_TOO), "client2": done(**CUT)}}, TRUNCATED),
        ({"done": {"client1": done(**WRONG_TOO), "client2": done(answered=460, timed_out=40, lost=5)}}, TRUNCATED),
        (
            {"lost": {"client2": "gone"}, "done": {"client1": done(**CLOSED)}},
            "client2 was lost: gone; the server closed 500 of 500 connections; none of 500 requests was answered",
        ),
        # A death is the first fact, and what follows from it is none.
        (
            {"server_lost": "It died with status 1.", "done": {"client1": done(**CLOSED)}},
            "the server: It died with status 1",
        ),
        (
            {"done": {"client1": done(**LATE), "client2": done()}},
            "20 of 1,000 planned requests (2.0%) were never sent: the generators of client1 were late",
        ),
        (
            {"armed": {"client1": armed(), "client2": armed(400, **{"connect/timed-out": 100})}, "done": {}},
            "not armed: 900 of 1,000 connections verified (client2: connect/timed-out 100)",
        ),
    ],
)
def test_the_reason_says_who_did_it(changes: dict[str, Any], reason: str) -> None:
    assert outcome_of(seen(**changes))[1] == reason


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
