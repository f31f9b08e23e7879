"""A correct echo server, which each lesson spoils in one place.

One process asks one level-triggered epoll. It is written for the lessons: each thing that can be done wrong is a method
of its own, which a reader of a lesson finds here as it should be. The loops to measure are in server/loops.
"""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterable

from server.common import CHUNK_BYTES, Spare, Worker
from server.slots import DESCRIPTORS


class Connection:
    """One client, what waits to be sent to it, and which events the kernel is to tell of."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.pending = bytearray()
        self.is_over = False  # the client sends no more
        self.interest = 0


class Server:
    """Serves what comes to a non-blocking listener."""

    newcomers = select.EPOLLIN  # the event that tells of them

    def __init__(self, listener: socket.socket, worker: Worker) -> None:
        self.listener, self.worker = listener, worker
        self.spare = Spare()
        self.connections: dict[int, Connection] = {}
        self.epoll = select.epoll()
        self.epoll.register(listener, self.newcomers)

    def run(self) -> None:
        """Serve until a signal ends it."""
        self.worker.begin()
        while True:
            self.turn(self.epoll.poll())
            self.worker.publish()

    def turn(self, events: Iterable[tuple[int, int]]) -> None:
        for fd, event in events:
            if fd == self.listener.fileno():
                self.take_in()
            elif fd in self.connections:  # what was done for an earlier event may have ended it
                self.serve(self.connections[fd], event)

    # Newcomers

    def take_in(self) -> None:
        while self.accept():
            pass

    def accept(self) -> bool:
        """Take one newcomer in; False where nobody waits."""
        try:
            sock, _ = self.listener.accept()
        except OSError as error:
            return error.errno in (errno.EMFILE, errno.ENFILE) and self.refuse()
        sock.setblocking(False)
        self.begin(sock)
        return True

    def refuse(self) -> bool:
        """Out of descriptors: give a spare one up, so that there is room to accept and close."""
        self.spare.give_up()
        try:
            self.worker.refused(self.listener.accept()[0], DESCRIPTORS)
        except OSError:
            return False
        finally:
            self.spare.take_back()
        return True

    def begin(self, sock: socket.socket) -> None:
        connection = self.connections[sock.fileno()] = Connection(sock)
        connection.interest = self.interest(connection)
        self.epoll.register(sock, connection.interest)
        self.worker.opened()

    # Connections

    def serve(self, connection: Connection, event: int) -> None:
        try:
            self.answer(connection, event)
        except BlockingIOError:
            pass  # the kernel has nothing, or no room: it tells when that changes
        except OSError:  # the client has reset the connection
            connection.pending.clear()
            connection.is_over = True
        self.settle(connection)

    def answer(self, connection: Connection, event: int) -> None:
        if event & select.EPOLLIN and self.may_read(connection):
            self.read(connection)
        self.write(connection)

    def may_read(self, connection: Connection) -> bool:
        """Nothing waits to be sent: so the server keeps one chunk at most, and does not read from who does not read."""
        return not connection.pending

    def read(self, connection: Connection) -> None:
        data = connection.sock.recv(CHUNK_BYTES)
        connection.pending += data
        connection.is_over = not data
        self.worker.bytes_in += len(data)

    def write(self, connection: Connection) -> None:
        """Send what the kernel takes now; the rest stays."""
        sent = connection.sock.send(connection.pending)
        del connection.pending[:sent]
        self.worker.bytes_out += sent

    def interest(self, connection: Connection) -> int:
        """To write only while something waits to be sent: a socket can nearly always be written to."""
        reading = select.EPOLLIN if self.may_read(connection) else 0
        return reading | (select.EPOLLOUT if connection.pending else 0)

    def settle(self, connection: Connection) -> None:
        """End a connection that is over when all has been sent; else tell the kernel what it waits for now."""
        wanted = self.interest(connection)
        if connection.is_over and not connection.pending:
            self.end(connection)
        elif wanted != connection.interest:
            connection.interest = wanted
            self.epoll.modify(connection.sock, wanted)

    def end(self, connection: Connection) -> None:
        self.epoll.unregister(connection.sock)
        del self.connections[connection.sock.fileno()]
        connection.sock.close()
        self.worker.ended()
