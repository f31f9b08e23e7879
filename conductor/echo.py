"""An echo from each client over the load plane, before anything is tuned: firewalls, routes and addresses are right."""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from conductor.inbox import Inbox, Line, StreamEnd, Tag, Task, in_background
from conductor.plan import Host
from conductor.sessions import Channel, Session
from contracts.visible import one_line
from plugins.module_utils import c10k_echo

PROGRAM = Path(c10k_echo.__file__).read_text(encoding="utf-8")
LISTEN_S, ASK_S, SPARE_S = 5.0, 10.0, 5.0
"""For the listener to stand, for all echoes of a client, and for a client's Python to start and end."""
STREAMS = 2
"""stdout and stderr: each of a program's ends by itself."""
MEND_SERVER = "see its c10k_load_address, and what else listens there."


def failures(sessions: Mapping[str, Session], hosts: Sequence[Host], ports: Sequence[int]) -> dict[str, str]:
    """By host, a sentence on why no echo came; empty where all did. It ends within LISTEN_S + ASK_S + SPARE_S, leaves
    nothing running, and has an inbox of its own."""
    server = next(host for host in hosts if host.role == "server")
    clients = [host for host in hosts if host.role == "client"]
    talk = Talk(sessions, server, ports)
    try:
        answer = talk.answers([server], "serve", LISTEN_S)[server.name]
        if not answer.get("listening"):
            return {server.name: f"{server.name} {answer.get('problem', 'does not listen')}: {MEND_SERVER}"}
        found = talk.answers(clients, "ask", ASK_S + SPARE_S)
        return {
            host.name: sentence
            for host in clients
            if (sentence := failure(host, server, ports, found[host.name])) is not None
        }
    finally:
        talk.end()


@dataclass
class Talk:
    """The programs on both sides; `channels` are those that have been started."""

    sessions: Mapping[str, Session]
    server: Host
    ports: Sequence[int]
    inbox: Inbox = field(default_factory=SimpleQueue)
    channels: list[Channel] = field(default_factory=list)

    def start(self, host: Host, what: str) -> None:
        seconds = ASK_S if what == "ask" else LISTEN_S + ASK_S + SPARE_S
        sources = host.sources if what == "ask" else ()
        ports = ",".join(map(str, self.ports))
        words = [host.python, "-c", PROGRAM, what, str(seconds), self.server.load_address, ports, *sources]
        self.channels.append(self.sessions[host.name].start(words, "/", self.inbox, Tag(host.name, 0)))

    def answers(self, hosts: Sequence[Host], what: str, seconds: float) -> dict[str, dict[str, Any]]:
        """What each host says; {"problem": why} of one that says nothing in time."""
        found: dict[str, dict[str, Any]] = {}
        last_words: dict[str, str] = {}
        ended: Counter[str] = Counter()
        for host in hosts:
            in_background(self.inbox, host.name, partial(self.start, host, what))
        waiting = {host.name for host in hosts}
        deadline = time.monotonic() + seconds
        while waiting - set(found):
            try:
                item = self.inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                break
            match item:
                case Task(error=Exception() as error):
                    found[item.host] = {"problem": f"cannot start the trial of an echo ({error})"}
                case Line(stream="stdout") if (said := parsed(item.text)) is not None:
                    found[item.tag.host] = said
                case Line():
                    last_words[item.tag.host] = one_line(item.text)
                case StreamEnd():
                    ended[item.tag.host] += 1
                    if ended[item.tag.host] == STREAMS:  # the last words may come after the end of stdout
                        why = last_words.get(item.tag.host, "without a word")
                        found.setdefault(item.tag.host, {"problem": f"ended the trial of an echo ({why})"})
        return {name: found.get(name, {"problem": f"said nothing within {seconds:.0f} s"}) for name in waiting}

    def end(self) -> None:
        for channel in self.channels:
            with contextlib.suppress(OSError):
                channel.close()


def parsed(text: str) -> dict[str, Any] | None:
    """What the program says; a shell's greeting is nothing."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict) or answer.get("echo") is not True:
        return None
    return {name: one_line(value) if isinstance(value, str) else value for name, value in answer.items()}


def failure(client: Host, server: Host, ports: Sequence[int], answer: Mapping[str, Any]) -> str | None:
    """Why a client did not get its echoes."""
    if answer.get("problem"):
        return f"{client.name} {answer['problem']}: see that it is not overloaded, and that its Python starts."
    if "failed" not in answer:
        of = answer.get("of")
        if answer.get("echoed") == of:
            return None
        return f"{client.name} got {answer.get('echoed')} of {of} echoes within {ASK_S:.0f} s: its way is too slow."
    source, at = answer.get("source"), show(server.load_address, answer.get("port"))
    passing = f"TCP port {ports[0]}" if len(ports) == 1 else f"TCP ports {min(ports)} to {max(ports)}"
    given = "c10k_load_address of one of them" if source == client.load_address else f"c10k_sources of {client.name}"
    return (
        f"{client.name} gets no echo from {server.name} at {at}, from {source} ({answer['failed']}): let a firewall "
        f"between them pass {passing}, or mend the route, or the {given}."
    )


def show(address: str, port: Any) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
