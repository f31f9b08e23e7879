"""The conductor's end of one agent: what the agent said, what it was asked, whether it is still there."""

import contextlib
import time
from dataclasses import dataclass, field

from conductor.clock import Exchange
from conductor.inbox import Tag, Task
from conductor.plan import Host
from conductor.protocol import Event, order
from conductor.sessions import Channel


@dataclass(eq=False)
class Peer:
    """`lost` says why the agent cannot be talked to any more, `spoiled` why its part of the trial is worth nothing."""

    host: Host
    tag: Tag
    starting: Task
    open_streams: set[str] = field(default_factory=lambda: {"stdout", "stderr"})
    said: dict[str, Event] = field(default_factory=dict)  # the latest event of each kind
    lost: str | None = None
    silent: bool = False  # lost because it said nothing: its host may be out of reach
    spoiled: str | None = None
    last_words: str = ""
    heard_ns: int = field(default_factory=time.monotonic_ns)
    exchanges: list[Exchange] = field(default_factory=list)
    _asked_ns: dict[int, int] = field(default_factory=dict)
    _questions: int = 0

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def takes_part(self) -> bool:
        return self.lost is None and self.spoiled is None

    @property
    def ended(self) -> bool:
        return not self.open_streams

    def tell(self, name: str, **fields: int) -> None:
        """Send an order. Errors are ignored: if the agent is gone, the end of its output reports that."""
        channel: Channel | None = self.starting.result
        if channel is not None and not self.silent:
            with contextlib.suppress(OSError):
                channel.send_line(order(name, **fields))

    def ask_clock(self) -> None:
        """Ask for the time; while a question is out, the agent need not be asked another."""
        self._questions += 1
        self._asked_ns[self._questions] = time.monotonic_ns()
        self.tell("clock", n=self._questions)

    @property
    def owes_clock(self) -> bool:
        return bool(self._asked_ns)

    def take(self, event: Event, at_ns: int) -> None:
        """Keep what the agent said."""
        self.said[event["event"]] = event
        if event["event"] == "clock" and event["n"] in self._asked_ns:
            self.exchanges.append(Exchange(self._asked_ns.pop(event["n"]), event["t"], at_ns))

    def because(self, why: str) -> str:
        """A reason, with the last thing that the agent wrote on stderr."""
        return f"{why} ({self.last_words})" if self.last_words else why
