"""Calls that block: one client at a time, and no other until that one has gone.

The simplest server there is, and the base of all that give each client a thread or a process. `run` serves one client
after another; `echo` serves a single one, for the distributions that have a thread or a process for each.

The other clients wait in the accept queue meanwhile. That is right where clients come and go. Where they stay, the wait
would last for ever, so a thread looks once a second: when a client has waited for a second in which no place came free,
the thread closes all that wait, shows the limit, and closes newcomers until a place comes free.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from typing import Protocol

from server.common import GONE, Connection, Intake, Worker
from server.slots import CLIENTS, CLOSED, OPEN, WORDS

ONE_CLIENT = True
PATIENCE_S = 1.0


class BlockingIntake(Intake, Protocol):
    """An intake whose `take` can wait for the first newcomer."""

    def block(self) -> None: ...


class Part(Worker):
    """One thread's part of what a process counts. Adding is not atomic between threads, so it is done under a lock."""

    __slots__ = ("_lock", "whole")

    def __init__(self, whole: Worker, lock: threading.Lock) -> None:
        super().__init__(whole.everyone)
        self._lock, self.whole = lock, whole

    def opened(self) -> None:
        with self._lock:
            self.whole.opened()

    def ended(self) -> None:
        with self._lock:
            self.whole.ended()

    def refused(self, sock: socket.socket | None, limit_code: int) -> None:
        with self._lock:
            self.whole.refused(sock, limit_code)

    def publish(self) -> None:
        with self._lock:
            self.whole.bytes_in += self.bytes_in
            self.whole.bytes_out += self.bytes_out
            self.bytes_in = self.bytes_out = 0
            self.whole.publish()


def echo(sock: socket.socket, worker: Worker) -> None:
    """Serve one client to its end. On a socket that blocks, each step waits until it has something to do."""
    sock.setblocking(True)
    connection = Connection(sock, worker)
    going = True
    while going:
        going = connection.step() != GONE
        worker.publish()
    connection.close()


def run(intake: BlockingIntake, worker: Worker) -> None:
    """Serve one client after another. The first of several processes turns away those that wait for any of them."""
    lock = threading.Lock()
    intake.block()
    worker.begin()
    if worker.index == 0:
        arguments = (intake, Part(worker, lock), len(worker.everyone) // WORDS)
        threading.Thread(target=turn_away, args=arguments, daemon=True).start()
    in_turn(intake, Part(worker, lock))


def in_turn(intake: Intake, worker: Worker) -> None:
    while True:
        for sock in intake.take(1):
            echo(sock, worker)


def turn_away(intake: Intake, worker: Worker, places: int) -> None:
    """Close those who wait, while all places have been taken for a second by the same clients; never returns."""
    waiting = select.poll()
    waiting.register(intake, select.POLLIN)
    turned_away = 0

    def left() -> int | None:
        """How many clients have left their places so far; None where a place is free."""
        held = sum(worker.everyone[OPEN::WORDS])
        return sum(worker.everyone[CLOSED::WORDS]) - turned_away if held == places else None

    while True:
        before = left() if waiting.poll(0) else None
        time.sleep(PATIENCE_S)
        while before is not None and left() == before:
            if waiting.poll(PATIENCE_S * 1000) and left() == before:
                for sock in intake.take(1):
                    worker.refused(sock, CLIENTS)
                    turned_away += 1
