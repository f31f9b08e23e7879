"""How the load of a trial is split over the clients. Pure, and exact: nothing is rounded away."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from conductor.plan import Host, Load
from contracts.stairs import stairs


@dataclass(frozen=True)
class Share:
    """One client's part of the load's totals, in `load` by name.

    `phase` is the place of its first arrival of a fixed law, in units of its own gap.
    """

    load: Mapping[str, Any]
    first_connection: int
    phase: float

    @property
    def connections(self) -> int:
        return int(self.load["connections"])

    @property
    def active(self) -> int:
        return int(self.load["active"])


def split(total: int, weights: Sequence[int | Fraction]) -> list[int]:
    """Split by largest remainder, ties to the earlier: 10,000 over three equal weights is 3334/3333/3333."""
    whole = Fraction(sum(weights))
    quotas = [Fraction(weight) * total / whole for weight in weights]
    parts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(parts)), key=lambda i: (parts[i] - quotas[i], i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts


def shares(load: Load, clients: Sequence[Host]) -> dict[str, Share]:
    """Each client's share: connections by weight, active by connections, rate and requests by active.

    What comes each second to connect may be a fraction, or 0 where there is nothing to connect.
    """
    weights = [client.weight for client in clients]
    connections = split(load.connections, weights)
    hostile = split(load.hostile["connections"] if load.hostile else 0, weights)
    active = split(load.active, connections)
    rates = split(load.rate, active)
    requests = split(load.requests, active) if load.requests else None
    return {
        client.name: Share(
            load={
                "connections": connections[j],
                "active": active[j],
                "rate": rates[j],
                "connect_rate": load.connect_rate and load.connect_rate * connections[j] / load.connections,
                "requests": requests and requests[j],
                "hostile": {**load.hostile, "connections": hostile[j]} if load.hostile and hostile[j] else None,
            },
            first_connection=sum(connections[:j]),
            phase=j / len(clients),
        )
        for j, client in enumerate(clients)
    }


def heights(parts: Mapping[str, Share], steps: int) -> Iterator[dict[str, int]]:
    """How many connections each client has after each step of a ramp; the last step is its whole share."""
    climbs = {name: stairs(part.connections, steps) for name, part in parts.items()}
    for step in range(steps):
        yield {name: open_after[step] for name, open_after in climbs.items()}
