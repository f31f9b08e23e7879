"""The sockets of a generator: from which address to which, and closed so that nothing lingers."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

from pyloadgen.errors import Lost
from pyloadgen.spec import Address, Spec, sources_of, target_of

IP_BIND_ADDRESS_NO_PORT = 24  # no name for it before Python 3.12
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Addresses:
    """Connection i is from source i mod S to target ⌊i/S⌋ mod T."""

    def __init__(self, spec: Spec) -> None:
        self._targets = [target_of(target) for target in spec.targets]
        self._sources = sources_of(spec)
        self._reset = spec.does.holds  # else closing belongs to the load

    def target(self, index: int) -> Address:
        return self._targets[index // max(1, len(self._sources)) % len(self._targets)]

    def open(self, index: int) -> socket.socket:
        """A socket for this connection, not connected yet; OSError or Lost."""
        family, _ = self.target(index)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            if self._sources:
                with suppress(OSError):  # then the kernel takes a port of this source for all targets
                    sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                try:
                    sock.bind(self._sources[index % len(self._sources)][1])
                except OSError as error:
                    raise Lost("connect", "source", error.errno) from None
        except BaseException:
            sock.close()
            raise
        return sock
