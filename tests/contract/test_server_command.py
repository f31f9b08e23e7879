"""A user's own server, whatever it does with processes: supervised, awaited, sampled, stopped, and nothing left."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from server.agent import sampling
from server.linux import log
from tests.contract.pipes import Event
from tests.contract.test_server_agent import Conductor
from tests.unit.server.harness import alive, echoes, eventually

LISTEN = "import os, signal, socket, sys, time\n"
LISTEN += "def listen():\n    return socket.create_server((sys.argv[1], int(sys.argv[2])))\n"
SERVE = "def serve(listener):\n    while True:\n        sock = listener.accept()[0]\n"
SERVE += "        while data := sock.recv(4096): sock.sendall(data)\n"


def supervised(base: Path, code: str, **server: Any) -> Conductor:
    script = base / "own.py"
    script.write_text(LISTEN + SERVE + code)
    return Conductor(base, strategy=None, server_command=f"{sys.executable} {script} {{host}} {{port}}", **server)


def went(agent: Conductor) -> None:
    agent.order("go", at=time.monotonic_ns() + 300_000_000)


def sample_where(agent: Conductor, name: str, value: int) -> Event:
    while True:
        sample = agent.wait_for("sample")
        if sample[name] == value:
            return sample


def stopped(agent: Conductor, pids: set[int]) -> Event:
    agent.order("stop")
    event = agent.wait_for("stopped")
    assert agent.end() == (0, "")
    agent.left_nothing(pids)
    return event


CHATTY = """
import threading
listener = listen()
sys.stdout.write("begin\\n")
sys.stdout.flush()
os.write(1, b"y" * 9_999_999 + b"\\n")
turn = threading.Lock()
def chat():
    while True:
        with turn: os.write(1, b"y" * 65_535 + b"\\n")
        time.sleep(0.001)
threading.Thread(target=chat, daemon=True).start()
def last(*_): turn.acquire(); os.write(2, b"the end\\n"); os._exit(0)
signal.signal(signal.SIGTERM, last)
serve(listener)
"""


def test_what_it_writes_is_kept_within_bounds_and_never_holds_it_up(tmp_path: Path) -> None:
    agent = supervised(tmp_path, CHATTY)
    agent.arm()
    with agent.connect() as sock:
        assert all(echoes(sock) for _ in range(100))
    event = stopped(agent, agent.descendants())
    assert (event["exit"], event["signal"]) == (0, None)
    text = Path(agent.spec["dir"], "server.log").read_bytes()
    dropped = event["log_dropped_bytes"]
    note = b"\n[%d bytes are left out here]\n" % dropped
    assert text.startswith(b"begin\nyyy")
    assert text.endswith(b"y\nthe end\n")
    assert text.count(note) == 1
    assert len(text) == log.HEAD_BYTES + log.TAIL_BYTES + len(note)
    assert dropped > 10_000_000 - len(text)


def test_what_fits_is_kept_whole(tmp_path: Path) -> None:
    agent = supervised(tmp_path, "os.write(1, b'y' * 2_100_000 + b'z' * 2_000_000)\nserve(listen())\n")
    agent.arm()
    assert stopped(agent, agent.descendants())["log_dropped_bytes"] == 0
    text = Path(agent.spec["dir"], "server.log").read_bytes()
    assert text == b"y" * 2_100_000 + b"z" * 2_000_000


@pytest.mark.parametrize("code", ["serve(listen())", "time.sleep(1.5)\nserve(listen())"])
def test_it_is_looked_at_before_a_client_can_come(tmp_path: Path, code: str) -> None:
    """So that what the connections cost can be told from what the server is."""
    agent = supervised(tmp_path, code)
    agent.arm()
    with agent.connect() as sock:
        assert echoes(sock)
        agent.wait_for("sample")
    started = [
        event for event in agent.heard if event["event"] in ("sample", "listening") and event.get("processes", 1)
    ]
    listens = next(index for index, event in enumerate(started) if event["event"] == "listening")
    assert listens > 0
    assert {event["established"] for event in started[:listens]} == {0}
    assert {event["established"] for event in started[listens + 1 :]} == {None}
    assert started[listens - 1]["rss_bytes"] > 0
    stopped(agent, agent.descendants())


FORKS = """
listener = listen()
for _ in range(3):
    if os.fork() == 0: serve(listener)
time.sleep(99)
"""


def test_one_that_forks_is_sampled_as_a_whole_and_ended_as_a_whole(tmp_path: Path) -> None:
    agent = supervised(tmp_path, FORKS)
    agent.arm()
    with agent.connect() as sock:
        assert echoes(sock)
    pids = agent.whole_family(4)
    went(agent)
    sample = sample_where(agent, "processes", 4)
    assert sample["threads"] == 4
    assert (sample["open"], sample["accepted_by"], sample["edges_only"]) == (None, None, False)
    assert sample["voluntary_switches"] >= 4
    assert stopped(agent, pids)["signal"] == signal.SIGTERM


DEAF = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
listener = listen()
if os.fork() == 0: serve(listener)
time.sleep(99)
"""


def test_one_that_ignores_sigterm_in_every_process(tmp_path: Path) -> None:
    agent = supervised(tmp_path, DEAF)
    agent.arm()
    pids = agent.whole_family(2)
    begin = time.monotonic()
    assert stopped(agent, pids)["signal"] == signal.SIGKILL
    assert time.monotonic() - begin < 15


DAEMON = """
if os.fork(): sys.exit()
os.setsid()
if os.fork(): os._exit(0)
time.sleep(0.3)
for number in (0, 1, 2): os.close(number)
serve(listen())
"""


def test_one_that_daemonises_is_awaited_and_ended(tmp_path: Path) -> None:
    agent = supervised(tmp_path, DAEMON)
    agent.arm()
    pids = agent.whole_family(1)
    with agent.connect() as sock:
        assert echoes(sock)
        agent.order("prove")
        assert agent.wait_for("counts")["established"] == 1
        went(agent)
        sample_where(agent, "processes", 1)
        assert stopped(agent, pids)["exit"] == 0


def test_the_end_of_a_daemon_is_noticed(tmp_path: Path) -> None:
    agent = supervised(tmp_path, DAEMON)
    agent.arm()
    [pid] = agent.whole_family(1)
    os.kill(pid, signal.SIGKILL)
    assert agent.wait_for("error")["cause"] == "crashed"
    agent.wait_for("stopped")
    assert agent.end()[0] == 1
    agent.left_nothing({pid})


def test_one_that_listens_late_is_awaited(tmp_path: Path) -> None:
    agent = supervised(tmp_path, "time.sleep(2)\nserve(listen())")
    begin = time.monotonic()
    agent.arm()
    assert time.monotonic() - begin > 2
    with agent.connect() as sock:
        assert echoes(sock)
    stopped(agent, agent.descendants())


@pytest.mark.parametrize("daemonises", [False, True])
def test_one_that_never_listens_is_given_up_and_ended(tmp_path: Path, daemonises: bool) -> None:
    code = "if os.fork(): sys.exit()\n" if daemonises else ""
    agent = supervised(tmp_path, f"{code}print('I wait', flush=True)\ntime.sleep(99)", listen_timeout=1)
    agent.order("arm")
    eventually(agent.descendants, "the server's process")
    error = agent.wait_for("error")
    pids = agent.descendants()
    assert (error["phase"], error["cause"]) == ("listen", "not-listening")
    assert "I wait" in error["remedy"]
    agent.wait_for("stopped")
    assert agent.end()[0] == 1
    agent.left_nothing(pids)


@pytest.mark.parametrize(
    ("ending", "words"),
    [("print('enough'); sys.exit(0)", "with status 0; its last words: enough"), ("os.abort()", "by signal 6")],
)
def test_one_that_ends_by_itself(tmp_path: Path, ending: str, words: str) -> None:
    """Even well: a trial's server is there until it is told to end. Its child, which goes on, is ended with it."""
    child = "if os.fork() == 0: time.sleep(99)\n" if ending.startswith("os") else ""
    agent = supervised(tmp_path, f"listener = listen()\n{child}listener.accept()\n{ending}")
    agent.arm()
    pids = agent.descendants()
    agent.connect().close()
    error = agent.wait_for("error")
    assert (error["phase"], error["cause"]) == ("internal", "crashed")
    assert words in error["message"]
    agent.wait_for("stopped")
    assert agent.end()[0] == 1
    agent.left_nothing(pids)


def test_a_tree_that_is_too_large_to_sample_is_looked_at_at_the_edges(tmp_path: Path) -> None:
    agent = supervised(tmp_path, FORKS, constants="from server.agent import sampling; sampling.MOST = 3")
    agent.arm()
    pids = agent.whole_family(4)
    at = time.monotonic_ns() + 300_000_000
    agent.order("go", at=at)
    while agent.wait_for("sample")["t"] < at + 1_500_000_000:
        pass
    for _ in range(2):  # the conductor may have to ask more than once
        agent.order("prove")
        agent.wait_for("counts")
    time.sleep(0.1)
    agent.order("stop")
    agent.wait_for("stopped")
    samples = [event for event in agent.heard if event["event"] == "sample" and event["t"] >= at]
    assert all(sample["edges_only"] for sample in samples)
    looked = [sample["processes"] for sample in samples]
    assert looked == [4, *[None] * (len(samples) - 3), 4, 4], "go, the window's end, stop"
    assert len(samples) >= 5
    between = samples[1]
    assert {between[name] for name in sampling.OF_THE_TREE} == {None}
    assert agent.end()[0] == 0
    agent.left_nothing(pids)


def test_processes_that_appear_while_it_is_being_ended_are_ended_too(tmp_path: Path) -> None:
    """A supervisor that starts its worker anew, in a session of its own, whenever it ends."""
    code = "serving = listen()\nwhile True:\n    if os.fork() == 0: os.setsid(); serve(serving)\n    os.wait()\n"
    agent = supervised(tmp_path, f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{code}")
    agent.arm()
    pids = agent.whole_family(2)
    agent.order("stop")
    agent.wait_for("stopped")
    assert agent.end() == (0, "")
    assert not any(map(alive, agent.descendants()))
    agent.left_nothing(pids)
