"""The rest of a short send is forgotten, so a client that reads slowly gets answers with holes.

send() takes what the kernel has room for, and says how much that was. While clients read quickly it is always all, so
what is not looked at seems to work.
"""

from __future__ import annotations

from server.lessons.correct import Connection, Server

SEEN = "Damaged answers and broken protocols, at clients on slow lines only; on the developer's machine never."
FAILS = ("slow_reader", "half_close")
MEND = "Keep what send() did not take, and send it when the socket can be written to."
RIGHT = "epoll"


class Lesson(Server):
    def write(self, connection: Connection) -> None:
        self.worker.bytes_out += connection.sock.send(connection.pending)
        connection.pending.clear()  # the mistake: send() may have taken less
