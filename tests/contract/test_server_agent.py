"""The server agent against the line protocol, over real pipes: what it says and writes, and that it leaves nothing."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import uvloop

from server import slots
from server.agent.spec import parse
from server.linux import processes
from tests.contract.pipes import PATIENCE_S, Event, Pipes
from tests.unit.server.harness import alive, echoes, eventually, free_port, need_program

ROOT = Path(__file__).parents[2]
RUN = "20261122T190312Z-3f9a1c"
VECTOR: dict[str, Any] = json.loads((Path(__file__).parent / "vectors/server-spec.json").read_text())
SERVER = {**VECTOR["server"], "a_parameter_of_tomorrow": 1}
HERE = {"address": "127.0.0.1", "connections": 100, "cpus": None, "agent_cpus": None, "a_field_of_tomorrow": 1}
SPEC = {**VECTOR, **HERE}
MIB = 1 << 20


class Conductor(Pipes):
    """One server agent, and this side of its pipes."""

    def __init__(self, base: Path, constants: str = "", ports: int = 1, cwd: Path = ROOT, **spec: Any) -> None:
        self.port = free_port(ports)
        home = base / "server/runs" / RUN / "001"
        self.where = base / "server/agent-001.json"
        server = {**SERVER, "server_port": self.port, "server_ports": ports}
        server.update((name, spec.pop(name)) for name in [*spec] if name in SERVER)
        self.spec = {**SPEC, "dir": str(home), "server": server, **spec}
        run = ["-m", "server", "agent", "--spec"]
        if constants:  # a test that shortens a wait sets the module's constant
            run = ["-c", f"import sys; from server.agent import agent; {constants}; sys.exit(agent.main(sys.argv[1]))"]
        super().__init__(home, [*run, json.dumps(self.spec)], cwd)

    def wait_for(self, name: str) -> Event:
        while True:
            event = self.next()
            assert event is not None, f"the agent ended without {name!r}: {self.heard}"
            if event["event"] == name:
                return event

    def arm(self) -> Event:
        self.order("arm")
        return self.wait_for("listening")

    def connect(self, number: int = 0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port + number), timeout=PATIENCE_S)

    def descendants(self) -> set[int]:
        """All live processes below the agent."""
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and alive(int(entry.name)):
                try:
                    parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except OSError:
                    continue
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found - {self.process.pid}

    def whole_family(self, size: int) -> set[int]:
        """All live processes below the agent, once there are so many: a server may listen first, then fork."""
        eventually(lambda: len(self.descendants()) == size, f"{size} processes")
        return self.descendants()

    def left_nothing(self, pids: set[int]) -> None:
        eventually(lambda: not any(map(alive, pids)), "no process left", PATIENCE_S)
        assert not self.where.exists()
        self.lines()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize("strategy", ["epoll", "epoll_edge", "poll", "select", "workers"])
def test_a_trial(base: Path, strategy: str) -> None:
    agent = Conductor(base, strategy=strategy)
    hello = agent.wait_for("hello")
    assert (hello["role"], hello["host"], hello["pid"]) == ("server", "server", agent.process.pid)
    whereabouts = json.loads(agent.where.read_text())
    ticks = int(Path(f"/proc/{hello['pid']}/stat").read_text().rpartition(")")[2].split()[19])
    assert whereabouts == {"pid": hello["pid"], "start_ticks": ticks, "run": RUN}
    before = time.monotonic_ns()
    agent.order("clock", n=7)
    clock = agent.wait_for("clock")
    assert clock["n"] == 7
    assert before < clock["t"] < time.monotonic_ns()
    assert agent.arm()["addresses"] == [f"127.0.0.1:{agent.port}"]
    started = [event for event in agent.heard if event["event"] == "sample" and event["processes"]]
    assert started, "a sample of the server comes before `listening`"
    assert {(event["established"], event["open"]) for event in started} == {(0, 0)}
    socks = [agent.connect() for _ in range(20)]
    assert all(map(echoes, socks))
    agent.order("prove")
    counts = agent.wait_for("counts")
    assert (counts["established"], counts["open"]) == (20, 20)
    pids = agent.descendants()
    at = time.monotonic_ns() + 200_000_000
    agent.order("go", at=at)
    aligned: list[Event] = []
    while len(aligned) < 2:
        sample = agent.wait_for("sample")
        if sample["t"] >= at:
            aligned.append(sample)
    late_s = [(sample["t"] - at) / 1e9 - k for k, sample in enumerate(aligned)]  # a busy machine may delay one
    assert min(late_s) >= 0
    assert min(late_s) < 0.05
    assert max(late_s) < 0.5
    assert aligned[1]["processes"] == (3 if strategy == "workers" else 1)
    expected = {"open": 20, "accepted": 20, "bytes_in": 80, "bytes_out": 80, "accept_queue": 0, "established": None}
    assert {name: aligned[1][name] for name in expected} == expected
    assert aligned[1]["fds"] > 20
    assert aligned[1]["rss_bytes"] > MIB
    agent.order("stop")
    assert agent.wait_for("sample")["open"] == 20
    stopped = agent.wait_for("stopped")
    assert (stopped["exit"], stopped["signal"]) == (0, None)
    assert sum(worker["accepted"] for worker in stopped["workers"]) == 20
    assert stopped["rusage"]["cpu_user_ns"] > 0
    assert agent.end() == (0, "")
    agent.left_nothing(pids)


@pytest.mark.parametrize("strategy", ["epoll", "epoll_edge", "select", "workers"])
def test_several_ports(base: Path, strategy: str) -> None:
    agent = Conductor(base, strategy=strategy, ports=4)
    assert agent.arm()["addresses"] == [f"127.0.0.1:{agent.port + number}" for number in range(4)]
    socks = [agent.connect(i % 4) for i in range(40)]
    assert all(map(echoes, socks))
    agent.order("prove")
    counts = agent.wait_for("counts")
    assert (counts["established"], counts["open"]) == (40, 40)
    agent.order("stop")
    assert agent.wait_for("stopped")["exit"] == 0
    assert agent.end() == (0, "")


def test_one_of_several_ports_is_taken(base: Path) -> None:
    agent = Conductor(base, ports=3)
    with socket.create_server(("127.0.0.1", agent.port + 2)):
        agent.order("arm")
        error = agent.wait_for("error")
    assert (error["phase"], error["cause"]) == ("listen", "addr-in-use")
    assert f"Port {agent.port + 2} on 127.0.0.1" in error["message"]
    agent.order("stop")
    agent.end()


@pytest.mark.parametrize(
    ("strategy", "ports", "workers"),
    [("c_epoll", 1, 1), ("c_epoll", 3, 1), ("c_reuseport", 2, 3), ("go_goroutine", 1, 1), ("go_goroutine", 3, 1)],
)
def test_a_trial_of_a_program(base: Path, strategy: str, ports: int, workers: int) -> None:
    need_program(strategy)
    agent = Conductor(base, strategy=strategy, ports=ports, workers=workers)
    assert len(agent.arm()["addresses"]) == ports
    socks = [agent.connect(i % ports) for i in range(20)]
    assert all(map(echoes, socks))
    agent.order("prove")
    counts = agent.wait_for("counts")
    assert (counts["established"], counts["open"]) == (20, 20)
    pids = agent.whole_family(workers + 1 if workers > 1 else 1)
    numbers = slots.Reader(agent.dir / "stats.bin")  # it counts what it has written after writing it
    eventually(lambda: numbers.total(slots.BYTES_OUT) == 80, "the last answer is counted")
    agent.order("stop")
    stopped = agent.wait_for("stopped")
    assert (stopped["exit"], stopped["signal"]) == (0, None)
    assert len(stopped["workers"]) == workers
    assert sum(worker["bytes_out"] for worker in stopped["workers"]) == 80
    assert agent.end() == (0, "")
    agent.left_nothing(pids)


def test_the_null_server_swallows(base: Path) -> None:
    need_program("null_server")
    agent = Conductor(base, strategy="null_server", workers=1)
    agent.arm()
    with agent.connect() as sock:
        sock.sendall(b"x" * MIB)
        agent.order("go", at=time.monotonic_ns() + 300_000_000)
        while agent.wait_for("sample")["bytes_in"] != MIB:
            pass
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
    agent.order("stop")
    assert agent.wait_for("stopped")["exit"] == 0
    assert agent.end() == (0, "")


def test_a_server_in_c_that_is_not_built_is_refused(base: Path) -> None:
    nowhere = "from server import needs; needs.HOMES = (needs.ROOT / 'no', needs.ROOT / 'nowhere')"
    agent = Conductor(base, nowhere, strategy="c_epoll")
    agent.order("arm")
    error = agent.wait_for("error")
    assert (error["phase"], error["cause"]) == ("budget", "program")
    assert "server/reference/build.py --out nowhere" in error["remedy"]
    agent.order("stop")
    agent.end()


def test_a_strategy_whose_package_is_absent_is_refused(base: Path) -> None:
    agent = Conductor(base, "from server import needs; needs.find_spec = lambda name: None", strategy="trio")
    agent.order("arm")
    error = agent.wait_for("error")
    assert (error["phase"], error["cause"]) == ("budget", "needs")
    assert error["remedy"].endswith("-m pip install trio`.")
    agent.order("stop")
    agent.end()


def test_a_strategy_that_needs_a_package_runs_with_that_beside_the_copy_of_the_servers(base: Path) -> None:
    app = base / "server/app"
    for name in ("server", "contracts"):
        shutil.copytree(ROOT / name, app / name)
    (app / "packages").mkdir()
    (app / "packages/uvloop").symlink_to(Path(uvloop.__file__).parent)
    agent = Conductor(base, cwd=app, strategy="uvloop")
    agent.arm()
    (server,) = agent.descendants()
    assert "uvloop" in Path(f"/proc/{server}/maps").read_text()
    with agent.connect() as sock:
        assert echoes(sock)
    agent.order("stop")
    assert agent.wait_for("stopped")["exit"] == 0
    assert agent.end() == (0, "")


def test_a_users_own_server(base: Path) -> None:
    """A shell that starts a server in a session of its own: found, counted, and ended all the same."""
    script = base / "own.sh"
    script.write_text(
        f"setsid {sys.executable} {ROOT}/tests/fixtures/frozen_server.py --host $1 --port $2 & sleep 60\n"
    )
    agent = Conductor(base, strategy=None, server_command=f"sh '{script}' {{host}} {{port}}")
    assert agent.arm()["backlog"] == 4096
    with agent.connect() as sock:
        assert echoes(sock)
        agent.order("prove")
        counts = agent.wait_for("counts")
        assert (counts["established"], counts["open"]) == (1, None)
        pids = agent.whole_family(3)
        agent.order("stop")
        stopped = agent.wait_for("stopped")
        assert stopped["workers"] == []
        assert stopped["signal"] == signal.SIGTERM
    assert agent.end()[0] == 0
    agent.left_nothing(pids)


def test_a_server_that_ignores_sigterm(base: Path) -> None:
    code = "import signal,socket,time,sys;signal.signal(15,signal.SIG_IGN);" \
        "s=socket.create_server((sys.argv[1],int(sys.argv[2])));time.sleep(99)"  # fmt: skip
    agent = Conductor(base, strategy=None, server_command=f"{sys.executable} -c '{code}' {{host}} {{port}}")
    agent.arm()
    pids, begin = agent.descendants(), time.monotonic()
    agent.order("stop")
    assert agent.wait_for("stopped")["signal"] == signal.SIGKILL
    assert 1 <= time.monotonic() - begin < 10
    assert agent.end()[0] == 0
    agent.left_nothing(pids)


@pytest.mark.parametrize("strategy", ["epoll", "workers"])
def test_the_strategy_is_killed(base: Path, strategy: str) -> None:
    agent = Conductor(base, strategy=strategy)
    agent.arm()
    pids = agent.descendants()
    os.kill(min(pids), signal.SIGKILL)
    error = agent.wait_for("error")
    assert (error["phase"], error["cause"]) == ("internal", "crashed")
    assert f"{strategy} listens on" in error["message"], "the last line of server.log"
    assert agent.wait_for("stopped")["signal"] == signal.SIGKILL
    assert agent.end()[0] == 1
    agent.left_nothing(pids)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("sh -c 'echo no licence >&2; exit 3'", ["status 3", "no licence"]),
        ("sh -c 'echo the licence is in use >&2; exit 3'", ["status 3", "in use"]),  # but not the address
        ("/nowhere/server {port}", ["status 127", "/nowhere/server", "No such file"]),
    ],
)
def test_a_command_that_fails_at_once(base: Path, command: str, words: list[str]) -> None:
    agent = Conductor(base, strategy=None, server_command=command)
    agent.order("arm")
    error = agent.wait_for("error")
    assert error["cause"] == "crashed"
    assert all(word in error["message"] for word in words), error["message"]
    agent.wait_for("stopped")
    agent.end()


def test_a_command_that_never_listens(base: Path) -> None:
    agent = Conductor(base, listen_timeout=0.5, strategy=None, server_command="sleep 60")
    agent.order("arm")
    error = agent.wait_for("error")
    assert (error["phase"], error["cause"]) == ("listen", "not-listening")
    assert error["message"] == f"The server does not listen on 127.0.0.1:{agent.port} 0.5 s after its start."
    assert "listen_timeout=N" in error["remedy"]
    agent.end()


def test_a_command_that_listens_elsewhere_is_told_where(base: Path) -> None:
    code = "import socket, time; s = socket.create_server(('127.0.0.1', 0))"
    code += "; print(s.getsockname()[1], flush=True); time.sleep(60)"
    command = f'{sys.executable} -c "{code}" {{host}} {{port}}'
    agent = Conductor(base, listen_timeout=5, strategy=None, server_command=command)
    agent.order("arm")
    error = agent.wait_for("error")
    port = int(error["remedy"].rpartition(" ")[2])  # its last words
    assert error["message"].endswith(f" 5 s after its start, but on 127.0.0.1:{port}.")
    agent.end()


def end_of_input(agent: Conductor) -> None:
    assert agent.process.stdin
    agent.process.stdin.close()


@pytest.mark.parametrize(
    ("constants", "lifetime_s", "deed", "reason"),
    [
        ("", 60, end_of_input, "its input ended"),
        ("", 60, lambda agent: agent.process.send_signal(signal.SIGTERM), "signal 15"),
        ("", 60, lambda agent: agent.process.send_signal(signal.SIGINT), "signal 2"),
        ("agent.SILENCE_S = 3.0", 60, lambda _: None, "read nothing"),
        ("", 4, lambda _: None, "lifetime"),
    ],
)
def test_the_end_without_an_order(base: Path, constants: str, lifetime_s: float, deed: Any, reason: str) -> None:
    agent = Conductor(base, constants, strategy="workers", lifetime_s=lifetime_s)
    agent.arm()
    pids = agent.descendants()
    deed(agent)
    agent.wait_for("stopped")
    status, said = agent.end()
    assert status == 1
    assert reason in said
    agent.left_nothing(pids)


def test_alive_breaks_the_silence(base: Path) -> None:
    agent = Conductor(base, "agent.SILENCE_S = 3.0")
    agent.arm()
    for _ in range(16):
        time.sleep(0.25)
        agent.order("alive")
    assert agent.process.poll() is None
    agent.order("stop")
    assert agent.end()[0] == 0


def test_kill_9_of_the_agent_ends_the_strategy(base: Path) -> None:
    agent = Conductor(base, strategy="workers")
    agent.arm()
    pids = agent.whole_family(3)
    agent.process.kill()
    eventually(lambda: not any(map(alive, pids)), "no process left", PATIENCE_S)


def test_nobody_reads_its_events(base: Path) -> None:
    """A pipe that is closed ends the agent; one that is merely full does not hold it up."""
    for closed in (True, False):
        read, write = os.pipe()
        spec = {**SPEC, "dir": str(base / f"{closed}/server/runs/{RUN}/001")}
        spec["server"] = {**SERVER, "server_port": free_port()}
        command = [sys.executable, "-m", "server", "agent", "--spec", json.dumps(spec)]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=write, stderr=subprocess.PIPE)
        os.close(write)
        assert process.stdin
        assert process.stderr
        if closed:
            os.close(read)
            assert process.wait(timeout=PATIENCE_S) == 1
            assert b"nobody reads" in process.stderr.read()
            continue
        eventually(Path(spec["dir"], "agent.jsonl").exists, "a journal")
        for _ in range(4000):
            process.stdin.write(b'{"order":"clock","n":1}\n')
        process.stdin.write(b'{"order":"stop"}\n')
        process.stdin.flush()
        assert process.wait(timeout=PATIENCE_S) == 0
        assert Path(spec["dir"], "agent.jsonl").read_text().count('"clock"') == 4000
        os.close(read)


def test_the_limit_is_said_once(base: Path) -> None:
    agent = Conductor(base, strategy="select", connections=1100)
    agent.arm()
    socks = [agent.connect() for _ in range(1100)]
    limit = agent.wait_for("limit")
    assert limit["resource"] == "FD_SETSIZE"
    assert 1000 < limit["held"] < 1024
    agent.order("prove")
    counts = agent.wait_for("counts")
    assert counts["open"] == counts["established"] == limit["held"]
    agent.order("stop")
    agent.wait_for("stopped")
    agent.end()
    assert len([event for event in agent.heard if event["event"] == "limit"]) == 1
    for sock in socks:
        sock.close()


def test_too_few_descriptors(base: Path) -> None:
    for strategy, connections in (("epoll", 3_000_000), ("workers", 6_000_000)):
        agent = Conductor(base, strategy=strategy, connections=connections)
        agent.order("arm")
        error = agent.wait_for("error")
        assert (error["phase"], error["cause"]) == ("budget", "descriptors")
        assert "3000064" in error["message"]
        agent.order("stop")
        assert agent.wait_for("stopped")["exit"] is None
        assert agent.end()[0] == 0


def test_an_address_that_cannot_be_had(base: Path) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        agent = Conductor(base, server_port=port)
        agent.order("arm")
        error = agent.wait_for("error")
        assert (error["phase"], error["cause"]) == ("listen", "addr-in-use")
        assert f"{port}" in error["message"]
        assert f"pid {os.getpid()}" in error["message"]
        assert "in use" in error["message"]
        end_of_input(agent)
        agent.end()
    agent = Conductor(base, address="192.0.2.1")
    agent.order("arm")
    error = agent.wait_for("error")
    assert (error["phase"], error["cause"]) == ("listen", "addr-not-available")
    end_of_input(agent)
    agent.end()


def test_an_address_that_another_takes_meanwhile(base: Path) -> None:
    """Between the agent's look and the server's listen(): it is the socket that tells, and not the server's words."""
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        agent = Conductor(base, "agent.budget.check_addresses = lambda spec: None", server_port=port)
        agent.order("arm")
        error = agent.wait_for("error")
        assert (error["phase"], error["cause"]) == ("listen", "addr-in-use")
        assert "with status 2" in error["message"]
        assert agent.end()[0] == 1


def test_bad_orders_are_answered(base: Path) -> None:
    agent = Conductor(base)
    assert agent.process.stdin
    for line in (b"nonsense\n", b"[]\n", b'{"order":7}\n', b"\xff\xfe\n", b"x" * (MIB + 70_000) + b"\n"):
        agent.process.stdin.write(line)
        agent.process.stdin.flush()
        assert agent.wait_for("error")["cause"] == "protocol"
    for name in ("prove", "dance"):
        agent.order(name)
        while (error := agent.wait_for("error"))["message"].find(name) < 0:
            pass
        assert error["phase"] == "protocol"
    agent.arm()
    agent.order("go", at=time.monotonic_ns() - 1)
    error = agent.wait_for("error")
    assert (error["phase"], error["cause"]) == ("start", "late")
    agent.order("stop")
    assert agent.end()[0] == 0


def test_the_recorded_specification_is_read() -> None:
    spec = parse(json.dumps(VECTOR))
    assert (spec.strategy, spec.where, spec.backlog, spec.workers) == ("epoll", ["198.18.0.10:9000"], 4096, 1)
    assert (spec.trial, spec.connections, spec.cpus, spec.agent_cpus) == (1, 10000, [0], [1])


def test_a_strategy_runs_in_the_interpreter_that_was_asked_for(base: Path, tmp_path: Path) -> None:
    other = tmp_path / "python-of-the-run"
    other.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    agent = Conductor(base, interpreter=str(other), python="3.13")
    agent.arm()
    assert (tmp_path / "asked").read_text().startswith("-m server serve --strategy epoll")
    agent.order("stop")
    assert agent.end()[0] == 0


def test_what_a_strategy_does_not_honour_is_not_asked_of_it(base: Path) -> None:
    """A plan has every parameter of the server, those that are without effect with their default."""
    agent = Conductor(base, strategy="thread_pool")
    assert "accept_batch" in agent.spec["server"]
    agent.arm()
    agent.order("stop")
    assert agent.end()[0] == 0


@pytest.mark.parametrize("strategy", ["epoll", "workers", "asyncio_streams"])
def test_a_backlog_of_0_is_that_of_the_kernel(base: Path, strategy: str) -> None:
    """The default of the original program. The kernel holds one connection even so."""
    agent = Conductor(base, strategy=strategy, backlog=0)
    assert agent.arm()["backlog"] == 0
    agent.order("go", at=time.monotonic_ns() + 100_000_000)
    sample = agent.wait_for("sample")
    while not sample["accept_queues"]:
        sample = agent.wait_for("sample")
    assert sample["accept_queues"] == [[0, 0]]
    with agent.connect() as sock:
        assert echoes(sock)
    agent.order("stop")
    agent.wait_for("stopped")
    assert agent.end()[0] == 0


def test_what_serve_refuses_is_told(base: Path) -> None:
    """Ranges were judged where a person typed; a number that is out of range all the same ends in a sentence."""
    agent = Conductor(base, backlog=1 << 40)
    agent.order("arm")
    error = agent.wait_for("error")
    assert error["cause"] == "crashed"
    assert "--backlog" in error["message"]
    assert agent.end()[0] == 1


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"strategy": "epol"}, "'epoll'"),
        ({"strategy": None}, "either"),
        ({"strategy": "epoll", "server_command": "sleep 1"}, "either"),
        ({"version": 3}, "version 3; this agent knows version 2"),
        ({"server_port": "9000"}, "server_port"),
        ({"backlog": True}, "backlog"),
        ({"server": {}}, "lacks 'strategy'"),
        ({"server": None}, "server = None"),
        ({"cpus": []}, "cpus"),
        ({"dir": "relative"}, "absolute"),
        ({"dir": "/too/short"}, "<base>/<host>/runs/<run>/<trial>"),
        ({"dir": "/proc/nowhere/runs/x/001"}, "cannot begin"),
        ({"agent_cpus": [9999]}, "cannot begin"),
        ({"strategy": None, "server_command": "unfinished 'quote"}, "quot"),
    ],
)
def test_a_bad_specification(base: Path, spec: Event, word: str) -> None:
    agent = Conductor(base, **spec)
    error = agent.wait_for("error")
    assert error["phase"] == "spec"
    assert word in error["message"]
    status, said = agent.end()
    assert status == 2
    assert len(said.splitlines()) == 1


def states(pids: set[int]) -> set[str]:
    return {found.state for found in map(processes.stat, pids) if found}


def test_a_worker_stands_still_while_the_load_runs_and_not_after_it(base: Path) -> None:
    agent = Conductor(base, strategy="prefork_reuseport", workers=2, disturb="stall:100ms/200ms")
    agent.arm()
    pids = agent.whole_family(3)
    agent.order("go", at=time.monotonic_ns() + 300_000_000)
    eventually(lambda: "T" in states(pids), "one stands still")
    agent.order("prove")
    agent.wait_for("counts")
    for _ in range(20):  # ten periods, in half of which one would stand still
        assert "T" not in states(pids)
        time.sleep(0.1)
    assert all(echoes(agent.connect()) for _ in range(20))
    agent.order("stop")
    stopped = agent.wait_for("stopped")
    assert (stopped["exit"], stopped["disturbed"] > 0) == (0, True)
    assert agent.end() == (0, "")
    agent.left_nothing(pids)


def test_a_worker_that_stands_still_is_ended_with_the_others(base: Path) -> None:
    agent = Conductor(base, strategy="prefork_exclusive", workers=2, disturb="stall:30s/60s")
    agent.arm()
    pids = agent.whole_family(3)
    agent.order("go", at=time.monotonic_ns() + 100_000_000)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    agent.order("stop")
    assert agent.wait_for("stopped")["disturbed"] == 0
    assert agent.end() == (0, "")
    agent.left_nothing(pids)


@pytest.mark.parametrize("strategy", ["prefork_reuseport", "prefork_exclusive"])
def test_workers_that_are_ended_have_successors(base: Path, strategy: str) -> None:
    agent = Conductor(base, strategy=strategy, workers=2, disturb="restart/200ms")
    agent.arm()
    pids = agent.whole_family(3)
    held = [agent.connect() for _ in range(20)]
    assert all(map(echoes, held))
    agent.order("go", at=time.monotonic_ns() + 300_000_000)
    eventually(lambda: len(pids & agent.descendants()) == 1, "both workers are others now")
    agent.order("prove")
    agent.wait_for("counts")
    agent.whole_family(3)
    assert all(echoes(agent.connect()) for _ in range(20))
    agent.order("stop")
    stopped = agent.wait_for("stopped")
    assert (stopped["exit"], stopped["disturbed"] > 1) == (0, True)
    assert sum(worker["accepted"] for worker in stopped["workers"]) == 40
    assert agent.end() == (0, "")
    agent.left_nothing(pids)
