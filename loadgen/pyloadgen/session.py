"""One trial as whoever runs it has it: orders and words of the processes in, events out, and an end in any case.

The main thread obeys and adds up; it never waits longer than until the next thing is due.
"""

from __future__ import annotations

import queue
import signal
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, Optional

from contracts.line import Event, protocol_error, whole
from pyloadgen.crew import DEFECT, Crew, Said
from pyloadgen.errors import Refusal
from pyloadgen.spec import Spec
from pyloadgen.trial import Trial

POLL_S = 0.2
SETTLE_S = 2.0  # for the processes to settle what they have
END_S = 1.0  # for them to close their sockets
TOLD, ALONE, REFUSED = 0, 1, 2  # the exit: by the order stop, for any other reason, because the trial cannot be


class Session(ABC):
    """A trial from its first order to its end."""

    def __init__(self, spec: Spec, crew: Crew, descriptors: int) -> None:
        self.spec = spec
        self.crew = crew
        self.trial = Trial(spec, crew, descriptors)
        self.reason: Optional[str] = None  # why to end
        self.todo: queue.SimpleQueue[Any] = queue.SimpleQueue()  # orders, words of the crew, reasons to end
        self._code = TOLD
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, _: self.todo.put(signal.Signals(number).name))

    @abstractmethod
    def say(self, event: Event) -> None:
        """Tell an event of the trial, or an error."""

    @abstractmethod
    def log(self, text: str) -> None:
        """Note what is no event."""

    def overdue(self) -> Optional[str]:
        """Why to end although nobody says so."""
        return None

    def run(self) -> int:
        """Obey until there is a reason to end; the exit status."""
        self.crew.listen(self.todo)
        try:
            while self.reason is None:
                self._turn(POLL_S)
                overdue = self.overdue()
                if overdue:
                    self._end(ALONE, overdue)
            self.log(f"ends: {self.reason}")
            self._settle()
        except Exception as error:
            self.log(f"ends: {error!r}")
            self._code = self._code or ALONE
            self._fail(Refusal("internal", "agent", f"The generator failed: {error!r}.", DEFECT))
        self.crew.end(END_S)
        return self._code

    def _end(self, code: int, reason: str) -> None:
        if self.reason is None:
            self.reason = reason
            self._code = self._code or code  # a refusal stays one

    def _fail(self, refusal: Refusal) -> None:
        self.say(refusal.event)
        if self.trial.state == "refused":
            self._code = REFUSED

    def _settle(self) -> None:
        """Let the processes settle what is under way, and say what came of it."""
        self.crew.stop()
        deadline = time.monotonic() + SETTLE_S
        while self.trial.doing and time.monotonic() < deadline:
            self._turn(deadline - time.monotonic())
        if self.trial.doing:
            self.log(f"the load did not settle within {SETTLE_S:g} s")

    def _turn(self, at_most_s: float) -> None:
        due_s = self.trial.due_s()
        with suppress(queue.Empty):
            self._take(self.todo.get(timeout=max(0.0, at_most_s if due_s is None else min(at_most_s, due_s))))
        for event in self.trial.look(stopped=self.reason is not None):
            self.say(event)

    def _take(self, item: Any) -> None:
        if item is None:
            self._end(ALONE, "its input ended")
        elif isinstance(item, str):
            self._end(ALONE, item)
        elif not isinstance(item, Said):
            self._obey(item)
        elif item.did != "ended":
            for event in self.trial.hear(item):
                self.say(event)
            if self.trial.state == "refused":
                self._code = REFUSED
        elif self.reason is None:
            error = Refusal("internal", "process", "A process of the generator ended on its own.", DEFECT)
            self._fail(error)
            self._end(ALONE, str(error))

    def _obey(self, order: dict[str, Any]) -> None:
        name, trial, step = order["order"], self.trial, order.get("connections")
        fits = {
            "arm": trial.state == "fresh" or (trial.state == "armed" and self.spec.workload == "ramp" and whole(step)),
            "prove": trial.state in ("armed", "done") and self.spec.does.holds,
            "go": trial.state == "armed",
            "clock": False,  # with its number it does not come here
        }
        if name == "stop":
            self._end(TOLD, "told to stop")
        elif name not in fits:
            self.say(protocol_error(f"The order {name[:40]!r} is unknown."))
        elif name == "clock" or (name == "go" and not whole(order.get("at"))):
            self.say(protocol_error(f"The order {name} lacks its number."))
        elif self.reason is not None:
            pass  # it comes too late
        elif trial.doing:
            self.say(protocol_error(f"The order {name} came while another was being carried out."))
        elif not fits[name]:
            self.say(protocol_error(f"The order {name} has no place here."))
        else:
            try:
                if name == "arm":
                    trial.arm(step if whole(step) else None)
                elif name == "prove":
                    trial.prove()
                else:
                    self.go(order["at"])
            except Refusal as refusal:
                self._fail(refusal)

    def go(self, at: int) -> None:
        self.trial.go(at)
