"""Blame falls on whoever did it: each sentence in a case where it must stand, and in one where it must not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.analysis.check_data import MS, RUN, Rows, change, found, healthy, ids, told
from tests.unit.analysis.test_checks_generator import everywhere


def proofs(kernel: int, server: int | None, clients: int) -> Rows:
    """Trial 1 with all 3,000 before the load, and so many after it."""
    rows = healthy()
    counts = {"barrier": (3000, server and 3000, 3000), "end": (kernel, server, clients)}
    rows["proofs"] = [
        {"run": RUN, "trial": 1, "moment": moment, "kernel": k, "server": s, "clients": c}
        for moment, (k, s, c) in counts.items()
    ]
    return rows


def test_connections_that_stand_and_say_nothing_are_not_lost() -> None:
    (one,) = found(proofs(3000, 3000, 2996))
    assert one["message"] == "Connections no longer answer: clients 3,000 before and 2,996 after."
    (one,) = found(proofs(2900, None, 2900))
    assert one["message"] == (
        "Connections were lost under load: kernel 3,000 before and 2,900 after, clients 3,000 before and 2,900 after."
    )
    assert found(proofs(3000, None, 3000)) == []


def late_tail(lag_ms: float, gap_ms: float, busy: float = 0.2) -> Rows:
    """Trial 1 with its latest requests so late, where no turn of a loop took longer than the gap."""
    rows = change(healthy(), "trials", 1, lag_p99_ns=lag_ms * MS, response_p99_ns=1.5 * lag_ms * MS)
    cpu = busy * 12e9 / 2
    return everywhere(rows, "generators", 1, lag_p99_ns=lag_ms * MS, max_loop_gap_ns=gap_ms * MS, cpu_user_ns=cpu,
                      cpu_system_ns=cpu)  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (late_tail(30, gap_ms=9), []),  # an overloaded server is no late client
        (late_tail(30, gap_ms=50), ["LG1"]),
        (late_tail(8, gap_ms=9), ["GN3"]),
        (late_tail(8, gap_ms=7), []),
    ],
)
def test_who_waited_behind_a_busy_connection_was_not_late(rows: Rows, expected: list[str]) -> None:
    assert [one for one in ids(rows) if one in ("LG1", "GN3")] == expected


def queue(limit: int, somaxconn: int | None) -> Rows:
    """Trial 1 with an accept queue of this limit where 4,096 were asked, that overflowed."""
    rows = healthy()
    rows["listen_queue"] = [row for row in rows["listen_queue"] if row["trial"] != 1]
    rows["listen_queue"].append({"run": RUN, "trial": 1, "t_s": 0.0, "listener": 0, "length": 1, "limit": limit})
    rows["kernel"].append({"run": RUN, "trial": 1, "host": "server", "counter": "TcpExt.ListenOverflows", "value": 9,
                           "t_s": 1.0})  # fmt: skip
    change(rows, "generators", 1, "client1", syn_retries_1=9)
    facts = json.loads(rows["hosts"][0]["facts"]) | ({"somaxconn": somaxconn} if somaxconn else {})
    rows["hosts"][0]["facts"] = json.dumps(facts)
    return rows


def remedies(rows: Rows) -> dict[str, str]:
    return {one["check"]: one["remedy"] for one in found(rows) if one["check"] in ("SV1", "SV2")}


def test_a_server_that_listens_with_a_number_of_its_own_is_not_told_to_raise_somaxconn() -> None:
    own = remedies(queue(100, 65_535))
    assert set(own) == {"SV1", "SV2"}
    assert all(remedy.startswith("The server itself listens with 100") for remedy in own.values())
    assert not any("somaxconn" in remedy for remedy in own.values())
    for somaxconn in (100, None):  # the kernel cut it, or nobody knows
        assert all("somaxconn" in remedy for remedy in remedies(queue(100, somaxconn)).values())


def test_a_queue_that_a_server_chose_and_that_turned_nobody_away_is_no_warning() -> None:
    def severity(rows: Rows) -> list[str]:
        return [one["severity"] for one in found(rows) if one["check"] == "SV2"]

    for limit, somaxconn, never_full, expected in [
        (100, 65_535, True, "info"),
        (100, 65_535, False, "warn"),
        (100, 100, True, "warn"),  # the kernel cut what was asked
    ]:
        rows = queue(limit, somaxconn)
        if never_full:
            rows["kernel"] = [row for row in rows["kernel"] if row["counter"] != "TcpExt.ListenOverflows"]
        assert severity(rows) == [expected]


def slow_handshakes(share: int) -> Rows:
    rows = everywhere(healthy(), "generators", 1, connections_share=share)
    return everywhere(rows, "generators", 1, syn_retries_1=3)


def test_ports_are_named_before_firewalls() -> None:
    """The range has 20,000: at 59 % steps of a ramp went from 1 s to 21 s."""
    (ports,) = found(slow_handshakes(11_800))
    assert ports["check"] == "GN5" and "59 % of its ephemeral ports" in ports["message"]
    assert "searches" in ports["message"] and ports["severity"] == "warn"
    (lost,) = found(slow_handshakes(10_000))
    assert lost["check"] == "NW2" and lost["remedy"].index("ports") < lost["remedy"].index("firewalls")


def test_nobody_is_told_to_let_the_conductor_plan_what_it_planned() -> None:
    rows = healthy()
    rows["trials"] = [row for row in rows["trials"] if row["block"] == 1 and not row["control"]]
    assert told("DS2", rows) == [] and "DS2" not in ids(rows)  # one block: the plan has no control
    rows = healthy()
    rows["trials"] = [row for row in rows["trials"] if not row["control"]]
    (one,) = [one for one in found(rows) if one["check"] == "DS2"]
    assert "conductor" not in one["remedy"]


@pytest.mark.parametrize(("dropped", "expected"), [(None, []), (0, []), (7_000_000, ["DT10"])])
def test_a_server_log_cut_short(dropped: int | None, expected: list[str]) -> None:
    rows = change(healthy(), "trials", 1, log_dropped_bytes=dropped)
    assert ids(rows) == expected
    if expected:
        assert "7,000,000 bytes of server.log are left out" in found(rows)[0]["message"]


def unsent(**fields: Any) -> Rows:
    """A tenth of trial 1's requests never sent."""
    return change(healthy(), "trials", 1, sent_requests=9720, answered_requests=9720, timed_out_requests=1080, **fields)


def test_a_request_that_waited_for_the_server_is_the_servers() -> None:
    assert "GN4" not in ids(unsent(unsent_waiting_requests=1080, unsent_late_requests=0))
    (one,) = [
        one
        for one in found(unsent(unsent_waiting_requests=0, unsent_late_requests=1080, server_cpu_share=0.95))
        if one["check"] == "GN4"
    ]
    assert "the generators came late" in one["message"] and one["severity"] == "invalid"
