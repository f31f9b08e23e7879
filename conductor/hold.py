"""Keeps other runs away from the hosts: one lock on each kernel, from the gate until the owner ends.

The sessions are opened before anything is changed, so that a host that the conductor cannot reach, or a client that
cannot reach the server over the load plane, is refused at the gate.
"""

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty
from typing import Any

from conductor import echo
from conductor.errors import Interrupted, RunRefused
from conductor.inbox import Inbox, Interrupt, Line, StreamEnd, Tag, Task, in_background
from conductor.output import complain, say
from conductor.plan import Host
from conductor.run import open_all, session_of
from conductor.sessions import Channel, Session
from contracts.visible import one_line
from plugins.module_utils import c10k_lock

HOLDER = Path(c10k_lock.__file__).read_text(encoding="utf-8")
ANSWER_S = 20.0
ALIVE_EVERY_S = 1.0


@dataclass(frozen=True)
class Held:
    """A host, and the file or directory whose lock stands for its kernel."""

    host: Host
    place: str


def parse(document: Mapping[str, Any]) -> tuple[list[Held], list[int]]:
    """{hosts: [{name, role, connection, ssh, ssh_args, python, load_address, base, sources, lock}, …], ports: […]}"""
    found = []
    for one in document["hosts"]:
        fields = {name: value for name, value in one.items() if name != "lock"}
        found.append(Held(Host(**fields, cpus=None, agent_cpus=None), one["lock"]))
    return found, document["ports"]


def hold(all_held: Sequence[Held], ports: Sequence[int], run: str, wait_s: float, inbox: Inbox) -> int:
    """Hold all until an interruption comes; 2, with a sentence, where one cannot be held, or a client gets no echo."""
    cpus = frozenset(os.sched_getaffinity(0))
    sessions = {held.host.name: session_of(held.host, cpus) for held in all_held}
    try:
        open_all(list(sessions.values()), inbox)
        starting = [
            in_background(inbox, held.host.name, partial(begin, sessions[held.host.name], held, run, wait_s, inbox))
            for held in all_held
        ]
        wait_until_held(starting, inbox, ANSWER_S + wait_s)
        hosts = [held.host for held in all_held]
        echoes = in_background(inbox, "controller", partial(echo.failures, sessions, hosts, ports))
        while True:
            for task in starting:
                with contextlib.suppress(OSError):
                    task.result.send_line("alive")
            with contextlib.suppress(Empty):
                item = inbox.get(timeout=ALIVE_EVERY_S)
                if isinstance(item, Interrupt):
                    raise Interrupted(item.why)
                if item is echoes:
                    if failed := echoed(echoes):
                        raise RunRefused(" ".join(failed.values()))
                    say("held")
    except RunRefused as refusal:
        complain(str(refusal))
        return 2
    except Interrupted:
        return 0
    finally:
        for session in sessions.values():
            with contextlib.suppress(OSError):
                session.close()


def echoed(task: Task) -> dict[str, str]:
    if task.error:
        raise task.error
    failed: dict[str, str] = task.result
    return failed


def begin(session: Session, held: Held, run: str, wait_s: float, inbox: Inbox) -> Channel:
    words = [held.host.python, "-c", HOLDER, run, str(wait_s), held.place]
    return session.start(words, "/", inbox, Tag(held.host.name, 0))


def wait_until_held(starting: Sequence[Task], inbox: Inbox, seconds: float) -> None:
    """Raises RunRefused for the first host that cannot be held."""
    deadline = time.monotonic() + seconds
    missing, last_words = {task.host for task in starting}, dict[str, str]()
    while missing:
        try:
            item = inbox.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            raise RunRefused(
                f"{', '.join(sorted(missing))}: no lock within {seconds:.0f} s; is the host overloaded?"
            ) from None
        match item:
            case Interrupt():
                raise Interrupted(item.why)
            case Task(error=Exception() as error):
                raise RunRefused(f"{item.host}: its lock cannot be taken ({error}).")
            case Line(stream="stdout") if (answer := parsed(item.text)) is not None:
                if not answer.get("held"):
                    raise RunRefused(f"{item.tag.host} {refusal(answer)}")
                missing.discard(item.tag.host)
            case Line():
                last_words[item.tag.host] = one_line(item.text)
            case StreamEnd() if item.stream == "stdout" and item.tag.host in missing:
                why = last_words.get(item.tag.host, "without a word")
                raise RunRefused(f"{item.tag.host}: its lock cannot be taken ({why}).")


def parsed(text: str) -> dict[str, Any] | None:
    """What a holder says; a shell's greeting is nothing."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) and "held" in answer else None


def refusal(answer: Mapping[str, Any]) -> str:
    if answer.get("problem"):
        return f"cannot be locked: {one_line(answer['problem'])}."
    return (
        f"is in use by {one_line(answer.get('by'))}: wait until that ends. Two runs at once would undo each other's "
        "tuning and spoil each other's figures."
    )
