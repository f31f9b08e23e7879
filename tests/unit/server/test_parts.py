"""The parts of the agent one by one: statistics slots, the kernel's sockets, the tree of processes, the command."""

import json
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from server import catalog, needs, slots
from server.agent.sampling import Sampler
from server.linux import processes, sockdiag
from tests.unit.server.harness import PATIENCE_S, ROOT, eventually, free_port


def test_a_slot_is_eight_little_endian_words(tmp_path: Path) -> None:
    path = tmp_path / "stats.bin"
    path.write_bytes(b"\xff" * 1000)
    slots.create(path, 2)
    assert path.read_bytes() == bytes(128)
    reader = slots.Reader(path)
    assert not reader.begun()
    for index in range(2):
        slot = slots.table(path, 2)[index * slots.WORDS :]
        for word in range(slots.WORDS):
            slot[word] = (index + 1) << 40 | word
    assert path.read_bytes() == struct.pack("<16Q", *(i << 40 | word for i in (1, 2) for word in range(8)))
    assert reader.begun()
    assert reader.total(slots.OPEN) == (3 << 40) + 2
    assert reader.slots()[1]["pid"] == 2 << 40 | 7
    assert tuple(reader.slots()[0]) == slots.FIELDS
    with pytest.raises(TypeError):
        reader._words[0] = 1
    assert isinstance(reader._words.obj, mmap.mmap)


@contextmanager
def pairs(server: str, client: str, count: int, family: int = socket.AF_INET) -> Iterator[int]:
    """`count` connections to a listener on `server`; gives its port."""
    port = free_port()
    with socket.create_server((server, port), family=family, dualstack_ipv6=family == socket.AF_INET6) as listener:
        ends = []
        for _ in range(count):
            ends.append(socket.create_connection((client, port)))
            ends.append(listener.accept()[0])
        yield port
        for end in ends:
            end.close()


def test_only_the_servers_ends_are_counted() -> None:
    with pairs("127.0.0.1", "127.0.0.1", 50) as port:
        assert sockdiag.count("127.0.0.1", port).established == 50
        assert sockdiag.count(None, port).established == 50
        assert sockdiag.count("127.0.0.2", port).established == 0
        assert sockdiag.count("127.0.0.1", port + 1).established == 0


def test_connections_with_bytes_that_nobody_has_read_are_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as one, socket.create_connection(("127.0.0.1", port)) as two:
            theirs = listener.accept()[0]
            assert sockdiag.count("127.0.0.1", port).unread == 0
            one.sendall(b"read")
            two.sendall(b"not even accepted")
            theirs.recv(1, socket.MSG_PEEK)  # it is there
            assert sockdiag.count("127.0.0.1", port).unread == 2
            assert sockdiag.count("127.0.0.2", port).unread == 0
            theirs.recv(4)
            assert sockdiag.count("127.0.0.1", port).unread == 1
            theirs.close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_a_dual_stack_server_is_found_by_its_ipv4_address() -> None:
    with pairs("::", "127.0.0.1", 3, socket.AF_INET6) as port:
        assert sockdiag.count("127.0.0.1", port).established == 3
        assert sockdiag.count("127.0.0.2", port).established == 0
        (listener,) = sockdiag.listeners_for("127.0.0.1", port)
        assert listener.address == "::"


def test_the_queue_of_a_listener() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port), backlog=7):
        waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        (listener,) = sockdiag.listeners_for("127.0.0.1", port)
        assert (listener.address, listener.port, listener.waiting, listener.room) == ("127.0.0.1", port, 3, 7)
        assert sockdiag.listeners_for("127.0.0.2", port) == []
        assert f"pid {os.getpid()} (" in (sockdiag.holder(port) or "")
        for sock in waiting:
            sock.close()
    assert sockdiag.listeners_for("127.0.0.1", port) == []
    assert sockdiag.holder(port) is None


def test_a_range_of_ports_is_counted_in_one_go() -> None:
    port = free_port(4)
    listeners = [socket.create_server(("127.0.0.1", one)) for one in (port, port + 1, port + 3)]
    waiting = [socket.create_connection(("127.0.0.1", one)) for one in (port, port + 1, port + 1, port + 3)]
    # Accepted or not, a connection is ESTABLISHED when its handshake is over.
    assert [sockdiag.count("127.0.0.1", port, ports).established for ports in (1, 2, 3, 4)] == [1, 3, 3, 4]
    assert sockdiag.count("127.0.0.1", port + 1, 3).established == 3
    assert sockdiag.count("127.0.0.2", port, 4).established == 0
    found = sockdiag.listeners_for("127.0.0.1", port, 4)
    assert [(one.port, one.waiting) for one in found] == [(port, 1), (port + 1, 2), (port + 3, 1)]
    assert Sampler("127.0.0.1", port, 4).take()["accept_queue"] == 4
    for sock in [*listeners, *waiting]:
        sock.close()


def test_all_listeners_that_share_a_port_are_found() -> None:
    port = free_port()
    listeners = [socket.create_server(("127.0.0.1", port), reuse_port=True) for _ in range(3)]
    assert len(sockdiag.listeners_for("127.0.0.1", port)) == 3
    for listener in listeners:
        listener.close()


def test_counting_thousands_costs_little() -> None:
    with pairs("127.0.0.1", "127.0.0.1", 2000) as port:
        took = []
        for _ in range(5):
            begin = time.thread_time()
            assert sockdiag.count("127.0.0.1", port).established == 2000
            took.append(time.thread_time() - begin)
    assert min(took) < 0.05  # seconds of CPU


def test_the_tree_and_its_cpu_time() -> None:
    """A child, its child, and one that lived for a moment only: all in the sum, and the sum never falls."""
    sampler = Sampler("127.0.0.1", free_port())
    before = sampler.take()
    assert before["processes"] == len(processes.Tree().look())
    burn = "import time\nwhile time.process_time() < 0.2: pass\n"
    code = f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {burn!r}])\n"
    code += "subprocess.Popen(['sleep', '60'])\nprint('on', flush=True)\ntime.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert child.stdout
        assert child.stdout.readline() == b"on\n"
        during = sampler.take()
        assert during["processes"] == before["processes"] + 2
        used_ns = [one["cpu_user_ns"] + one["cpu_system_ns"] for one in (before, during)]
        assert used_ns[1] - used_ns[0] > 180_000_000
        assert during["rss_bytes"] > before["rss_bytes"]
        assert during["fds"] >= before["fds"] + 3
        assert during["threads"] >= before["threads"] + 2
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
    after = sampler.take()
    assert after["cpu_user_ns"] >= during["cpu_user_ns"]
    assert after["cpu_system_ns"] >= during["cpu_system_ns"]


def test_descriptors_are_counted_as_they_are() -> None:
    before = processes.descriptors(os.getpid())
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(50)]
    assert processes.descriptors(os.getpid()) == before + 50
    for descriptor in held:
        os.close(descriptor)
    assert processes.descriptors(2**22 + 1) == 0


def command(*arguments: str, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments], cwd=cwd, text=True, capture_output=True, timeout=20, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--strategy", "epol"], ["'epoll'", "epoll, epoll_edge, "]),
        (["serve", "--port", "0"], ["--port", "1 to 65535"]),
        (["serve", "--port", "nine"], ["'nine'"]),
        (["serve", "--ports", "1001"], ["--ports", "1 to 1000"]),
        (["serve", "--port", "65000", "--ports", "600"], ["600 ports from 65000", "65535"]),
        (["serve", "--backlog", "-1"], ["--backlog"]),
        (
            ["serve", "--strategy", "sequential", "--accept-batch", "2"],
            ["sequential", "--accept-batch", "leave it out"],
        ),
        (["serve", "--strategy", "poll", "--workers", "3"], ["poll has one process", "--workers", "leave it out"]),
        (["serve", "--host", "192.0.2.1"], ["no address 192.0.2.1"]),
        (["serve", "--host", "no such host"], ["no such host"]),
        (["serve", "--port", "{free}", "--stats", "/nowhere/stats"], ["/nowhere/stats", "No such file"]),
        (["serve", "--speed"], ["--speed"]),
        (["dance"], ["dance"]),
        ([], ["COMMAND"]),
        (["agent"], ["--spec"]),
    ],
)
def test_bad_input_is_answered_in_one_sentence(arguments: list[str], words: list[str]) -> None:
    result = command(*(str(free_port()) if word == "{free}" else word for word in arguments))
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert all(word in result.stderr for word in words), result.stderr


def test_a_port_in_use_is_named_with_its_holder() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        result = command("serve", "--port", str(port))
    assert result.returncode == 2
    assert result.stderr.startswith(f"Port {port} on 127.0.0.1 is in use by pid {os.getpid()} (")
    assert len(result.stderr.splitlines()) == 1


def test_the_list_names_every_strategy() -> None:
    result = command("list")
    assert result.returncode == 0
    names = [line.split()[0] for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert names == list(catalog.load())


def test_a_program_that_is_not_built_is_one_sentence_with_its_remedy(tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", ROOT / "server", tmp_path], check=True)
    result = command("serve", "--strategy", "c_epoll", "--port", str(free_port()), cwd=tmp_path)
    assert result.returncode == 2
    assert "c_echo is not built" in result.stderr
    assert "python3 server/reference/build.py --out .cache/reference-" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_package_that_is_absent_is_one_sentence_with_its_remedy(tmp_path: Path) -> None:
    """And so it is in the list, where everything else still shows."""
    subprocess.run(["cp", "-r", ROOT / "server", tmp_path], check=True)
    bare = [sys.executable, "-S", "-m", "server"]
    served = subprocess.run(
        [*bare, "serve", "--strategy", "uvloop"], cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False
    )
    sentence = f"uvloop needs a package that this Python lacks: run `{sys.executable} -m pip install uvloop`."
    assert (served.returncode, served.stdout, served.stderr) == (2, "", f"{sentence}\n")
    listed = subprocess.run([*bare, "list"], cwd=tmp_path, capture_output=True, text=True, timeout=20, check=True)
    here = [line.partition(": ")[2].strip() for line in listed.stdout.splitlines() if line.startswith("    here:")]
    assert len(here) == len(catalog.load())
    assert f"no. {sentence}" in here and "yes" in here


def test_what_needs_a_package_finds_those_of_the_host_first_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "PACKAGES", tmp_path)
    monkeypatch.setattr(needs, "find_spec", lambda _: None)
    before = list(sys.path)
    monkeypatch.setattr(sys, "path", list(before))
    gevent, epoll = catalog.find("gevent"), catalog.find("epoll")
    assert needs.missing(gevent)
    (tmp_path / "gevent").mkdir()
    assert needs.missing(gevent) is None
    needs.find_packages(epoll)
    assert sys.path == before
    needs.find_packages(gevent)
    assert sys.path == [str(tmp_path), *before]


@pytest.mark.parametrize(
    ("name", "version", "lacks"),
    [("cpython", (3, 11, 9), True), ("pypy", (3, 12, 1), True), ("cpython", (3, 12, 0), False)],
)
def test_interpreters_need_a_python_that_has_them(
    name: str, version: tuple[int, ...], lacks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "sys", SimpleNamespace(implementation=SimpleNamespace(name=name), version_info=version))
    sentence = needs.missing(catalog.find("interpreter_per_core"))
    assert bool(sentence) == lacks
    assert not lacks or (sentence or "").startswith("interpreter_per_core needs CPython 3.12 or newer, and this is ")


def test_a_plain_copy_runs(tmp_path: Path) -> None:
    """As on a host: a copy of server/ and nothing else, without site packages."""
    subprocess.run(["cp", "-r", ROOT / "server", tmp_path], check=True)
    run = [sys.executable, "-S", "-m", "server", "serve", "--port", str(free_port())]
    ignore = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)  # as a shell does for a script's background job
    process = subprocess.Popen(run, cwd=tmp_path, stderr=subprocess.PIPE, preexec_fn=ignore)
    try:
        assert process.stderr
        assert b"listens on" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE_S) == 0
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.wait()
    eventually(lambda: process.poll() is not None, "the end")


def test_a_copy_with_the_contracts_has_the_agent(tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", ROOT / "server", ROOT / "contracts", tmp_path], check=True)
    run = [sys.executable, "-S", "-m", "server", "agent", "--spec", "{}"]
    ended = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ended.returncode == 2, ended.stderr
    assert json.loads(ended.stdout)["phase"] == "spec"


def test_the_timer_ends_before_the_handlers_do() -> None:
    code = (
        "import time\nfrom server.common import stop_on_signals\nclass Slow:\n    def __del__(self, sleep=time.sleep):"
        " sleep(0.6); print('gone', flush=True)\nlast = Slow()\nstop_on_signals()"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "gone\n", "")


def test_a_signal_that_interrupts_nothing_is_heeded_too() -> None:
    """As one does that comes just before the call that waits: here it is another thread's, and the wait goes on."""
    code = (
        "import select, signal, threading, time\nfrom server.common import Stopped, stop_on_signals\n"
        "stop_on_signals()\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "try: print('waits', flush=True); select.epoll().poll()\nexcept Stopped: print('stopped', flush=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout and process.stdout.readline() == "waits\n"
        process.send_signal(signal.SIGTERM)
        assert select.select([process.stdout], [], [], PATIENCE_S)[0], "it waits on"
        assert process.stdout.read() == "stopped\n"
    finally:
        process.kill()
        process.communicate()
