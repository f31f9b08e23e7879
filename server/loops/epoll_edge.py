"""epoll, edge-triggered: the kernel tells each change once, and never again.

Each socket is registered once for both directions, so the interest never changes and no call is spent on it. The price:
the kernel does not repeat what the loop leaves over. So the loop reads until the kernel says that nothing is left. That
last, vain read costs an exception per event, which is why this loop is slower than the level-triggered one on small
records. A fast peer could keep its connection readable for ever, and a burst the listener, so both get a share of each
turn; the loop itself remembers what it left over, and goes on with it in the next turn, without a new event.
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
    coming = False  # newcomers may be waiting
    worker.begin()
    while True:
        ready, unfinished = unfinished, {}
        for fd, _ in epoll.poll(0 if ready or coming else -1):
            if fd in connections:
                ready[fd] = connections[fd]
            elif fd == newcomers:
                coming = True
            # Anything else is an event for a descriptor that was closed earlier.
        if coming:
            for sock in intake.take():
                connections[sock.fileno()] = Connection(sock, worker)
                epoll.register(sock, EDGE)
            coming = intake.more
        for fd, connection in ready.items():
            outcome = drain(connection)
            if outcome == GONE:
                epoll.unregister(fd)
                del connections[fd]
                connection.close()
            elif outcome in (ECHOED, FLUSHED):
                unfinished[fd] = connection
        worker.publish()
