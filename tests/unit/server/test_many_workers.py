"""Every distribution over processes with as many workers as a large host asks for, whatever this one has."""

import os
import signal
from pathlib import Path

import pytest

from server import catalog
from server.conformance.client import exchange_all
from tests.unit.server.harness import PATIENCE_S, alive, eventually, serving

SEVERAL = [name for name, one in catalog.load().items() if not one.one_process and name != "null_server"]
OFTEN = "common.LOOK_S = 0.002"  # the timer's signal comes in the middle of whatever takes longer


@pytest.mark.parametrize("workers", [2, 4, 8, 16])
@pytest.mark.parametrize("strategy", SEVERAL)
def test_bursts_and_resets_leave_every_worker_at_work(strategy: str, workers: int, tmp_path: Path) -> None:
    """Three bursts; of each, half is reset in the middle of a record, and the other half is served."""
    one = catalog.find(strategy)
    at_once = 2 * workers if one.one_client else 200  # of those that serve one client each, half waits for a reset
    with serving(strategy, tmp_path, setup="" if one.is_program else OFTEN, workers=workers) as served:
        pids = served.pids()
        for _ in range(3):
            with served.frozen():
                burst = [served.client(paced=False) for _ in range(at_once)]
                for client in burst:
                    client.push(20)
            for client in burst[::2]:
                client.reset()
            exchange_all(burst[1::2])
            for client in burst[1::2]:
                client.close()
            served.holds("open", 0)
        assert served.pids() == pids
        assert len(pids) == workers + 1
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(timeout=PATIENCE_S) == 0
        assert len((tmp_path / "log").read_text().splitlines()) == 1, "it says only where it listens"


# The parent sleeps after each fork: all workers serve by the time that it notes the last.
SLOW_TO_NOTE = """
import time
from multiprocessing import popen_fork
launch = popen_fork.Popen._launch
popen_fork.Popen._launch = lambda self, process: (launch(self, process), time.sleep(0.5))
"""


@pytest.mark.parametrize("strategy", [name for name in SEVERAL if not catalog.find(name).is_program])
def test_a_signal_between_a_fork_and_its_note_leaves_no_worker(strategy: str, tmp_path: Path) -> None:
    """One that the parent did not know outlived it by a moment, and sendfd's told of an acceptor that was gone."""
    with serving(strategy, tmp_path, setup=f"exec({SLOW_TO_NOTE!r})") as served:
        pids = served.pids()
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(timeout=PATIENCE_S) == 0
        assert not any(map(alive, pids))
        assert len((tmp_path / "log").read_text().splitlines()) == 1, "it says only where it listens"


@pytest.mark.parametrize("strategy", ["workers", "sendfd"])
def test_a_dead_worker_ends_the_server_though_the_acceptor_waits_for_room(strategy: str, tmp_path: Path) -> None:
    """Stopped workers take nothing, so the acceptor has no room; then one of them dies."""
    with serving(strategy, tmp_path, workers=4) as served:
        pids = served.pids()
        workers = pids - {served.process.pid}
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        burst = [served.client(paced=False) for _ in range(1500)]
        eventually(lambda: served.waiting() and served.idles(but=workers), "the acceptor waits")
        os.kill(min(workers), signal.SIGKILL)
        assert served.process.wait(timeout=PATIENCE_S) == 1
        eventually(lambda: not any(map(alive, pids)), "no process left")
        assert len(burst) == 1500
