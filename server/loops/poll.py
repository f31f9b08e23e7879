"""poll: the process hands the kernel its whole list of sockets with every call.

Use it where there is no epoll. It has no limit on descriptors, but each call walks the list, so ten thousand idle
connections make every request pay for them. With all of them busy it is as good as epoll.
"""

from __future__ import annotations

import select

from server.common import BLOCKED, ECHOED, FLUSHED, GONE, Connection, Intake, Worker


def run(intake: Intake, worker: Worker) -> None:
    poller = select.poll()
    poller.register(intake, select.POLLIN)
    newcomers = intake.fileno()
    connections: dict[int, Connection] = {}
    worker.begin()
    while True:
        for fd, _ in poller.poll():
            connection = connections.get(fd)
            if connection is not None:
                outcome = connection.step()
                if outcome == ECHOED:
                    continue
                if outcome == BLOCKED:
                    poller.modify(fd, select.POLLOUT)
                elif outcome == FLUSHED:
                    poller.modify(fd, select.POLLIN)
                elif outcome == GONE:
                    poller.unregister(fd)
                    del connections[fd]
                    connection.close()
            elif fd == newcomers:
                for sock in intake.take():
                    connections[sock.fileno()] = Connection(sock, worker)
                    poller.register(sock, select.POLLIN)
            # Anything else is an event for a descriptor that was closed earlier.
        worker.publish()
