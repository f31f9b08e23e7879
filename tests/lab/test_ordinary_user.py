"""A host whose SSH user may become root: what he, and so the measured server, can plant reaches nothing of root's."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins.module_utils.c10k_host import start_ticks
from tests import line
from tests.lab.ordinary import BASE, RUN, UID, Bench, ordinary_host, somaxconn

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]


@pytest.fixture(scope="module")
def bench(lab: None) -> Iterator[Bench]:
    with ordinary_host() as one:
        yield one


def test_a_whole_run_tunes_and_restores_and_runs_nothing_of_ours_as_root(bench: Bench) -> None:
    done = bench.play("run_benchmark.yml", **RUN)
    assert done.returncode == 0, done.stdout
    run = line.newest()
    assert run
    keys = line.manifest(run)["tuning"]["client1"]["keys"] + line.manifest(run)["tuning"]["server"]["keys"]
    assert "set" in {entry["status"] for entry in keys}
    assert somaxconn() == "4096"
    assert not Path("/run/c10k").exists()
    owners = {path.stat().st_uid for path in BASE.rglob("*") if path.is_file()}
    assert owners == {UID}


def test_what_the_user_plants_reaches_nothing_of_roots(bench: Bench) -> None:
    victim = bench.directory / "victim"
    (victim / "kept").mkdir(parents=True)
    (victim / "kept/file").write_text("root's\n")
    with subprocess.Popen(["sleep", "120"]) as roots:
        try:
            assert bench.play("playbooks/prepare.yml", **RUN).returncode == 0
            assert somaxconn() == "65535"
            record = f'{{"pid": {roots.pid}, "start_ticks": {start_ticks(roots.pid)}, "run": "x"}}'
            state = (
                '{"version": 2, "boot_id": "x", "originals": {"/etc/c10k-pwned": {"original": "1", "asked": ["2"]}}}'
            )
            bench.as_user(
                f"cd {BASE}/client1 && mkdir -p runs ../client1/kernel && echo '{record}' > agent-001.json"
                f" && echo '{state}' > kernel/global.json && rm -rf app && ln -s {victim}/kept app"
                f" && ln -s {victim}/kept venv && ln -s {victim} wheels && ln -s {victim} runs/20260101T000000Z-aaaaaa"
                f" && ln -s {victim}/kept/file agent-002.json"
            )
            restored = bench.play("playbooks/restore.yml", purge=True)
            assert somaxconn() == "4096", restored.stdout
            assert roots.poll() is None, "restore ended a process of root's"
        finally:
            roots.terminate()
    assert (victim / "kept/file").read_text() == "root's\n"
    assert not Path("/etc/c10k-pwned").exists()
    bench.as_user(f"rm -rf {BASE}/client1/* {BASE}/server/*")


def test_root_runs_no_module_that_the_user_could_change(bench: Bench) -> None:
    refused = bench.play("run_benchmark.yml", **RUN, ansible_pipelining="false")
    assert refused.returncode != 0
    assert "set ansible_pipelining=true" in refused.stdout, refused.stdout
    assert somaxconn() == "4096"


def test_what_is_roots_is_not_given_away(bench: Bench) -> None:
    """A base that is there and that the user may not write: told before anything is changed, and left as it is."""
    theirs = BASE.with_name("c10k-bench-theirs")
    (theirs / "client1").mkdir(parents=True)
    try:
        refused = bench.play("run_benchmark.yml", **RUN, c10k_base=str(theirs))
        assert refused.returncode != 0
        assert f"since {theirs}/client1 is there, and belongs to another" in refused.stdout, refused.stdout
        assert (theirs / "client1").stat().st_uid == 0
        assert [path.name for path in theirs.iterdir()] == ["client1"]
    finally:
        shutil.rmtree(theirs)
