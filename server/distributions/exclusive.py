"""Several processes wait for the same listening socket with EPOLLEXCLUSIVE: a connection wakes one of them only.

No herd, but no justice either: epoll wakes the process that came to wait last, which is the one that has just been at
work. Where connections come slowly a single worker gets nearly all, and the others sleep.
"""

from __future__ import annotations

import socket
from pathlib import Path

from server.catalog import Loop
from server.distributions import shared


def serve(listeners: list[socket.socket], loop: Loop, workers: int, stats: Path | None) -> int:
    """Fork the workers, and end with them; the exit status."""
    return shared.serve(listeners, loop, workers, stats, wake_one=True)
