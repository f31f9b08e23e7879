"""Checks of a duet: the other trial is no stranger on the hosts that both share, and what it used counts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.analysis.check_data import CLIENTS, MS, RUN, SECONDS, Rows, S, change, found, healthy, ids, told

OVERFLOWS = "TcpExt.ListenOverflows"


def duet(own_cpu: float = 0.0, beside_cpu: float = 0.0, foreign: float = 0.0, until: int = SECONDS) -> Rows:
    """Trials 1 and 2 side by side. Trial 1's server, that of trial 2 until it ended, and all others beside trial 1's
    use so many CPUs."""
    rows = healthy()
    change(change(rows, "trials", 1, beside=2, go_ns=9 * S), "trials", 2, beside=1, go_ns=9 * S)
    change(change(rows, "trials", 1, server_cpu_share=own_cpu), "trials", 2, server_cpu_share=beside_cpu)
    for row in rows["server_samples"]:
        t = row["t_s"] if row["trial"] == 1 else min(row["t_s"], until)
        used = (own_cpu if row["trial"] == 1 else beside_cpu) * t * S
        row.update(cpu_user_ns=int(used / 2), cpu_system_ns=int(used / 2))
    for row in rows["host_samples"]:
        if row["trial"] == 1:
            row["foreign_ns"] = int(foreign * row["t_s"] * S)
    return rows


def alone(rows: Rows) -> Rows:
    return change(change(rows, "trials", 1, beside=None), "trials", 2, beside=None)


def test_a_duet_is_told_and_forbids_what_it_does_not_tell() -> None:
    (one,) = found(duet())
    assert (one["check"], one["severity"], one["trials"]) == ("DS12", "warn", [])
    assert ids(alone(duet())) == []


def test_the_one_beside_is_no_stranger() -> None:
    assert told("SV5", duet(0.3, 0.4, foreign=0.45)) == []
    assert told("SV5", duet(0.3, 0.3, foreign=0.45)) == [1]
    assert told("SV5", alone(duet(0.3, 0.4, foreign=0.45))) == [1]


def test_what_the_one_beside_used_counts_in_the_span_of_the_trial() -> None:
    # Trial 2 used half a CPU in the first six of its twelve seconds, so a quarter of a CPU of those of trial 1.
    assert told("SV5", duet(0.3, 0.5, foreign=0.34, until=6)) == []
    assert told("SV5", duet(0.3, 0.5, foreign=0.36, until=6)) == [1]
    # It began three seconds before trial 1, and so half of that was over when trial 1 began.
    rows = change(duet(0.3, 0.5, foreign=0.24, until=6), "trials", 2, go_ns=6 * S)
    assert told("SV5", rows) == [1]
    assert told("SV5", change(rows, "trials", 2, go_ns=9 * S)) == []


@pytest.mark.parametrize(("own", "beside", "expected"), [(0.4, 0.39, []), (0.4, 0.41, [1, 2]), (0.1, 0.85, [1, 2])])
def test_two_that_wait_for_each_other(own: float, beside: float, expected: list[int]) -> None:
    rows = duet(own, beside)
    assert told("SV8", rows) == expected
    assert ("SV8" in ids(rows)) == bool(expected) and told("SV8", alone(rows)) == []
    closed = change(change(rows, "trials", 1, workload="closed"), "trials", 2, workload="closed")
    assert told("SV8", closed) == []


def test_the_words_of_two_that_wait_for_each_other() -> None:
    one = next(one for one in found(duet(0.5, 0.46)) if one["check"] == "SV8")
    assert one["message"] == (
        "The server and the one beside it used 96 % of their CPUs: they wait for each other (trial 1 and 1 more)."
    )
    # Either had room by itself, and SV7 speaks of one server.
    assert "SV7" not in ids(duet(0.5, 0.46)) and "SV7" not in ids(duet(0.3, 0.95))
    two = duet(0.5, 0.46)
    two["hosts"][0]["cpus"] = "[0, 1]"  # a thread of each has a CPU of its own
    assert told("SV8", two) == []


def test_a_generator_is_not_blamed_where_both_servers_left_no_room() -> None:
    late = {"lag_p50_ns": 30.0 * MS, "max_loop_gap_ns": 50.0 * MS}
    for rows, expected in ((duet(0.5, 0.46), []), (duet(0.4, 0.3), [1]), (alone(duet(0.5, 0.46)), [1])):
        for host in CLIENTS:
            change(rows, "generators", 1, host, **late)
        assert told("GN1", rows) == expected


def test_the_generators_of_both_share_their_cpus() -> None:
    rows = duet()
    for trial in (1, 2):
        change(rows, "generators", trial, "client2", cpu_user_ns=3.0 * S, cpu_system_ns=2.5 * S)  # of 12 s
    assert told("GN2", rows) == [1, 2]
    assert told("GN2", alone(rows)) == []
    # One that ended after two seconds left the other alone for the rest.
    rows = change(duet(), "generators", 1, "client2", cpu_user_ns=6.0 * S, cpu_system_ns=0.0)
    change(rows, "generators", 2, "client2", cpu_user_ns=2.0 * S, cpu_system_ns=0.0, wall_ns=2.0 * S)
    assert told("GN2", rows) == []


def test_the_ceiling_is_of_both() -> None:
    rows = duet()
    for trial in (1, 2):
        change(rows, "generators", trial, "client1", sent_per_s=8000.0)
    assert told("GN9", rows) == [1, 2] and told("GN9", alone(rows)) == []


def test_segments_sent_again_are_of_both() -> None:
    rows = duet()
    rows["kernel"].append({"run": RUN, "trial": 1, "host": "client1", "t_s": 12.0, "counter": "Tcp.RetransSegs",
                           "value": 7})  # fmt: skip
    assert told("NW1", rows) == [] and told("NW1", alone(rows)) == [1]


def test_an_overflow_is_of_the_one_whose_clients_had_to_wait() -> None:
    rows = duet()
    rows["kernel"] += [
        {"run": RUN, "trial": n, "host": "server", "t_s": 0.0, "counter": OVERFLOWS, "value": 120} for n in (1, 2)
    ]
    assert (told("LQ1", rows), told("SV1", rows)) == ([], [])
    change(rows, "generators", 1, "client1", syn_retries_1=30)
    assert (told("LQ1", rows), told("SV1", rows), told("NW2", rows)) == ([1], [1], [])
    one = next(one for one in found(rows) if one["check"] == "SV1")
    assert one["message"].startswith("The duet's accept queues were full 120 times while connecting; 30 handshakes")
    # Of a server with room for all connections it was the other one's, and what its clients waited for was the network.
    assert told("NW2", change(rows, "trials", 1, connections=2048)) == [1]
    assert told("LQ1", alone(change(rows, "trials", 1, connections=3000))) == [1, 2]


@pytest.mark.parametrize(("blocks", "rivals", "expected"), [(2, 4, False), (2, 5, True), (5, 2, False), (4, 3, True)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_pair_has_one_place_in_the_order(blocks: int, rivals: int, expected: bool, turned: bool) -> None:
    rows = healthy()
    first = rows["trials"][0]
    made: list[dict[str, Any]] = []
    for block in range(1, blocks + 1):
        for rival in range(rivals):
            n = len(made) + 1
            cells = (f"c{rival + 1}", "c0") if not (turned and block % 2) else ("c0", f"c{rival + 1}")
            made += [
                first | {"trial": n + i, "position": n + i, "beside": n + 1 - i, "block": block, "cell": cell}
                for i, cell in enumerate(cells)
            ]
    rows["trials"] = made
    assert told("DS4", rows) == [None] * expected
