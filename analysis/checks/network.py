"""Checks of the network between the hosts, and of their clocks."""

from __future__ import annotations

from collections.abc import Iterable

from analysis import format as show
from analysis.checks import beside
from analysis.checks.base import Observation, seen, threshold
from analysis.checks.server import refused, retried
from analysis.checks.shared import KEY, clients, counters, number, percent, trials, where
from analysis.model import Dataset
from contracts.declared import OUTCOMES


def nw1_retransmitted(dataset: Dataset) -> Iterable[Observation]:
    """Segments that a client sent again between `go` and its end, against the requests of its window; in a duet the
    kernel counts for both trials."""
    table = counters(dataset)
    table = where(table, table["counter"] == "Tcp.RetransSegs")
    for row in table.merge(clients(dataset), on=[*KEY, "host"]).to_dict("records"):
        sent = row["sent_per_s"] * row["window_s"] + beside.sent(dataset, row)
        if row["value"] > threshold("retransmitted") * sent > 0:
            again = row["value"] / sent
            text = (
                f"The kernel of {row['host']} sent {row['value']:,} segments again, for whatever sends there: "
                f"{percent(again)} of the client's requests"
            )
            yield seen(row, text, again, segments=row["value"], sent=sent)


def nw2_handshakes_lost(dataset: Dataset) -> Iterable[Observation]:
    full = set(zip(*(refused(dataset)[name] for name in KEY), strict=True))
    for row in retried(dataset).to_dict("records"):
        if row["count"] > 0 and (row["run"], row["trial"]) not in full:
            text = f"{show.count(row['count'])} handshakes took a second or more, and no accept queue was full"
            yield seen(row, text, row["count"], retried=row["count"])


def cl1_unknown_clocks(dataset: Dataset) -> Iterable[Observation]:
    for row in dataset.clocks.merge(trials(dataset, OUTCOMES)[KEY], on=KEY).to_dict("records"):
        if row["bound_ns"] > threshold("clock_bound"):
            text = f"{row['host']}'s clock is known to within {row['bound_ns'] / 1e6:.1f} ms only"
            yield seen(row, text, row["bound_ns"], bound_ns=row["bound_ns"])


def ck1_stepped(dataset: Dataset) -> Iterable[Observation]:
    for row in dataset.clocks.merge(trials(dataset)[KEY], on=KEY).to_dict("records"):
        moved = abs(row["offset_after_ns"] - row["offset_ns"])
        # Each of the two offsets may be off by the bound.
        if moved - 2 * number(row["bound_ns"], 0.0) > threshold("stepped"):
            text = f"{row['host']}'s clock moved by {show.time(moved)} during the trial"
            yield seen(row, text, moved, moved_ns=moved)
