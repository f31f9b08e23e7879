"""The lab itself: made, mended, grown, shrunk, and gone without a trace. Looks at it with ip, ssh and /proc only."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import line

pytestmark = pytest.mark.lab

INVENTORY = line.ROOT / "inventory/lab"
CONFIG = INVENTORY / ".ssh/ssh_config"
STATE = Path("/run/c10k-lab")
BASE = Path("/var/lib/c10k-lab")
HOSTS = {"server": "198.18.0.10", "client1": "198.18.0.11", "client2": "198.18.0.12"}


def sh(*command: str, check: bool = True) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=check, timeout=30).stdout


def lab(state: str = "present", clients: int = 2, **variables: Any) -> bool:
    """Run the playbook; did it change anything?"""
    result = line.play("playbooks/lab.yml", "local", lab_state=state, lab_clients=clients, **variables)
    assert result.returncode == 0, result.stdout
    assert "WARNING" not in result.stdout, result.stdout
    return "changed=1" in result.stdout


def ssh(host: str, command: str, config: Path = CONFIG) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["ssh", "-F", str(config), host, command], text=True, capture_output=True, timeout=30, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def answers(host: str, command: str) -> str:
    result = ssh(host, command)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def whole() -> None:
    """Each host answers, by its own name, at its own address, and reaches the server."""
    greeting = "exec 3<>/dev/tcp/198.18.0.10/22; head -c 4 <&3"
    for name, address in HOSTS.items():
        said = answers(name, f"uname -n; ip -4 -o addr show eth0; bash -c '{greeting}'")
        assert said.startswith(f"{name}\n")
        assert f" {address}/24 " in said
        assert said.endswith("SSH-")
        assert len([pid for pid in processes(f"-f {STATE}/{name}/") if "listener" in command(pid)]) == 1


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def processes(word: str) -> list[int]:
    """Live processes whose command line holds the word; not those of a lab in a container, with a /run of its own."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if word in command(pid) and is_here(pid)]


def is_here(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/root/run").samefile("/run")
    except OSError:
        return False


def traces() -> dict[str, object]:
    """All that the lab might leave behind on this machine."""
    return {
        "namespaces": sh("ip", "netns", "list"),
        "links": sorted(link["ifname"] for link in json.loads(sh("ip", "-j", "link"))),
        "addresses": sh("ip", "-4", "-o", "addr"),
        "routes": sh("ip", "route", "show", "table", "all"),
        "mounts": [text.split()[1:3] for text in Path("/proc/mounts").read_text().splitlines() if "c10k" in text],
        "processes": processes("/run/c10k-lab"),
        "run": sorted(path.name for path in Path("/run").iterdir() if "netns" in path.name or "c10k" in path.name),
        "base": sorted(path.name for path in BASE.glob("*")),
        "inventory": INVENTORY.exists(),
    }


@pytest.fixture(scope="module")
def before() -> Iterator[dict[str, object]]:
    """The machine without a lab; the lab is gone again at the end."""
    line.lab_stands = False
    lab("absent")
    yield traces()
    lab("absent")


def is_there() -> bool:
    pids = {path.parent.name: path.read_text().strip() for path in STATE.glob("*/sshd.pid")}
    return set(pids) == set(HOSTS) and all(Path(f"/proc/{pid}").exists() for pid in pids.values())


@pytest.fixture
def made(before: dict[str, object]) -> dict[str, object]:
    """A lab of two clients; what a test breaks, it has mended at its end."""
    if not is_there():
        lab()
    return before


def test_check_mode_says_what_would_be_done_and_does_nothing(before: dict[str, object]) -> None:
    words = [*line.playbook_command("playbooks/lab.yml", "local", lab_clients=2), "--check"]
    result = subprocess.run(words, cwd=line.ROOT, env=line.environment(), text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "changed=1" in result.stdout
    assert traces() == before


def test_twice_present_is_once(before: dict[str, object]) -> None:
    assert lab()
    whole()
    assert not lab()


@pytest.mark.usefixtures("made")
def test_ansible_reaches_every_host_and_says_nothing_else() -> None:
    words = [str(line.BIN / "ansible"), "-i", str(INVENTORY), "c10k", "-m", "ansible.builtin.ping"]
    result = subprocess.run(words, cwd=line.ROOT, env=line.environment(), text=True, capture_output=True, check=False)
    assert result.stdout.count("pong") == 3, result.stdout
    assert result.stderr == ""


@pytest.mark.usefixtures("made")
def test_hosts_have_their_own_net_sysctls_and_no_way_out() -> None:
    answers("client1", "echo 777 > /proc/sys/net/core/somaxconn")
    here = Path("/proc/sys/net/core/somaxconn").read_text().strip()
    assert [answers(host, "cat /proc/sys/net/core/somaxconn") for host in ("client1", "client2")] == ["777", "4096"]
    assert here != "777"
    own = "198.18.0.0/24 dev eth0 proto kernel scope link src 198.18.0.11"
    routes = [line.strip() for line in answers("client1", "ip route").splitlines()]
    assert routes == [own, "198.19.0.0/16 dev eth0 scope link"]
    assert "LOWER_UP" in answers("client1", "ip link show lo")


@pytest.mark.usefixtures("made")
def test_a_changed_host_key_and_a_foreign_key_are_refused(tmp_path: Path) -> None:
    copy = tmp_path / "lab"
    shutil.copytree(INVENTORY, copy)
    config, known = copy / ".ssh/ssh_config", copy / ".ssh/known_hosts"
    config.write_text(config.read_text().replace(str(INVENTORY), str(copy)))
    assert ssh("client2", "true", config).returncode == 0
    good = known.read_text()
    other = good.splitlines()[1].split()[2]
    known.write_text("\n".join(f"{text.rpartition(' ')[0]} {other}" for text in good.splitlines()) + "\n")
    assert "HOST IDENTIFICATION HAS CHANGED" in ssh("client2", "true", config).stderr
    known.write_text("")
    assert "No ED25519 host key is known" in ssh("client2", "true", config).stderr
    known.write_text(good)
    key = copy / ".ssh/id_ed25519"
    key.unlink()
    sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    assert "Permission denied (publickey)" in ssh("client2", "true", config).stderr


@pytest.mark.usefixtures("made")
def test_a_clock_may_be_a_day_ahead_and_comes_back() -> None:
    def ahead(host: str) -> float:
        there = answers(host, "python3 -c 'import time; print(time.monotonic())'")
        return float(there) - float(Path("/proc/uptime").read_text().split()[0])

    assert lab(lab_time_offset_s=86400)
    assert [round(ahead(host) / 100) for host in HOSTS] == [0, 0, 864]
    assert not lab(lab_time_offset_s=86400)
    assert lab(lab_time_offset_s={"client1": 500})
    assert [round(ahead(host) / 100) for host in HOSTS] == [0, 5, 0]


def end(pid_file: Path) -> int:
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGKILL)
    return pid


def stale_pid() -> int:
    """As if the process id of the dead sshd had been given to another process, here this one."""
    end(STATE / "client1/sshd.pid")
    return (STATE / "client1/sshd.pid").write_text(f"{os.getpid()}\n")


BROKEN: dict[str, Callable[[], object]] = {
    "killed sshd": lambda: end(STATE / "client1/sshd.pid"),
    "namespace without anything": lambda: [
        sh("ip", "-n", "c10k-client1", "link", "del", "eth0"),
        stale_pid(),
    ],
    "cut cable": lambda: sh("ip", "-n", "c10k-client2", "link", "set", "eth0", "down"),
    "lost address and pid file": lambda: [
        sh("ip", "-n", "c10k-client2", "addr", "flush", "dev", "eth0"),
        sh("rm", f"{STATE}/client2/sshd.pid"),
    ],
    "lost namespace": lambda: sh("ip", "netns", "del", "c10k-client2"),
    "lost switch": lambda: sh("ip", "netns", "del", "c10k-switch"),
    "lost controller's cable": lambda: sh("ip", "link", "del", "c10k-lab"),
    "lost keys": lambda: sh("rm", f"{STATE}/server/host_key", f"{INVENTORY}/.ssh/id_ed25519"),
    "lost inventory": lambda: shutil.rmtree(INVENTORY),
    "lost state": lambda: shutil.rmtree(STATE),
}  # fmt: skip


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("harm", BROKEN)
def test_mends(harm: str) -> None:
    BROKEN[harm]()
    assert lab()
    whole()


def test_shrinks_and_grows(made: dict[str, object]) -> None:
    assert lab(clients=1)
    assert "c10k-client2" not in sh("ip", "netns", "list")
    assert "client2" not in (INVENTORY / "hosts.yml").read_text() + CONFIG.read_text()
    assert not processes("/run/c10k-lab/client2")
    assert not lab(clients=1)
    assert lab()
    whole()


def test_goes_without_a_trace(made: dict[str, object], tmp_path: Path) -> None:
    # Something deaf to SIGTERM, connections that Ansible holds open, a tuned kernel, and a host's files.
    stubborn = f"trap '' TERM; echo > {tmp_path}/trapped; while :; do sleep 1; done"
    deaf = subprocess.Popen(["ip", "netns", "exec", "c10k-client1", "sh", "-c", stubborn], stdout=subprocess.DEVNULL)
    line.eventually("a deaf process", (tmp_path / "trapped").exists, 5)
    test_ansible_reaches_every_host_and_says_nothing_else()
    saved = Path(f"/run/c10k/netns-{(Path('/run/netns/c10k-client1')).stat().st_ino}.json")
    answers("client1", f"mkdir -p {BASE}/client1/runs; mkdir -m 0700 {saved.parent}; echo '{{}}' > {saved}")
    result = line.play("playbooks/lab.yml", "local", lab_state="absent")
    assert result.returncode == 0, result.stdout
    assert f"client1 was still tuned; {saved} goes" in result.stdout
    assert deaf.wait(5) == -signal.SIGKILL
    left = traces()
    assert {key: (made[key], left[key]) for key in left if made[key] != left[key]} == {}
    assert not saved.exists()
    assert not lab("absent")


@pytest.mark.parametrize(
    ("given", "sentences"),
    [
        (
            {"lab_clients": "0", "lab_state": "presnt", "lab_client": "3", "lab_time_offset_s": "soon"},
            [
                "lab_clients=0 is not a whole number from 1 to 32.",
                "did you mean `present`?",
                "did you mean `lab_clients`?",
                "lab_time_offset_s=soon is not a whole number",
            ],
        ),
        ({"lab_clients": "33"}, ["lab_clients=33 is not a whole number from 1 to 32."]),
        ({"lab_clients": "x"}, ["lab_clients=x is not a whole number from 1 to 32."]),
    ],
)
def test_a_mistake_is_refused_in_a_sentence(given: dict[str, Any], sentences: list[str]) -> None:
    result = line.play("playbooks/lab.yml", "local", timeout_s=60, **given)
    assert result.returncode != 0
    assert not [sentence for sentence in sentences if sentence not in result.stdout], result.stdout
    assert "Traceback" not in result.stdout


def test_who_is_not_root_is_told(tmp_path: Path) -> None:
    words = ["unshare", "--user", "--map-user=1000", *line.playbook_command("playbooks/lab.yml", "local")]
    home = {"HOME": str(tmp_path), "ANSIBLE_REMOTE_TEMP": str(tmp_path)}
    result = subprocess.run(
        words, cwd=line.ROOT, env={**line.environment(), **home}, text=True, capture_output=True, check=False
    )
    assert result.returncode != 0
    assert "The lab needs root" in result.stdout + result.stderr
