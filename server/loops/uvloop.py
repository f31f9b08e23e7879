"""uvloop: asyncio's interface over libuv, the event loop of Node.js. The protocol is that of asyncio_protocol.

Use it where a program in asyncio is bound by its loop; it is a change of one line. Accepting, reading and writing are
compiled code, and only the protocol's methods are Python. It is a package, and has to be built for every new Python.
"""

from __future__ import annotations

import uvloop

from server.common import Intake, Worker
from server.loops.asyncio_protocol import Echo, serve


def run(intake: Intake, worker: Worker) -> None:
    serve(uvloop.new_event_loop(), intake, worker, lambda: Echo(worker))
