"""Edge-triggered epoll: how far the loop reads, and that the kernel tells enough for it."""

import select
import socket
from collections.abc import Iterator

import pytest

from server import slots
from server.common import CHUNK_BYTES, EMPTY, GONE, Connection, Worker
from server.loops.epoll_edge import EDGE, ENDED, drain


class Counted(socket.socket):
    """Counts its reads."""

    reads = 0

    def recv(self, *arguments: int) -> bytes:
        self.reads += 1
        return super().recv(*arguments)


Ends = tuple[Counted, socket.socket, Connection, Worker]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The server's end of a TCP connection, the client's, and what the server keeps for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        sock = Counted(fileno=listener.accept()[0].detach())
    with client, sock:
        sock.setblocking(False)
        worker = Worker(slots.table(None, 1))
        yield sock, client, Connection(sock, worker), worker


def told(sock: socket.socket) -> int:
    with select.epoll() as epoll:
        epoll.register(sock, EDGE)
        ((_, event),) = epoll.poll()
        return event


def test_a_short_read_is_the_last(ends: Ends) -> None:
    sock, client, connection, worker = ends
    client.send(bytes(64))
    event = told(sock)
    assert drain(connection, worker, event & ENDED) == EMPTY
    assert (sock.reads, client.recv(100)) == (1, bytes(64))


def test_whole_chunks_are_read_until_one_is_short(ends: Ends) -> None:
    sock, client, connection, worker = ends
    client.sendall(bytes(2 * CHUNK_BYTES + 1))
    assert drain(connection, worker, told(sock) & ENDED) == EMPTY
    assert sock.reads == 3


def test_an_end_that_came_along_is_met_in_the_same_turn(ends: Ends) -> None:
    """There is no other event for it, so a loop that stopped at the short read would hold the connection for ever."""
    sock, client, connection, worker = ends
    with select.epoll() as epoll:
        client.send(bytes(64))
        client.shutdown(socket.SHUT_WR)
        epoll.register(sock, EDGE)
        ((_, event),) = epoll.poll()
        assert event & select.EPOLLRDHUP
        assert drain(connection, worker, 0) == EMPTY, "as it would be without EPOLLRDHUP"
        assert not epoll.poll(0), "the kernel does not say it again"
        assert drain(connection, worker, event & ENDED) == GONE
