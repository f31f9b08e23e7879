"""An echo over the load plane: it comes, or a sentence says between whom it does not; nothing is left behind."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conductor import echo
from conductor.plan import Host
from conductor.sessions import LocalSession, Session


def host(name: str, address: str = "127.0.0.1", **fields: Any) -> Host:
    common = {"connection": "local", "ssh": None, "base": "/", "cpus": None, "agent_cpus": None, "sources": [address]}
    role = "server" if name == "server" else "client"
    return Host(**{"name": name, "role": role, "python": sys.executable, "load_address": address, **common, **fields})


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    held = [socket.socket(family) for _ in range(count)]
    for sock in held:
        sock.bind((address, 0))
    ports = sorted(int(sock.getsockname()[1]) for sock in held)
    for sock in held:
        sock.close()
    return ports


def running() -> list[str]:
    """The echo programs that this process started and that still run; other tests may have theirs."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    found = []
    for pid in {pid for listed in children for pid in listed.read_text().split()}:
        with contextlib.suppress(OSError):
            if echo.PROGRAM in (Path("/proc") / pid / "cmdline").read_bytes().decode(errors="replace").split("\0"):
                found.append(pid)
    return found


def failures(*hosts: Host, ports: list[int]) -> dict[str, str]:
    sessions: dict[str, Session] = {one.name: LocalSession(one, frozenset(os.sched_getaffinity(0))) for one in hosts}
    return echo.failures(sessions, hosts, ports)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_every_source_and_every_port_is_tried_and_nothing_is_left(address: str) -> None:
    ports = free_ports(3, address)
    sources = ["127.0.0.11", "127.0.0.12"] if address == "127.0.0.1" else ["::1"]
    hosts = [host("server", address), *(host(name, address, sources=sources) for name in ("client1", "client2"))]
    assert failures(*hosts, ports=ports) == {}
    assert running() == []
    for port in ports:  # a server of one's own need not have SO_REUSEADDR
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
            sock.bind((address, port))


def test_a_source_that_the_client_does_not_have() -> None:
    (port,) = free_ports(1)
    client = host("client1", "127.0.0.11", sources=["127.0.0.11", "198.51.100.7"])
    found = failures(host("server"), client, host("client2"), ports=[port])
    assert set(found) == {"client1"}
    for words in (
        f"client1 gets no echo from server at 127.0.0.1:{port}, from 198.51.100.7",
        "c10k_sources",
        "TCP port",
    ):
        assert words in found["client1"]


def test_a_listener_that_cannot_stand_names_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = failures(host("server"), host("client1"), ports=[port])
    assert set(found) == {"server"}
    assert f"server cannot listen on port {port} of 127.0.0.1 (Address already in use)" in found["server"]
    assert running() == []


def test_a_host_whose_python_does_not_start() -> None:
    (port,) = free_ports(1)
    found = failures(host("server"), host("client1", python="/nowhere/python3"), ports=[port])
    assert "client1" in found and "/nowhere/python3" in found["client1"]
    assert running() == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"echoed": 3, "of": 3}, None),
        ({"failed": "no answer within 3 s", "source": "198.18.0.11", "port": 9000}, "pass TCP port 9000, or mend the"),
        ({"echoed": 2, "of": 3}, "client1 got 2 of 3 echoes within 10 s"),
        ({"problem": "said nothing within 15 s"}, "client1 said nothing within 15 s"),
    ],
)
def test_what_a_client_says_becomes_a_sentence(answer: dict[str, Any], words: str | None) -> None:
    client, server = host("client1", "198.18.0.11"), host("server", "198.18.0.10")
    said = echo.failure(client, server, [9000], answer)
    assert said is None if words is None else said and words in said


def test_the_greeting_of_a_shell_is_nothing() -> None:
    assert [echo.parsed(text) for text in ("Welcome", '{"mail": 3}', "[1]", "{" * 9999)] == [None] * 4
    assert echo.parsed('{"echo": true, "listening": true}')


def started(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", echo.PROGRAM, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("how", ["end of input", "time"])
def test_the_listener_ends_by_itself(how: str) -> None:
    (port,) = free_ports(1)
    with started("serve", "30" if how == "end of input" else "0.5", "127.0.0.1", str(port)) as server:
        assert server.stdout and server.stdin and "listening" in server.stdout.readline()
        assert running() == [str(server.pid)]
        with socket.create_connection(("127.0.0.1", port)) as silent:  # and who says nothing does not keep it
            silent.settimeout(5)
            if how == "end of input":
                server.stdin.close()
            assert server.wait(timeout=5) == 0


def test_a_port_that_swallows_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = time.monotonic()
        with started("ask", "1", "127.0.0.1", str(mute.getsockname()[1]), "127.0.0.1") as client:
            said = echo.parsed(client.communicate(timeout=10)[0])
    assert said and "no answer" in said["failed"]
    assert time.monotonic() - began < 3
