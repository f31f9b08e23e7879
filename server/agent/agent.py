"""The server agent: runs one strategy for one trial, watches it, and ends it. docs/contracts.md has its line protocol.

One loop in the main thread does everything in turn, and never waits longer than until the next thing is due. Two
threads of contracts/line do what may block: reading orders (and answering `clock`) and writing events.
"""

from __future__ import annotations

import os
import queue
import shlex
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Any, Optional

from contracts import disturbance, line
from contracts.line import FLUSH_S, SILENCE_S, Inbox, Journal, Outbox
from server import catalog, options, slots
from server.agent import budget
from server.agent.child import Child, rusage
from server.agent.disturber import Disturber
from server.agent.sampling import OWN_EVERY, Sampler
from server.agent.spec import Spec, SpecError
from server.agent.spec import parse as parse_spec
from server.linux import launch, sockdiag

POLL_STARTING_S = 0.01
POLL_ARMING_S = 0.05
POLL_S = 0.2


class Agent:
    """One trial's server, from `hello` to `stopped`."""

    def __init__(self, spec: Spec, cpus: set[int]) -> None:
        self._spec = spec
        self._unread = threading.Event()  # nobody reads the events any more
        self._orders: queue.SimpleQueue[Optional[dict[str, Any]]] = queue.SimpleQueue()  # None: the input ended
        journal = Journal(spec.dir / "agent.jsonl", spec.run, spec.host, spec.trial)
        self._outbox = Outbox(journal, self._unread.set)
        self._inbox = Inbox(self._outbox, self._orders)
        self._child_cpus = set(spec.cpus or cpus)
        self._strategy = catalog.find(spec.strategy) if spec.strategy is not None else None
        self._sampler = Sampler(spec.address, spec.server_port, spec.server_ports, self._child_cpus)
        self._disturber: Disturber | None = None
        self._child: Child | None = None
        self._listening = False
        self._listen_by = 0.0
        self._gone = False  # `go` was heard
        self._window_over = False  # and `prove` after it
        self._limits_said: set[int] = set()
        self._die_at = time.monotonic() + spec.lifetime_s
        self._reason: str | None = None  # why to end; "" as ordered

    def run(self, descriptors: int) -> int:
        """Obey until there is a reason to end; the exit status, 0 where the end was ordered."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._outbox.say(line.hello(self._spec.host, "server", descriptors))
        try:
            while self._reason is None:
                with suppress(queue.Empty):
                    self._obey(self._orders.get(timeout=self._wait_s()))
                self._look()
        except OSError as error:  # a file of the trial, or what the kernel tells
            what = f"{error.filename or 'A file of the trial'} cannot be used: {error.strerror or error}."
            self._error("internal", "files", what, "See that the disk has room, and that this user may write there.")
            self._reason = what.rstrip(".")
        except Exception as error:
            self._error("internal", "agent", f"The server agent failed: {error!r}.", "This is a defect: report it.")
            self._reason = repr(error)
        self._finish()
        if self._reason:
            print(f"The server agent ends: {self._reason}.", file=sys.stderr)
        return 1 if self._reason else 0

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._reason = f"signal {number}"
        self._orders.put({"order": "alive"})  # wakes the loop; SimpleQueue.put may be called from a handler

    def _wait_s(self) -> float:
        starting = self._child is not None and not self._listening
        poll_s = POLL_STARTING_S if starting else POLL_S if self._gone or not self._child else POLL_ARMING_S
        due_ns = min(self._sampler.due_ns(), self._disturber.due_ns() if self._disturber else sys.maxsize)
        return max(0.0, min(poll_s, due_ns / 1e9 - time.monotonic()))

    def _error(self, phase: str, cause: str, message: str, remedy: str) -> None:
        self._outbox.say(line.error(phase, cause, message, remedy))

    # Orders

    def _obey(self, order: dict[str, Any] | None) -> None:
        name = order["order"] if order is not None else "end of input"
        if order is None:
            self._reason = "its input ended"
        elif name == "alive":
            pass  # a signal came, and gave its reason
        elif name == "stop":
            self._reason = ""
        elif name == "arm" and self._child is None:
            self._arm()
        elif name == "prove" and self._listening:
            self._prove()
        elif name == "go" and type(order.get("at")) is int:
            self._go(order["at"])
        else:
            known = name in ("arm", "prove", "go")
            what = "does not fit here" if known else "is unknown to the server agent"
            remedy = "Order arm once, then prove and go, then stop." if known else "Orders are in docs/contracts.md."
            self._outbox.say(line.protocol_error(f"The order {name[:40]!r} {what}.", remedy))

    def _prove(self) -> None:
        if self._gone and self._disturber:
            self._disturber.end()  # the load is over
        self._outbox.say(self._sampler.counts())
        if self._gone and self._sampler.is_large and not self._window_over:
            self._outbox.say(self._sampler.take(at_edge=True))
        self._window_over = self._gone

    def _go(self, at: int) -> None:
        late_ns = time.monotonic_ns() - at
        if late_ns > 0:
            message = f"The start was {late_ns / 1e6:.1f} ms past when it was ordered."
            self._error("start", "late", message, "Give more notice; a busy host or link delays orders.")
            return
        self._gone = True
        self._sampler.align(at)
        if self._disturber:
            self._disturber.start(at)

    def _arm(self) -> None:
        """Check what can be checked, then start the server; `_look` sees when it listens."""
        spec = self._spec
        try:
            if self._strategy and not spec.interpreter:  # another one says itself what it lacks
                budget.check_needs(self._strategy)
            if self._strategy:
                budget.check_descriptors(spec, self._strategy)
            budget.check_addresses(spec)
        except budget.Refusal as refusal:
            self._outbox.say(refusal.args[0])
            return
        stats = spec.dir / "stats.bin"
        if self._strategy:
            slots.create(stats, self._strategy.slots(spec.workers))
            self._sampler.stats = slots.Reader(stats)
            command = [
                spec.interpreter or sys.executable,
                "-m",
                "server",
                "serve",
                *options.words(spec.server, self._strategy.honours),
            ]
            command += ["--host", spec.address, "--stats", str(stats)]
            if spec.disturb:
                asked = disturbance.parse(spec.disturb)
                self._disturber = Disturber(asked, self._sampler.stats, self._sampler.tree)
                command += ["--replace-workers"] if asked.restarts else []
        else:
            words = shlex.split(spec.server_command or "")
            command = [word.replace("{host}", spec.address).replace("{port}", str(spec.server_port)) for word in words]
        self._listen_by = time.monotonic() + spec.listen_timeout
        self._child = Child(command, self._child_cpus, spec.dir / "server.log")

    # What happens by itself

    def _look(self) -> None:
        now = time.monotonic()
        if self._unread.is_set():
            self._reason = "nobody reads its events"
        elif now - self._inbox.heard > SILENCE_S:
            self._reason = f"it has read nothing for {SILENCE_S:g} s"
        elif now > self._die_at:
            self._reason = f"its lifetime of {self._spec.lifetime_s:g} s is over"
        elif self._child and self._reason is None:
            self._look_at(self._child, now)
        if self._reason is None and self._disturber and time.monotonic_ns() >= self._disturber.due_ns():
            self._disturber.act(time.monotonic_ns())
        if self._reason is None and time.monotonic_ns() >= self._sampler.due_ns():
            self._outbox.say(self._sampler.take(count=self._child is not None and not self._listening))
            if self._sampler.taken % OWN_EVERY == 1:
                self._outbox.say(self._sampler.own())

    def _look_at(self, child: Child, now: float) -> None:
        if child.ended() and (self._strategy or not child.left_others):
            self._crashed(child)
        elif not self._listening:
            self._look_for_listener(child, now)
        stats = self._sampler.stats
        for code in stats.limits() - self._limits_said if stats else ():
            self._limits_said.add(code)
            held = stats.total(slots.OPEN) if stats else 0
            self._outbox.say({"event": "limit", "resource": slots.RESOURCES.get(code, str(code)), "held": held})

    def _look_for_listener(self, child: Child, now: float) -> None:
        """A strategy takes its slots when it listens. A user's server is looked for, as connecting would disturb it."""
        spec, stats = self._spec, self._sampler.stats
        backlog = budget.effective_backlog(spec.backlog)
        if stats:
            self._listening = stats.begun()
        else:
            found = sockdiag.listeners_for(spec.address, spec.server_port)
            self._listening, backlog = bool(found), max([0, *(one.room for one in found)])
        if self._listening:
            self._outbox.say(self._sampler.take(at_edge=True, count=True))  # before a client knows of it
            self._outbox.say({"event": "listening", "addresses": spec.where, "backlog": backlog})
        elif now > self._listen_by:
            elsewhere = sockdiag.listeners_of(self._sampler.tree.look())
            message = f"The server does not listen on {', '.join(spec.where)} {spec.listen_timeout:g} s after its start"
            message += f", but on {', '.join(elsewhere)}." if elsewhere else "."
            said = child.log.last_line()
            remedy = "Let it listen on {host} and {port}, or give it longer with listen_timeout=N"
            remedy += f"; its last words: {said}" if said else "."
            self._error("listen", "not-listening", message, remedy)
            self._reason = "the server does not listen"

    def _crashed(self, child: Child) -> None:
        how = child.how_it_ended()
        where = (self._spec.address, self._spec.server_port, self._spec.server_ports)
        # A strategy that ended by itself has ended its workers first: a listener that is there now is another's.
        if not self._listening and child.exit is not None and sockdiag.listeners_for(*where):
            self._error("listen", "addr-in-use", f"The server ended {how}.", "Free the port, or choose another.")
        else:
            message = f"The server ended on its own {how}."
            self._error("internal", "crashed", message, f"Read {self._spec.dir / 'server.log'}.")
        self._reason = "the server ended on its own"

    def _finish(self) -> None:
        """A last sample, then the end of every descendant, then `stopped`."""
        if self._disturber:
            self._disturber.end()
        if self._child:
            with suppress(OSError):
                self._outbox.say(self._sampler.take(at_edge=True))
            left = self._child.end(self._sampler.tree)
            self._child.log.close()
            if left:
                print(f"Processes that SIGKILL did not end: {sorted(left)}.", file=sys.stderr)
        stats = self._sampler.stats
        workers = [slot for slot in stats.slots() if slot["pid"]] if stats else []
        self._outbox.say(
            {"event": "stopped", "t": time.monotonic_ns(), "workers": workers}
            | {"exit": self._child.exit if self._child else None, "signal": self._child.signal if self._child else None}
            | {"rusage": rusage(), "log_dropped_bytes": self._child.log.dropped_bytes if self._child else 0}
            | {"disturbed": self._disturber.times if self._disturber else 0}
        )
        self._outbox.close(FLUSH_S)


def main(text: str) -> int:
    """Run the agent for a specification in JSON; the exit status."""
    try:
        spec = parse_spec(text)
        if spec.strategy is not None:
            catalog.find(spec.strategy)
        elif not shlex.split(spec.server_command or ""):
            raise SpecError("The command is empty.")
        cpus = os.sched_getaffinity(0)
        if spec.agent_cpus:
            os.sched_setaffinity(0, spec.agent_cpus)
        spec.dir.mkdir(parents=True, exist_ok=True)
        sys.setswitchinterval(line.SWITCH_S)
        agent = Agent(spec, cpus)
    except (ValueError, KeyError, OSError) as error:
        plain = isinstance(error, (SpecError, KeyError))
        message = str(error.args[0]) if plain else f"The server agent cannot begin: {error}."
        refusal = Outbox(None)
        remedy = "Give what docs/contracts.md describes, and a directory that this user may write."
        refusal.say(line.error("spec", "spec", message, remedy))
        refusal.close(FLUSH_S)
        print(message, file=sys.stderr)
        return options.BAD_INPUT
    launch.prctl(launch.PR_SET_CHILD_SUBREAPER, 1)
    line.identify(spec.dir, spec.run)
    try:
        return agent.run(line.raise_descriptor_limit())
    finally:
        line.forget(spec.dir)
