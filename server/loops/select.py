"""select: the process hands the kernel sets of descriptors, 1024 bits wide, with every call.

It runs everywhere and is the oldest. Descriptors from 1024 on do not fit the sets (FD_SETSIZE, fixed when the C library
was built), whatever the limits of the process are. So this server closes such a connection as soon as it has it, shows
the limit, and goes on serving the rest.
"""

from __future__ import annotations

import select

from server.common import BLOCKED, FLUSHED, GONE, Connection, Intake, Worker
from server.slots import FD_SETSIZE

MOST_DESCRIPTORS = 1024  # bits in a set


def run(intake: Intake, worker: Worker) -> None:
    newcomers = intake.fileno()
    to_read = {newcomers}
    to_write: set[int] = set()
    connections: dict[int, Connection] = {}
    worker.begin()
    while True:
        readable, writable, _ = select.select(to_read, to_write, ())
        for fd in readable + writable:
            connection = connections.get(fd)
            if connection is not None:
                outcome = connection.step()
                if outcome == BLOCKED:
                    to_read.discard(fd)
                    to_write.add(fd)
                elif outcome == FLUSHED:
                    to_write.discard(fd)
                    to_read.add(fd)
                elif outcome == GONE:
                    to_read.discard(fd)
                    to_write.discard(fd)
                    del connections[fd]
                    connection.close()
            elif fd == newcomers:
                for sock in intake.take():
                    if sock.fileno() >= MOST_DESCRIPTORS:
                        worker.refused(sock, FD_SETSIZE)
                    else:
                        connections[sock.fileno()] = Connection(sock, worker)
                        to_read.add(sock.fileno())
        worker.publish()
