"""What the benches of strategies rest on: CPU of a tree, rounds, servers that do not start or never answer."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from server import needs
from server.linux.processes import TICK_NS
from tests.bench import common, open_loop, rounds, strategies, usage
from tests.unit.server import harness

MS = 1_000_000

# Uses CPU for so many ms, its own and its children's. Says what was used: each child that stays, then itself, and once
# more when asked. A line is ns by its clock and its ended children's, then user and system time as its ticks say.
BURN = """
import os, sys, time
def burn(ms):
    end = time.process_time_ns() + ms * 1_000_000
    while time.process_time_ns() < end:
        for _ in range(2_000): pass
def say():
    used = os.times()
    of_children = round((used.children_user + used.children_system) * 1e9)
    total = time.process_time_ns() + of_children
    os.write(1, b"%d %d %d\\n" % (total, round(used.user * 1e9), round(used.system * 1e9)))  # whole, also of many
own, children, each, reap = map(int, sys.argv[1:])
pids = []
for _ in range(children):
    pid = os.fork()
    if pid == 0:
        burn(each)
        if not reap: say(); time.sleep(60)
        os._exit(0)
    pids.append(pid)
    if reap: os.waitpid(pid, 0)
burn(own)
say()
try:
    for _ in sys.stdin: say()
finally:
    for pid in pids if not reap else []: os.kill(pid, 9)
"""


class Burnt:
    """A process that has used CPU, and what it says of itself."""

    def __init__(self, process: "subprocess.Popen[str]", children: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self.pid = process.pid
        # Children and parent say theirs in no certain order, but only the sum counts.
        self.said = [self._read() for _ in range(children + 1)]
        self.said_ns = sum(used for used, _, _ in self.said)

    def again(self) -> "tuple[int, int, int]":
        print(file=self._stdin, flush=True)
        return self._read()

    def _read(self) -> "tuple[int, int, int]":
        used, user, system = map(int, self._stdout.readline().split())
        return used, user, system


@contextmanager
def burning(own_ms: int, children: int = 0, each_ms: int = 0, reap: bool = True) -> Iterator[Burnt]:
    words = [sys.executable, "-c", BURN, str(own_ms), str(children), str(each_ms), str(int(reap))]
    with subprocess.Popen(words, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Burnt(process, 0 if reap else children)
        finally:
            process.communicate(timeout=10)


# How much a process uses beside its loop depends on the machine: so each figure stands between what the process said of
# itself before and after. What the kernel tells in ticks is rounded down.


def test_cpu_of_a_process_is_what_it_says_of_itself() -> None:
    with burning(300) as burnt:
        found = usage.cpu(burnt.pid)
        (total_ns, user_ns, system_ns), after = burnt.said[0], burnt.again()
    assert 300 * MS <= total_ns <= found.total_ns <= after[0]
    assert user_ns - TICK_NS < found.user_ns <= after[1]
    assert system_ns - TICK_NS < found.system_ns <= after[2]


def test_cpu_of_children_that_have_ended_is_counted() -> None:
    with burning(0, children=4, each_ms=100) as burnt:
        found = usage.cpu(burnt.pid)
        after = burnt.again()
    assert 4 * 100 * MS - 2 * TICK_NS <= burnt.said_ns - 2 * TICK_NS < found.total_ns <= after[0]


def test_many_children_with_less_than_a_tick_each_are_not_nothing() -> None:
    with burning(0, children=50, each_ms=6, reap=False) as burnt:
        assert 50 * 6 * MS <= burnt.said_ns <= usage.cpu(burnt.pid).total_ns < 2 * burnt.said_ns


def test_a_cost_is_divided_as_the_ticks_are() -> None:
    found = usage.cost(usage.Cpu(1_000, 0, 0), usage.Cpu(801_000, 30, 10), 100)
    assert (found.total_us, found.user_us, found.system_us) == (8, 6, 2)
    without_ticks = usage.cost(usage.Cpu(0, 0, 0), usage.Cpu(800_000, 0, 0), 100)
    assert without_ticks.total_us == 8
    assert without_ticks.user_us != without_ticks.user_us  # NaN: not told, rather than nothing


def test_memory_is_that_of_the_process_and_its_children() -> None:
    with burning(0) as alone, burning(0, children=3, reap=False) as four:
        assert usage.memory(four.pid).anonymous_bytes > 2 * usage.memory(alone.pid).anonymous_bytes > 0


def test_each_round_has_everything_once_in_an_order_that_the_seed_repeats() -> None:
    orders = []
    for seed in (1, 1, 2):
        order: list[str] = []
        made = rounds.interleaved("abcde", 4, seed, order.append)
        assert all(sorted(order[i : i + 5]) == list("abcde") for i in range(0, 20, 5))
        assert all(len(made.found[key]) == 4 for key in "abcde")
        orders.append(order)
    assert orders[0] == orders[1] != orders[2]
    assert len({"".join(orders[0][i : i + 5]) for i in range(0, 20, 5)}) > 1


def test_what_fails_twice_is_left_out_and_ratios_are_of_the_same_round(capsys: pytest.CaptureFixture[str]) -> None:
    tried: list[str] = []

    def measure(name: str) -> float:
        tried.append(name)
        count = tried.count(name)
        if name == "broken" or (name == "shaky" and count == 2):
            raise common.Unmeasured(f"{name} fails the {count}. time.")
        return 10.0**count * {"steady": 1, "shaky": 2}[name]

    made = rounds.interleaved(["steady", "shaky", "broken"], 4, 7, measure)
    assert tried.count("broken") == 2
    assert made.found["broken"] == [None] * 4
    assert made.found["shaky"] == [20, None, 2_000, 20_000]
    ratio = made.ratio("shaky", "steady", float)
    assert ratio is not None
    assert ratio.n == 3
    assert ratio.value == pytest.approx(2)
    assert made.ratio("broken", "steady", float) is None
    capsys.readouterr()
    made.explain()
    said = capsys.readouterr().out
    assert "broken: no figure in 4 of 4 rounds. broken fails the 1. time." in said
    assert "shaky: no figure in 1 of 4 rounds. shaky fails the 2. time." in said
    assert "steady" not in said


def test_what_a_row_of_the_open_loop_says() -> None:
    served = [
        open_loop.Found(900, "", 1, 2, (0.5, 9.0)),
        open_loop.Found(1000, "", 3, 4, (0.1, float("inf"))),
        open_loop.Found(1000, "", 0, 0, (0.3, float("inf"))),
    ]
    assert open_loop.row("x", served) == ["x", "900", "4", "6", "0.100", "0.300", "9.00", "> 5 s"]
    limited = [open_loop.Found(1018, "FD_SETSIZE"), open_loop.Found(1019, "FD_SETSIZE")]
    assert open_loop.row("select", limited) == ["select", "1,018 (FD_SETSIZE)", *["–"] * 6]
    assert open_loop.row("broken", []) == ["broken", *["–"] * 7]


def test_a_server_that_does_not_start_says_why() -> None:
    words = [sys.executable, "-m", "server", "serve", "--strategy", "nonsense"]
    with pytest.raises(common.Unmeasured, match="There is no strategy 'nonsense'"), common.started(words, 1):
        pytest.fail("it has started")


def test_nothing_is_waited_for_without_end() -> None:
    with (
        common.process(["sleep", "60"], None) as child,
        pytest.raises(common.Unmeasured, match=r"Not within 0 s: it\."),
    ):
        common.wait_until(lambda: False, child, 0.2, "it")


def test_the_control_is_c_epoll_once_more() -> None:
    harness.need_program(strategies.YARDSTICK)
    with strategies.serving(strategies.CONTROL, 2) as server:
        assert os.path.realpath(f"/proc/{server.pid}/exe") == str(needs.program("c_echo"))
        with socket.create_connection((common.HOST, server.port), 5) as sock:
            assert harness.echoes(sock, bytes(3 * common.RECORD_BYTES))
            harness.eventually(lambda: server.answered() == 3, "three answers counted")
            assert server.held() == 1
