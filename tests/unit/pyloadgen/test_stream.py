"""What a reply can be: each kind of damage is counted in its class, and never as an answer."""

import pytest

from pyloadgen.record import LOAD, Recorder, Request, Stream, no_integrity

RUN, NUMBER, SIZE = 20_945_436, 7, 64


class Conversation:
    def __init__(self, requests: int) -> None:
        self.integrity = no_integrity()
        self.stream = Stream(Recorder(RUN, SIZE, 71), NUMBER, self.integrity)
        self.asked = [Request(1000 + i) for i in range(requests)]
        for request in self.asked:
            self.stream.ask(request, LOAD)

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
    replied = [one for i in range(0, len(data), step) for one in talk.stream.feed(data[i : i + step])]
    assert replied == talk.asked
    assert talk.right() == [True] * 5
    assert (talk.wrong(), talk.integrity["surplus"]) == ({}, 0)


@pytest.mark.parametrize("bit", range(0, SIZE * 8, 37))
def test_a_wrong_bit(bit: int) -> None:
    talk = Conversation(2)
    data = bytearray(b"".join(request.record for request in talk.asked))
    data[bit // 8] ^= 1 << bit % 8
    talk.stream.feed(bytes(data))
    assert talk.right() == [False, True]  # the place of the next is not lost
    assert talk.wrong() == {"corrupt": 1}


@pytest.mark.parametrize(("make", "name"), [(foreign, "foreign"), (crossed, "crossed"), (altered, "corrupt")])
def test_another_record(make: object, name: str) -> None:
    talk = Conversation(1)
    assert callable(make)
    talk.stream.feed(make(talk.asked[0]))
    assert talk.right() == [False]
    assert talk.wrong() == {name: 1}


def test_twice_the_same() -> None:
    talk = Conversation(1)
    talk.stream.feed(talk.asked[0].record * 2)
    assert talk.right() == [True]
    assert talk.wrong() == {"duplicated": 1}
    assert talk.integrity["surplus"] == SIZE


def test_twice_the_same_while_another_waits() -> None:
    talk = Conversation(2)
    first, second = talk.asked
    talk.stream.feed(first.record * 2)
    assert talk.right() == [True, False]
    assert talk.wrong() == {"duplicated": 1}
    assert second.record != first.record


def test_in_another_order() -> None:
    talk = Conversation(2)
    talk.stream.feed(talk.asked[1].record + talk.asked[0].record)
    assert talk.right() == [False, False]
    assert talk.wrong() == {"reordered": 2}


def test_too_late() -> None:
    talk = Conversation(2)
    talk.asked[0].settled = talk.asked[1].settled = True
    assert talk.stream.feed(talk.asked[0].record) == []
    assert talk.wrong() == {"late": 1}
    talk.stream.feed(b"x" * SIZE)
    assert talk.wrong() == {"late": 1, "corrupt": 1}
    assert talk.integrity["surplus"] == SIZE


def test_the_end_inside_a_reply() -> None:
    talk = Conversation(1)
    talk.stream.feed(talk.asked[0].record[:-1])
    talk.stream.cut()
    talk.stream.reset()
    assert talk.wrong() == {"truncated": 1}
    assert talk.integrity["surplus"] == 0


def test_bytes_that_nobody_asked_for() -> None:
    talk = Conversation(0)
    talk.stream.feed(b"hello")
    talk.stream.sweep()
    talk.stream.sweep()
    assert talk.integrity["surplus"] == 5


def test_numbers_go_on_after_a_new_connection() -> None:
    talk = Conversation(2)
    talk.stream.reset()
    later = Request(0)
    talk.stream.ask(later, LOAD)
    assert later.sequence == 2
