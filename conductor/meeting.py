"""Where two trials that run side by side wait for each other, so that both go at one moment."""

import threading
import time

from conductor.inbox import Inbox, Task


class Meeting:
    """One for the two of them; each runs in a thread of its own and hears its own inbox.

    Nobody waits for the other who has left: a trial that ends before it went leaves, and so does one that has waited
    too long.
    """

    def __init__(self, inboxes: tuple[Inbox, Inbox]) -> None:
        self._lock = threading.Lock()
        self._inboxes = inboxes
        self._leads_ns: list[int] = []
        self._left = False
        self.go_ns: int | None = None
        self.refused: str | None = None  # why neither may go

    @property
    def is_over(self) -> bool:
        """There is a moment for both, or there will be none."""
        return self._left or self.go_ns is not None

    def arrive(self, lead_ns: int) -> None:
        """Ready to go, so far ahead. The later one of the two sets the moment."""
        with self._lock:
            self._leads_ns.append(lead_ns)
            if len(self._leads_ns) == len(self._inboxes) and not self._left:
                self.go_ns = time.monotonic_ns() + max(self._leads_ns)
        self._wake()

    def leave(self, refused: str | None = None) -> None:
        with self._lock:
            self._left = self._left or self.go_ns is None
            self.refused = self.refused or refused
        self._wake()

    def _wake(self) -> None:
        """Something in the inbox ends a wait for it; a task that is over says nothing."""
        for inbox in self._inboxes:
            inbox.put(Task("controller", over=True))
