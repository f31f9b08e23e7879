"""What the conformance suite does not ask: signals in full, several ports, limits and deaths of single strategies."""

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from server import catalog, slots
from tests.unit.server.harness import PATIENCE_S, alive, echoes, eventually, read_exactly, read_to_end, serving

STRATEGIES = tuple(name for name, strategy in catalog.load().items() if "exact_bytes" not in strategy.cannot)


def serves_few(name: str) -> bool:
    """Whether a burst of clients that stay is more than it serves at a time."""
    strategy = catalog.find(name)
    return strategy.loop == "blocking" and strategy.distribution not in ("per_process", "per_thread")


@pytest.mark.parametrize(("number", "connections"), [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGINT, 0)])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_signal_ends_it_quietly(strategy: str, tmp_path: Path, number: int, connections: int) -> None:
    """With nobody connected, SIGTERM is the suite's clause sigterm_idle."""
    with serving(strategy, tmp_path) as served:
        socks = [served.connect() for _ in range(connections)]
        assert all(echoes(sock) for sock in socks)
        pids = served.pids()
        os.kill(served.process.pid, number)
        assert served.process.wait(timeout=PATIENCE_S) == 0
        eventually(lambda: not any(map(alive, pids)), "no process left")
        assert len((tmp_path / "log").read_text().splitlines()) == 1, "it says only where it listens"
        for sock in socks:
            sock.close()


@pytest.mark.parametrize("strategy", ["workers", "sendfd"])
def test_an_acceptor_deals_evenly(strategy: str, tmp_path: Path) -> None:
    with serving(strategy, tmp_path) as served:
        socks = [served.connect() for _ in range(10)]
        served.holds("accepted", 10)
        assert [slot["accepted"] for slot in served.stats.slots()] == [5, 5]
        for sock in socks:
            sock.close()


def test_select_meets_its_own_limit(tmp_path: Path) -> None:
    with serving("select", tmp_path) as served:
        socks = [served.connect() for _ in range(1100)]
        served.holds("accepted", 1100)
        held = served.total("open")
        assert 1000 < held < 1024
        assert served.total("limit_code") == slots.FD_SETSIZE
        assert all(echoes(sock) for sock in socks[:held])
        assert all(read_to_end(sock) == b"" for sock in socks[held:])
        for sock in socks:
            sock.close()


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if not serves_few(name)])
def test_several_ports(strategy: str, tmp_path: Path) -> None:
    """All ports accept, in a burst as one by one, and no connection of any is left in a queue."""
    with serving(strategy, tmp_path, ports=3) as server:
        one_by_one = [server.connect(number=number) for number in (2, 0, 1, 2)]
        assert all(echoes(sock, bytes([number])) for number, sock in enumerate(one_by_one))
        burst = [server.connect(number=i % 3) for i in range(300)]
        for i, sock in enumerate(burst):
            sock.sendall(b"%d" % i)
        assert all(read_exactly(sock, len(b"%d" % i)) == b"%d" % i for i, sock in enumerate(burst))
        server.holds("open", 304)
        for sock in (*one_by_one, *burst):
            sock.close()
        server.holds("open", 0)
        # Nothing comes any more, so nothing may wake it.
        before = server.cpu_s()
        time.sleep(0.3)
        assert server.cpu_s() - before < 0.1


def test_a_full_process_refuses_where_another_has_room(tmp_path: Path) -> None:
    """The hash does not know that the sets of one process of select are full."""
    with serving("prefork_select", tmp_path, workers=4) as served:  # of two, both are full at once in 2 % of cases
        socks: list[socket.socket] = []
        while not served.total("limit_code") and len(socks) < 4200:
            socks.append(served.connect())
            served.holds("accepted", len(socks))
        held = sorted(slot["open"] for slot in served.stats.slots())
        assert served.total("limit_code") == slots.FD_SETSIZE
        assert held[0] < held[-1] < 1024
        for sock in socks:
            sock.close()


def test_what_waits_for_a_stuck_process_waits(tmp_path: Path) -> None:
    """One of two processes is stopped; the other does not serve what was dealt to it."""
    with serving("asyncio_processes", tmp_path) as served:
        stuck, other = (slot["pid"] for slot in served.stats.slots())
        os.kill(stuck, signal.SIGSTOP)
        socks = [served.connect() for _ in range(64)]
        for sock in socks:
            sock.sendall(b"ping")
        eventually(lambda: served.total("accepted") + served.waiting() == 64, "all have come")
        eventually(lambda: served.idles(but={stuck}), "no more to do")
        assert served.waiting() > 0
        assert alive(other)
        os.kill(stuck, signal.SIGCONT)
        assert all(read_exactly(sock, 4) == b"ping" for sock in socks)
        for sock in socks:
            sock.close()


def test_what_a_child_has_of_its_own(tmp_path: Path) -> None:
    """Of its memory: what the catalogue says of fork_per_connection."""
    with serving("fork_per_connection", tmp_path) as served:
        with served.connect() as sock:
            assert echoes(sock)
            (child,) = served.pids() - {served.process.pid}
            rollup = Path(f"/proc/{child}/smaps_rollup").read_text()
        private = sum(int(kb) for kb in re.findall(r"(?m)^Private_\w+: +(\d+) kB", rollup))
        assert 700 < private < 2800, "some 1.4 MB"


def test_what_a_thread_maps(tmp_path: Path) -> None:
    """So many threads as a third of vm.max_map_count, give or take."""
    with serving("thread_per_connection", tmp_path) as served:
        maps = Path(f"/proc/{served.process.pid}/maps")
        before = len(maps.read_text().splitlines())
        socks = [served.connect() for _ in range(200)]
        assert all(map(echoes, socks))
        assert 2 < (len(maps.read_text().splitlines()) - before) / 200 < 4
        for sock in socks:
            sock.close()
