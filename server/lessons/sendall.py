"""sendall in an event loop: everybody waits for the one client that does not read.

sendall() returns when the kernel has taken all. It can do so only on a socket that blocks, and where one call blocks,
the loop does.
"""

from __future__ import annotations

from server.lessons.correct import Connection, Server

SEEN = "The whole service stands still without any load, until one client has gone; a thread dump shows sendall()."
FAILS = ("no_stall",)
MEND = "Send what the kernel takes now, and wait for the rest in the loop like for everything else."
RIGHT = "epoll"


class Lesson(Server):
    def write(self, connection: Connection) -> None:
        connection.sock.setblocking(True)
        connection.sock.sendall(connection.pending)  # the mistake: this waits for one client, and so do all others
        connection.sock.setblocking(False)
        self.worker.bytes_out += len(connection.pending)
        connection.pending.clear()
