"""Tuning against a /proc of our own: what is saved, what is written, and what comes back."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils import c10k_sysctl
from plugins.module_utils.c10k_sysctl import Kernel, spare

SOMAXCONN = {"key": "net.core.somaxconn", "value": 65535, "at_least": True, "scope": "netns"}
REUSE = {"key": "net.ipv4.tcp_tw_reuse", "value": 1, "scope": "netns"}
PORTS = {"key": "net.ipv4.ip_local_port_range", "value": "15000 64999", "at_least": True, "scope": "netns"}
FILES = {"key": "fs.file-max", "value": 1048576, "at_least": True, "scope": "global"}
ABSENT = {"key": "net.core.netdev_max_backlog", "value": 16384, "scope": "global"}
ALL = [SOMAXCONN, REUSE, PORTS, FILES, ABSENT]
FRESH = {SOMAXCONN["key"]: "4096", REUSE["key"]: "2", PORTS["key"]: "32768\t60999", FILES["key"]: "400000"}


class Machine:
    def __init__(self, root: Path) -> None:
        self.proc, self.base = root / "proc", root / "base"
        for key, value in {**FRESH, "kernel.random.boot_id": "boot-1"}.items():
            self.put(str(key), value)
        (self.proc / "self/ns").mkdir(parents=True)
        (self.proc / "self/ns/net").touch()

    def path(self, key: str) -> Path:
        return self.proc / "sys" / key.replace(".", "/")

    def put(self, key: str, value: str) -> None:
        self.path(key).parent.mkdir(parents=True, exist_ok=True)
        self.path(key).write_text(value + "\n")

    def values(self) -> dict[str, str]:
        return {str(key): " ".join(self.path(str(key)).read_text().split()) for key in FRESH}

    def kernel(self, run: str = "run-1", dry: bool = False) -> Kernel:
        return Kernel(str(self.base), run, str(self.proc), dry)

    def states(self) -> list[str]:
        return sorted(path.name.split("-")[0] for path in (self.base / "kernel").glob("*.json"))


ORIGINAL = {str(key): " ".join(value.split()) for key, value in FRESH.items()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def statuses(results: list[dict[str, Any]]) -> list[str]:
    return [result["status"] for result in results]


def test_tune_reads_back_and_restore_proves(machine: Machine) -> None:
    results = machine.kernel().tune(ALL)
    assert statuses(results) == ["set", "set", "set", "set", "absent"]
    assert results[2] == {
        "key": "net.ipv4.ip_local_port_range", "scope": "netns", "before": "32768 60999", "asked": "15000 64999",
        "after": "15000 64999", "status": "set",
    }  # fmt: skip
    assert machine.states() == ["global.json", "netns"]
    assert machine.kernel().restore()[1] == []
    assert machine.values() == ORIGINAL
    assert machine.states() == []


def test_restoring_twice_or_with_nothing_saved_changes_nothing(machine: Machine) -> None:
    assert machine.kernel().restore() == ([], [])
    assert not machine.base.exists(), "a restore of nothing leaves nothing behind"
    machine.kernel().tune(ALL)
    machine.kernel().restore()
    machine.put("net.core.somaxconn", "777")
    assert machine.kernel().restore() == ([], [])
    assert machine.values()["net.core.somaxconn"] == "777"


def test_tuned_values_are_never_saved_as_originals(machine: Machine) -> None:
    machine.kernel("run-1").tune(ALL)
    again = machine.kernel("run-2").tune([{**SOMAXCONN, "value": 70000}, *ALL[1:]])
    assert again[0]["before"] == "4096"
    assert statuses(again) == ["set", "set", "set", "set", "absent"]
    state = json.loads((machine.base / "kernel/global.json").read_text())
    assert (state["originals"], state["run"]) == ({"fs.file-max": "400000"}, "run-1")
    machine.kernel().restore()
    assert machine.values() == ORIGINAL


def test_a_second_run_writes_nothing(machine: Machine) -> None:
    machine.kernel().tune(ALL)
    kernel = machine.kernel("run-2")
    kernel.tune(ALL)
    assert kernel.written == []


def test_a_better_value_stays(machine: Machine) -> None:
    machine.put("net.core.somaxconn", "100000")
    machine.put("net.ipv4.ip_local_port_range", "10001 65000")
    results = machine.kernel().tune([SOMAXCONN, PORTS])
    assert statuses(results) == ["kept", "kept"]
    assert machine.states() == []


@pytest.mark.parametrize("crashes_at", [SOMAXCONN["key"], REUSE["key"]])
def test_a_crash_before_any_write_is_undone(machine: Machine, monkeypatch: pytest.MonkeyPatch, crashes_at: str) -> None:
    """The first key: between saving and writing. The second: one is written, and one only saved."""
    write = Kernel.write

    def crash(kernel: Kernel, key: str, value: str) -> Any:
        if key == crashes_at:
            raise KeyboardInterrupt(key)
        return write(kernel, key, value)

    monkeypatch.setattr(Kernel, "write", crash)
    with pytest.raises(KeyboardInterrupt):
        machine.kernel().tune(ALL)
    monkeypatch.undo()
    assert machine.states() == ["netns"]
    assert (machine.values() == ORIGINAL) == (crashes_at == SOMAXCONN["key"])
    machine.kernel().restore()
    assert machine.values() == ORIGINAL
    machine.kernel().tune(ALL)
    machine.kernel().restore()
    assert machine.values() == ORIGINAL


def test_originals_that_an_ordinary_account_wrote_are_void(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root would write what they say into the kernel."""
    machine.kernel().tune([SOMAXCONN])
    monkeypatch.setattr(c10k_sysctl, "OWNERS", (os.geteuid() + 1,))
    assert machine.kernel().saved("netns") == {}
    for deed in (machine.kernel().restore, lambda: machine.kernel().tune([FILES])):
        with pytest.raises(PermissionError, match="root did not make"):
            deed()
    monkeypatch.undo()
    (state,) = (machine.base / "kernel").glob("netns-*")
    state.rename(machine.base / "elsewhere")
    state.symlink_to(machine.base / "elsewhere")
    assert machine.kernel().saved("netns") == {}


def test_originals_are_not_saved_where_a_link_leads(machine: Machine) -> None:
    (machine.base / "etc").mkdir(parents=True)
    (machine.base / "kernel").symlink_to("etc")
    with pytest.raises(PermissionError, match="root did not make"):
        machine.kernel().tune(ALL)
    assert not list((machine.base / "etc").iterdir())
    assert machine.values() == ORIGINAL


def test_originals_of_another_boot_are_void(machine: Machine) -> None:
    machine.kernel().tune(ALL)
    machine.put("kernel.random.boot_id", "boot-2")
    for key, value in FRESH.items():
        machine.put(str(key), value)
    machine.put("net.core.somaxconn", "5000")
    assert machine.kernel().restore()[0] == []
    assert machine.values()["net.core.somaxconn"] == "5000"
    machine.kernel().tune([SOMAXCONN])
    machine.kernel().restore()
    assert machine.values()["net.core.somaxconn"] == "5000"


@pytest.mark.parametrize(("errno", "status"), [(30, "read_only"), (13, "read_only"), (22, "refused")])
def test_a_key_that_cannot_be_written_says_so(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, errno: int, status: str
) -> None:
    real = open

    def refusing(path: str, mode: str = "r") -> Any:
        if mode == "w" and "somaxconn" in str(path):
            raise OSError(errno, "no")
        return real(path, mode)

    monkeypatch.setattr(c10k_sysctl, "open", refusing, raising=False)
    (result,) = machine.kernel().tune([SOMAXCONN])
    assert (result["status"], result["after"]) == (status, "4096")
    monkeypatch.undo()
    # Then one that was tuned and cannot be put back: it stays saved until it can.
    machine.kernel().tune([SOMAXCONN])
    monkeypatch.setattr(c10k_sysctl, "open", refusing, raising=False)
    assert [entry["key"] for entry in machine.kernel().restore()[1]] == [SOMAXCONN["key"]]
    monkeypatch.undo()
    assert machine.kernel().restore()[1] == []
    assert machine.values() == ORIGINAL


def test_a_value_that_does_not_take_is_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kernel, "write", lambda *_: None)
    assert statuses(machine.kernel().tune([SOMAXCONN])) == ["refused"]


def test_a_dry_run_touches_nothing(machine: Machine) -> None:
    results = machine.kernel(dry=True).tune(ALL)
    assert statuses(results) == ["set", "set", "set", "set", "absent"]
    assert machine.values() == ORIGINAL
    assert not machine.base.exists()


@pytest.mark.parametrize(
    ("ports", "range_"),
    [([9000], "15000 64999"), ([20000], "20002 64999"), ([15000, 20001], "20002 64999"), ([64999], "65000 64999")],
)
def test_a_range_never_swallows_a_listener(ports: list[int], range_: str) -> None:
    assert spare("15000 64999", ports) == range_


def test_a_range_that_would_shrink_is_left(machine: Machine) -> None:
    (result,) = machine.kernel().tune([PORTS], ports=[50000])
    assert (result["status"], result["after"]) == ("kept", "32768 60999")
