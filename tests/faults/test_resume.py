"""A run whose playbook was killed goes on with what it misses, and says so."""

import os
import signal
import subprocess
from pathlib import Path

from tests import line

ASKED = {**line.SMALL, "strategy": "epoll,poll", "duration": 1, "repetitions": 2}


def test_a_killed_run_goes_on_with_what_it_misses(tmp_path: Path) -> None:
    before = line.newest()
    with (tmp_path / "out").open("w") as sink:
        process = subprocess.Popen(
            line.playbook_command("run_benchmark.yml", "local", **ASKED), cwd=line.ROOT, env=line.environment(),
            stdout=sink, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def in_the_third_trial() -> Path | None:
        run = line.newest()
        assert process.poll() is None, (tmp_path / "out").read_text()
        return run if run != before and run and (run / "trials/002/trial.json").exists() else None

    run = line.eventually("two trials", in_the_third_trial, 300)
    line.named.add(run.name)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    line.eventually("no process of the run", lambda: not line.processes_of(run), 5)
    first = [path.read_bytes() for path in sorted(run.glob("trials/00[12]/trial.json"))]
    # What was fetched before stays where the rest is fetched later.
    assert line.play("playbooks/collect.yml", "local", run=run.name).returncode == 0

    ended = line.play("run_benchmark.yml", "local", run=run.name, strategy="poll")
    assert ended.returncode != 0 and "leave strategy away" in ended.stdout, ended.stdout
    ended = line.play("run_benchmark.yml", "local", run=run.name)
    assert ended.returncode == 0, ended.stdout
    assert f"{run.name} goes on: 4 of its 6 trials are missing." in ended.stdout, ended.stdout

    assert [trial["outcome"] for trial in line.trials(run)] == ["ok"] * 6
    assert [path.read_bytes() for path in sorted(run.glob("trials/00[12]/trial.json"))] == first
    for host in ("server", "client1", "client2", "client3"):
        assert sorted(path.name for path in (run / "hosts" / host).iterdir()) == [f"{n:03d}" for n in range(1, 7)]
    manifest = line.manifest(run)
    assert (manifest["status"], [part["missing"] for part in manifest["resumed"].values()]) == ("ok", [[3, 4, 5, 6]])
    findings = line.analysis("check", str(run)).stdout
    assert "DT12" in findings and "DT1 " not in findings, findings
    assert line.newest() == run and "The run was broken off" in (run / "report.html").read_text()
