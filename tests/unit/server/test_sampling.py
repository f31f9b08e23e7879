"""What a sample says, each figure against a process that is known to use just that."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.agent import host, sampling
from server.agent.sampling import Sampler
from server.linux import processes
from server.linux.processes import Stat
from tests.unit.server.harness import eventually, free_port

MS = 1_000_000
BURN = "import time\ndef burn(ms):\n    end = time.process_time_ns() + ms * 1_000_000\n"
BURN += "    while time.process_time_ns() < end: sum(range(500))\n"


@contextmanager
def child(code: str) -> Iterator["tuple[int, str]"]:
    """A Python process that runs `code`, says one line, and sleeps; its pid, and the line."""
    code += "\nimport time; time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process.pid, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def of(pid: int) -> Stat:
    found = processes.stat(pid)
    assert found
    return found


@pytest.mark.parametrize("ms", [3, 47])
def test_cpu_time_is_finer_than_a_tick(ms: int) -> None:
    with child(f"{BURN}burn({ms})\nprint(time.process_time_ns(), flush=True)") as (pid, said):
        one = of(pid)
        assert 0 <= one.user_ns + one.system_ns - int(said) < 6 * MS
        assert processes.TICK_NS == 10 * MS


def test_threads_that_have_ended_still_count() -> None:
    code = f"{BURN}import threading\nthread = threading.Thread(target=burn, args=[150])\nthread.start(); thread.join()"
    with child(f"{code}\nprint(time.process_time_ns(), flush=True)") as (pid, said):
        one = of(pid)
        assert 0 <= one.user_ns + one.system_ns - int(said) < 6 * MS


def test_user_and_system_time_are_told_apart() -> None:
    """The kernel looks at each tick which of the two it is, and a busy machine gives a process few ticks: so wait."""
    calls = "file = open('/dev/zero', 'rb', 0); room = bytearray(1 << 20)\nprint(flush=True)\n"
    for code, is_user in (
        (f"{BURN}print(flush=True)\nburn(20_000)", True),
        (f"{calls}while 1: file.readinto(room)", False),
    ):
        with child(code) as (pid, _):

            def told_apart(pid: int = pid, is_user: bool = is_user) -> bool:
                one = of(pid)
                more, less = (one.user_ns, one.system_ns) if is_user else (one.system_ns, one.user_ns)
                return more + less > 300 * MS and more > 2 * less

            eventually(told_apart, "two thirds of it are user time, or system time")


def test_children_shorter_than_a_tick_are_in_their_waiter() -> None:
    """As a process for each connection: their ticks would be zero one by one."""
    code = f"{BURN}import os\nfor _ in range(40):\n    if os.fork() == 0: burn(4); os._exit(0)\n    os.wait()\n"
    code += "own = time.process_time_ns(); ended = os.times()[2:4]\nprint(own + sum(ended) * 1e9, flush=True)"
    with child(code) as (pid, said):
        one = of(pid)
        assert one.user_ns + one.system_ns > 40 * 4 * MS - 2 * processes.TICK_NS
        assert abs(one.user_ns + one.system_ns - float(said)) <= 2 * processes.TICK_NS + 3 * MS


def test_one_that_ended_and_is_not_reaped_counts_with_its_time_but_not_as_a_process() -> None:
    sampler = Sampler("127.0.0.1", free_port())
    before = sampler.take()
    process = subprocess.Popen([sys.executable, "-c", f"{BURN}burn(100)"])
    eventually(lambda: of(process.pid).state == "Z", "a zombie")
    during = sampler.take()
    assert during["processes"] == before["processes"]
    used = [one["cpu_user_ns"] + one["cpu_system_ns"] for one in (before, during)]
    assert used[1] - used[0] > 100 * MS
    process.wait()
    after = sampler.take()
    assert after["cpu_user_ns"] + after["cpu_system_ns"] - used[1] < 5 * MS, "counted once more when reaped"


def test_what_the_agent_itself_uses_is_without_its_server() -> None:
    sampler = Sampler("127.0.0.1", free_port())
    before = sampler.own()
    with child("big = bytes(range(256)) * 400_000\nprint(flush=True)\nimport time\ntime.sleep(60)"), open("/dev/null"):
        during = sampler.own()
    assert during["processes"] == 1 and during["cpu_ns"] >= before["cpu_ns"] and during["t"] > before["t"]
    assert before["rss_bytes"] <= during["rss_bytes"] < before["rss_bytes"] + 50_000_000  # the child has twice that
    assert during["descriptors"] > before["descriptors"]


def parts(*rows: "tuple[int, int]") -> "list[tuple[int, int]]":
    """What the sampler makes of the times of one process, look by look."""
    sampler = Sampler("127.0.0.1", 1)
    said = []
    for user_ns, system_ns in rows:
        one = Stat(1, "S", user_ns, system_ns, 0, 0, 1, 0, 0)
        sampler._add_up({2: one}, {"cpu_user_ns": 0, "cpu_system_ns": 0})
        said.append((sampler._user_ns, sampler._system_ns))
    return said


def test_neither_part_falls_and_the_sum_is_kept() -> None:
    # The third look takes 2 from the system's part that the second had given it: it waits, and user takes the growth.
    assert parts((10, 0), (10, 10), (14, 8), (20, 12)) == [(10, 0), (10, 10), (12, 10), (20, 12)]
    # A process that nobody waited for is gone with its time: the sum stays until the others have used as much.
    assert parts((10, 10), (4, 4), (11, 10)) == [(10, 10), (10, 10), (11, 10)]


def test_faults_switches_and_threads() -> None:
    code = "import mmap, threading, time\npages = mmap.mmap(-1, 2000 * 4096)\n"
    code += "for i in range(2000): pages[i * 4096] = 1\n"
    code += "def doze():\n    for _ in range(30): time.sleep(0.001)\n    time.sleep(60)\n"
    code += (
        "threading.Thread(target=doze, daemon=True).start()\nfor _ in range(40): time.sleep(0.002)\nprint(flush=True)"
    )
    sampler = Sampler("127.0.0.1", free_port())
    before = sampler.take()
    with child(code) as (pid, _):
        during = sampler.take()
        assert during["threads"] == before["threads"] + 2
        assert during["minor_faults"] - before["minor_faults"] >= 2000
        assert during["voluntary_switches"] - before["voluntary_switches"] >= 70
        alone, both = processes.switches(pid, 1), processes.switches(pid, 2)
        assert both[0] - alone[0] >= 30, "the second thread's own"


def test_switches_are_found_by_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some kernels have lines after them."""
    text = b"Name:\tx\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t58\nnonvoluntary_ctxt_switches:\t12\n"
    monkeypatch.setattr(processes, "_read", lambda _: text + b"x86_Thread_features:\t\n")
    assert processes.switches(1, 1) == (58, 12)


def test_each_listener_is_told_with_its_limit() -> None:
    port = free_port()
    with socket.socket() as first, socket.socket() as second:
        for sock, backlog in ((first, 7), (second, 30)):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(("127.0.0.1", port))
            sock.listen(backlog)
        ends = [socket.create_connection(("127.0.0.1", port)) for _ in range(6)]
        sampler = Sampler("127.0.0.1", port)
        eventually(lambda: sampler.take()["accept_queue"] == 6, "all in the queues")
        sample = sampler.take()
        assert sorted(room for _, room in sample["accept_queues"]) == [7, 30]
        assert [waiting for waiting, _ in sample["accept_queues"]] == sorted(
            (waiting for waiting, _ in sample["accept_queues"]), reverse=True
        )
        assert sum(waiting for waiting, _ in sample["accept_queues"]) == 6
        for end in ends:
            end.close()


def test_an_overflow_is_in_the_kernels_counters() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port), backlog=1):
        sampler = Sampler("127.0.0.1", port)
        ends = [socket.socket() for _ in range(12)]
        for end in ends:
            end.setblocking(False)
            end.connect_ex(("127.0.0.1", port))
        eventually(lambda: sampler.take()["kernel"].get("TcpExt.ListenOverflows", 0) > 0, "an overflow")
        for end in ends:
            end.close()


def test_counters_that_stood_still_are_left_out() -> None:
    assert host.grown({"a": 5, "b": 2, "new": 9, "fell": 1}, {"a": 3, "b": 2, "fell": 4}) == {"a": 2}
    assert set(host.counters()) <= set(host.WATCHED)
    assert host.counters()["Tcp.OutRsts"] >= 0


def test_time_of_the_cpus_is_theirs_alone() -> None:
    numbers = sorted(os.sched_getaffinity(0))
    whole, one = host.cpus(numbers), [host.cpus([number]) for number in numbers]
    again = host.cpus(numbers)
    assert whole.busy_ns <= sum(cpu.busy_ns for cpu in one) <= again.busy_ns
    assert host.cpus([]) == (0, 0)
    before, end = host.cpus(numbers[:1]).busy_ns, time.process_time() + 0.2
    os.sched_setaffinity(0, numbers[:1])
    try:
        while time.process_time() < end:
            pass
    finally:
        os.sched_setaffinity(0, numbers)
    assert host.cpus(numbers[:1]).busy_ns - before > 150 * MS


def test_foreign_is_what_others_used_of_the_servers_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    worked = [1000 * MS, 100 * MS]
    monkeypatch.setattr(host, "cpus", lambda _: host.Cpus(worked[0], worked[1]))
    sampler = Sampler("127.0.0.1", free_port(), cpus=[9999])  # where the sampler itself does not run
    begin = sampler.take()
    ours_ns = begin["cpu_user_ns"] + begin["cpu_system_ns"]  # of children of earlier tests, too
    worked[:] = [1000 * MS + ours_ns + 700 * MS, 130 * MS]
    sample = sampler.take()
    used = sample["cpu_user_ns"] + sample["cpu_system_ns"]
    assert sample["foreign_ns"] == 700 * MS - (used - ours_ns)
    assert sample["steal_ns"] == 30 * MS
    worked[0] = 1000 * MS
    assert sampler.take()["foreign_ns"] == 0, "ticks may lag behind the clock, but nobody uses less than nothing"


@pytest.mark.parametrize(
    ("own", "path", "stat", "found"),
    [
        ("0::/a/b\n", "a/b/cpu.stat", "usage_usec 5\nthrottled_usec 7\n", 7000),
        ("0::/a/b\n", "a/cpu.stat", "throttled_usec 7\n", 7000),
        ("0::/\n", "cpu.stat", "throttled_usec 7\n", 7000),
        ("0::/../x\n", "cpu.stat", "throttled_usec 7\n", 7000),
        ("0::/a:b\n", "a:b/cpu.stat", "throttled_usec 7\n", 7000),
        ("0::/a\n", "unified/a/cpu.stat", "throttled_usec 7\n", 7000),
        ("3:cpuset:/\n4:cpu,cpuacct:/a\n0::/\n", "cpu,cpuacct/a/cpu.stat", "throttled_time 7\n", 7),
        ("4:cpuacct,cpu:/a\n", "cpu/cpu.stat", "throttled_time 7\n", 7),
        ("4:cpuset:/a\n", "cpuset/a/cpu.stat", "throttled_time 7\n", None),
        ("0::/a\n", "a/cpu.stat", "usage_usec 5\n", None),
        ("", "cpu.stat", "throttled_usec 7\n", None),
    ],
)
def test_the_quota_is_that_of_the_nearest_cgroup(
    tmp_path: Path, own: str, path: str, stat: str, found: int | None
) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(stat)
    (tmp_path / "own").write_text(own)
    assert host.throttled_ns(host.quota_file(str(tmp_path / "own"), str(tmp_path))) == found


def test_a_sample_tells_by_how_much_the_quota_throttled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "cpu.stat"
    file.write_text("throttled_usec 1000\n")
    monkeypatch.setattr(host, "quota_file", lambda: file)
    sampler = Sampler("127.0.0.1", free_port())
    file.write_text("throttled_usec 1250\n")
    assert sampler.take()["throttled_ns"] == 250_000
    file.unlink()
    assert sampler.take()["throttled_ns"] is None
    monkeypatch.setattr(host, "quota_file", lambda: None)
    assert Sampler("127.0.0.1", free_port()).take()["throttled_ns"] is None


def test_a_large_tree_is_looked_at_at_the_edges_only(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = Sampler("127.0.0.1", free_port())
    monkeypatch.setattr(sampling, "MOST", len(processes.Tree().look()) + 1)
    with child("print(flush=True)"), child("print(flush=True)"):
        first, between, edge = sampler.take(), sampler.take(), sampler.take(at_edge=True)
        assert [sample["edges_only"] for sample in (first, between, edge)] == [True] * 3
        assert {between[name] for name in sampling.OF_THE_TREE} == {None}
        assert all(edge[name] is not None for name in sampling.OF_THE_TREE)
        assert between["kernel"] is not None and between["agent_ns"] > first["agent_ns"]
        sampler.align(time.monotonic_ns() + 20 * MS)
        assert sampler.take()["processes"] is None
        time.sleep(0.03)
        assert sampler.take()["processes"] == edge["processes"], "`go` is an edge"
    assert sampler.take(at_edge=True)["edges_only"] is False
    assert sampler.take()["processes"] is not None


def test_a_pid_that_is_used_again_is_another_process() -> None:
    tree = processes.Tree()
    with child("print(flush=True)") as (pid, _):
        assert pid in tree.look()
        tree._mine[pid] -= 1  # as if that had been another one, of which this had the pid now
        tree._mine[1] = -1
        found = tree.look()
        assert pid in found
        assert 1 not in found
        assert 1 not in tree._mine


def test_without_a_clock_for_each_process_ticks_must_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "clock_ns", lambda _: None)
    one = of(os.getpid())
    assert one.user_ns % processes.TICK_NS == one.system_ns % processes.TICK_NS == 0
    assert one.user_ns > 0


def test_a_process_that_is_gone_has_no_figures() -> None:
    assert processes.stat(2**22 + 1) is None
    assert processes.clock_ns(2**22 + 1) is None
    assert processes.switches(2**22 + 1, 1) == (0, 0)
    assert processes.switches(2**22 + 1, 2) == (0, 0)
    assert not Path(f"/proc/{2**22 + 1}").exists()


def test_with_many_threads_what_has_files_of_its_own_is_told_at_the_edges_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MOST_CLOSELY", 1)
    sampler = Sampler("127.0.0.1", free_port())
    with child("print(flush=True)"), child("print(flush=True)"):
        between, edge = sampler.take(), sampler.take(at_edge=True)
        for name in sampling.OF_THE_TREE:
            is_close = name in ("fds", "voluntary_switches", "involuntary_switches")
            assert (between[name] is None) == is_close, name
            assert edge[name] is not None
