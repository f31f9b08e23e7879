"""The servers in C and Go: built as prepare builds them, then held to what the Python servers are held to."""

import fcntl
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server import slots
from server.linux import sockdiag
from server.reference import build
from tests.unit.server import harness
from tests.unit.server.harness import alive, echoes, eventually, free_port, read_exactly, read_to_end, reset

ROOT = Path(__file__).parents[3]
BUILD = [sys.executable, str(ROOT / "server/reference/build.py"), "--out"]
MIB = 1 << 20

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="the reference servers need a C compiler")
ECHO = ("c_echo", "go_echo")
SMALL_BYTES = {"c_echo": 4 * MIB, "go_echo": 16 * MIB}  # of memory; far less than the tests send


class Reference(harness.Served):
    """A running reference server."""

    def __init__(self, program: str, port: int, process: "subprocess.Popen[bytes]", stats: Path, workers: int) -> None:
        self.strategy, self.port, self.process, self.workers = program, port, process, workers
        eventually(lambda: stats.exists() and stats.stat().st_size == 64 * workers, "a statistics file")
        self.stats = slots.Reader(stats)
        eventually(self.stats.begun, "every worker ready")

    def worker_pids(self) -> list[int]:
        return [slot["pid"] for slot in self.stats.slots()]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reference")
    subprocess.run([*BUILD, str(out)], check=True, timeout=300)
    return out


@contextmanager
def running(program: Path, directory: Path, ports: int = 1, workers: int = 1, files: int = 0) -> Iterator[Reference]:
    port, stats = free_port(ports), directory / "stats.bin"
    command = [str(program), "--port", str(port), "--ports", str(ports), "--workers", str(workers)]
    command += ["--stats", str(stats)]

    def limit() -> None:
        if files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=limit)
    try:
        yield Reference(program.name, port, process, stats, workers)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module", params=ECHO)
def shared(
    programs: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Reference]:
    with running(programs / request.param, tmp_path_factory.mktemp("echo")) as server:
        yield server
        assert server.process.poll() is None


@pytest.fixture
def echo(shared: Reference) -> Reference:
    shared.holds("open", 0)
    return shared


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", [1, 32, 65_536, 65_537, MIB])
def test_the_same_bytes_come_back(echo: Reference, size: int) -> None:
    data = noise(size)
    with echo.connect() as sock:
        sender = threading.Thread(target=sock.sendall, args=[data])
        sender.start()
        assert read_exactly(sock, size) == data
        sender.join()


def test_split_and_merged_records(echo: Reference) -> None:
    data = noise(6_400)
    with echo.connect() as sock:
        for byte in data[:100]:
            assert echoes(sock, bytes([byte]))
        for begin in range(100, len(data), 77):
            sock.sendall(data[begin : begin + 77])
        assert read_exactly(sock, len(data) - 100) == data[100:]


def test_a_slow_reader_gets_every_byte_and_holds_nobody_up(echo: Reference) -> None:
    data = noise(24 * MIB)  # more than the kernel's buffers hold
    with echo.connect(receive_buffer=4096) as slow, echo.connect() as other:
        slow.setblocking(False)
        sent = 0
        while sent < len(data):  # until both directions are full, or all is sent
            try:
                sent += slow.send(data[sent : sent + 65_536])
            except BlockingIOError:
                before = echo.total("bytes_in")
                assert echoes(other, noise(100))
                if echo.total("bytes_in") == before + 100:
                    break
        assert sent < len(data), "the server reads on from a peer that does not read"
        assert echo.rss_bytes() < SMALL_BYTES[echo.strategy]
        slow.settimeout(harness.PATIENCE_S)
        rest = threading.Thread(target=slow.sendall, args=[data[sent:]])
        rest.start()
        assert read_exactly(slow, len(data)) == data
        rest.join()
        assert echoes(slow)


@pytest.mark.parametrize("size", [0, 100, MIB])
def test_half_close_is_answered_in_full(echo: Reference, size: int) -> None:
    data = noise(size)
    with echo.connect(receive_buffer=4096) as sock:

        def send() -> None:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        assert read_to_end(sock) == data
        sender.join()
    echo.holds("open", 0)


def test_resets_leave_nothing_behind(echo: Reference) -> None:
    descriptors, before = echo.descriptors(), echo.total("closed")
    for size in (0, 10, MIB):
        sock = echo.connect(receive_buffer=4096)
        sock.setblocking(False)
        if size:
            sock.send(noise(size))
        reset(sock)
    echo.holds("closed", before + 3)  # that none is open is true before it has accepted the last one, too
    assert echo.descriptors() == descriptors
    with echo.connect() as sock:
        assert echoes(sock)


@pytest.mark.parametrize("program", ECHO)
def test_the_counters_are_right(programs: Path, tmp_path: Path, program: str) -> None:
    with running(programs / program, tmp_path) as server:
        socks = [server.connect() for _ in range(10)]
        assert all(echoes(sock, noise(100)) for sock in socks)
        for sock in socks[:4]:
            sock.close()
        server.holds("closed", 4)
        [slot] = server.stats.slots()
        assert slot == {
            "accepted": 10, "open": 6, "peak": 10, "closed": 4,
            "bytes_in": 1_000, "bytes_out": 1_000, "limit_code": 0, "pid": server.process.pid,
        }  # fmt: skip
        for sock in socks[4:]:
            sock.close()


@pytest.mark.parametrize("program", ECHO)
def test_out_of_descriptors_it_refuses_does_not_spin_and_recovers(programs: Path, tmp_path: Path, program: str) -> None:
    with running(programs / program, tmp_path, files=40) as server:
        socks = [server.connect() for _ in range(60)]
        server.holds("accepted", 60)
        held = server.total("open")
        assert 25 < held < 40
        assert server.total("closed") == 60 - held
        assert server.stats.limits() == {slots.DESCRIPTORS}
        before = server.cpu_s()
        time.sleep(0.3)  # the time in which it must do nothing
        assert server.cpu_s() - before <= 0.02
        assert sum(serves(sock) for sock in socks) == held
        for sock in socks:
            sock.close()
        server.holds("open", 0)
        with server.connect() as sock:
            assert echoes(sock)


def serves(sock: socket.socket) -> bool:
    try:
        sock.sendall(b"ping")
        return sock.recv(4) == b"ping"
    except OSError:
        return False


@pytest.mark.parametrize("program", ECHO)
def test_several_ports(programs: Path, tmp_path: Path, program: str) -> None:
    with running(programs / program, tmp_path, ports=3) as server:
        for port in range(server.port, server.port + 3):
            with socket.create_connection(("127.0.0.1", port), harness.PATIENCE_S) as sock:
                assert echoes(sock)
        assert server.total("accepted") == 3


@pytest.mark.parametrize("program", ECHO)
def test_statistics_that_somebody_reads_are_cleared_and_never_shortened(
    programs: Path, tmp_path: Path, program: str
) -> None:
    """The agent has mapped the file before: to shorten it, be it for a moment, would kill the agent with SIGBUS."""
    file = os.memfd_create("stats", os.MFD_ALLOW_SEALING)
    os.write(file, b"\xff" * 56 + bytes(8))  # but for the process, which says that it is ready
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    (tmp_path / "stats.bin").symlink_to(f"/proc/{os.getpid()}/fd/{file}")
    with running(programs / program, tmp_path) as server, server.connect() as sock:
        eventually(lambda: server.total("accepted") == 1, "numbers from zero")
        assert echoes(sock)
    os.close(file)


def test_workers_share_a_port(programs: Path, tmp_path: Path) -> None:
    with running(programs / "c_echo", tmp_path, workers=3) as server:
        socks = [server.connect() for _ in range(120)]
        assert all(echoes(sock) for sock in socks)
        counted = server.stats.slots()
        assert sum(slot["open"] for slot in counted) == 120
        assert all(slot["accepted"] for slot in counted)
        assert len({slot["pid"] for slot in counted} | {server.process.pid}) == 4
        for sock in socks:
            sock.close()


@pytest.mark.parametrize(("program", "workers"), [("c_echo", 1), ("c_echo", 3), ("go_echo", 1)])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once(programs: Path, tmp_path: Path, program: str, workers: int, number: int) -> None:
    with running(programs / program, tmp_path, workers=workers) as server, server.connect() as sock:
        assert echoes(sock)
        server.process.send_signal(number)
        assert server.process.wait(harness.PATIENCE_S) == 0
        assert not any(alive(pid) for pid in server.worker_pids())
        assert read_to_end(sock) == b""


def test_workers_do_not_outlive_the_parent(programs: Path, tmp_path: Path) -> None:
    with running(programs / "c_echo", tmp_path, workers=2) as server:
        server.process.kill()
        eventually(lambda: not any(alive(pid) for pid in server.worker_pids()), "the workers gone")


def test_it_ends_when_a_worker_does(programs: Path, tmp_path: Path) -> None:
    with running(programs / "c_echo", tmp_path, workers=2) as server:
        os.kill(server.worker_pids()[0], signal.SIGKILL)
        assert server.process.wait(harness.PATIENCE_S) == 1
        assert not any(alive(pid) for pid in server.worker_pids())


@pytest.mark.parametrize("workers", [1, 2])
def test_null_swallows(programs: Path, tmp_path: Path, workers: int) -> None:
    with running(programs / "c_null", tmp_path, workers=workers) as server, server.connect() as sock:
        sock.sendall(noise(8 * MIB))
        server.holds("bytes_in", 8 * MIB)
        assert server.total("bytes_out") == 0
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        sock.close()
        server.holds("open", 0)
        reset(server.connect())
        server.holds("closed", 2)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--port", "0"], "--port is '0', not a whole number from 1 to 65535"),
        (["--workers", "two"], "--workers is 'two', not a whole number"),
        (["--backlog", "99999999999999999999"], "not a whole number from 1 to 1048576"),
        (["--port"], "--port needs a value"),
        (["--strategy", "epoll"], "no option '--strategy'"),
        (["epoll"], "no argument 'epoll'"),
        (["--host", "localhost"], "not a numeric address"),
        (["--port", "65000", "--ports", "1000"], "beyond 65535"),
        (["--stats", "/nowhere/at/all"], "cannot write the statistics to /nowhere/at/all: No such file"),
    ],
)
def test_bad_input_is_one_sentence(programs: Path, options: list[str], says: str) -> None:
    command = [str(programs / "c_null"), "--port", str(free_port(1)), *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


GO_OPTIONS = [
    (["--port", "0"], "port: not a whole number from 1 to 65535"),
    (["--workers", "2"], "workers: not a whole number from 1 to 1"),
    (["--backlog", "99999999999999999999"], "not a whole number from 1 to 1048576"),
    (["--port"], "needs an argument: -port"),
    (["--strategy", "epoll"], "not defined: -strategy"),
    (["epoll"], "no argument 'epoll'"),
    (["--host", "localhost"], "not a numeric address"),
    (["--port", "65000", "--ports", "1000"], "beyond 65535"),
    (["--stats", "/nowhere/at/all"], "cannot write the statistics to /nowhere/at/all: no such file"),
]


@pytest.mark.parametrize(("options", "says"), GO_OPTIONS)
def test_bad_input_to_the_server_in_go_is_one_sentence_too(programs: Path, options: list[str], says: str) -> None:
    command = [str(programs / "go_echo"), "--port", str(free_port(1)), *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("program", ECHO)
def test_the_backlog_is_the_one_that_was_given(programs: Path, tmp_path: Path, program: str) -> None:
    port = free_port(1)
    command = [str(programs / program), "--port", str(port), "--backlog", "17"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: sockdiag.listeners(port), "a listener")
        assert [one.room for one in sockdiag.listeners(port)] == [17]
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("program", ECHO)
def test_it_listens_on_ipv6(programs: Path, tmp_path: Path, program: str) -> None:
    port = free_port(1)
    command = [str(programs / program), "--port", str(port), "--host", "::1"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: sockdiag.listeners(port), "a listener")
        with socket.create_connection(("::1", port), harness.PATIENCE_S) as sock:
            assert echoes(sock)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("program", "workers"), [("c_echo", "1"), ("c_echo", "2"), ("go_echo", "1")])
def test_a_port_that_is_taken_is_refused(programs: Path, program: str, workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [str(programs / program), "--port", port, "--workers", workers]
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert f"cannot listen on 127.0.0.1:{port}: address already in use" in result.stderr.replace("Address", "address")


def test_a_second_build_keeps_the_first(programs: Path) -> None:
    before = (programs / "c_echo").stat().st_mtime_ns
    subprocess.run([*BUILD, str(programs)], check=True, timeout=300)
    assert (programs / "c_echo").stat().st_mtime_ns == before
    assert not list(programs.glob(".*.[0-9]*[0-9]")), "an unfinished program is left"


def test_without_a_compiler_the_build_says_so(tmp_path: Path) -> None:
    result = subprocess.run(
        [*BUILD, str(tmp_path)], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=30, check=False
    )
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "C compiler" in result.stderr


def test_without_go_the_build_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "go_compiler", lambda: None)
    with pytest.raises(build.BuildError, match="needs Go, and there is none: run script/bootstrap"):
        build.build_go(tmp_path)


def test_go_builds_for_another_architecture_what_needs_no_library(programs: Path, tmp_path: Path) -> None:
    """Bytes 18 and 19 of an ELF file are its machine; a dynamic one names its interpreter."""
    build.build_go(tmp_path / "arm64", "arm64")
    for program, machine in ((programs / "go_echo", None), (tmp_path / "arm64/go_echo", 183)):
        content = program.read_bytes()
        assert machine in (None, int.from_bytes(content[18:20], "little"))
        assert b"ld-linux" not in content
