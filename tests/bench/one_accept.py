"""How many of a burst of clients an edge-triggered listener serves that accepts once for each event, or until EAGAIN.

A burst meets each server twice: while it runs, so that most clients are an event of their own, and while it is stopped
(SIGSTOP), as by a long garbage collection, so that all of them are one event. The first server is the lesson
one_accept_per_edge (docs/lessons.md).
"""

import argparse
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from server import slots
from server.common import Worker
from server.lessons.correct import Server
from server.lessons.one_accept_per_edge import Lesson
from server.linux import processes, sockdiag
from server.linux.launch import die_with_parent

CLIENTS = 500
RECORD = b"hello"
PATIENCE_S = 30.0


class UntilEmpty(Server):
    """Its listener is edge-triggered, too."""

    newcomers = Lesson.newcomers


@contextmanager
def running(server: type[Server]) -> Iterator[tuple[int, tuple[str, int]]]:
    """The server as a child process; gives its pid and its address."""
    parent = os.getpid()
    with socket.create_server(("127.0.0.1", 0), backlog=CLIENTS) as listener:
        listener.setblocking(False)
        pid = os.fork()
        if pid == 0:
            try:
                die_with_parent(parent, signal.SIGKILL)
                server(listener, Worker(slots.table(None, 1))).run()
            finally:
                os._exit(1)
        address = listener.getsockname()
    try:
        wait_for(pid, "S")
        yield pid, address
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def wait_for(pid: int, state: str) -> None:
    """Wait until a process sleeps (S): it has done all that it has been told to do; or until it is stopped (T)."""
    deadline = time.monotonic() + PATIENCE_S
    while (seen := processes.stat(pid)) is None or seen.state != state:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the server did not come to rest within {PATIENCE_S:g} s")
        time.sleep(0.01)


def burst(server: type[Server], is_stopped: bool, clients: int) -> tuple[int, int]:
    """How many of a burst of clients are answered, and how many are left in the accept queue."""
    with running(server) as (pid, address):
        if is_stopped:
            os.kill(pid, signal.SIGSTOP)
            wait_for(pid, "T")
        socks = [socket.create_connection(address) for _ in range(clients)]
        for sock in socks:
            sock.send(RECORD)
        os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + PATIENCE_S
        served = left = 0
        while served + left < clients and time.monotonic() < deadline:
            wait_for(pid, "S")
            left = sum(one.waiting for one in sockdiag.listeners_for(*address))
            served = sum(is_answered(sock) for sock in socks)
        for sock in socks:
            sock.close()
    return served, left


def is_answered(sock: socket.socket) -> bool:
    with suppress(BlockingIOError):
        return sock.recv(len(RECORD), socket.MSG_PEEK | socket.MSG_DONTWAIT) == RECORD
    return False


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    clients = min(CLIENTS, int(Path("/proc/sys/net/core/somaxconn").read_text()))
    print(f"{clients} clients connect in a burst, and each sends a record. The listener is edge-triggered.\n")
    print(f"{'the server accepts':<20} {'and meanwhile it':<17} {'served':>6} {'left in the queue':>18}")
    servers: tuple[tuple[type[Server], str], ...] = ((Lesson, "once for each event"), (UntilEmpty, "until EAGAIN"))
    for server, accepts in servers:
        for is_stopped, meanwhile in ((False, "runs"), (True, "was stopped")):
            served, left = burst(server, is_stopped, clients)
            print(f"{accepts:<20} {meanwhile:<17} {served:>6} {left:>18}")
    print("\nThe kernel tells that the queue has changed, and not how often: accept until it is empty.")


if __name__ == "__main__":
    main()
