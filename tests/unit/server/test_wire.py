"""What the conformance suite does not ask: signals in full, several ports, limits and deaths of single strategies."""

import os
import signal
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
