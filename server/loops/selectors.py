"""selectors: the standard library's one interface to whatever the system has: epoll, kqueue, poll or select.

Use it for a server that is to run everywhere. On Linux it is epoll with a Python object around every event, which costs
about half a microsecond; `key.data` carries the connection, so the program keeps no table of its own.
"""

from __future__ import annotations

import selectors
from selectors import EVENT_READ, EVENT_WRITE

from server.common import BLOCKED, ECHOED, FLUSHED, GONE, Connection, Intake, Worker


def run(intake: Intake, worker: Worker) -> None:
    selector = selectors.DefaultSelector()
    selector.register(intake, EVENT_READ)
    worker.begin()
    while True:
        for key, _ in selector.select():
            connection = key.data
            if connection is None:
                for sock in intake.take():
                    selector.register(sock.fileno(), EVENT_READ, Connection(sock, worker))
                continue
            outcome = connection.step()
            if outcome == ECHOED:
                continue
            if outcome == BLOCKED:
                selector.modify(key.fd, EVENT_WRITE, connection)
            elif outcome == FLUSHED:
                selector.modify(key.fd, EVENT_READ, connection)
            elif outcome == GONE:
                selector.unregister(key.fd)
                connection.close()
        worker.publish()
