"""epoll, level-triggered: the kernel keeps the list of sockets, and repeats what is ready until it is dealt with.

Use it when in doubt. Idle connections cost nothing per call, and the kernel tells again what one turn leaves over.
A change of interest costs a system call, so this loop sends at once and asks for writability only after a short write.
"""

from __future__ import annotations

import select

from server.common import BLOCKED, ECHOED, FLUSHED, GONE, Connection, Intake, Worker


def run(intake: Intake, worker: Worker) -> None:
    epoll = select.epoll()
    epoll.register(intake, select.EPOLLIN | (select.EPOLLEXCLUSIVE if intake.wake_one else 0))
    newcomers = intake.fileno()
    connections: dict[int, Connection] = {}
    worker.begin()
    while True:
        for fd, _ in epoll.poll():
            connection = connections.get(fd)
            if connection is not None:
                outcome = connection.step()
                if outcome == ECHOED:
                    continue
                if outcome == BLOCKED:
                    epoll.modify(fd, select.EPOLLOUT)
                elif outcome == FLUSHED:
                    epoll.modify(fd, select.EPOLLIN)
                elif outcome == GONE:
                    epoll.unregister(fd)
                    del connections[fd]
                    connection.close()
            elif fd == newcomers:
                for sock in intake.take():
                    connections[sock.fileno()] = Connection(sock, worker)
                    epoll.register(sock, select.EPOLLIN)
            # Anything else is an event for a descriptor that was closed earlier.
        worker.publish()
