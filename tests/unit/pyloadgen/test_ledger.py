"""Accounts by the second: what is emitted, when, and that nothing is lost."""

import random

from contracts.declared import SETTLED
from pyloadgen.books import ANSWERED, FAILED, SECOND, TIMED_OUT, Interval, Ledger


def ledger(planners: int = 1, limit: int | None = 3) -> tuple[Ledger, list[Interval]]:
    out: list[Interval] = []
    return Ledger(1000, planners, limit, out.append), out


def second(k: int) -> int:
    """Its beginning."""
    return 1000 + k * SECOND


def test_a_second_waits_for_its_planner_and_for_its_last_request() -> None:
    book, out = ledger()
    k = book.plan(1000 + SECOND - 1)
    assert k == book.plan(1000) == 0
    book.sent(k)
    book.settle(k, ANSWERED, 5000)
    assert not out
    book.move(0, second(1))
    assert not out
    book.settle(k, TIMED_OUT)
    assert [(one.k, one.counts["planned"], one.counts["sent"]) for one in out] == [(0, 2, 1)]
    assert out[0].counts["answered"] == out[0].counts["timed_out"] == out[0].response.total == 1


def test_a_second_without_requests_is_one_too() -> None:
    book, out = ledger()
    book.move(0, second(2))
    assert [(one.k, one.counts["planned"]) for one in out] == [(0, 0), (1, 0)]
    book.leave(2)
    book.finish(3)
    assert [one.k for one in out] == [0, 1, 2]


def test_the_slowest_planner_decides() -> None:
    book, out = ledger(planners=3)
    book.move(0, second(2))
    book.leave(0)
    assert not out
    book.settle(book.plan(1000), FAILED)  # by the third
    book.move(0, second(1))
    assert [one.k for one in out] == [0]
    book.leave(1)
    assert [one.k for one in out] == [0, 1]


def test_no_planner_at_all() -> None:
    book, out = ledger(planners=0)
    book.finish(3)
    assert [one.k for one in out] == [0, 1, 2]


def test_what_is_late_goes_to_the_last_second_and_a_quota_has_none() -> None:
    assert ledger()[0].second_of(second(9)) == 3
    book, out = ledger(limit=None)
    assert book.move(0, second(9)) == book.move(9, second(8)) == 9
    assert len(out) == 9
    book.settle(book.plan(second(9)), FAILED)
    book.leave(9)
    book.finish(0)
    assert out[-1].k == 9


def test_conservation_in_any_order() -> None:
    chance = random.Random(3)
    for _ in range(50):
        book, out = ledger(planners=1, limit=5)
        pending: list[int] = []
        for k in range(5):
            book.move(max(0, k - 1), second(k))
            for _ in range(chance.randrange(20)):
                pending.append(book.plan(second(k)))
            chance.shuffle(pending)
            while pending and chance.random() < 0.8:
                book.settle(pending.pop(), chance.choice(SETTLED), 1000)
        book.leave(4)
        while pending:
            book.settle(pending.pop(), chance.choice(SETTLED), 1000)
        book.finish(5)
        assert sorted(one.k for one in out) == [0, 1, 2, 3, 4]
        for one in out:
            assert one.settled()
            assert one.response.total == one.counts["answered"]


def test_replies_count_in_the_second_in_which_they_were_read() -> None:
    book, out = ledger()
    slow, late = book.plan(1000), book.plan(1000)
    book.settle(slow, TIMED_OUT, unsent="unsent_waiting")
    book.arrived(second(0) + 5)
    book.arrived(second(2))
    book.move(0, second(3))
    book.settle(late, ANSWERED, 5000)
    book.arrived(second(3))  # in no second: it came after the last one
    book.leave(3)
    book.finish(3)
    seconds = {one.k: one.counts for one in out}
    assert [seconds[k]["arrived"] for k in (0, 1, 2)] == [1, 0, 1]
    assert [seconds[0][name] for name in ("unsent_waiting", "unsent_late", "timed_out", "answered")] == [1, 0, 1, 1]
    assert len(out) == 3
