"""gevent: one greenlet for each connection, with calls that look as if they blocked.

Use it for code that is written with blocking calls, and is to hold thousands of connections all the same. A call that
would block lets the hub, an event loop in C, run another greenlet. Each has a stack of its own, which is copied when it
waits: about 10 KB a connection, and most of what an echo costs.
"""

from __future__ import annotations

import signal

import gevent
from gevent.event import Event
from gevent.socket import socket

from server.common import CHUNK_BYTES, PUBLISH_S, Intake, Stopped, Worker


def echo(sock: socket, worker: Worker) -> None:
    """One client, to the end of its input: by then all of it has been answered."""
    worker.opened()
    try:
        while data := sock.recv(CHUNK_BYTES):
            worker.bytes_in += len(data)
            sock.sendall(data)
            worker.bytes_out += len(data)
    except OSError:
        pass  # broken: whatever waited is lost with it
    sock.close()
    worker.ended()


def run(intake: Intake, worker: Worker) -> None:
    def take() -> None:
        for sock in intake.take():
            gevent.spawn(echo, socket(fileno=sock.detach()), worker)

    # An exception out of a signal handler would end in the hub, so the main greenlet is woken instead.
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopped.set)
    newcomers = gevent.get_hub().loop.io(intake.fileno(), 1)  # 1 is for reading
    newcomers.start(take)
    worker.begin()
    while not stopped.wait(PUBLISH_S):
        worker.publish()
    raise Stopped
