"""One read for each event of an edge-triggered socket leaves bytes unread, until the client sends more.

The kernel tells each change once. Where a read gives all that it asked for there may be more, and no other event tells
of it. So a record that is larger than the buffer is answered in part, and both sides wait for the other.
"""

from __future__ import annotations

import select

from server.lessons.correct import Connection, Server

SEEN = "All goes well until somebody sends a record larger than the buffer: that connection hangs, and no log says why."
FAILS = ("exact_bytes",)
MEND = "Read until a read gives less than it asked for."
RIGHT = "epoll_edge"


class Lesson(Server):
    def interest(self, connection: Connection) -> int:
        return super().interest(connection) | select.EPOLLET  # the mistake: an edge, and one read() for it
