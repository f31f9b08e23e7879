"""The server reads on while answers wait, so a client that does not read makes it keep everything.

It never loses a byte and never blocks, and so it looks like the careful way. But nothing tells the client to slow down,
and what it sends faster than it reads is kept in the server's memory.
"""

from __future__ import annotations

from server.lessons.correct import Connection, Server

SEEN = "Memory grows with no leak to be found, until the kernel kills the server; one client can do it on purpose."
FAILS = ("slow_reader",)
MEND = "Do not read from a client while something waits to be sent to it: then its own kernel stops it."
RIGHT = "epoll"


class Lesson(Server):
    def may_read(self, connection: Connection) -> bool:
        return not connection.is_over  # the mistake: however much waits to be sent already
