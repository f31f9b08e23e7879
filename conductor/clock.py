"""Clocks of other hosts. Pure: offsets from exchanges of a message, and times carried from one clock to another."""

from collections.abc import Iterable
from dataclasses import dataclass

EXCHANGES = 32
SHORTEST_LEAD_NS = 400_000_000  # a busy host may take a fifth of a second to hear of it


@dataclass(frozen=True)
class Exchange:
    """One question and answer: sent and arrived in the controller's clock, answered in the agent's (all ns)."""

    sent_ns: int
    answered_ns: int
    arrived_ns: int

    @property
    def rtt_ns(self) -> int:
        return self.arrived_ns - self.sent_ns


@dataclass(frozen=True)
class Clock:
    """offset: agent clock − controller clock; its error is at most bound, half the round trip."""

    offset_ns: int
    bound_ns: int

    def there(self, controller_ns: int) -> int:
        """A moment of the controller's clock, in the agent's."""
        return controller_ns + self.offset_ns

    def here(self, agent_ns: int) -> int:
        """A moment of the agent's clock, in the controller's."""
        return agent_ns - self.offset_ns


def clock_of(exchanges: Iterable[Exchange]) -> Clock:
    """The clock by the exchange with the shortest round trip; in the others a delay looks like an offset."""
    best = min(exchanges, key=lambda exchange: exchange.rtt_ns)
    midpoint_ns = (best.sent_ns + best.arrived_ns) // 2
    return Clock(best.answered_ns - midpoint_ns, -(-best.rtt_ns // 2))


def lead_ns(clocks: Iterable[Clock]) -> int:
    """How far ahead `go` is set: 20 round trips, so that the order reaches even the most distant host well before."""
    return max([SHORTEST_LEAD_NS, *(40 * clock.bound_ns for clock in clocks)])
