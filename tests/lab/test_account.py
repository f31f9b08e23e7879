"""A measured server that attacks. With an account of its own (`c10k_account`) it gets nowhere; as the SSH user, who may
become root, it gets to root, which is what docs/hosts.md warns of."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins.module_utils.c10k_host import start_ticks
from tests import line
from tests.lab.ordinary import BASE, RUN, UID, USER, Bench, ordinary_host

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]

ACCOUNT, ITS_UID = "c10kown", 42_425
RIGHTS = f"{USER} ALL=(ALL) NOPASSWD: ALL"
PROGRAM = BASE / "server/app/server/__init__.py"


@pytest.fixture(scope="module")
def bench(lab: None) -> Iterator[Bench]:
    others = {ACCOUNT: ITS_UID, "c10ksudo": 42_426}
    rights = f"Defaults use_pty\n{RIGHTS}\nc10ksudo ALL=(root) NOPASSWD: ALL"
    with ordinary_host(rights, others, f", c10k_account: {ACCOUNT}") as one:
        shutil.copy(line.ROOT / "tests/fixtures/hostile_server.py", one.directory)
        yield one


def attack(bench: Bench) -> tuple[list[str], list[str]]:
    """Two trials of the hostile server: the second starts our program, which the first has changed. The words that each
    wrote."""
    script, home = bench.directory / "hostile_server.py", bench.directory / f"home-{USER}"
    command = f"/usr/bin/python3 {script} {{host}} {{port}} --home {home} --user {UID} --program {PROGRAM}"
    request = {name: value for name, value in RUN.items() if name != "strategy"}
    done = bench.play("run_benchmark.yml", **{**request, "repetitions": 2, "server_command": command})
    assert done.returncode == 0, done.stdout
    run = line.newest()
    assert run
    assert [trial["outcome"] for trial in line.trials(run)] == ["ok", "ok"]
    assert line.manifest(run)["tuning"]["server"]["restored"] is True
    first, second = ((run / f"hosts/server/00{n}/server.log").read_text().splitlines() for n in (1, 2))
    return first, second


def could(words: list[str]) -> set[str]:
    return {text.partition(":")[0] for text in words if text.endswith(": yes")}


def test_a_server_with_an_account_of_its_own_gets_nowhere(bench: Bench) -> None:
    first, second = attack(bench)
    loot = (BASE / "server/loot").read_text()
    for words in (first, second):
        assert f"as {ITS_UID}" in words
        assert could(words) == {"program"}, words  # which is the account's own
    assert "uid=" not in loot and "password is required" in loot
    assert not (bench.directory / f"home-{USER}/planted").exists()
    owners = {name: {path.stat().st_uid for path in (BASE / name).rglob("*")} for name in ("server", "client1")}
    assert owners == {"server": {ITS_UID}, "client1": {UID}}
    (BASE / "server/loot").unlink()


LIE = """
import sys
sys.executable = "{tool}"
"""
TOOL = """#!/bin/sh
id -u >>{loot}
exec /usr/bin/python3 "$@"
"""


def test_what_the_account_says_of_itself_names_no_program_that_the_ssh_user_runs(bench: Bench) -> None:
    """The account has a Python site of its own, so a module that runs as this account says what the server likes."""
    version = bench.as_user("/usr/bin/python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'").strip()
    home = bench.directory / f"home-{ACCOUNT}"
    site, tool, loot = home / f".local/lib/python{version}/site-packages", home / "tool", home / "loot"
    site.mkdir(parents=True)
    (site / "usercustomize.py").write_text(LIE.format(tool=tool))
    tool.write_text(TOOL.format(loot=loot))
    tool.chmod(0o755)
    loot.touch()
    loot.chmod(0o666)
    try:
        done = bench.play("run_benchmark.yml", **RUN)
        assert str(UID) not in loot.read_text().split(), "the SSH user ran what the account had named"
        assert done.returncode == 0, done.stdout
    finally:
        shutil.rmtree(home / ".local")


def test_without_one_it_gets_to_root(bench: Bench) -> None:
    assert bench.play("playbooks/restore.yml", purge=True).returncode == 0
    assert not BASE.exists(), "purge left what the account had made"
    plain = Bench(bench.directory, "plain.yml")
    Path(plain.inventory).write_text(Path(bench.inventory).read_text().replace(f", c10k_account: {ACCOUNT}", ""))
    first, second = attack(plain)
    loot = (BASE / "server/loot").read_text()
    for words in (first, second):
        assert f"as {UID}" in words
        assert could(words) == {"program", "home", "signal"}, words  # no_new_privs keeps it from sudo itself
    assert "uid=0(root)" in loot
    (BASE / "server/loot").unlink()
    assert plain.play("playbooks/restore.yml", purge=True).returncode == 0


@pytest.mark.parametrize(
    ("account", "why"),
    [
        ("c10knobody", "server has no account c10knobody"),
        ("root", "its c10k_account root has the user id 0"),
        (USER, f"{USER} is the user that SSH logs in with"),
        ("c10ksudo", "c10ksudo may become root by sudo without a password"),
        ("bench; id", "c10k_account of server is no name of an account"),
    ],
)
def test_an_account_that_is_no_boundary_is_refused_before_anything_is_changed(
    bench: Bench, account: str, why: str
) -> None:
    before = sorted(BASE.glob("*"))
    refused = bench.play("run_benchmark.yml", **RUN, c10k_account=account)
    assert refused.returncode != 0
    assert why in " ".join(refused.stdout.split()), refused.stdout
    assert sorted(BASE.glob("*")) == before
    assert not Path("/run/c10k").exists()


def test_a_sudo_that_asks_for_a_terminal_is_refused_before_anything_is_changed(bench: Bench) -> None:
    rights = bench.directory / "sudoers"  # it is bound over that of the host
    before = rights.read_text()
    rights.write_text(f"{before}Defaults requiretty\n")
    try:
        refused = bench.play("run_benchmark.yml", **RUN)
    finally:
        rights.write_text(before)
    assert refused.returncode != 0
    said = " ".join(refused.stdout.split())
    assert "tune=required, and its user is not root and may not become root" in said, refused.stdout
    assert f"may not run programs as {ACCOUNT} without a password and a terminal" in said
    assert not Path("/run/c10k").exists()


def test_stop_ends_the_agents_of_the_account_and_no_process_of_another(bench: Bench) -> None:
    prepared = bench.play("playbooks/prepare.yml", **RUN)
    assert prepared.returncode == 0, prepared.stdout
    place = BASE / "server"
    with subprocess.Popen(["sleep", "120"], user=ITS_UID, group=ITS_UID, extra_groups=[]) as own, \
            subprocess.Popen(["sleep", "120"], user=UID, group=UID, extra_groups=[]) as theirs:  # fmt: skip
        try:
            for n, process in enumerate((own, theirs), 1):
                record = f'{{"pid": {process.pid}, "start_ticks": {start_ticks(process.pid)}, "run": "x"}}'
                bench.as_user(
                    f"sudo -n -u {ACCOUNT} sh -c 'umask 022; echo \"$1\" > {place}/agent-00{n}.json' - '{record}'"
                )
            stopped = bench.play("playbooks/stop.yml")
            assert stopped.returncode == 0, stopped.stdout
            assert own.wait(timeout=10) == -signal.SIGTERM
            assert theirs.poll() is None, "stop ended a process of another account"
        finally:
            own.kill()
            theirs.kill()


def test_a_killed_conductor_leaves_nothing_and_its_logs_come_home(bench: Bench) -> None:
    before = line.newest()
    command = line.playbook_command("run_benchmark.yml", bench.inventory, **{**RUN, "duration": 30})
    with (bench.directory / "killed").open("w") as output:
        process = subprocess.Popen(
            command, cwd=line.ROOT, env=line.environment(), stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    try:
        run = line.eventually("an interval", lambda: loaded(before), 90)
        agents = [pid for pid, text in line.processes_of(run).items() if "-m server agent" in text]
        assert ITS_UID in {Path(f"/proc/{pid}").stat().st_uid for pid in agents}
        conductors = [pid for pid, text in line.processes_of(run).items() if "conductor run" in text]
        killed = time.monotonic()
        os.kill(conductors[0], signal.SIGKILL)
        line.eventually("all agents are gone", lambda: not left(run), 5)
        assert time.monotonic() - killed < 6
        assert process.wait(timeout=120) != 0
    finally:
        process.kill()
    assert (run / "hosts/server/001/agent.jsonl").exists()
    assert not Path("/run/c10k").exists()
    assert bench.play("playbooks/collect.yml").returncode == 0


def loaded(before: Path | None) -> Path | None:
    run = line.newest()
    if run is None or run == before or not (run / "events.jsonl").exists():
        return None
    return run if any(event.get("event") == "interval" for event in line.events(run)) else None


def left(run: Path) -> list[str]:
    return [text for text in line.processes_of(run).values() if " agent --spec " in text]
