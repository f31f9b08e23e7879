"""Real kills, a real Ctrl-C and a real cut link, each in mid-load; nothing may be lost, left running or left tuned."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests import line

CONTROLLER_DEATH_S = 5
CUT_LINK_S = 15
INVENTORIES = ["local", pytest.param("lab", marks=pytest.mark.lab)]


@pytest.fixture(params=INVENTORIES)
def inventory(request: pytest.FixtureRequest) -> str:
    if request.param == "lab":
        request.getfixturevalue("lab")
    return str(request.param)


def tuned_keys() -> dict[str, str]:
    """What a run tunes, read on each lab host and on this machine without any of the project's code."""
    keys = [
        "net.core.somaxconn",
        "net.ipv4.tcp_max_syn_backlog",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_tw_reuse",
    ]
    places = [""] + [f"ip netns exec {name} " for name in namespaces()]
    found = {}
    for place in places:
        for key in [*keys, *([] if place else ["fs.file-max", "net.core.netdev_max_backlog"])]:
            found[f"{place}{key}"] = subprocess.run(
                [*place.split(), "cat", f"/proc/sys/{key.replace('.', '/')}"],
                capture_output=True,
                text=True,
                check=False,
            ).stdout.strip()
    return found


def namespaces() -> list[str]:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    return [name.split()[0] for name in listed.splitlines() if name.startswith("c10k-")]


def nothing_of(run: Path) -> bool:
    return not line.processes_of(run)


def summary_reads(run: Path) -> str:
    result = line.analysis("summary", str(run))
    assert result.returncode == 0, result.stderr
    assert "epoll" in result.stdout
    return result.stdout


def the_next_run_works(inventory: str, says: str = "") -> None:
    result = line.play("run_benchmark.yml", inventory, **line.SMALL)
    assert result.returncode == 0, result.stdout
    assert says in result.stdout, result.stdout
    run = line.newest()
    assert run and [trial["outcome"] for trial in line.trials(run)] == ["ok"]


def test_kill_of_the_playbook(inventory: str, tmp_path: Path) -> None:
    before = tuned_keys()
    running = line.start_and_wait_for_load(inventory, tmp_path / "out")
    os.kill(running.process.pid, signal.SIGKILL)
    line.eventually(
        f"no process of the run: {line.processes_of(running.run)}", lambda: nothing_of(running.run), CONTROLLER_DEATH_S
    )
    assert "interrupted" in summary_reads(running.run)
    if inventory == "lab":
        assert tuned_keys() != before, "the run had tuned nothing, so this test would prove nothing"
    # The next run says what it found, and puts back what the dead one had changed.
    the_next_run_works(inventory, says=running.run.name)
    assert tuned_keys() == before


def test_interrupt(inventory: str, tmp_path: Path) -> None:
    before = tuned_keys()
    running = line.start_and_wait_for_load(inventory, tmp_path / "out")
    running.interrupt()
    assert running.end(20) != 0
    line.eventually(
        f"no process of the run: {line.processes_of(running.run)}", lambda: nothing_of(running.run), CONTROLLER_DEATH_S
    )
    assert "Traceback" not in running.text()
    assert "interrupted" in summary_reads(running.run)
    restored = line.play("playbooks/restore.yml", inventory)
    assert restored.returncode == 0, restored.stdout
    assert tuned_keys() == before
    # What lies on the hosts can still be fetched.
    collected = line.play("playbooks/collect.yml", inventory, run=running.run.name)
    assert collected.returncode == 0, collected.stdout
    assert (running.run / "hosts/client1/001/latency.hlog").exists()


def test_kill_of_the_conductor(inventory: str, tmp_path: Path) -> None:
    before = tuned_keys()
    running = line.start_and_wait_for_load(inventory, tmp_path / "out")
    (conductor,) = running.find("conductor", "run", "--plan")
    os.kill(conductor, signal.SIGKILL)

    def agents_gone() -> bool:
        return not running.find("--spec") and not running.find("serve")

    line.eventually("no agent and no server of the run", agents_gone, CONTROLLER_DEATH_S)
    assert running.end(60) != 0
    assert "Traceback" not in running.text()
    line.eventually("no process of the run", lambda: nothing_of(running.run), CONTROLLER_DEATH_S)
    summary_reads(running.run)
    assert tuned_keys() == before
    assert (running.run / "hosts/client1/001/latency.hlog").exists()


def test_kill_of_a_clients_agent(inventory: str, tmp_path: Path) -> None:
    running = line.start_and_wait_for_load(inventory, tmp_path / "out", duration=6)
    (agent,) = running.find("loadgen", '"host": "client2"') or running.find("loadgen", '"host":"client2"')
    os.kill(agent, signal.SIGKILL)
    assert running.end(90) != 0
    assert "Traceback" not in running.text()
    (trial,) = line.trials(running.run)
    assert trial["outcome"] == "partial"
    assert "client2" in trial["reason"]
    done = {event["host"] for event in line.events(running.run) if event.get("event") == "done"}
    assert done == {"client1", "client3"}
    assert (running.run / "hosts/client1/001/latency.hlog").exists()
    assert line.manifest(running.run)["exit"] == 3
    line.eventually("no process of the run", lambda: nothing_of(running.run), CONTROLLER_DEATH_S)
    assert "partial" in summary_reads(running.run)
    the_next_run_works(inventory)


@pytest.mark.lab
@pytest.mark.usefixtures("lab")
def test_cut_link(tmp_path: Path) -> None:
    running = line.start_and_wait_for_load("lab", tmp_path / "out", duration=25)
    subprocess.run(["ip", "netns", "exec", "c10k-client2", "ip", "link", "set", "eth0", "down"], check=True)
    cut = time.monotonic()
    try:
        agents = running.find("loadgen", "client2/runs")
        assert agents
        line.eventually("client2's agent gone", lambda: not running.find("loadgen", "client2/runs"), CUT_LINK_S)
        assert time.monotonic() - cut <= CUT_LINK_S + 1
        assert running.end(120) != 0
    finally:
        mended = line.play("playbooks/lab.yml", "local", lab_state="present", lab_clients=3)
    assert mended.returncode == 0, mended.stdout
    assert "Traceback" not in running.text()
    (trial,) = line.trials(running.run)
    assert trial["outcome"] == "partial"
    assert "client2" in trial["reason"]
    assert (running.run / "hosts/client1/001/latency.hlog").exists()
    assert (running.run / "hosts/client3/001/latency.hlog").exists()
    assert "partial" in summary_reads(running.run)
    restored = line.play("playbooks/restore.yml", "lab")
    assert restored.returncode == 0, restored.stdout
    the_next_run_works("lab")
