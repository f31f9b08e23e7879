"""The end of what a client sends is taken for the end of the connection, so its last answers are lost.

A client may shut its writing side and go on reading (half-close), as `nc` does at the end of a file. The kernel tells
of that at once (EPOLLRDHUP), however much is still unread or unsent.
"""

from __future__ import annotations

import select

from server.lessons.correct import Connection, Server

SEEN = "`printf hello | nc` gets no answer now and then; uploads that end with a shutdown lose their reply, under load."
FAILS = ("half_close",)
MEND = "Read on to the end of input, send all that waits, and close then."
RIGHT = "epoll"


class Lesson(Server):
    def interest(self, connection: Connection) -> int:
        return super().interest(connection) | select.EPOLLRDHUP

    def serve(self, connection: Connection, event: int) -> None:
        if event & select.EPOLLRDHUP:
            self.end(connection)  # the mistake: the client waits for what is still to be read and sent
        else:
            super().serve(connection, event)
