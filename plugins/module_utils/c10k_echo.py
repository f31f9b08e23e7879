"""Does an echo come back over the load plane? Both sides of it; runs on the hosts (Python 3.8).

The conductor sends this very text to each host, as it does with c10k_lock.py: `python3 -c TEXT serve SECONDS ADDRESS
PORT,…` on the server host, `python3 -c TEXT ask SECONDS ADDRESS PORT,… SOURCE…` on a client. Both say one line of JSON.
Connections are reset at their end, so that no port of the server rests in TIME_WAIT when its own listener comes.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Sequence
from typing import Any

TOKEN_BYTES = 16
CONNECT_S = 3.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s
OPEN_AT_ONCE = 512


def new_socket(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return sock


def why(error: OSError) -> str:
    return f"no answer within {CONNECT_S:.0f} s" if isinstance(error, socket.timeout) else error.strerror or str(error)


def say(**line: Any) -> None:
    print(json.dumps({"echo": True, **line}), flush=True)


def serve(seconds: float, address: str, ports: Sequence[int]) -> None:
    """Send back what comes, a token from each connection, until the input ends or the time is over."""
    listeners: dict[int, socket.socket] = {}
    clients: dict[int, socket.socket] = {}
    events = select.poll()
    events.register(0, select.POLLIN)
    for port in ports:
        try:
            listener = new_socket(address)
            listener.bind((address, port))
            listener.listen(64)
        except OSError as error:
            return say(problem=f"cannot listen on port {port} of {address} ({why(error)})")
        listener.setblocking(False)
        listeners[listener.fileno()] = listener
        events.register(listener, select.POLLIN)
    say(listening=True)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for number, _ in events.poll(max(0.0, ends - time.monotonic()) * 1000):
            if number == 0:
                if not os.read(0, 4096):
                    return None
            elif number in listeners:
                client = accepted(listeners[number])
                if client and len(clients) < OPEN_AT_ONCE:
                    clients[client.fileno()] = client
                    events.register(client, select.POLLIN)
            elif not answer(clients[number]):
                events.unregister(number)
                clients.pop(number).close()
    return None


def accepted(listener: socket.socket) -> socket.socket | None:
    try:
        client, _ = listener.accept()
    except OSError:  # it has gone already
        return None
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return client


def answer(client: socket.socket) -> bool:
    """Echo what has come; False where the client has ended."""
    try:
        data = client.recv(TOKEN_BYTES)
        return bool(data) and client.send(data) == len(data)
    except OSError:
        return False


def ask(seconds: float, address: str, ports: Sequence[int], sources: Sequence[str]) -> None:
    """An echo from each source to the first port, and from the first source to every other; ends with the first that
    fails."""
    ends, done = time.monotonic() + seconds, 0
    pairs = [(source, ports[0]) for source in sources] + [(sources[0], port) for port in ports[1:]]
    for source, port in pairs:
        left = ends - time.monotonic()
        if left <= 0:
            return say(echoed=done, of=len(pairs))
        try:
            with new_socket(address) as sock:
                sock.bind((source, 0))
                sock.settimeout(min(CONNECT_S, left))
                sock.connect((address, port))
                echo(sock)
        except OSError as error:
            return say(failed=why(error), source=source, port=port)
        done += 1
    return say(echoed=done, of=len(pairs))


def echo(sock: socket.socket) -> None:
    token, received = os.urandom(TOKEN_BYTES), b""
    sock.sendall(token)
    while len(received) < len(token):
        data = sock.recv(len(token))
        if not data:
            raise OSError("it was closed without an echo")
        received += data
    if received != token:
        raise OSError("something else answered")


def main(what: str, seconds: str, address: str, ports: str, *sources: str) -> None:
    numbers = [int(port) for port in ports.split(",")]
    if what == "serve":
        serve(float(seconds), address, numbers)
    else:
        ask(float(seconds), address, numbers, sources)


if __name__ == "__main__":
    main(*sys.argv[1:])
