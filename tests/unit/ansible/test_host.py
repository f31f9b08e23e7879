"""What a host tells of itself."""

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


def test_the_manifest_takes_facts_that_there_are() -> None:
    assert set(measure.FACTS) <= set(c10k_host.facts(Path("/nonexistent/server")))
