"""What a reply can be: each kind of damage is counted in its class, and never as an answer."""

from collections.abc import Callable

import pytest

from pyloadgen.record import LOAD, Recorder, Request, Stream, no_integrity

RUN, NUMBER, SIZE = 20_945_436, 7, 64
TIMEOUT = 5_000  # ns; the requests are for 1000, 1001, …


class Conversation:
    def __init__(self, requests: int, size: int = SIZE) -> None:
        self.integrity = no_integrity()
        self.stream = Stream(Recorder(RUN, size, 71), NUMBER, self.integrity, TIMEOUT)
        self.asked: list[Request] = []
        for _ in range(requests):
            self.ask()

    def ask(self) -> Request:
        self.asked.append(Request(1000 + len(self.asked), k=0))
        self.stream.ask(self.asked[-1], LOAD)
        return self.asked[-1]

    def feed(self, data: bytes, now: int = 2000) -> list[Request]:
        return self.stream.feed(data, now)

    def right(self) -> list[bool | None]:
        return [request.right for request in self.asked]

    def wrong(self) -> dict[str, int]:
        return {name: count for name, count in self.integrity.items() if count and name != "surplus"}


def foreign(request: Request) -> bytes:
    return Recorder(RUN + 1, SIZE, 71).encode(LOAD, NUMBER, request.sequence, request.intended)


def crossed(request: Request) -> bytes:
    return Recorder(RUN, SIZE, 71).encode(LOAD, NUMBER + 1, request.sequence, request.intended)


def altered(request: Request) -> bytes:
    return Recorder(RUN, SIZE, 71).encode(LOAD, NUMBER, request.sequence, request.intended + 1)


@pytest.mark.parametrize("pieces", [1, 2, 3, 64, 200])
def test_replies_in_any_pieces(pieces: int) -> None:
    talk = Conversation(5)
    data = b"".join(request.record for request in talk.asked)
    step = max(1, len(data) // pieces)
    replied = [one for i in range(0, len(data), step) for one in talk.feed(data[i : i + step])]
    assert replied == talk.asked
    assert talk.right() == [True] * 5
    assert (talk.wrong(), talk.integrity["surplus"]) == ({}, 0)


@pytest.mark.parametrize("bit", range(0, SIZE * 8, 37))
def test_a_wrong_bit(bit: int) -> None:
    talk = Conversation(2)
    data = bytearray(b"".join(request.record for request in talk.asked))
    data[bit // 8] ^= 1 << bit % 8
    talk.feed(bytes(data))
    assert talk.right() == [False, True]  # the place of the next is not lost
    assert talk.wrong() == {"corrupt": 1}


@pytest.mark.parametrize(("make", "name"), [(foreign, "foreign"), (crossed, "crossed"), (altered, "corrupt")])
def test_another_record(make: object, name: str) -> None:
    talk = Conversation(1)
    assert callable(make)
    talk.feed(make(talk.asked[0]))
    assert talk.right() == [False]
    assert talk.wrong() == {name: 1}


def test_twice_the_same() -> None:
    talk = Conversation(1)
    talk.feed(talk.asked[0].record * 2)
    assert talk.right() == [True]
    assert talk.wrong() == {"duplicated": 1}
    assert talk.integrity["surplus"] == SIZE


def test_twice_the_same_while_another_waits() -> None:
    talk = Conversation(2)
    first, second = talk.asked
    talk.feed(first.record * 2)
    assert talk.right() == [True, False]
    assert talk.wrong() == {"duplicated": 1}
    assert second.record != first.record


def test_in_another_order() -> None:
    talk = Conversation(2)
    talk.feed(talk.asked[1].record + talk.asked[0].record)
    assert talk.right() == [False, False]
    assert talk.wrong() == {"reordered": 1, "duplicated": 1}  # docs/contracts.md: the later one, and the earlier one


def test_too_late() -> None:
    talk = Conversation(2)
    talk.asked[0].settled = talk.asked[1].settled = True
    assert talk.feed(talk.asked[0].record) == [talk.asked[0]]  # it has come, though its request has its outcome
    assert talk.wrong() == {"late": 1}
    talk.feed(b"x" * SIZE)
    assert talk.wrong() == {"late": 1, "corrupt": 1}
    assert talk.integrity["surplus"] == SIZE


def test_the_end_inside_a_reply() -> None:
    talk = Conversation(1)
    talk.feed(talk.asked[0].record[:-1])
    talk.stream.cut()
    talk.stream.reset(99_999)
    assert talk.wrong() == {"truncated": 1}
    assert talk.integrity["surplus"] == 0


def test_bytes_that_nobody_asked_for() -> None:
    talk = Conversation(0)
    talk.feed(b"hel")
    talk.feed(b"lo")
    talk.stream.sweep(99_999, stopped=False)
    assert (talk.wrong(), talk.integrity["surplus"]) == ({}, 5)
    assert talk.feed(talk.ask().record) == talk.asked
    assert talk.right() == [True]


def test_numbers_go_on_after_a_new_connection() -> None:
    talk = Conversation(2)
    talk.stream.reset(2000)
    assert talk.ask().sequence == 2


STRAY = b"\x0c\xc1stray"  # begins as records do


@pytest.mark.parametrize("size", [32, 64, 1000])
@pytest.mark.parametrize("at", [0, 1, 2, 3])
@pytest.mark.parametrize("step", [1, 7, 13, 50, 5000])
def test_what_strays_in_between_replies_is_surplus_and_nothing_else(size: int, at: int, step: int) -> None:
    talk = Conversation(3, size)
    records = [request.record for request in talk.asked]
    data = b"".join([*records[:at], STRAY, *records[at:]])
    for first in range(0, len(data), step):
        talk.feed(data[first : first + step])
    assert talk.right() == [True] * 3
    assert (talk.wrong(), talk.integrity["surplus"]) == ({}, 7)


@pytest.mark.parametrize("step", [1, 7, 64, 5000])
def test_what_strays_into_a_reply_makes_that_one_corrupt(step: int) -> None:
    talk = Conversation(3)
    first, second, third = (request.record for request in talk.asked)
    data = first + second[:40] + STRAY + second[40:] + third
    for begin in range(0, len(data), step):
        talk.feed(data[begin : begin + step])
    assert talk.right() == [True, False, True]
    assert (talk.wrong(), talk.integrity["surplus"]) == ({"corrupt": 1}, 7)


def test_eight_strays_are_eight_times_seven_bytes() -> None:
    """One request at a time, and what strays is read with the next reply: it counted as up to 72 corrupt replies."""
    talk = Conversation(0)
    for turn in range(80):
        request = talk.ask()
        talk.feed((STRAY if turn % 10 == 5 else b"") + request.record)
    assert talk.right() == [True] * 80
    assert (talk.wrong(), talk.integrity["surplus"]) == ({}, 8 * 7)


@pytest.mark.parametrize("came", [1, 20, 50, 60])
@pytest.mark.parametrize("step", [1, 30, 5000])
def test_another_record_in_the_place_of_the_rest(came: int, step: int) -> None:
    talk = Conversation(3)
    first, second, third = (request.record for request in talk.asked)
    data = first[:came] + second + third
    for begin in range(0, len(data), step):
        talk.feed(data[begin : begin + step])
    assert talk.right() == [False, True, True]
    assert (talk.wrong(), talk.integrity["surplus"]) == ({"truncated": 1}, 0)


CUT_SHORT = [  # when a part came, when another, when it ended; until when that was open. The request timed out at 6000
    ("nothing more since it timed out", [3000], 6001, 8000, "truncated"),
    ("nothing more for a timeout", [900], 6001, 0, "truncated"),
    ("some more since", [3000, 6500], 11_000, 0, "incomplete"),
    ("nothing more for a further timeout", [3000, 6500], 11_500, 0, "truncated"),
    ("it began to come after that", [6500], 7000, 0, "incomplete"),
]


@pytest.mark.parametrize(
    ("parts", "end", "until", "counted"), [c[1:] for c in CUT_SHORT], ids=[c[0] for c in CUT_SHORT]
)
def test_a_reply_cut_short(parts: list[int], end: int, until: int, counted: str) -> None:
    talk = Conversation(1)
    for number, now in enumerate(parts):
        assert talk.feed(talk.asked[0].record[number * 20 : number * 20 + 20], now) == []
    talk.asked[0].settled = True
    assert talk.stream.undecided(end) == until
    talk.stream.sweep(end, stopped=False)
    assert (talk.wrong(), talk.integrity["surplus"]) == ({counted: 1}, 0)


def test_nobody_waits_to_see_where_the_load_was_stopped() -> None:
    talk = Conversation(1)
    talk.feed(talk.asked[0].record[:20], 3000)
    talk.stream.sweep(6001, stopped=True)
    assert talk.wrong() == {"incomplete": 1}


DEEDS: dict[str, Callable[[Stream], None]] = {
    "the load is over": lambda stream: stream.sweep(6001, stopped=False),
    "the connection is lost": lambda stream: stream.cut(),
    "we close": lambda stream: stream.reset(6001),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_wrong_bytes_that_fill_no_record(deed: str) -> None:
    talk = Conversation(1)
    talk.feed(b"220 hello\r\n", 3000)
    DEEDS[deed](talk.stream)
    assert talk.stream.undecided(6001) == 0
    assert talk.wrong() == {"corrupt": 1}


def test_a_reply_in_part_whose_request_has_not_timed_out() -> None:
    talk = Conversation(1)
    talk.feed(talk.asked[0].record[:20])
    talk.stream.sweep(5999, stopped=False)
    talk.stream.reset(5999)
    assert talk.wrong() == {}


def test_a_reply_that_is_completed_later_is_late() -> None:
    talk = Conversation(1)
    record = talk.asked[0].record
    talk.feed(record[:20], 3000)
    talk.asked[0].settled = True
    talk.feed(record[20:], 30_000)
    talk.stream.sweep(40_000, stopped=False)
    assert talk.wrong() == {"late": 1}


def test_the_rest_cannot_come_where_we_close() -> None:
    talk = Conversation(1)
    talk.feed(talk.asked[0].record[:20])
    talk.stream.reset(6000)
    assert talk.wrong() == {"incomplete": 1}
