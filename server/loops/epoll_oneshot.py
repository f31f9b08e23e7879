"""epoll, one shot, for several threads: an event is told to one of them, and no other until the socket is armed again.

All threads wait for the same epoll. Without the one shot two of them could be told of the same socket, and the answers
might change places. The thread that was told has the connection to itself, does a step, and arms it again, which costs
a system call for every event. Arming looks anew, so that nothing that came meanwhile is missed.

Use it where the work on a request may take long, and others are not to wait for it: whichever thread is free takes the
next event. With a GIL the threads have one CPU all the same, and hand the lock around for it.

Adding is not atomic between threads, so each connection counts for itself, and adds that up under a lock.
"""

from __future__ import annotations

import os
import select
import threading

from server.common import BLOCKED, GONE, Connection, Intake, Stopped, Worker
from server.loops.blocking import Part

THREADS = 4
MOST_EVENTS = 8  # for one thread at a time: what it has been told, no other can do
READ, WRITE = select.EPOLLIN | select.EPOLLONESHOT, select.EPOLLOUT | select.EPOLLONESHOT


def run(intake: Intake, worker: Worker) -> None:
    epoll, lock = select.epoll(), threading.Lock()
    newcomers = intake.fileno()
    epoll.register(newcomers, READ)
    connections: dict[int, tuple[Connection, Part]] = {}

    def take() -> None:
        with lock:  # the intake counts what it refuses
            arrived = list(intake.take())
        for sock in arrived:
            part = Part(worker, lock)
            connections[sock.fileno()] = Connection(sock, part), part  # before another thread may be told of it
            epoll.register(sock, READ)
        epoll.modify(newcomers, READ)

    def step(fd: int) -> None:
        connection, part = connections[fd]
        outcome = connection.step()
        part.publish()
        if outcome == GONE:
            epoll.unregister(fd)
            del connections[fd]  # before the number may be another client's
            connection.close()
        else:
            epoll.modify(fd, WRITE if outcome == BLOCKED else READ)

    def serve() -> None:
        while True:
            for fd, _ in epoll.poll(maxevents=MOST_EVENTS):
                if fd == newcomers:
                    take()
                else:
                    step(fd)

    for _ in range(THREADS - 1):
        threading.Thread(target=serve, daemon=True).start()
    worker.begin()
    try:
        serve()
    except Stopped:
        worker.publish()
        os._exit(0)  # the other threads are in the middle of their calls, and none of them need be waited for
