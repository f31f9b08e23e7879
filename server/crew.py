"""Worker processes: forks them, watches them, and ends them. What every distribution over processes shares."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import connection
from multiprocessing.context import ForkProcess
from pathlib import Path

from server.common import STOPS, Stopped, Worker, held_back, stop_on_signals
from server.linux.launch import die_with_parent
from server.ports import intake
from server.slots import table

STOP_S = 0.5  # from SIGTERM to SIGKILL

Work = Callable[[int, Worker], None]
Lead = Callable[[list[int]], None]


def watch(sentinels: list[int]) -> None:
    """Wait until a worker ends: what a parent does that has nothing else to do."""
    connection.wait(sentinels)


def newcomers(listeners: list[socket.socket], sentinels: list[int]) -> Iterator[socket.socket]:
    """New connections, for a parent that deals them out; ends when a worker has ended."""
    arrivals = intake(listeners, Worker(table(None, 1)))
    while not set(sentinels).intersection(connection.wait([arrivals.fileno(), *sentinels])):
        yield from arrivals.take()


def run(count: int, work: Work, stats: Path | None, lead: Lead = watch) -> int:
    """Fork `count` workers, which do work(index, worker) until a signal comes; return the exit status.

    The parent leads meanwhile: `lead` gets the sentinels of the workers, and returns when one of them is ready. A
    worker that ends on its own ends the server, since the connections dealt to it would be lost. Where workers are
    replaced (`Worker.is_replaced`) one that a signal ended in order has a successor, with the same index and counts;
    one that failed still ends the server.
    """
    context = multiprocessing.get_context("fork")
    parent, words = os.getpid(), table(stats, count)

    def child(index: int) -> None:
        die_with_parent(parent, signal.SIGKILL)
        worker = Worker(words, index)
        worker.succeed()
        try:
            stop_on_signals()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
            work(index, worker)
        except Stopped:
            pass
        finally:
            worker.publish()
        os._exit(0)  # every connection ends with the process; tidying up ten thousand objects first takes time

    hands: list[ForkProcess] = []

    def start(index: int) -> None:
        hand = context.Process(target=child, args=(index,), daemon=True)
        with held_back(*STOPS):  # between the fork and our note of the worker one would leave it to nobody
            hand.start()
            hands[index : index + 1] = [hand]

    try:
        stop_on_signals()
        for index in range(count):
            start(index)
        lead([hand.sentinel for hand in hands])
        while Worker.is_replaced and all(hand.exitcode in (None, 0) for hand in hands):
            for index in [index for index, hand in enumerate(hands) if hand.exitcode == 0]:
                start(index)
            watch([hand.sentinel for hand in hands])
        ended = [hand.pid for hand in hands if hand.exitcode is not None]
        print(f"Worker process {ended} ended on its own, so the server ends too.", file=sys.stderr)
        return 1
    except Stopped:
        return 0
    finally:
        started = [hand for hand in hands if hand.pid is not None]
        for hand in started:
            hand.terminate()
        deadline = time.monotonic() + STOP_S
        for hand in started:
            hand.join(max(0.0, deadline - time.monotonic()))
            hand.kill()
