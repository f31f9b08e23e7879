from hypothesis import given
from hypothesis import strategies as st

from conductor.clock import Clock, Exchange, clock_of, lead_ns

DELAYS_NS = st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**8)), min_size=1, max_size=40)


@given(st.integers(-(10**15), 10**15), DELAYS_NS)
def test_the_true_offset_is_within_the_bound(offset_ns: int, delays: list[tuple[int, int]]) -> None:
    exchanges = []
    sent_ns = 10**16
    for out_ns, back_ns in delays:
        exchanges.append(Exchange(sent_ns, sent_ns + out_ns + offset_ns, sent_ns + out_ns + back_ns))
        sent_ns += out_ns + back_ns + 1
    clock = clock_of(exchanges)
    assert abs(clock.offset_ns - offset_ns) <= clock.bound_ns
    assert clock.bound_ns <= (min(out + back for out, back in delays) + 1) // 2


def test_the_exchange_with_the_shortest_round_trip_counts() -> None:
    slow = Exchange(sent_ns=0, answered_ns=9_000, arrived_ns=10_000)
    fast = Exchange(sent_ns=20_000, answered_ns=20_150, arrived_ns=20_100)
    assert clock_of([slow, fast]) == Clock(offset_ns=100, bound_ns=50)


def test_there_and_back() -> None:
    clock = Clock(offset_ns=86_400 * 10**9, bound_ns=1)
    assert clock.here(clock.there(123)) == 123


def test_the_lead_covers_the_most_distant_host() -> None:
    assert lead_ns([Clock(0, 100_000)]) == 400_000_000
    assert lead_ns([Clock(0, 100_000), Clock(0, 25_000_000)]) == 1_000_000_000
