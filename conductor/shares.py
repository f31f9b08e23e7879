"""How the load of a trial is split over the clients. Pure, and exact: nothing is rounded away."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from conductor.plan import Host, Hostile, Load


@dataclass(frozen=True)
class Share:
    """One client's part. `phase` is the place of its first arrival of a fixed law, in units of its own gap."""

    connections: int
    active: int
    rate_per_s: int
    connect_rate_per_s: int | None
    requests: int | None
    hostile: Hostile | None
    first_connection: int
    phase: float


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
    """Each client's share: connections by weight, active by connections, rate and requests by active."""
    weights = [client.weight for client in clients]
    connections = split(load.connections, weights)
    hostile = split(load.hostile.connections if load.hostile else 0, weights)
    active = split(load.active, connections)
    rates = split(load.rate, active)
    requests = split(load.requests, active) if load.requests else None
    ramp = split(load.connect_rate, connections) if load.connect_rate else None
    return {
        client.name: Share(
            connections=connections[j],
            active=active[j],
            rate_per_s=rates[j],
            # A generator cannot pace at nothing a second; who has so few connections is soon done at one.
            connect_rate_per_s=max(1, ramp[j]) if ramp else None,
            requests=requests[j] if requests else None,
            hostile=Hostile(load.hostile.kind, hostile[j]) if load.hostile and hostile[j] else None,
            first_connection=sum(connections[:j]),
            phase=j / len(clients),
        )
        for j, client in enumerate(clients)
    }


def stairs(parts: Mapping[str, Share], steps: int) -> Iterator[dict[str, int]]:
    """How many connections each client has after each step of a ramp; the last step is its whole share."""
    climbs = {name: list(accumulate(split(part.connections, [1] * steps))) for name, part in parts.items()}
    for step in range(steps):
        yield {name: climb[step] for name, climb in climbs.items()}
