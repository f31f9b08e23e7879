"""A client that resets its connection ends the server, since nobody expects an error from recv or send.

A read of such a connection fails with ECONNRESET, a write with that or EPIPE. Clients do this every day: a process is
killed, a timeout passes, a load balancer asks whether somebody listens.
"""

from __future__ import annotations

from contextlib import suppress

from server.lessons.correct import Connection, Server

SEEN = "The server is restarted several times a day, and all clients are cut off each time that one of them is rude."
FAILS = ("reset", "leaks")
MEND = "Take an error of a connection for the end of that connection."
RIGHT = "epoll"


class Lesson(Server):
    def serve(self, connection: Connection, event: int) -> None:
        with suppress(BlockingIOError):
            self.answer(connection, event)  # the mistake: ECONNRESET and EPIPE go past here, and end the loop
        self.settle(connection)
