"""What a host tells of itself."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from planner import measure
from plugins.module_utils import c10k_host
from tests import line

INTEL = (
    "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\nflags\t\t: fpu sse{}\n\n"
    "processor\t: 1\nmodel name\t: Another\nflags\t: x\n"
)


def test_model_and_virtualisation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c10k_host, "read", {"/sys/class/dmi/id/sys_vendor": "QEMU"}.get)
    assert c10k_host.cpu_facts(INTEL.format("")) == {"cpu_model": "Some CPU @ 2.00GHz", "virtualisation": "none"}
    assert c10k_host.cpu_facts(INTEL.format(" hypervisor"))["virtualisation"] == "QEMU"
    monkeypatch.setattr(c10k_host, "read", lambda _: None)
    assert c10k_host.cpu_facts(INTEL.format(" hypervisor"))["virtualisation"] == "hypervisor"
    # ARM has neither line.
    assert c10k_host.cpu_facts("processor\t: 0\nFeatures\t: fp\n") == {"cpu_model": None, "virtualisation": None}
    assert c10k_host.cpu_facts("") == {"cpu_model": None, "virtualisation": None}


RUN = "20261122T190312Z-3f9a1c"


def recorded(pid: int) -> str:
    return json.dumps({"pid": pid, "start_ticks": c10k_host.start_ticks(pid)})


def test_every_agent_of_a_host_is_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as one, subprocess.Popen(["sleep", "60"]) as beside:
        for n, process in enumerate((one, beside), 7):
            (tmp_path / f"agent-{n:03d}.json").write_text(recorded(process.pid))
        ended = c10k_host.stop_agents(tmp_path)
    assert {(agent["pid"], agent["signal"]) for agent in ended} == {(p.pid, "SIGTERM") for p in (one, beside)}
    assert c10k_host.stop_agents(tmp_path) == []


def test_an_agent_that_goes_on_is_killed_and_the_other_is_not_told_so(tmp_path: Path) -> None:
    deaf = ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]
    with subprocess.Popen(["sleep", "60"]) as one, subprocess.Popen(deaf, stdout=subprocess.PIPE) as beside:
        assert beside.stdout
        beside.stdout.readline()
        for n, process in enumerate((one, beside), 7):
            (tmp_path / f"agent-{n:03d}.json").write_text(recorded(process.pid))
        ended = c10k_host.stop_agents(tmp_path, patience_s=0.5)
    assert {(a["pid"], a["signal"]) for a in ended} == {(one.pid, "SIGTERM"), (beside.pid, "SIGKILL")}


def test_a_frozen_agent_of_the_run_ends_and_that_of_another_goes_on(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as frozen, subprocess.Popen(["sleep", "60"]) as other:
        try:
            for run, process in ((RUN, frozen), (f"{RUN[:-1]}0", other)):
                record = json.loads(recorded(process.pid)) | {"run": run}
                (tmp_path / f"agent-{run}.json").write_text(json.dumps(record))
            frozen.send_signal(signal.SIGSTOP)
            ended = c10k_host.stop_agents(tmp_path, RUN)
            assert [(agent["pid"], agent["signal"]) for agent in ended] == [(frozen.pid, "SIGTERM")]
            assert frozen.wait(5) == -signal.SIGTERM
            assert [agent["pid"] for agent in c10k_host.live_agents(tmp_path)] == [other.pid]
        finally:
            frozen.kill()
            other.kill()


@pytest.mark.parametrize("run", ["x\n[ERROR]: all is well", "$(id)", None, 7, [], {"a": 1}])
def test_of_a_record_only_the_id_of_a_run_is_told(tmp_path: Path, run: object) -> None:
    """It stands in a sentence, and the measured server may write it."""
    mine = json.loads(recorded(os.getpid())) | {"run": run, "more": "x"}
    (tmp_path / "agent-001.json").write_text(json.dumps(mine))
    (found,) = c10k_host.live_agents(tmp_path)
    assert found == {"pid": os.getpid(), "start_ticks": mine["start_ticks"], "run": None}


def test_an_agent_that_begins_meanwhile_is_told_as_one_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [[], [], [{"pid": 7, "run": "next"}]]
    monkeypatch.setattr(c10k_host, "live_agents", lambda *_: found.pop(0))
    assert c10k_host.stop_agents(tmp_path) == [{"pid": 7, "run": "next", "signal": None}]


def test_an_agent_is_ended_only_where_the_record_is_its_owners(tmp_path: Path) -> None:
    record, another = tmp_path / "agent-001.json", 1 if os.geteuid() else os.getpid()
    record.write_text(recorded(another))
    if os.geteuid() == 0:
        os.chown(record, 65534, 65534)
    assert c10k_host.live_agents(tmp_path) == []


@pytest.mark.parametrize("kind", ["link", "pipe", "large"])
def test_the_record_of_an_agent_is_a_small_file_and_no_link(tmp_path: Path, kind: str) -> None:
    record, text = tmp_path / "agent-001.json", recorded(os.getpid())
    record.write_text(text)
    assert c10k_host.live_agents(tmp_path)
    if kind == "large":
        record.write_text(text + " " * (1 << 20))
    else:
        record.rename(tmp_path / "elsewhere")
        record.symlink_to(tmp_path / "elsewhere") if kind == "link" else os.mkfifo(record)
    assert c10k_host.live_agents(tmp_path) == []


def test_the_manifest_takes_facts_that_there_are() -> None:
    assert set(measure.FACTS) <= set(c10k_host.facts(Path("/nonexistent/server")))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another account for a moment")
def test_a_base_that_may_not_be_searched_is_told_like_any_other() -> None:
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "server/runs/20261122T190312Z-3f9a1c").mkdir(parents=True)
        code = (
            "import os; from pathlib import Path; from plugins.module_utils.c10k_host import writable;"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
            f"print(writable(Path({place!r}) / 'server'))"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=line.ROOT, text=True, capture_output=True, check=False)
    assert done.stdout == "False\n", done.stderr


def test_which_programs_and_scripts_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    (tmp_path / "mine.py").write_text("")
    mine, script = str(tmp_path / "mine"), str(tmp_path / "mine.py")
    assert c10k_host.absent(tmp_path, ["sh", mine, "./mine", "nosuch-program"], [script, "mine.py", "/nosuch.py"]) == [
        mine, "./mine", "nosuch-program", "/nosuch.py",
    ]  # fmt: skip
    (tmp_path / "mine").chmod(0o755)
    assert c10k_host.absent(tmp_path, [mine, "./mine"], []) == []
