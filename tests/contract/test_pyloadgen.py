"""The Python generators as the conductor meets them: real processes and sockets, the protocol from hello to the end."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram

from tests.contract.pipes import PATIENCE_S, Event, Pipes
from tests.contract.test_faulty import faulty
from tests.unit.server.harness import alive, eventually, serving

ROOT = Path(__file__).parents[2]
PATHS = {**os.environ, "PYTHONPATH": str(ROOT / "loadgen")}  # of somebody in the checkout
RUN = "20261122T190312Z-3f9a1c"
VECTOR = json.loads((Path(__file__).parent / "vectors/loadgen-spec.json").read_text())
OUTCOMES = ("answered", "timed_out", "censored", "dropped", "mismatched", "failed")
GENERATORS = ("pool", "threads", "asyncio")
FEW = {"pool": 3, "threads": 1, "asyncio": 2}  # processes, where their number is not the matter


class Agent(Pipes):
    """One generator, and the conductor's side of its pipes."""

    def __init__(self, base: Path, target: str, stdout: int = subprocess.PIPE, **spec: Any) -> None:
        home = base / "client1/runs" / RUN / "001"
        self.where = base / "client1/agent-001.json"
        load: Event = {"connections": 50, "active": 50, "rate": 200, "connect_rate": 2000, "warmup": 0, "duration": 1}
        load.update(timeout=10, arm_timeout=10, hostile=None, think_time=0)
        load.update((name, spec.pop(name)) for name in VECTOR["load"] if name in spec)
        given: Event = {"dir": str(home), "targets": [target], "sources": ["127.0.0.1"], "cpus": None}
        given.update({"lifetime_s": 60, "processes": None, "load": {**VECTOR["load"], **load}, **spec})
        words = ["-m", "pyloadgen", "agent", "--spec", json.dumps({**VECTOR, **given})]
        app = base / "client1/app"
        app.mkdir(parents=True)
        for package in (ROOT / "contracts", ROOT / "loadgen/pyloadgen"):
            (app / package.name).symlink_to(package)
        super().__init__(home, words, app, stdout)

    def hear(self, name: str) -> Event:
        """The next event, which must be this one."""
        event = self.next()
        assert event is not None, f"the agent ended before {name!r}: {self.end()}"
        assert event["event"] == name, event
        return event

    def ask(self, order: str, answer: str, **fields: Any) -> Event:
        self.order(order, **fields)
        return self.hear(answer)

    def load(self) -> tuple[list[Event], Event]:
        """From `go` to `done`. A busy machine may need more notice."""
        for notice_ns in (300_000_000, 1_000_000_000, 5_000_000_000):
            self.order("go", at=time.monotonic_ns() + notice_ns)
            intervals, event = self.rest()
            if event.get("cause") != "late":
                break
        assert event["event"] == "done", event
        return intervals, event

    def rest(self) -> tuple[list[Event], Event]:
        """Intervals, and what comes after them."""
        intervals: list[Event] = []
        while (event := self.next()) and event["event"] == "interval":
            intervals.append(event)
        assert event is not None
        return intervals, event

    def end(self) -> tuple[int, str]:
        status, text = super().end()
        assert "Traceback" not in text
        return status, text

    def stop(self) -> None:
        self.order("stop")
        assert self.end()[0] == 0

    def crew(self) -> list[int]:
        """The processes that it has started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]


def total(encoded: str) -> int:
    return int(HdrHistogram.decode(encoded).get_total_count())


def check_accounts(intervals: list[Event], done: Event) -> Event:
    """Every request of every second has one outcome, and the seconds are the total."""
    for one in intervals:
        assert one["planned"] == sum(one[name] for name in OUTCOMES), one
        assert one["planned"] == one["sent"] + one["unsent_waiting"] + one["unsent_late"], one
        assert one["sent"] >= one["answered"]
        assert total(one["response"]) == one["answered"]
    assert sorted(one["k"] for one in intervals) == list(range(len(intervals)))
    for phase in ("warmup", "load"):
        counts = done["totals"][phase]
        assert counts == {name: sum(one[name] for one in intervals if one["phase"] == phase) for name in counts}
    load: Event = done["totals"]["load"]
    assert total(done["lag"]) == load["sent"]
    assert total(done["service"]) == load["answered"]
    assert len(done["self"]["send_gaps_ns"]) <= 2048
    return load


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server of ours."""
    with serving("epoll", tmp_path_factory.mktemp("server")) as served:
        yield f"127.0.0.1:{served.port}"


Reply = Callable[[int, bytes], bytes | None]


@contextmanager
def answers(reply: Reply) -> Iterator[str]:
    """A server that answers record n of a connection with anything, or None: nothing; b"" closes the connection."""
    socks: list[socket.socket] = []

    def talk(sock: socket.socket) -> None:
        n = 0
        with sock, suppress(OSError):
            while data := sock.recv(64, socket.MSG_WAITALL):
                answer = reply(n, data)
                if answer == b"":
                    return
                sock.sendall(answer or b"")
                n += 1

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                socks.append(listener.accept()[0])
                threading.Thread(target=talk, args=(socks[-1],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        for sock in (listener, *socks):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def side_by_side(*cases: tuple[Any, ...]) -> None:
    """Run tests with their arguments at once, since they mostly wait; the first failure is raised."""
    with ThreadPoolExecutor(len(cases)) as pool:
        runs = [pool.submit(*case) for case in cases]
    for (test, *arguments), run in zip(cases, runs, strict=True):
        error = run.exception()
        assert error is None, f"{test.__name__} {arguments[1:]}: {error!r}"


Start = Callable[..., Agent]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts agents, and has them arm; those that a failed test leaves behind are ended."""
    agents: list[Agent] = []

    def begin(target: str, greets: bool = True, arms: bool = True, **given: Any) -> Agent:
        agent = Agent(tmp_path / uuid.uuid4().hex, target, **given)
        agents.append(agent)
        if greets:
            agent.hear("hello")
        if greets and arms:
            agent.ask("arm", "armed")
        return agent

    yield begin
    for agent in agents:
        agent.process.kill()
        agent.process.wait()


def trial(start: Start, echo: str, generator: str) -> None:
    agent = start(echo, arms=False, generator=generator, active=40, warmup=1, arrival="fixed")
    (hello,) = agent.heard
    assert (hello["host"], hello["role"], hello["pid"]) == ("client1", "client", agent.process.pid)
    identity = json.loads(agent.where.read_text())
    ticks = int(Path(f"/proc/{hello['pid']}/stat").read_text().rpartition(")")[2].split()[19])
    assert identity == {"pid": hello["pid"], "start_ticks": ticks, "run": RUN}
    before = time.monotonic_ns()
    clock = agent.ask("clock", "clock", n=7)
    assert clock["n"] == 7
    assert before < clock["t"] < time.monotonic_ns()
    armed = agent.ask("arm", "armed")
    assert (armed["connected"], armed["verified"], armed["failed"], armed["retries"]) == (50, 50, {}, 0)
    assert agent.ask("prove", "proved") == {"event": "proved", "verified": 50, "failed": 0}
    assert agent.ask("go", "error", at=1)["cause"] == "late"
    intervals, done = agent.load()
    assert [one["phase"] for one in intervals] == ["warmup", "load"]
    load = check_accounts(intervals, done)
    assert load["planned"] == load["answered"] == 200
    assert sum(one["arrived"] for one in intervals) <= sum(one["answered"] for one in intervals)
    assert done["connections"] == {"armed": 50, "open": 50, "lost": 0}
    assert done["surplus"] == sum(done["integrity"].values()) == len(done["errors"]) == 0
    assert total(done["connect"]) == 50
    assert total(done["loop_lag"]) > 0
    assert done["self"]["processes"] == (16 if generator == "pool" else 1)
    assert 0 < done["self"]["sent_per_s"] <= sum(one["sent"] for one in intervals)
    assert done["self"]["cpu_user_ns"] > 0
    assert agent.ask("prove", "proved") == {"event": "proved", "verified": 50, "failed": 0}
    agent.stop()
    assert not agent.where.exists()
    names = [line["event"] for line in agent.lines()[1:-1]]
    assert names == ["hello", "clock", "armed", "proved", "error", "interval", "interval", "done", "proved"]
    log = (agent.dir / "latency.hlog").read_text()
    kinds = {kind: log.count(f"\nTag={kind},") for kind in ("response", "lag", "service", "connect")}
    assert kinds == {"response": 2, "lag": 1, "service": 1, "connect": 1}
    assert "armed" in (agent.dir / "loadgen.log").read_text()


def closed(start: Start, echo: str, generator: str) -> None:
    load_of = {"workload": "closed", "connections": 20, "active": 10, "think_time": 0.05}
    agent = start(echo, generator=generator, processes=FEW[generator], **load_of)
    load = check_accounts(*agent.load())
    assert 10 <= load["planned"] <= 10 * 20
    assert load["answered"] == load["planned"]
    agent.stop()


def first_turns(start: Start, echo: str, generator: str) -> None:
    load_of = {"workload": "closed", "connections": 10, "active": 10, "think_time": 2, "duration": 2}
    agent = start(echo, generator=generator, processes=FEW[generator], **load_of)
    intervals, done = agent.load()
    check_accounts(intervals, done)
    assert [one["planned"] for one in intervals] == [5, 5]  # spread over the time to think; none has a second turn
    agent.stop()


def churn(start: Start, echo: str, generator: str, requests: int | None, **more: Any) -> None:
    given = {"workload": "churn", "connections": 10, "active": 10, "requests": requests, **more}
    agent = start(echo, generator=generator, **given)
    assert agent.heard[-1]["verified"] == 1
    assert agent.ask("prove", "error")["phase"] == "protocol"
    intervals, done = agent.load()
    load = check_accounts(intervals, done)
    assert load["answered"] == load["planned"]
    assert load["planned"] == requests or (requests is None and load["planned"] > 0)
    assert requests is None or sum(one["arrived"] for one in intervals) == requests
    assert done["connections"]["lost"] == 0
    agent.stop()


def ramp(start: Start, echo: str) -> None:
    agent = start(echo, arms=False, generator="pool", workload="ramp")
    for step in (10, 25, 50):
        assert agent.ask("arm", "armed", connections=step)["verified"] == step
        assert agent.ask("prove", "proved")["verified"] == step
    load = check_accounts(*agent.load())
    assert load["answered"] == load["planned"]
    agent.stop()


def answer_once(n: int, data: bytes) -> bytes | None:
    return None if n else data


def one_bit(n: int, data: bytes) -> bytes:
    return bytes([*data[:40], data[40] ^ 1, *data[41:]]) if n else data


def half(n: int, data: bytes) -> bytes:
    return data if n == 0 else b""


def twice(n: int, data: bytes) -> bytes:
    return data * 2 if n else data


def wrong_echo(start: Start, generator: str, reply: Reply, outcome: str, integrity: str | None) -> None:
    with answers(reply) as target:
        agent = start(target, generator=generator, connections=5, active=5, rate=50, arrival="fixed")
        assert agent.heard[-1]["verified"] == 5
        intervals, done = agent.load()
        load = check_accounts(intervals, done)
        assert load["planned"] == 50
        assert load[outcome] + done["surplus"] > 0
        if integrity is None:
            assert (load["answered"], done["connections"]) == (0, {"armed": 5, "open": 0, "lost": 5})
            assert [(row["phase"], row["cause"], row["blame"]) for row in done["errors"]] == [
                ("read", "peer-closed", "server")
            ]
        else:
            assert done["integrity"][integrity] > 0
            assert load["mismatched"] == 50 or done["surplus"] > 0
        agent.stop()


def silence(start: Start, generator: str) -> None:
    with answers(answer_once) as target:
        agent = start(target, generator=generator, connections=5, active=5, rate=50, timeout=0.2)
        load = check_accounts(*agent.load())
        assert load["timed_out"] == load["planned"] > 0
        agent.stop()


def ending(start: Start, echo: str, generator: str, deed: str) -> None:
    agent = start(echo, generator=generator, duration=30, processes=FEW[generator])
    agent.order("go", at=time.monotonic_ns() + 10_000_000)
    crew = agent.crew()
    assert len(crew) == FEW[generator]
    if deed == "end of input":
        assert agent.process.stdin
        agent.process.stdin.close()
    else:
        os.kill(agent.process.pid, getattr(signal, deed))
    if deed == "SIGKILL":
        agent.process.wait(timeout=PATIENCE_S)
    else:
        assert agent.end()[0] == 1
        agent.lines()
        assert not agent.where.exists()
    eventually(lambda: not any(map(alive, crew)), "no process left", PATIENCE_S)


def test_stop_in_mid_load_censors_what_is_open(start: Start) -> None:
    asked = threading.Event()

    def swallow_load(n: int, data: bytes) -> bytes | None:
        if n:
            asked.set()
        return answer_once(n, data)

    with answers(swallow_load) as target:
        agent = start(target, generator="asyncio", connections=5, active=5, duration=30)
        agent.order("go", at=time.monotonic_ns() + 300_000_000)
        assert asked.wait(PATIENCE_S)
        agent.order("stop")
        load = check_accounts(*agent.rest())
        assert load["censored"] == load["planned"] > 0
        assert agent.end()[0] == 0


def stopped_before_the_start(start: Start, echo: str, generator: str) -> None:
    agent = start(echo, generator=generator, connections=4, active=4)
    agent.order("go", at=time.monotonic_ns() + 600_000_000_000)
    agent.order("stop")
    assert agent.rest()[1]["first_send_ns"] is None
    assert agent.end()[0] == 0


def test_stop_before_the_start(start: Start, echo: str) -> None:
    side_by_side(*((stopped_before_the_start, start, echo, generator) for generator in GENERATORS))


def test_orders_out_of_place_and_refusals(start: Start, echo: str) -> None:
    agent = start(echo, arms=False, generator="asyncio")
    assert agent.process.stdin
    for line in ("nonsense", "[]", "", '{"order":7}', '{"order":"fly"}', '{"order":"go","at":"soon"}',
                 '{"order":"clock"}', '{"order":"prove"}', '{"order":"go","at":99}'):  # fmt: skip
        agent.process.stdin.write(line.encode() + b"\n")
        agent.process.stdin.flush()
        error = agent.hear("error")
        assert (error["phase"], error["cause"]) == ("protocol", "protocol"), line
    agent.ask("arm", "armed")
    assert agent.ask("arm", "error")["phase"] == "protocol"
    agent.stop()
    agent = start(echo, greets=False, generator="threads", pipeline=2)
    assert agent.hear("error")["phase"] == "spec"
    assert agent.end()[0] == 2
    agent = start(echo, arms=False, generator="asyncio", connections=9_000_000, processes=1)
    error = agent.ask("arm", "error")
    assert (error["phase"], error["cause"]) == ("budget", "descriptors")
    assert "9000064" in error["message"]
    agent.ask("clock", "clock", n=1)
    agent.order("stop")
    assert agent.end()[0] == 2


def test_a_server_that_is_not_there(start: Start) -> None:
    agent = start("127.0.0.1:1", generator="pool")
    armed = agent.heard[-1]
    assert (armed["connected"], armed["verified"], armed["failed"]) == (0, 0, {"connect/refused": 50})
    agent.stop()


def alone(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pyloadgen", *arguments]
    return subprocess.run(command, cwd=ROOT, env=PATHS, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def by_hand(echo: str) -> None:
    result = alone("asyncio", "--target", echo, "-c", "20", "-r", "100", "-d", "1s", "--arrival", "fixed")
    assert result.returncode == 0, result.stderr
    assert "planned 100, sent 100, answered 100" in result.stdout
    assert "lag" in result.stdout
    assert "CPU" in result.stdout


def test_a_trial(start: Start, echo: str) -> None:
    side_by_side(*((trial, start, echo, generator) for generator in GENERATORS))


def test_the_other_loads(start: Start, echo: str) -> None:
    side_by_side(
        *((closed, start, echo, generator) for generator in GENERATORS),
        *((first_turns, start, echo, generator) for generator in GENERATORS),
        *((churn, start, echo, generator, 120) for generator in GENERATORS),
        (ramp, start, echo),
        (by_hand, echo),
    )


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_churn_goes_on_for_its_time(start: Start, echo: str, generator: str) -> None:
    churn(start, echo, generator, None, processes=FEW[generator], duration=2)


def test_a_quota_is_that_of_all_processes_and_ends_the_churn(start: Start, echo: str) -> None:
    def quota(_: Start, generator: str) -> None:
        # The last connection would have its first turn after a day.
        share = {"connections": 40, "active": 40, "connect_rate": 0.0005, "processes": 1}
        churn(start, echo, generator, 20, **share)
        churn(start, echo, generator, 20, processes=3)

    side_by_side(*((quota, start, generator) for generator in GENERATORS))


def held_back(start: Start, generator: str) -> None:
    """Nothing comes back within the first second after the first request."""
    first: list[float] = []

    def reply(n: int, data: bytes) -> bytes:
        if n:
            first.append(time.monotonic())
            time.sleep(max(0.0, first[0] + 1.2 - time.monotonic()))
        return data

    with answers(reply) as target:
        agent = start(
            target,
            generator=generator,
            connections=5,
            active=5,
            rate=20,
            arrival="fixed",
            duration=3,
            processes=FEW[generator],
        )
        intervals, done = agent.load()
        check_accounts(intervals, done)
        seconds = [(one["answered"], one["arrived"]) for one in intervals]
        assert seconds[0] == (20, 0)  # by intended time, and by that of its reply
        assert seconds[1][1] + seconds[2][1] >= 20
        assert done["last_reply_ns"] - done["first_send_ns"] > 1_000_000_000
        agent.stop()


def never_sent(start: Start, generator: str) -> None:
    """Connection by connection one request is sent, and never answered."""
    with answers(answer_once) as target:
        load_of = {"connections": 5, "active": 5, "rate": 50, "timeout": 4, "arrival": "fixed"}
        agent = start(target, generator=generator, processes=1, **load_of)
        load = check_accounts(*agent.load())
        assert load["timed_out"] == load["planned"] == 50
        if generator == "asyncio":
            assert load["unsent_waiting"] > 40  # behind the one that waits
        elif generator == "pool":
            assert load["unsent_late"] > load["unsent_waiting"]  # it waited for another connection
        agent.stop()


def closed_by_the_server(start: Start, generator: str) -> None:
    with answers(half) as target:
        load_of = {"connections": 5, "active": 5, "rate": 50, "arrival": "fixed"}
        agent = start(target, generator=generator, processes=FEW[generator], **load_of)
        load = check_accounts(*agent.load())
        assert (load["failed"], load["unsent_late"]) == (50, 0)
        assert load["unsent_waiting"] >= 40
        agent.stop()


def cut_short(start: Start, generator: str) -> None:
    """Twenty bytes of each reply, and the connections stay."""
    with answers(lambda n, data: data[:20] if n else data) as target:
        agent = start(
            target, generator=generator, processes=FEW[generator], connections=5, active=5, rate=50, timeout=2
        )
        intervals, done = agent.load()
        load = check_accounts(intervals, done)
        assert (load["answered"], done["connections"]["lost"], done["surplus"]) == (0, 0, 0)
        counted = {name: count for name, count in done["integrity"].items() if count}
        assert counted.pop("truncated") + counted.pop("incomplete", 0) == load["sent"] >= 3
        assert counted == {}
        agent.stop()


def strays(start: Start, generator: str) -> None:
    """Seven bytes that nobody asked for, each tenth time before a reply or behind it."""
    lock, strayed = threading.Lock(), [0]

    def reply(n: int, data: bytes) -> bytes:
        if n % 10 != 5:
            return data
        with lock:
            strayed[0] += 1
            return b"astray!" + data if strayed[0] % 2 else data + b"astray!"

    with answers(reply) as target:
        agent = start(target, generator=generator, connections=2, active=2, rate=120)
        intervals, done = agent.load()
        load = check_accounts(intervals, done)
        assert strayed[0] >= 4
        assert done["surplus"] == strayed[0] * len("astray!")
        assert (load["answered"], sum(done["integrity"].values())) == (load["planned"], 0)
        agent.stop()


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize(
    ("fault", "counted"),
    [("bit", "corrupt"), ("duplicate", "duplicated"), ("cross", "crossed"), ("foreign", "foreign"),
     ("truncate", "truncated")],
)  # fmt: skip
def test_what_is_broken_on_purpose_is_counted_in_its_class(
    start: Start, generator: str, fault: str, counted: str
) -> None:
    """By the server with which the Go engines are tested."""
    with faulty(fault, 10) as server:
        share: Event = {"connections": 10, "active": 10, "processes": FEW[generator]}
        share["timeout"] = 2 if fault == "truncate" else 10  # the rest never comes, and its connection stays
        agent = start(f"127.0.0.1:{server.port}", generator=generator, **share)
        intervals, done = agent.load()
        load = check_accounts(intervals, done)
        agent.stop()
    assert server.broken > 0
    wrong = {name: count for name, count in done["integrity"].items() if count and name != "late"}
    assert wrong == {counted: server.broken}
    assert load["answered"] == load["planned"] - load["timed_out"] - load["mismatched"]
    assert load["mismatched"] == (0 if fault == "truncate" else server.broken)


@pytest.mark.parametrize("case", [held_back, never_sent, closed_by_the_server, cut_short, strays])
def test_what_servers_do_is_counted_as_often_as_they_did_it(start: Start, case: Callable[..., None]) -> None:
    side_by_side(*((case, start, generator) for generator in GENERATORS))


def test_bad_servers(start: Start) -> None:
    side_by_side(
        *((wrong_echo, start, generator, one_bit, "mismatched", "corrupt") for generator in GENERATORS),
        *((wrong_echo, start, generator, half, "failed", None) for generator in GENERATORS),
        (wrong_echo, start, "asyncio", twice, "mismatched", "duplicated"),
        (wrong_echo, start, "threads", twice, "mismatched", "duplicated"),
        *((silence, start, generator) for generator in GENERATORS),
    )


def lifetime(start: Start, echo: str) -> None:
    agent = start(echo, arms=False, generator="asyncio", lifetime_s=0.3)
    status, said = agent.end()
    assert (status, "lifetime" in said) == (1, True)


def nobody_reads(start: Start, echo: str) -> None:
    read, write = os.pipe()
    agent = start(echo, greets=False, stdout=write, generator="pool")
    os.close(write)
    os.close(read)
    assert agent.process.wait(timeout=PATIENCE_S) == 1
    assert "no reader" in (agent.dir / "loadgen.log").read_text()
    agent.lines()


def test_the_end_in_mid_load(start: Start, echo: str) -> None:
    deeds = ("end of input", "SIGTERM", "SIGKILL")
    side_by_side(
        *((ending, start, echo, generator, deed) for generator in GENERATORS for deed in deeds),
        (lifetime, start, echo),
        (nobody_reads, start, echo),
    )


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["threads", "--target", "example.org:80"], 2, "is not an address"),
        (["threads", "--target", "127.0.0.1:1", "-c", "2"], 3, "connect/refused"),
        (["pool", "--target", "127.0.0.1:1", "--workload", "churn", "-c", "2"], 3, "connect/refused"),
        (["pool", "--help"], 0, "It fails at 10,000 connections"),
        (["--help"], 0, "lag"),
    ],
)
def test_alone_explains_itself(arguments: list[str], status: int, words: str) -> None:
    result = alone(*arguments)
    assert result.returncode == status
    assert words in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("generator", "connections", "at_once"), [("asyncio", 300, 128), ("pool", 48, 16)])
def test_a_mute_server_costs_a_proof_one_timeout(start: Start, generator: str, connections: int, at_once: int) -> None:
    asked: list[int] = []

    def only_once(n: int, record: bytes) -> bytes | None:
        if n == 0:
            return record
        asked.append(n)
        return None

    with answers(only_once) as target:
        agent = start(target, generator=generator, connections=connections, active=1, timeout=0.3)
        assert agent.ask("prove", "proved") == {"event": "proved", "verified": 0, "failed": connections}
        assert len(asked) <= at_once
        agent.stop()
