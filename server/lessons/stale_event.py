"""An event is believed though its connection was ended earlier in the same turn.

epoll gives many events at once. What a loop does for one may end a connection of which it holds another: here it ends
those that hung up first, and then reads. In a server that keeps bare numbers, the number may be a newcomer's by then,
who is closed or gets what was another's.
"""

from __future__ import annotations

import select
from collections.abc import Iterable

from server.lessons.correct import Server

SEEN = "A crash with EBADF or KeyError, or answers at the wrong client, when many connections break in the same moment."
FAILS = ("reset", "leaks")
MEND = "Look each event's connection up when its turn comes, and pass over what is gone."
RIGHT = "epoll"


class Lesson(Server):
    def turn(self, events: Iterable[tuple[int, int]]) -> None:
        for fd, event in events:
            if event & (select.EPOLLHUP | select.EPOLLERR):
                self.end(self.connections[fd])
        for fd, event in events:
            if fd == self.listener.fileno():
                self.take_in()
            else:
                self.serve(self.connections[fd], event)  # the mistake: it may have been ended above
