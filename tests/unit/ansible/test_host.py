"""What a host tells of itself."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from planner import measure
from plugins.module_utils import c10k_host

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


def test_an_agent_is_ended_only_where_the_record_is_its_owners(tmp_path: Path) -> None:
    record = tmp_path / "agent.json"
    with subprocess.Popen(["sleep", "60"]) as process:
        record.write_text(json.dumps({"pid": process.pid, "start_ticks": c10k_host.start_ticks(process.pid)}))
        assert c10k_host.stop_agent(tmp_path) is not None
    another = 1 if os.geteuid() else os.getpid()
    record.write_text(json.dumps({"pid": another, "start_ticks": c10k_host.start_ticks(another)}))
    if os.geteuid() == 0:
        os.chown(record, 65534, 65534)
    assert c10k_host.live_agent(tmp_path) is None


@pytest.mark.parametrize("kind", ["link", "pipe", "large"])
def test_the_record_of_an_agent_is_a_small_file_and_no_link(tmp_path: Path, kind: str) -> None:
    record, text = (
        tmp_path / "agent.json",
        json.dumps({"pid": os.getpid(), "start_ticks": c10k_host.start_ticks(os.getpid())}),
    )
    record.write_text(text)
    assert c10k_host.live_agent(tmp_path) is not None
    if kind == "large":
        record.write_text(text + " " * (1 << 20))
    else:
        record.rename(tmp_path / "elsewhere")
        record.symlink_to(tmp_path / "elsewhere") if kind == "link" else os.mkfifo(record)
    assert c10k_host.live_agent(tmp_path) is None


def test_the_manifest_takes_facts_that_there_are() -> None:
    assert set(measure.FACTS) <= set(c10k_host.facts(Path("/nonexistent/server")))
