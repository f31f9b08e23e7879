"""epoll, edge-triggered: the kernel tells each change once, and never again.

Registered once for both directions, so the interest never changes and no call is spent on it. The price: accept and
read must go on until the kernel says that nothing is left, or what was left is never heard of again. That last, vain
read costs an exception per event, which is why this loop is slower than the level-triggered one on small records.
A fast peer could keep its connection readable for ever, so after a few chunks it waits for its next turn.
"""

from __future__ import annotations

import select

from server.common import ECHOED, FLUSHED, GONE, Connection, Intake, Worker

CHUNKS_PER_TURN = 16
EDGE = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET


def drain(connection: Connection) -> int:
    """Step until the kernel has no more to take or give; ECHOED or FLUSHED means that there may be more."""
    for _ in range(CHUNKS_PER_TURN):
        outcome = connection.step()
        if outcome not in (ECHOED, FLUSHED):
            break
    return outcome


def run(intake: Intake, worker: Worker) -> None:
    epoll = select.epoll()
    epoll.register(intake, select.EPOLLIN | select.EPOLLET)
    newcomers = intake.fileno()
    connections: dict[int, Connection] = {}
    unfinished: dict[int, Connection] = {}  # had their turn, and may have more
    worker.begin()
    while True:
        ready, unfinished = unfinished, {}
        for fd, _ in epoll.poll(0 if ready else -1):
            if fd in connections:
                ready[fd] = connections[fd]
            elif fd == newcomers:
                for sock in intake.take(at_most=None):
                    connections[sock.fileno()] = Connection(sock, worker)
                    epoll.register(sock, EDGE)
            # Anything else is an event for a descriptor that was closed earlier.
        for fd, connection in ready.items():
            outcome = drain(connection)
            if outcome == GONE:
                epoll.unregister(fd)
                del connections[fd]
                connection.close()
            elif outcome in (ECHOED, FLUSHED):
                unfinished[fd] = connection
        worker.publish()
