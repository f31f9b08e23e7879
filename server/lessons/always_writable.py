"""Every socket is watched for writability all the time, so the loop never sleeps.

A socket can be written to whenever the kernel has room, which is nearly always. A level-triggered loop that asks for
that is told so at once, again and again.
"""

from __future__ import annotations

import select

from server.lessons.correct import Connection, Server

SEEN = "One core is full from the first connection on, whatever the load; everything works, and the bill grows."
FAILS = ("slow_reader", "mute", "descriptors")
MEND = "Ask for writability only after a short send, until the rest has been sent."
RIGHT = "epoll"


class Lesson(Server):
    def interest(self, connection: Connection) -> int:
        return super().interest(connection) | select.EPOLLIN | select.EPOLLOUT  # the mistake: whatever it waits for
