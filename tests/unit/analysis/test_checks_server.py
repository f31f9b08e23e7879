"""Checks of the server's host, the network and the clocks: just below and just above each threshold."""

from __future__ import annotations

import json

import pytest

from tests.unit.analysis.check_data import CLIENTS, MS, RUN, Rows, S, change, found, healthy, ids, told

OVERFLOWS = "TcpExt.ListenOverflows"


def counter(rows: Rows, host: str, name: str, *values: int, trial: int = 1) -> Rows:
    rows["kernel"] += [
        {"run": RUN, "trial": trial, "host": host, "t_s": float(t), "counter": name, "value": value}
        for t, value in enumerate(values)
    ]
    return rows


def grown(table: str, column: str, amount: float) -> Rows:
    """A counter that grows evenly by so much over the 12 s of trial 1's window."""
    rows = healthy()
    for row in rows[table]:
        if row["trial"] == 1:
            row[column] = int(row["t_s"] * amount / 12)
    return rows


def test_overflow_of_a_good_trial_is_about_connecting() -> None:
    rows = counter(healthy(), "server", OVERFLOWS, 40, 120)
    change(rows, "generators", 1, "client1", syn_retries_1=30, syn_retries_2=2)
    change(rows, "trials", 1, connect_p99_ns=1.02 * S)
    (one,) = found(rows)
    assert (one["check"], one["severity"], one["trials"]) == ("SV1", "warn", [1])
    assert "full 120 times" in one["message"] and "32 handshakes" in one["message"] and "1.02 s" in one["message"]
    # Fewer than one in a hundred: the percentile is of the others, and says nothing of these.
    (one,) = found(change(rows, "trials", 1, connect_p99_ns=0.0009 * S))
    assert one["message"].endswith("; 32 handshakes took a second or more.")


def test_a_queue_that_was_full_and_delayed_nobody_is_a_remark() -> None:
    assert [(one["check"], one["severity"]) for one in found(counter(healthy(), "server", OVERFLOWS, 120))] == [
        ("LQ1", "info")
    ]


def test_a_queue_with_room_for_all_connections_was_not_the_full_one() -> None:
    rows = counter(healthy(), "server", OVERFLOWS, 120)  # of every listener of the host
    change(rows, "generators", 1, "client1", syn_retries_1=30)
    change(rows, "trials", 1, connections=2048)  # as many as the queue holds
    assert ids(rows) == ["NW2"]
    assert ids(change(rows, "trials", 1, connections=2049)) == ["SV1"]
    assert ids(change(rows, "trials", 1, connections=2048, hostile="storm:100")) == ["SV1"]
    assert ids(change(rows, "trials", 1, hostile=None, workload="churn")) == ["SV1", "DS7"]


def test_overflow_of_a_limit_explains_it() -> None:
    rows = counter(healthy(), "server", OVERFLOWS, 3900)
    (one,) = found(change(rows, "trials", 1, outcome="dnf", limit="clients served at a time"))
    assert (one["check"], one["severity"], one["trials"]) == ("LQ1", "info", [1])


def test_overflow_elsewhere_and_of_nothing() -> None:
    assert told("LQ1", counter(healthy(), "server", OVERFLOWS, 120)) == [1]
    assert told("LQ1", counter(healthy(), "client1", OVERFLOWS, 120)) == []
    assert told("LQ1", counter(healthy(), "server", OVERFLOWS, 0)) == []


@pytest.mark.parametrize("name", ["TcpExt.TCPMemoryPressures", "TcpExt.TCPAbortOnMemory", "TcpExt.PruneCalled"])
def test_memory_of_sockets(name: str) -> None:
    assert told("SV3", counter(healthy(), "client2", name, 1)) == [1]


@pytest.mark.parametrize(
    ("table", "column", "amount", "expected"),
    [
        ("server_samples", "major_faults", 10, []),
        ("server_samples", "major_faults", 11, ["SV3"]),
        ("server_samples", "throttled_ns", 0.119 * S, []),
        ("server_samples", "throttled_ns", 0.121 * S, ["SV4"]),
        ("host_samples", "steal_ns", 0.119 * S, []),  # of 12 s and one CPU
        ("host_samples", "steal_ns", 0.121 * S, ["SV4"]),
        ("host_samples", "foreign_ns", 1.19 * S, []),
        ("host_samples", "foreign_ns", 1.21 * S, ["SV5"]),
    ],
)
def test_what_was_taken_from_the_server(table: str, column: str, amount: float, expected: list[str]) -> None:
    rows = grown(table, column, amount)
    assert [check for check in ("SV3", "SV4", "SV5") if told(check, rows) == [1]] == expected


def test_only_the_window_counts() -> None:
    rows = grown("host_samples", "foreign_ns", 0.0)
    rows["host_samples"].append({"run": RUN, "trial": 1, "host": "server", "t_s": -5.0, "foreign_ns": -9 * S})
    rows["host_samples"].append({"run": RUN, "trial": 1, "host": "server", "t_s": 14.0, "foreign_ns": 9 * S})
    assert told("SV5", rows) == []


def test_a_share_is_of_all_cpus_of_the_server() -> None:
    rows = grown("host_samples", "foreign_ns", 2.3 * S)
    rows["hosts"][0]["cpus"] = "[0, 1]"
    assert told("SV5", rows) == []  # 0.096 of two CPUs
    assert told("SV5", grown("host_samples", "foreign_ns", 2.3 * S)) == [1]


def test_on_shared_cpus_the_clients_are_the_others() -> None:
    rows = grown("host_samples", "foreign_ns", 6 * S)
    for host in rows["hosts"]:
        host["facts"] = json.dumps(json.loads(host["facts"]) | {"boot_id": "one machine"})
    assert ids(rows) == ["DS8"]
    rows["hosts"][0]["cpus"] = "[1]"  # pinned apart from [0] of the clients
    assert ids(rows) == ["SV5"]
    rows["hosts"][0]["cpus"] = None
    assert ids(rows) == ["DS8"]


@pytest.mark.parametrize(("segments", "expected"), [(3, []), (4, ["NW1"])])
def test_retransmitted(segments: int, expected: list[str]) -> None:
    rows = counter(healthy(), "client1", "Tcp.RetransSegs", segments)  # 0.1 % of 3,600 are 3.6
    assert told("NW1", rows) == [1] * len(expected)


def test_more_segments_than_requests_is_said_in_percent_without_a_power() -> None:
    (one,) = found(counter(healthy(), "client1", "Tcp.RetransSegs", 39_240))
    assert one["message"] == (
        "The kernel of client1 sent 39,240 segments again, for whatever sends there: 1,090 % of the client's requests."
    )


def test_lost_handshakes_without_an_overflow() -> None:
    (one,) = found(change(healthy(), "generators", 1, "client1", syn_retries_3=1))
    assert one["check"] == "NW2" and one["message"].startswith("1 handshakes")


def test_one_row_for_all_trials() -> None:
    rows = healthy()
    for trial in (3, 1, 2):
        for host in CLIENTS:
            change(rows, "clocks", trial, host, bound_ns=(5 + trial) * MS)
    (one,) = found(rows)
    assert one["trials"] == [1, 2, 3] and one["hosts"] == list(CLIENTS)
    assert one["message"] == "client1's clock is known to within 8.0 ms only (trial 3, the worst of 3)."
    assert len(one["evidence"]) == 9 and one["evidence"][0] == {"trial": 3, "hosts": ["client1"], "bound_ns": 8_000_000}
