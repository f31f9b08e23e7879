"""Out of descriptors the server cannot accept, and asks again at once, for ever.

accept() fails with EMFILE and takes nobody in, so the queue is as full as before, and the listener stays ready. Each
call of epoll returns at once, and the loop spins until a connection ends.
"""

from __future__ import annotations

from server.lessons.correct import Server

SEEN = "At its limit of descriptors it uses a whole core, and where it logs `Too many open files`, that fills the disk."
FAILS = ("descriptors",)
MEND = "Keep a spare descriptor: give it up, accept, close, take it back. Or stop watching the listener for a while."
RIGHT = "epoll"


class Lesson(Server):
    def refuse(self) -> bool:
        return False  # the mistake: whoever waits goes on waiting, and keeps the listener ready
