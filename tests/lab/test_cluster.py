"""inventory/cluster.example, copied and filled in as its comments say, leads to a run on hosts behind a gateway."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import line
from tests.lab.cluster import (
    BASE,
    CONTROL,
    COPY,
    GATEWAY,
    HOSTS,
    LOAD,
    PASSWORD,
    USERS,
    Cluster,
    cluster,
    commented,
    copied,
    replace,
)

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]

RUN = {**line.SMALL, "tune": "required", "duration": 1}


@pytest.fixture(scope="module")
def hosts(lab: None) -> Iterator[Cluster]:
    with cluster() as one:
        yield one


@pytest.fixture(scope="module")
def inventory(hosts: Cluster) -> Path:
    """A copy of the example, with the host keys that its comments say how to get."""
    place = copied(hosts.directory)
    for command in commented(place / ".ssh/ssh_config")[2:]:  # the first two are for those who have no gateway
        done = sh(command)
        assert done.returncode == 0, done.stderr
    assert done.stdout.count("ED25519") == 5, "the last command shows the fingerprint of each key"
    return place


HOSTS_INI = """\
[c10k:children]
c10k_server
c10k_clients
[c10k_server]
server c10k_load_address=fd00:c10c::10
[c10k_clients]
client1 c10k_load_address=fd00:c10c::11 c10k_sources=fd00:c10c::11,fd00:c10c::21 ansible_python_interpreter={python}
client2 c10k_load_address=fd00:c10c::12 c10k_sources=fd00:c10c::12,fd00:c10c::22 ansible_become_password='{password}'
client3 c10k_load_address=fd00:c10c::13 c10k_sources=fd00:c10c::13,fd00:c10c::23 c10k_weight=2
"""


def sh(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "-c", command], cwd=line.ROOT, env=line.environment(), text=True, capture_output=True, check=False,
        stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip


def ping(inventory: Path, **variables: Any) -> tuple[int, str]:
    done = line.play("playbooks/ping.yml", str(inventory), **variables)
    return done.returncode, " ".join(done.stdout.split())


def test_a_gateway_whose_key_is_not_known_is_named(hosts: Cluster) -> None:
    status, said = ping(copied(hosts.directory))
    assert status != 0
    why = f"the host key of {GATEWAY} is not in {COPY}/.ssh/known_hosts: verify it, then add it"
    who = ", ".join(HOSTS)
    assert f"{who} cannot be reached: {why} ('ssh-keyscan {GATEWAY}' prints the line)." in said, said
    assert "kex_exchange_identification" not in said


def test_a_run_through_a_gateway_with_the_load_on_a_network_of_its_own(hosts: Cluster, inventory: Path) -> None:
    assert sh(f"git status --porcelain {inventory}").stdout == ""
    status, said = ping(inventory)
    assert status == 0, said
    assert "All 4 hosts fit: a run would work." in said
    assert f"client2 {LOAD['client2'][0][:-3]} (its own; SSH comes over {CONTROL['client2']})" in said
    assert not list(BASE.glob("*/*")), "ping.yml changed something"
    before = hosts.moved()
    done = line.play("run_benchmark.yml", str(inventory), **{**RUN, "payload_bytes": 65536, "duration": 2})
    assert done.returncode == 0, done.stdout
    after = hosts.moved()
    run = line.newest()
    assert run
    assert [trial["outcome"] for trial in line.trials(run)] == ["ok"]
    armed = {event["host"]: event["connected"] for event in line.events(run) if event.get("event") == "armed"}
    assert armed == {"client1": 100, "client2": 200, "client3": 300}
    assert {host["restored"] for host in line.manifest(run)["tuning"].values()} == {True}
    moved = {name: {link: after[name][link] - before[name][link] for link in after[name]} for name in HOSTS}
    payload = 2 * RUN["rate"] * 2 * 65536  # of 2 s, there and back
    assert moved["server"]["eth0"] > payload
    for name, of in moved.items():
        assert of["control"] < of["eth0"] / 10, f"{name}: is some of the load on the network of SSH? {moved}"


def test_hosts_that_differ_from_one_another(hosts: Cluster, inventory: Path) -> None:
    """As hosts.ini: another user, port, password of sudo and Python; two sources of IPv6 each."""
    assert line.play("playbooks/restore.yml", str(inventory), purge=True).returncode == 0
    assert not BASE.exists(), "purge left what root had made for another user"
    python = hosts.directory / "python3"
    python.symlink_to("/usr/bin/python3")
    (inventory / "hosts.yml").unlink()
    (inventory / "hosts.ini").write_text(HOSTS_INI.format(python=python, password=PASSWORD))
    config = inventory / ".ssh/ssh_config"
    replace(config, {"# User bench": "User bench", "# Port 2222": "Port 2222"})
    scan = f"ssh -F {config} gateway ssh-keyscan -t ed25519 -p 2222 client2.example.org >> {inventory}/.ssh/known_hosts"
    assert sh(scan).returncode == 0
    status, said = ping(inventory, ansible_become_password="another")
    assert status != 0
    assert (
        "client2 does not make its user root by the password that was given (Incorrect sudo password): give" in said
    ), said
    assert "hosts fit" not in said
    done = line.play("run_benchmark.yml", str(inventory), **RUN, sources=2)
    assert done.returncode == 0, done.stdout
    run = line.newest()
    assert run
    assert [trial["outcome"] for trial in line.trials(run)] == ["ok"]
    armed = {event["host"]: event["connected"] for event in line.events(run) if event.get("event") == "armed"}
    assert armed == {"client1": 150, "client2": 150, "client3": 300}
    planned = yaml.safe_load((run / "plan.yml").read_text())["hosts"]
    assert planned["client1"]["python"] == str(python) != planned["client3"]["python"]
    assert planned["client3"]["sources"] == ["fd00:c10c::13", "fd00:c10c::23"]
    tuning = line.manifest(run)["tuning"]
    assert {host["restored"] for host in tuning.values()} == {True}
    assert "set" in {entry["status"] for entry in tuning["client2"]["keys"]}, "the password made nobody root"
    assert {(BASE / name / "app/loadgen").stat().st_uid for name in ("client1", "client3")} == {USERS["c10k"]}
    assert (BASE / "client2/app/loadgen").stat().st_uid == USERS["bench"]
