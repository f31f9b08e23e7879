"""What is special to one distribution: who is turned away, how the connections are shared, and what deaths do."""

import errno
import os
import random
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from server import catalog, common, ports, slots, turns
from server.distributions import sendfd
from server.distributions.pool import THREADS
from server.linux import processes
from tests.unit.server.harness import (
    PATIENCE_S,
    ROOT,
    Served,
    alive,
    echoes,
    eventually,
    free_port,
    read_exactly,
    read_to_end,
    serving,
)  # fmt: skip

SEVERAL = [name for name, one in catalog.load().items() if not one.one_process and name != "null_server"]
PLACES = {"sequential": 1, "thread_pool": THREADS, "prefork_accept": 2, "prefork_mutex": 2}


def fill(served: Served, places: int) -> list[socket.socket]:
    """Clients in all places, each of which was answered."""
    held = [served.connect() for _ in range(places)]
    assert all(echoes(sock) for sock in held)
    served.holds("open", places)
    return held


@pytest.mark.parametrize("number_of_ports", [1, 3])
@pytest.mark.parametrize(("strategy", "places"), PLACES.items())
def test_who_waits_in_vain_is_turned_away(strategy: str, places: int, number_of_ports: int, tmp_path: Path) -> None:
    with serving(strategy, tmp_path, ports=number_of_ports) as served:
        held = fill(served, places)
        others = [served.connect(number=i % number_of_ports) for i in range(50)]
        assert all(read_to_end(sock) == b"" for sock in others)
        with served.connect() as late:  # and from then on at once
            assert read_to_end(late) == b""
        expected = {"accepted": places + 51, "open": places, "closed": 51, "peak": places}
        for name, value in expected.items():
            if name != "peak" or served.workers == 1:
                served.holds(name, value)
        assert served.total("limit_code") == slots.CLIENTS
        assert all(echoes(sock) for sock in held), "those it holds are served"
        held.pop().close()
        served.holds("open", places - 1)
        with served.connect() as next_one:
            assert echoes(next_one), "who comes when a place is free is served"
        for sock in (*held, *others):
            sock.close()


@pytest.mark.parametrize(("strategy", "places"), PLACES.items())
def test_who_waits_while_others_come_and_go_is_served(strategy: str, places: int, tmp_path: Path) -> None:
    """A queue that is never empty, and one client that stays where there are several places: no limit."""
    with serving(strategy, tmp_path) as served:
        staying = [served.connect()] if places > 1 else []
        served.holds("open", len(staying))
        end = time.monotonic() + 2.5
        refused: list[int] = []

        def come_and_go() -> None:
            while time.monotonic() < end:
                with served.connect() as sock:
                    try:
                        echoes(sock)
                    except (AssertionError, OSError):
                        refused.append(1)
                    time.sleep(0.05)

        clients = [threading.Thread(target=come_and_go) for _ in range(min(places + 3, 20))]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert not refused
        assert served.total("limit_code") == 0
        assert all(echoes(sock) for sock in staying)
        for sock in staying:
            sock.close()


@pytest.mark.parametrize("strategy", SEVERAL)
def test_a_dead_worker_ends_the_server(strategy: str, tmp_path: Path) -> None:
    with serving(strategy, tmp_path) as served:
        os.kill(served.stats.slots()[1]["pid"], signal.SIGKILL)
        assert served.process.wait(timeout=PATIENCE_S) == 1
        assert re.search("ended (on its own|unbidden)", (tmp_path / "log").read_text())


@pytest.mark.parametrize("strategy", ["thread_per_core", "interpreter_per_core"])
def test_threads_are_one_process_with_a_slot_for_each_and_end_with_the_first_of_them(
    strategy: str, tmp_path: Path
) -> None:
    """The error that ends one is told."""
    with serving(strategy, tmp_path, setup="common.Worker.accept_batch = 'many'", workers=3) as served:
        assert served.pids() == {served.process.pid} == {slot["pid"] for slot in served.stats.slots()}
        assert len(served.stats.slots()) == 3
        with socket.socket() as sock:
            sock.settimeout(PATIENCE_S)
            # Whoever comes ends it, maybe before connect() returns.
            assert sock.connect_ex(("127.0.0.1", served.port)) in (0, errno.ECONNRESET)
            assert served.process.wait(timeout=PATIENCE_S) == 1
        log = (tmp_path / "log").read_text()
        assert "'str' object cannot be interpreted as an integer" in log
        assert log.endswith("A thread ended on its own, so the server ends too.\n")


def test_threads_that_share_an_epoll_lose_no_count(tmp_path: Path) -> None:
    """They change places at every chance, in the middle of counting too."""
    with serving("epoll_oneshot", tmp_path, setup="sys.setswitchinterval(1e-6)") as served:
        for number in range(10):
            socks = [served.connect() for _ in range(20)]
            for _ in range(20):
                for sock in socks:
                    sock.sendall(b"ping")
                assert all(read_exactly(sock, 4) == b"ping" for sock in socks)
            served.holds("open", 20)
            for sock in socks:
                sock.close()
            served.holds("closed", 20 * (number + 1))
        for name in ("bytes_in", "bytes_out"):
            served.holds(name, 10 * 20 * 20 * 4)


@pytest.mark.parametrize("strategy", SEVERAL)
def test_workers_do_not_outlive_their_parent(strategy: str, tmp_path: Path) -> None:
    with serving(strategy, tmp_path) as served:
        pids = served.pids()
        assert len(pids) == 3
        served.process.kill()
        served.process.wait()
        eventually(lambda: not any(map(alive, pids)), "no process left")


def test_children_do_not_outlive_the_parent_that_forks(tmp_path: Path) -> None:
    with serving("fork_per_connection", tmp_path) as served:
        held = [served.connect() for _ in range(5)]
        served.holds("open", 5)
        pids = served.pids()
        assert len(pids) == 6
        served.process.kill()
        served.process.wait()
        eventually(lambda: not any(map(alive, pids)), "no process left")
        for sock in held:
            sock.close()


@pytest.mark.parametrize(
    ("strategy", "least"),
    [
        ("sendfd", 200),
        ("prefork_accept", 120),
        ("prefork_reuseport", 120),
        ("thread_per_core", 120),
        ("interpreter_per_core", 120),
        ("prefork_herd", 1),
    ],
)
def test_shares_of_connections_one_after_another(strategy: str, least: int, tmp_path: Path) -> None:
    with serving(strategy, tmp_path) as served:
        for _ in range(400):
            with served.connect() as sock:
                assert echoes(sock)
        served.holds("closed", 400)
        shares = [slot["accepted"] for slot in served.stats.slots()]
        assert sum(shares) == 400
        assert min(shares) >= least, shares


def test_exclusive_wakes_one(tmp_path: Path) -> None:
    with serving("prefork_exclusive", tmp_path) as served:
        for number in range(100):
            eventually(lambda: {one.state for one in served.family().values()} == {"S"}, "all asleep")
            with served.connect() as sock:
                assert echoes(sock)
            served.holds("closed", number + 1)
        assert max(slot["accepted"] for slot in served.stats.slots()) >= 80, "the first that registered is woken"


@pytest.mark.parametrize(("strategy", "woken"), [("prefork_herd", 4), ("prefork_exclusive", 1)])
def test_the_herd_is_woken_for_nothing(tmp_path: Path, strategy: str, woken: int) -> None:
    """Of four processes that sleep, one gets each newcomer; how many of them each newcomer wakes shows in switches."""
    with serving(strategy, tmp_path, workers=4, setup="common.LOOK_S = 1000") as served:
        pids = [slot["pid"] for slot in served.stats.slots()]
        eventually(lambda: {one.state for one in served.family().values()} == {"S"}, "all asleep")
        before = [processes.switches(pid, 1)[0] for pid in pids]
        for number in range(100):
            served.connect().close()
            served.holds("closed", number + 1)
            eventually(lambda: {one.state for one in served.family().values()} == {"S"}, "all asleep")
        grown = [processes.switches(pid, 1)[0] - start for pid, start in zip(pids, before, strict=True)]
        assert sum(count >= 100 for count in grown) == woken, grown


def test_a_port_that_is_in_use_is_named(tmp_path: Path) -> None:
    """SO_REUSEPORT would let a second server take half of the connections of the first."""
    with serving("prefork_reuseport", tmp_path) as served, pytest.raises(OSError, match="in use"):
        common.listen("127.0.0.1", served.port, 10)


@pytest.mark.parametrize("strategy", ["thread_per_connection", "thread_pool", "fork_per_connection"])
def test_counters_are_exact_with_many_at_a_time(strategy: str, tmp_path: Path) -> None:
    with serving(strategy, tmp_path) as served:
        sizes = [random.Random(i).randrange(1, 4000) for i in range(40)]

        def client(size: int) -> None:
            for _ in range(5):
                with served.connect() as sock:
                    for _ in range(10):
                        assert echoes(sock, bytes(size))

        clients = [threading.Thread(target=client, args=(size,)) for size in sizes]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        expected = {"accepted": 200, "closed": 200, "open": 0, "limit_code": 0}
        expected |= {"bytes_in": 50 * sum(sizes), "bytes_out": 50 * sum(sizes)}
        for name, value in expected.items():
            served.holds(name, value)


def test_no_zombie_is_left(tmp_path: Path) -> None:
    with serving("fork_per_connection", tmp_path) as served:
        held = [served.connect() for _ in range(100)]
        served.holds("open", 100)
        for sock in held:
            sock.close()  # at once, so that one signal stands for many deaths
        served.holds("closed", 100)
        eventually(lambda: served.pids() == {served.process.pid}, "no child, and no zombie")


def test_a_child_that_is_killed_is_counted_as_closed(tmp_path: Path) -> None:
    with serving("fork_per_connection", tmp_path) as served, served.connect() as sock:
        assert echoes(sock)
        served.holds("bytes_out", 4)  # the child has counted, which it does only after it has answered
        (child,) = served.pids() - {served.process.pid}
        os.kill(child, signal.SIGKILL)
        served.holds("closed", 1)
        assert (served.total("bytes_in"), served.total("bytes_out")) == (4, 4)


def test_the_lock_of_a_dead_process_blocks_nobody() -> None:
    listener = common.listen("127.0.0.1", free_port(), 10)
    worker = common.Worker(slots.table(None, 1))
    with tempfile.TemporaryFile() as file:
        pid = os.fork()
        if pid == 0:
            holder = turns.OneAtATime(ports.intake([listener], worker), file.fileno())
            holder.block()
            list(holder.take(1))  # holds the lock, and waits in accept
            os._exit(0)
        mine = turns.OneAtATime(ports.intake([listener], worker), file.fileno())
        try:
            eventually(lambda: sleeps(pid), "it has the lock, and waits")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        with socket.create_connection(listener.getsockname(), 5):
            listener.setblocking(False)
            (sock,) = mine.take(1)
            sock.close()
    listener.close()


def sleeps(pid: int) -> bool:
    """Whether a process holds a lock, and sleeps."""
    one = processes.stat(pid)
    return one is not None and one.state == "S" and f" {pid} " in Path("/proc/locks").read_text()


def test_a_socket_that_finds_no_room_is_not_lost_silently() -> None:
    """Without a descriptor to spare the kernel drops what is passed, and tells by a flag."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    slot = slots.table(None, 1)
    hand = sendfd.Hand(theirs, common.Worker(slot))
    hand._spare._held.clear()  # this process has used it for something else
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert sendfd.passed_on(ours, ours)
    fillers: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
        while len(fillers) < 256:
            try:
                fillers.append(os.dup(0))
            except OSError:
                break
        assert list(hand.take()) == []
    finally:
        for filler in fillers:
            os.close(filler)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (slot[slots.ACCEPTED], slot[slots.CLOSED], slot[slots.LIMIT_CODE]) == (1, 1, slots.DESCRIPTORS)


def test_a_worker_that_does_not_keep_up_holds_nobody_up() -> None:
    full, free = (socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2))
    full[0].setblocking(False)
    passed = 0
    while sendfd.passed_on(free[1], full[0]):
        passed += 1
        assert passed < 10_000
    assert not sendfd.passed_on(free[1], full[0])
    assert sendfd.passed_on(free[1], free[0])
    assert select.select([free[1]], [], [], 5)[0]


@pytest.mark.parametrize(
    ("strategy", "count"),
    [("epoll_edge", 1), ("epoll_edge", 3), ("epoll", 3), ("workers", 1), ("sendfd", 1), ("prefork_mutex", 1)],
)
def test_a_burst_beyond_the_batch_is_taken_without_new_events(tmp_path: Path, strategy: str, count: int) -> None:
    """Nobody comes after the burst, so a loop that waited for the next event would leave the rest waiting."""
    batch = ("--accept-batch", "2") if catalog.find(strategy).honours else ()  # the others take one at a time
    with serving(strategy, tmp_path, ports=count, more=batch) as served:
        with served.frozen():
            burst = [served.connect(number=number % count) for number in range(31)]
        for sock in burst:
            with sock:
                assert echoes(sock)
        served.holds("accepted", 31)


NOTED = """
def noted(take):
    def taking(self, at_most=None):
        taken = list(take(self, at_most))
        with open({path!r}, "a") as file:
            print(len(taken), file=file)
        yield from taken
    return taking
common.Listener.take = noted(common.Listener.take)
"""


@pytest.mark.parametrize(
    ("strategy", "batch", "most"),
    [
        ("epoll", 3, 3),
        ("epoll", 100, 31),
        ("prefork_herd", 3, 3),
        ("fork_per_connection", 3, 3),
        ("asyncio_streams", 3, 3),
    ],
)
def test_a_turn_takes_as_many_as_it_is_told(tmp_path: Path, strategy: str, batch: int, most: int) -> None:
    """Of 31 clients that wait; in processes made afterwards, and in a framework's loop, too."""
    path = tmp_path / "taken"
    with serving(
        strategy, tmp_path, more=("--accept-batch", str(batch)), setup=f"exec({NOTED.format(path=str(path))!r})"
    ) as served:
        with served.frozen():
            burst = [served.connect() for _ in range(31)]
        served.holds("accepted", 31)
        for sock in burst:
            sock.close()
    assert max(map(int, path.read_text().split())) == most


REPLACING = [name for name, one in catalog.load().items() if one.replaces and one.loop in ("epoll", "blocking")]


@pytest.mark.parametrize("number_of_ports", [1, 3])
@pytest.mark.parametrize("strategy", REPLACING)
def test_a_worker_that_is_ended_has_a_successor(strategy: str, number_of_ports: int, tmp_path: Path) -> None:
    """Each in turn, with a client: the clients lose their connections, the counts go on, and newcomers are served."""
    with serving(strategy, tmp_path, ports=number_of_ports, more=("--replace-workers",)) as served:
        parent = served.process.pid

        def workers() -> list[int]:
            return [slot["pid"] for slot in slots.Reader(tmp_path / "stats.bin").slots()]

        served.connect().close()
        served.holds("closed", 1)
        for index in range(2):
            before = workers()
            sock = served.connect(number=index % number_of_ports)
            assert echoes(sock)
            served.holds("bytes_out", 4 * (index + 1))  # what is sent and not yet counted would be lost with the worker
            os.kill(before[index], signal.SIGTERM)
            eventually(lambda i=index, pid=before[index]: workers()[i] != pid, "a successor")  # type: ignore[misc]
            assert [pid for i, pid in enumerate(workers()) if i != index] == [before[1 - index]]
            sock.close()
            served.holds("open", 0)
        assert served.total("accepted") == served.total("closed") == 3
        assert served.total("bytes_out") == 8
        family = processes.Tree(parent).look()
        assert {pid for pid, one in family.items() if one.alive} == {*workers()}
        for number in range(number_of_ports):
            with served.connect(number=number) as sock:
                assert echoes(sock)
        os.kill(workers()[0], signal.SIGKILL)
        assert served.process.wait(PATIENCE_S) == 1, "one that fails is not replaced"


def test_who_cannot_replace_a_worker_says_so(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "server", "serve", "--strategy", "sendfd", "--replace-workers"]
    ended = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE_S, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "sendfd replaces no worker that has ended: leave --replace-workers out.\n"
