"""Several profiles in one run: each trial under its own, one manifest, and every way out puts the kernels back."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests import line

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]
HOSTS = ("server", "client1", "client2", "client3")
LEVELS = ["none", "none+net.core.somaxconn"]
ASKED = {**line.SMALL, "profile": ",".join(LEVELS), "tune": "required", "duration": 1, "repetitions": 2}


def somaxconn(host: str) -> str:
    command = ["ip", "netns", "exec", f"c10k-{host}", "sysctl", "-n", "net.core.somaxconn"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_run_of_two_profiles_is_interrupted_goes_on_and_leaves_no_host_tuned(tmp_path: Path) -> None:
    seen: dict[int, str] = {}
    running = line.start("lab", tmp_path / "out", **ASKED)

    def in_the_third_trial() -> bool:
        assert running.process.poll() is None, running.text()
        begun = [
            e["trial"] for e in line.events(running.run) if e.get("event") == "trial" and e.get("state") == "started"
        ]
        value = somaxconn("server")
        if begun and not (running.run / f"trials/{begun[-1]:03d}/trial.json").exists():  # it was read within that trial
            seen.setdefault(begun[-1], value)
        return len(begun) >= 3

    line.eventually("the third trial", in_the_third_trial, 180)
    running.interrupt()
    assert running.end(120) != 0
    assert "playbooks/restore.yml" in running.text(), running.text()  # which it leaves to a person, or to the rest
    ended = line.play("run_benchmark.yml", "lab", run=running.run.name)
    assert ended.returncode == 0, ended.stdout
    assert {somaxconn(host) for host in HOSTS} == {"4096"}

    trials = {trial["n"]: trial for trial in line.trials(running.run)}
    assert [trials[n]["outcome"] for n in sorted(trials)] == ["ok"] * 4
    planned = {
        trial["n"]: trial["profile"] for trial in yaml.safe_load((running.run / "plan.yml").read_text())["trials"]
    }
    assert sorted(planned.values()) == sorted(LEVELS * 2)
    assert seen, "no trial was looked at"
    for n, value in seen.items():
        assert value == {"none": "4096", "none+net.core.somaxconn": "65535"}[planned[n]]
    tuning = line.manifest(running.run)["tuning"]
    for host in HOSTS:
        assert tuning[host]["restored"] is True
        (entry,) = tuning[host]["profiles"]["none+net.core.somaxconn"]
        assert (entry["key"], entry["after"], entry["status"]) == ("net.core.somaxconn", "65535", "set")
        assert tuning[host]["profiles"].get("none", []) == []
