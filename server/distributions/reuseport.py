"""Several processes listen on the same port, each with a socket of its own (SO_REUSEPORT).

The kernel deals the connections by a hash of their addresses, so the shares are even where there are many, and no
process waits for another. But the hash does not know which process is busy: what is dealt to one that stalls waits,
and what is in the queue of a process that dies is lost.
"""

from __future__ import annotations

import socket
from pathlib import Path

from server import crew
from server.catalog import Loop
from server.common import Worker, listen
from server.ports import intake

LISTENS_PER_WORKER = REPLACES = True


def serve(listeners: list[socket.socket], loop: Loop, workers: int, stats: Path | None) -> int:
    """Serve until a signal comes, or a worker ends that has no successor; the exit status. All listen on all ports."""
    ports = [listener.getsockname()[:2] for listener in listeners[::workers]]

    def work(index: int, worker: Worker) -> None:
        mine = listeners[index::workers]
        for listener in listeners:
            if listener not in mine:
                listener.close()
        if mine[0].fileno() < 0:  # it takes the place of one that has ended, and the parent's copies are closed
            mine = [listen(host, port, Worker.backlog, reuse_port=True) for host, port in ports]
        loop.run(intake(mine, worker), worker)

    def lead(sentinels: list[int]) -> None:
        for listener in listeners:
            listener.close()  # nobody would accept what the kernel deals to the parent
        crew.watch(sentinels)

    return crew.run(workers, work, stats, lead)
