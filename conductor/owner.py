"""What ends a run from outside: the death of the playbook that owns it, or a signal from a person."""

import os
import select
import signal
import threading

from conductor.inbox import Inbox, Interrupt


def watch_owner(pid: int, inbox: Inbox) -> None:
    """Interrupt the run when a process dies. A killed playbook leaves its worker and our pipes: EOF does not come."""
    gone = Interrupt(f"its owner, process {pid}, is gone")
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        inbox.put(gone)
        return

    def wait() -> None:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
        inbox.put(gone)

    threading.Thread(target=wait, name="owner", daemon=True).start()


def watch_signals(inbox: Inbox) -> None:
    """Turn the signals that mean "end" into an item of the inbox."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda given, _frame: inbox.put(Interrupt(f"{signal.Signals(given).name} received")))
