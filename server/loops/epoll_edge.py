"""epoll, edge-triggered: the kernel tells each change once, and never again.

Each socket is registered once for both directions, so the interest never changes and no call is spent on it. The price:
the kernel does not repeat what the loop leaves over, so the loop must know when nothing is left.

- On a stream, a read that gives less than it asked for has emptied the socket, and what comes later is a new change:
  no second read is needed (epoll(7), questions and answers). To read on until the kernel says EAGAIN is right as well,
  but costs one vain call and one exception for each event.
- An end of input that came along with the data is not a new change. The event tells of it (EPOLLRDHUP), and then the
  loop reads on until it meets the end.
- accept has no such sign: each call gives one connection, so the loop accepts until EAGAIN. One accept for each event
  leaves the others waiting: `python -m server check --lesson one_accept_per_edge` shows it.

A fast peer could keep its connection readable for ever, and a burst the listener, so both get a share of each turn; the
loop itself remembers what it left over, and goes on with it in the next turn, without a new event.
"""

from __future__ import annotations

import select

from server.common import CHUNK_BYTES, ECHOED, EMPTY, FLUSHED, GONE, Connection, Intake, Worker

CHUNKS_PER_TURN = 16
EDGE = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


def drain(connection: Connection, worker: Worker, ended: int) -> int:
    """Step until the kernel has no more to take or give; ECHOED or FLUSHED means that there may be more."""
    for _ in range(CHUNKS_PER_TURN):
        before = worker.bytes_in
        outcome = connection.step()
        if outcome == ECHOED:
            if worker.bytes_in - before < CHUNK_BYTES and not ended:
                return EMPTY
        elif outcome != FLUSHED:
            break
    return outcome


def run(intake: Intake, worker: Worker) -> None:
    epoll = select.epoll()
    epoll.register(intake, select.EPOLLIN | select.EPOLLET)
    newcomers = intake.fileno()
    connections: dict[int, Connection] = {}
    unfinished: dict[int, int] = {}  # had their turn, and may have more; with what their event said
    coming = False  # newcomers may be waiting
    worker.begin()
    while True:
        events = epoll.poll(0 if unfinished or coming else -1)
        if unfinished:
            events, unfinished = list({**unfinished, **dict(events)}.items()), {}
        for fd, event in events:
            connection = connections.get(fd)
            if connection is not None:
                outcome = drain(connection, worker, event & ENDED)
                if outcome == GONE:
                    epoll.unregister(fd)
                    del connections[fd]
                    connection.close()
                elif outcome in (ECHOED, FLUSHED):
                    unfinished[fd] = event
            elif fd == newcomers:
                coming = True
            # Anything else is an event for a descriptor that was closed earlier.
        if coming:
            for sock in intake.take():
                connections[sock.fileno()] = Connection(sock, worker)
                epoll.register(sock, EDGE)
            coming = intake.more
        worker.publish()
