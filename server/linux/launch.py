"""Starts a program as the agent's child: in a session of its own, on its CPUs, never with more rights than the agent's,
and not outliving it.

Run as a script, `launch.py PARENT CPUS program argument…`, because only a process of its own may do all this safely
between fork and exec: the agent has threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
NOT_STARTED = 127


def prctl(option: int, value: int) -> None:
    """prctl(2); OSError where the kernel refuses."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def die_with_parent(parent: int, number: int) -> None:
    """Have the kernel send this process a signal when its parent dies, and now if that has happened already."""
    prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def main(arguments: list[str]) -> None:
    parent, cpus, *command = arguments
    os.setsid()
    prctl(PR_SET_NO_NEW_PRIVS, 1)  # the measured server is not trusted: sudo and the like give it nothing
    die_with_parent(int(parent), signal.SIGKILL)
    os.sched_setaffinity(0, [int(cpu) for cpu in cpus.split(",")])
    # Python ignores these two, and what is ignored stays so across exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"Cannot start {command[0]!r}: {error.strerror}.", file=sys.stderr)
        sys.exit(NOT_STARTED)


if __name__ == "__main__":
    main(sys.argv[1:])
