"""The agents of one trial, and the one loop in which everything that they say is heard.

All orders are given by the thread that runs the trial, in `Fleet`; others only read, and put what they read into its
inbox.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from queue import Empty

from conductor.clock import Exchange
from conductor.errors import Abandoned, Interrupted, RunRefused
from conductor.events import EventLog
from conductor.inbox import Inbox, Interrupt, Item, Line, StreamEnd, Tag, Task, in_background
from conductor.plan import Host, Plan, Trial
from conductor.protocol import Event, Malformed, order, parse
from conductor.sessions import Channel, Session, as_account
from conductor.shares import Share
from conductor.specs import agent_argv
from contracts.declared import REFUSING_PHASES
from contracts.visible import one_line

ALIVE_EVERY_NS = 1_000_000_000
PING_AFTER_NS = 2_000_000_000
SILENT_AFTER_NS = 5_000_000_000
LOST_AFTER_NS = 12_000_000_000
TOO_MANY = {("budget", cause) for cause in ("descriptors", "ports", "memory", "processes")}
"""Phase and cause of errors that fewer connections would not have met."""


def said_nothing_for(silence_ns: int) -> str:
    return f"it has said nothing for {silence_ns / 1e9:.0f} s"


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
    short: str | None = None  # of what so many connections would need here: the reason why it is spoiled
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


class Fleet:
    """`tolerant` from `go` on: then a client may be lost and the others go on. `ending` once all are told to stop."""

    def __init__(
        self,
        plan: Plan,
        trial: Trial,
        shares: Mapping[str, Share],
        sessions: Mapping[str, Session],
        inbox: Inbox,
        log: EventLog,
    ) -> None:
        self._seeks_limit = trial.load.traits.searches == "connections"
        self.tolerant = False
        self.ending = False
        self.on_second: Callable[[], None] = lambda: None
        self.on_interval: Callable[[str, Event], None] = lambda _host, _event: None
        self.inbox = inbox
        self._log = log
        self._next_alive_ns = self._next_second_ns = time.monotonic_ns() + ALIVE_EVERY_NS
        self.agents = {host.name: self._begin(plan, trial, shares, sessions[host.name]) for host in plan.hosts}
        self.server = self.agents[plan.server.name]
        self.clients = [self.agents[host.name] for host in plan.clients]

    def _begin(self, plan: Plan, trial: Trial, shares: Mapping[str, Share], session: Session) -> Peer:
        """Start one agent; the connection may be slow, so in a thread of its own."""
        host = session.host
        tag = Tag(host.name, trial.n)
        agent = agent_argv(plan, trial, host, shares.get(host.name))
        argv, cwd = as_account(host.account, agent, plan.app(host))
        starting = in_background(self.inbox, host.name, lambda: session.start(argv, cwd, self.inbox, tag))
        return Peer(host, tag, starting)

    @property
    def working_clients(self) -> list[Peer]:
        return [agent for agent in self.clients if agent.takes_part]

    def tell(self, agents: Iterable[Peer], order: str, **fields: int) -> None:
        for agent in agents:
            agent.tell(order, **fields)

    def forget(self, agents: Iterable[Peer], kind: str) -> None:
        """Before an order is repeated: an old answer is no answer to it."""
        for agent in agents:
            agent.said.pop(kind, None)

    def wait(self, until: Callable[[], bool], seconds: float) -> bool:
        """Hear what comes until a condition holds; False if it did not within the time. `until` is asked after each.

        Raises RunRefused, Interrupted, or Abandoned where the trial cannot go on.
        """
        deadline_ns = time.monotonic_ns() + int(seconds * 1e9)
        while not until():
            now_ns = time.monotonic_ns()
            if now_ns >= deadline_ns:
                return False
            self._each_second(now_ns)
            self._give_up_if_hopeless()
            wake_ns = min(deadline_ns, self._next_alive_ns, self._next_second_ns)
            with contextlib.suppress(Empty):
                self._hear(self.inbox.get(timeout=max(0.0, (wake_ns - time.monotonic_ns()) / 1e9)))
        self._give_up_if_hopeless()
        return True

    def lose(self, agent: Peer, why: str) -> None:
        """Mark an agent as lost. One that ignored a ping too counts as out of reach; nothing waits for it again."""
        agent.lost = agent.lost or why
        agent.silent = agent.silent or time.monotonic_ns() - agent.heard_ns > SILENT_AFTER_NS

    def spoil(self, agents: Iterable[Peer], why: str) -> None:
        for agent in agents:
            agent.spoiled = agent.spoiled or why

    def give_up(self, agents: Iterable[Peer], why: str) -> None:
        """They did not do in time what was asked. One that has not even told the time meanwhile is lost, however short
        that time was; of any other its part is spoiled."""
        for agent in agents:
            silence_ns = time.monotonic_ns() - agent.heard_ns
            if silence_ns > SILENT_AFTER_NS:
                self.lose(agent, said_nothing_for(silence_ns))
            else:
                self.spoil([agent], why)

    def _hear(self, item: Item) -> None:
        match item:
            case Interrupt():
                raise Interrupted(item.why)
            case Line():
                agent = self._of_this_trial(item.tag)
                if agent:
                    agent.heard_ns = item.at_ns
                self._hear_line(item, agent)
            case StreamEnd():
                agent = self._of_this_trial(item.tag)
                if agent:
                    agent.open_streams.discard(item.stream)
                    if item.stream == "stdout" and not self.ending:
                        self.lose(agent, item.why)

    def _of_this_trial(self, tag: Tag) -> Peer | None:
        agent = self.agents.get(tag.host)
        return agent if agent and agent.tag == tag else None

    def _hear_line(self, line: Line, agent: Peer | None) -> None:
        try:
            role = self.agents[line.tag.host].host.role
            event = parse(line.text, role) if line.stream == "stdout" else None
        except Malformed as error:
            event = None
            if agent:
                self.lose(agent, f"its agent does not keep the protocol: {error}")
        if event is None:
            if agent and line.text.strip():
                agent.last_words = line.text.strip()[:200]
            # What is no event on stdout (a shell's greeting, say) is human text like any other.
            note = {"event": "stderr", "text": line.text} | ({"stream": "stdout"} if line.stream == "stdout" else {})
            self._log.write(line.tag.host, line.tag.trial, line.at_ns, note)
            return
        self._log.write(line.tag.host, line.tag.trial, line.at_ns, event)
        if agent:
            self._take(agent, event, line.at_ns)

    def _take(self, agent: Peer, event: Event, at_ns: int) -> None:
        agent.take(event, at_ns)
        if event["event"] == "interval":
            self.on_interval(agent.name, event)
        if event["event"] != "error" or self.ending:
            return
        if self._seeks_limit and (event["phase"], event["cause"]) in TOO_MANY:
            agent.short = agent.short or f"{agent.name}: {one_line(event['message'])}"
            self.spoil([agent], agent.short)
            return
        if event["phase"] in REFUSING_PHASES:
            raise RunRefused(f"{agent.name}: {one_line(event['message'])} {one_line(event['remedy'])}".strip())
        message = one_line(event["message"])
        if agent is self.server and event["cause"] == "crashed":
            self.lose(agent, message)
        else:
            self.spoil([agent], message)

    def _each_second(self, now_ns: int) -> None:
        if now_ns >= self._next_second_ns:
            self._next_second_ns = now_ns + ALIVE_EVERY_NS - (now_ns - self._next_second_ns) % ALIVE_EVERY_NS
            self.on_second()
        if now_ns < self._next_alive_ns:
            return
        self._next_alive_ns = now_ns + ALIVE_EVERY_NS
        for agent in self.agents.values():
            if agent.lost or agent.ended or "hello" not in agent.said:
                continue
            silence_ns = now_ns - agent.heard_ns
            if silence_ns > LOST_AFTER_NS:
                self.lose(agent, said_nothing_for(silence_ns))
                continue
            agent.tell("alive")
            if silence_ns > PING_AFTER_NS and not agent.owes_clock:
                agent.ask_clock()

    def _give_up_if_hopeless(self) -> None:
        if self.ending:
            return
        hopeless = not self.server.takes_part or not self.working_clients
        if hopeless or (not self.tolerant and len(self.working_clients) < len(self.clients)):
            raise Abandoned
