"""Twisted: a reactor calls the methods of a protocol, as asyncio does, which took this from it.

Use it where a program lives in Twisted. What is written is not sent at once: the reactor waits until the socket takes
it, which it nearly always does, so each answer costs two changes of interest and another turn of the reactor.

Without a producer a transport keeps all that its peer does not read. As producer of its own answers it stops reading
when 64 KiB wait. And at the end of the input it closes without sending them, unless the protocol is one that can be
closed by halves.
"""

from __future__ import annotations

import errno
import signal

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, ServerFactory
from zope.interface import implementer

from server.common import PUBLISH_S, Intake, Stopped, Worker
from server.slots import DESCRIPTORS


@implementer(IHalfCloseableProtocol)
class Echo(Protocol):
    """One client."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    def connectionMade(self) -> None:
        self.worker.opened()
        self.transport.registerProducer(self.transport, streaming=True)

    def dataReceived(self, data: bytes) -> None:
        self.worker.bytes_in += len(data)
        self.worker.bytes_out += len(data)  # handed over: how much of it was sent, a transport does not say
        self.transport.write(data)

    def readConnectionLost(self) -> None:
        self.transport.unregisterProducer()
        self.transport.loseConnection()  # when all is sent

    def writeConnectionLost(self) -> None:
        """We do not close by halves ourselves."""

    def connectionLost(self, _reason: object = None) -> None:
        self.worker.ended()


class Clients(ServerFactory):
    """Makes the protocols."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    def buildProtocol(self, _address: object) -> Echo:
        return Echo(self.worker)


class Newcomers:
    """The intake, as something that a reactor can read."""

    def __init__(self, intake: Intake, worker: Worker, reactor: EPollReactor) -> None:
        self.fileno = intake.fileno
        self.intake, self.worker, self.reactor, self.clients = intake, worker, reactor, Clients(worker)

    def doRead(self) -> None:
        for sock in self.intake.take():
            with sock:  # the reactor makes a copy of its own
                try:
                    self.reactor.adoptStreamConnection(sock.fileno(), sock.family, self.clients)
                except OSError as error:  # else it broke while it waited
                    if error.errno in (errno.EMFILE, errno.ENFILE):
                        self.worker.refused(sock, DESCRIPTORS)

    def connectionLost(self, _reason: object) -> None:
        """The reactor has ended."""

    def logPrefix(self) -> str:
        return "newcomers"


def run(intake: Intake, worker: Worker) -> None:
    reactor = EPollReactor()

    def publish() -> None:
        worker.publish()
        reactor.callLater(PUBLISH_S, publish)

    # An exception out of a signal handler would end in the reactor's log, and the reactor would go on.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: reactor.callFromThread(reactor.stop))
    reactor.addReader(Newcomers(intake, worker, reactor))
    publish()
    worker.begin()
    reactor.run(installSignalHandlers=False)
    raise Stopped
