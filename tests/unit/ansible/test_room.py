"""What room a host says that it has."""

import socket
from pathlib import Path

import pytest

from plugins.action.c10k_probe import beyond
from plugins.module_utils import c10k_host, c10k_room


def test_the_least_room_of_all_cgroups_above_counts(tmp_path: Path) -> None:
    session = tmp_path / "user.slice/session.scope"
    session.mkdir(parents=True)
    for place, files in {
        session: {"memory.max": "max", "memory.current": "1", "pids.max": "500", "pids.current": "20"},
        session.parent: {"memory.max": "1000", "memory.current": "400", "pids.max": "300", "pids.current": "250"},
    }.items():
        for name, text in files.items():
            (place / name).write_text(f"{text}\n")
    assert c10k_room.cgroup(tmp_path, "user.slice/session.scope") == {"memory_bytes": 600, "pids": 50}
    assert c10k_room.cgroup(tmp_path, "elsewhere") == {"memory_bytes": None, "pids": None}


def test_disk_and_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c10k_room, "CONNTRACK", tmp_path)
    assert c10k_room.rooms(tmp_path / "not/yet")["conntrack"] is None
    (tmp_path / "nf_conntrack_max").write_text("65536\n")
    (tmp_path / "nf_conntrack_count").write_text("3\n")
    found = c10k_room.rooms(tmp_path / "not/yet")
    assert found["conntrack"] == {"max": 65536, "count": 3}
    assert found["disk_free_bytes"] > 0 and isinstance(found["noexec"], bool)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken_is_told_with_its_holder(address: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as taken:
        taken.bind((address, 0))
        taken.listen()
        port = taken.getsockname()[1]
        (held,) = c10k_room.ports_held(address, [port])
        me = Path("/proc/self/comm").read_text().strip()
        assert held["port"] == port
        assert held["why"].startswith(f"is in use by {me} (process ")
    assert c10k_room.ports_held(address, [port]) == []


def test_an_address_is_the_hosts_own_or_not() -> None:
    assert c10k_room.address_problem("127.0.0.1") is None
    assert c10k_room.address_problem("198.51.100.7") == "Cannot assign requested address"


def test_of_an_address_that_is_wrong_no_port_is_told_and_a_name_is_not_looked_up() -> None:
    found = c10k_host.facts(Path("/nonexistent/server"), "198.51.100.7", [9000])
    assert (found["address_problem"], found["ports_held"]) == ("Cannot assign requested address", [])
    found = c10k_host.facts(Path("/nonexistent/server"), "bench.example.org", [9000])
    assert (found["address_problem"], found["ports_held"]) == (None, [])


def test_a_clock_that_was_read_in_between_is_right() -> None:
    assert beyond(5.0, 4.0, 6.0) == 0.0
    assert (beyond(9.0, 4.0, 6.0), beyond(1.0, 4.0, 6.0)) == (3.0, -3.0)
    assert beyond(None, 4.0, 6.0) == 0.0
