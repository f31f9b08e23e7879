"""The servers in C and Go: how they are built, and what the conformance suite does not ask of them."""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server import catalog, needs, slots
from server.linux import sockdiag
from server.reference import build
from tests.unit.server.harness import ROOT, echoes, free_port, reset, serving

BUILD = [sys.executable, str(ROOT / "server/reference/build.py"), "--out"]
MIB = 1 << 20

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="the reference servers need a C compiler")
ECHO = ("c_epoll", "go_goroutine")


@pytest.fixture(scope="session", autouse=True)
def built() -> Path:
    """The programs, where `serve` looks for them."""
    out = needs.HOMES[-1]
    subprocess.run([*BUILD, str(out.relative_to(ROOT))], cwd=ROOT, check=True, timeout=300)
    return out


@pytest.mark.parametrize("strategy", ECHO)
def test_out_of_descriptors_it_closes_each_newcomer_and_counts_it(strategy: str, tmp_path: Path) -> None:
    with serving(strategy, tmp_path, descriptors=100) as server:
        socks = [server.connect() for _ in range(130)]
        server.holds("accepted", 130)
        held = server.total("open")
        assert 85 < held < 100
        assert server.total("closed") == 130 - held
        assert server.stats.limits() == {slots.DESCRIPTORS}
        before = server.cpu_s()
        time.sleep(0.3)  # the time in which it must do nothing
        assert server.cpu_s() - before <= 0.02
        for sock in socks:
            sock.close()
        server.holds("open", 0)


@pytest.mark.parametrize("strategy", ["epoll", *ECHO])
def test_statistics_that_somebody_reads_are_cleared_and_never_shortened(strategy: str, tmp_path: Path) -> None:
    """The agent has mapped the file before: to shorten it, be it for a moment, would kill the agent with SIGBUS."""
    file = os.memfd_create("stats", os.MFD_ALLOW_SEALING)
    os.write(file, b"\xff" * 56 + bytes(8))  # but for the process, which says that it is ready
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    (tmp_path / "stats.bin").symlink_to(f"/proc/{os.getpid()}/fd/{file}")
    with serving(strategy, tmp_path) as server, server.connect() as sock:
        server.holds("accepted", 1)
        assert echoes(sock)
    os.close(file)


def test_workers_share_a_port(tmp_path: Path) -> None:
    with serving("c_reuseport", tmp_path) as server:
        socks = [server.connect() for _ in range(120)]
        assert all(echoes(sock) for sock in socks)
        counted = server.stats.slots()
        assert sum(slot["open"] for slot in counted) == 120
        assert all(slot["accepted"] for slot in counted)
        assert len({slot["pid"] for slot in counted} | {server.process.pid}) == 3
        for sock in socks:
            sock.close()


def test_null_swallows(tmp_path: Path) -> None:
    with serving("null_server", tmp_path) as server, server.connect() as sock:
        sock.sendall(bytes(8 * MIB))
        server.holds("bytes_in", 8 * MIB)
        assert server.total("bytes_out") == 0
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        sock.close()
        server.holds("open", 0)
        reset(server.connect())
        server.holds("closed", 2)


@pytest.mark.parametrize("words", [[], ["--help"], ["--port", "9000"]])
@pytest.mark.parametrize("program", sorted({one.loop for one in catalog.load().values() if one.is_program}))
def test_one_that_is_started_by_hand_says_who_starts_it(built: Path, program: str, words: list[str]) -> None:
    result = subprocess.run([built / program, *words], capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode != 0
    assert result.stderr.startswith(f"{program}: this is started by `python3 -m server serve`")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("strategy", ["epoll", *ECHO])
def test_the_backlog_is_the_one_that_was_given(strategy: str, tmp_path: Path) -> None:
    with serving(strategy, tmp_path, more=("--backlog", "17")) as server:
        assert [one.room for one in sockdiag.listeners(server.port)] == [17]


@pytest.mark.parametrize("strategy", ["epoll", *ECHO])
def test_it_listens_on_ipv6(strategy: str, tmp_path: Path) -> None:
    with serving(strategy, tmp_path, more=("--host", "::1")) as server:
        server.address = ("::1", server.port)
        server.client().exchange(64)


def test_a_program_for_another_machine_is_one_sentence(tmp_path: Path) -> None:
    program = tmp_path / "c_echo"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    run = f"import sys; from server import __main__, needs; needs.program = lambda _: {str(program)!r}"
    words = [sys.executable, "-c", f"{run}; sys.exit(__main__.main())", "serve", "--strategy", "c_epoll"]
    words += ["--port", str(free_port())]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 2
    assert "cannot be run: Exec format error. Build it again with server/reference/build.py.\n" in result.stderr


def test_a_second_build_keeps_the_first(built: Path) -> None:
    before = (built / "c_echo").stat().st_mtime_ns
    subprocess.run([*BUILD, str(built)], check=True, timeout=300)
    assert (built / "c_echo").stat().st_mtime_ns == before
    assert not list(built.glob(".*.[0-9]*[0-9]")), "an unfinished program is left"


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


def test_go_builds_for_another_architecture_what_needs_no_library(built: Path, tmp_path: Path) -> None:
    """Bytes 18 and 19 of an ELF file are its machine; a dynamic one names its interpreter."""
    build.build_go(tmp_path / "arm64", "arm64")
    for program, machine in ((built / "go_echo", None), (tmp_path / "arm64/go_echo", 183)):
        content = program.read_bytes()
        assert machine in (None, int.from_bytes(content[18:20], "little"))
        assert b"ld-linux" not in content
