"""io_uring: the binding, and the loop where a ring or its buffers do not suffice."""

import errno
import json
import os
import resource
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

from server import __main__
from server.linux import uring
from server.options import BAD_INPUT
from tests.unit.server.harness import PATIENCE_S, ROOT, Served, echoes, free_port, read_exactly, read_to_end, serving

MIB = 1 << 20
NOP = 0

# Runs the server with a ring so small that it never suffices, and writes down how often that was felt. It shares its
# listener, too, as far as it knows.
CRAMPED = """
import collections, errno, json, sys
from server import __main__, common
from server.linux import uring
from server.distributions import single
from server.loops import io_uring

single.intake = lambda socks, worker: common.Listener(socks[0], worker, wake_one=True)
io_uring.BUFFERS, io_uring.REQUESTS, io_uring.COMPLETIONS = 4, 8, 8
felt = collections.Counter()
completions = uring.Ring.completions

def counted(ring):
    felt["overflow"] += bool(ring._flags[0] & uring.OVERFLOW)
    found = completions(ring)
    for mark, result, flags in found:
        kind = mark >> 32
        felt["no buffer"] += kind == io_uring.RECEIVE and result == -errno.ENOBUFS
        felt["short"] += kind == io_uring.ANSWER
        felt["patient"] += kind == io_uring.PATIENT
    return found

uring.Ring.completions = counted
status = __main__.main(sys.argv[2:])
open(sys.argv[1], "w").write(json.dumps(felt))
sys.exit(status)
"""


@contextmanager
def cramped(directory: Path) -> Iterator[Served]:
    port, stats = free_port(), directory / "stats.bin"
    command = [sys.executable, "-c", CRAMPED, str(directory / "felt"), "serve", "--strategy", "io_uring"]
    command += ["--port", str(port), "--stats", str(stats)]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield Served("io_uring", port, process, stats)
    finally:
        process.kill()
        process.wait()


def what_was_felt(server: Served, directory: Path) -> dict[str, int]:
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(PATIENCE_S) == 0
    return dict(json.loads((directory / "felt").read_text()))


def push(sock: socket.socket, data: bytes) -> None:
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def test_neither_buffers_nor_queues_suffice(tmp_path: Path) -> None:
    """4 buffers, 8 requests and 8 completions for 100 clients: slow, and not a byte wrong."""
    with cramped(tmp_path) as server:
        data = [os.urandom(200_000 + number if number % 20 else 5 * MIB) for number in range(100)]
        socks = [server.connect(receive_buffer=4096 if number % 10 == 0 else None) for number in range(100)]
        senders = [threading.Thread(target=push, args=pair) for pair in zip(socks, data, strict=True)]
        server.holds("open", 100)
        server.process.send_signal(signal.SIGSTOP)
        for sender in senders:
            sender.start()
        time.sleep(0.3)
        server.process.send_signal(signal.SIGCONT)  # it finds all of them at once
        assert all(read_to_end(sock) == wanted for sock, wanted in zip(socks, data, strict=True))
        for sender in senders:
            sender.join()
        server.holds("open", 0)
        total = sum(map(len, data))
        server.holds("bytes_out", total)
        assert server.total("bytes_in") == total
        begin = server.cpu_s()
        time.sleep(0.3)
        assert server.cpu_s() - begin < 0.1, "it spins"
        felt = what_was_felt(server, tmp_path)
        assert all(felt[what] for what in ("no buffer", "overflow", "patient")), felt


def test_an_answer_that_goes_only_in_part(tmp_path: Path) -> None:
    """Chunk by chunk, so that each is answered in haste, until the buffers between server and client are full."""
    chunk, sent = os.urandom(16_000), 0
    with cramped(tmp_path) as server, server.connect(receive_buffer=4096) as sock:
        while server.total("bytes_out") == server.total("bytes_in") and sent < 64 * MIB:
            sock.sendall(chunk)
            sent += len(chunk)
            server.holds("bytes_in", sent)
            time.sleep(0.001)
        sock.sendall(chunk * 3)
        sock.shutdown(socket.SHUT_WR)
        assert read_to_end(sock) == chunk * (sent // len(chunk) + 3)
        server.holds("bytes_out", sent + 3 * len(chunk))
        felt = what_was_felt(server, tmp_path)
        assert felt["short"] == 1, felt


def test_many_mebibytes_both_ways(tmp_path: Path) -> None:
    """In large pieces and with pauses, so that answers often do not go at once."""
    with serving("io_uring", tmp_path) as server, server.connect() as sock:
        data = os.urandom(48 * MIB)
        sender = threading.Thread(target=push, args=(sock, data))
        sender.start()
        for at in range(0, len(data), 4 * MIB):
            time.sleep(0.02)
            assert read_exactly(sock, 4 * MIB) == data[at : at + 4 * MIB]
        assert read_to_end(sock) == b""
        sender.join()
        server.holds("bytes_out", len(data))
        server.holds("open", 0)


def test_more_who_do_not_read_than_there_are_buffers(tmp_path: Path) -> None:
    """None of them keeps a buffer, so others are served; and each gets all of it in the end."""
    with cramped(tmp_path) as server:
        before = server.rss_bytes()
        slow = [server.connect(receive_buffer=4096) for _ in range(12)]
        data = os.urandom(32 * MIB)
        sent = []
        for sock in slow:
            sock.settimeout(0.3)
            sent.append(0)
            with pytest.raises(TimeoutError):
                while sent[-1] < len(data):
                    sent[-1] += sock.send(data[sent[-1] : sent[-1] + MIB])
        with server.connect() as other:
            assert all(echoes(other, b"not held up") for _ in range(100))
        assert server.total("bytes_out") < server.total("bytes_in")
        assert server.rss_bytes() - before < len(slow) * MIB
        begin = server.cpu_s()
        time.sleep(0.3)
        assert server.cpu_s() - begin < 0.1, "it spins"
        for sock, size in zip(slow, sent, strict=True):
            sock.settimeout(PATIENCE_S)
            sock.shutdown(socket.SHUT_WR)
            assert read_to_end(sock) == data[:size]
            sock.close()
        server.holds("open", 0)
        server.holds("bytes_out", sum(sent) + 100 * len(b"not held up"))


def test_more_requests_than_the_ring_holds() -> None:
    """None is lost, neither on the way there nor on the way back."""
    ring = uring.Ring(4, 8)
    for mark in range(100):
        ring.add(uring.request(NOP, -1, mark))
    ring.submit()
    assert [mark for mark, _, _ in ring.completions()] == list(range(100))
    ring.close()


def test_a_signal_ends_the_wait() -> None:
    ring = uring.Ring(4, 8)
    came = []
    before = signal.signal(signal.SIGALRM, lambda *_: came.append(time.monotonic()))
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        ring.wait()
        assert came
        assert ring.completions() == []
    finally:
        signal.signal(signal.SIGALRM, before)
        ring.close()


def test_a_pool_goes_round_many_times() -> None:
    """Each buffer holds what was received into it, also after the 16 bits of the tail have gone round."""
    ring = uring.Ring(4, 8)
    buffers = uring.Buffers(ring, 2, 8)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ring.add(uring.request(uring.RECV, ours.fileno(), 1, flags=uring.SELECT_BUFFER, multishot=uring.MULTISHOT))
        for number in range(70_000):
            wanted = b"%d" % number
            theirs.send(wanted)
            ring.submit()
            ((mark, size, flags),) = ring.completions()
            assert flags & 3 == uring.BUFFER | uring.MORE
            assert (mark, buffers.copy(flags >> 16, 0, size)) == (1, wanted)
            buffers.give_back(1)
    ring.close()


def test_none_of_its_descriptors_is_left() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    assert [uring.unavailable() for _ in range(3)] == [None] * 3
    assert count() == before


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.ENOSYS, "needs Linux 6.1 or later, and this is "),
        (errno.EINVAL, "needs Linux 6.1 or later, and this is "),
        (errno.EPERM, "forbidden here, by sysctl kernel.io_uring_disabled or by a container's seccomp filter."),
        (errno.ENOMEM, "cannot be set up: Cannot allocate memory."),
    ],
)
def test_why_it_is_not_available(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, sentence: str
) -> None:
    def refuse(*_: int) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(uring, "system_call", refuse)
    assert __main__.main(["serve", "--strategy", "io_uring", "--port", str(free_port())]) == BAD_INPUT
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.splitlines()) == 1


def test_no_descriptor_for_the_ring_itself(tmp_path: Path) -> None:
    """Refused in one sentence, not with a traceback."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))

    command = [sys.executable, "-m", "server", "serve", "--strategy", "io_uring", "--port", str(free_port())]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False, preexec_fn=limit)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1


def test_what_comes_for_a_closed_descriptor() -> None:
    """The request goes on, and its completion bears the number that the next client has by then."""
    ring = uring.Ring(4, 8)
    buffers = uring.Buffers(ring, 2, 8)
    ours, theirs = socket.socketpair()
    number = ours.fileno()
    ring.add(uring.request(uring.RECV, number, number, flags=uring.SELECT_BUFFER, multishot=uring.MULTISHOT))
    ring.submit()
    ours.close()
    with theirs, socket.socket() as next_one:
        assert next_one.fileno() == number
        theirs.send(b"not for it")
        ring.submit()
        (mark, size, flags), *_ = ring.completions()
        assert (mark, buffers.copy(flags >> 16, 0, size)) == (number, b"not for "), "as much as a buffer holds"
    ring.close()


def test_a_ring_made_before_a_fork_refuses_the_child() -> None:
    """It takes requests from the task that made it, and from no other."""
    ring = uring.Ring(4, 8)
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            ring.add(uring.request(NOP, -1, 1))
            ring.submit()
        except OSError as error:
            code = error.errno or 0
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == errno.EEXIST
    ring.add(uring.request(NOP, -1, 2))
    ring.submit()
    assert [mark for mark, _, _ in ring.completions()] == [2]
    ring.close()
