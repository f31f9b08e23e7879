"""One accept for each event of an edge-triggered listener leaves clients waiting that believe they are connected.

The kernel tells that the accept queue has changed, and not how often: what comes before the server asks again is one
event. The server takes one client for it, and leaves the others in the queue until somebody else comes; and then it
takes one more. The original experiment (2013) met this. `python -m tests.bench.one_accept` counts who is left.
"""

from __future__ import annotations

import select

from server.lessons.correct import Server

SEEN = "After a burst some clients hang, though they connected and the server is idle. A quiet test never shows it."
FAILS = ("accept_queue",)
MEND = "Accept until the kernel says EAGAIN."
RIGHT = "epoll_edge"


class Lesson(Server):
    newcomers = select.EPOLLIN | select.EPOLLET

    def take_in(self) -> None:
        self.accept()  # the mistake: one event, however many have come
