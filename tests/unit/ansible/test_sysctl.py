"""Tuning against a /proc of our own: what is saved, what is written, and what comes back."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.module_utils import c10k_state, c10k_sysctl
from plugins.module_utils.c10k_state import Distrusted
from plugins.module_utils.c10k_sysctl import KEYS, UNRESTORED, Kernel, listed, ports_of

SOMAXCONN = {"key": "net.core.somaxconn", "value": 65535, "at_least": True, "scope": "netns"}
REUSE = {"key": "net.ipv4.tcp_tw_reuse", "value": 1, "scope": "netns"}
PORTS = {"key": "net.ipv4.ip_local_port_range", "value": "15000 64999", "at_least": True, "scope": "netns"}
FILES = {"key": "fs.file-max", "value": 1048576, "at_least": True, "scope": "global"}
ABSENT = {"key": "net.core.netdev_max_backlog", "value": 16384, "scope": "global"}
ALL = [SOMAXCONN, REUSE, PORTS, FILES, ABSENT]
FRESH = {SOMAXCONN["key"]: "4096", REUSE["key"]: "2", PORTS["key"]: "32768\t60999", FILES["key"]: "400000"}


class Machine:
    def __init__(self, root: Path) -> None:
        self.proc, self.place = root / "proc", root / "run/c10k"
        self.place.parent.mkdir()
        self.name, self.contained = "cookie 7", False
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
        return Kernel(
            run, dry, proc=str(self.proc), place=str(self.place), name=self.name, contained=self.contained
        )  # fmt: skip

    def states(self) -> list[str]:
        return sorted(path.name.split("-")[0] for path in self.place.glob("*"))

    def tuned_by(self) -> list[str]:
        return c10k_state.tuned_by((self.proc / "self/ns/net").stat().st_ino, str(self.place))

    def unrestored(self) -> list[str]:
        return [report["key"] for report in self.kernel().restore() if report["status"] in UNRESTORED]


ORIGINAL = {str(key): " ".join(value.split()) for key, value in FRESH.items()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def statuses(results: list[dict[str, Any]]) -> list[str]:
    return [result["status"] for result in results]


def test_a_needed_key_that_the_kernel_lacks_is_refused(machine: Machine) -> None:
    key = {"key": "net.ipv4.tcp_migrate_req", "value": "1"}
    (lacking,) = machine.kernel().tune([key | {"needed": True}])
    assert (lacking["status"], lacking["why"]) == ("refused", "this kernel does not have it")
    assert statuses(machine.kernel().tune([key])) == ["absent"]


def test_tune_reads_back_and_restore_proves(machine: Machine) -> None:
    results = machine.kernel().tune(ALL)
    assert statuses(results) == ["set", "set", "set", "set", "absent"]
    assert results[2] == {
        "key": "net.ipv4.ip_local_port_range", "scope": "netns", "before": "32768 60999", "asked": "15000 64999",
        "after": "15000 64999", "status": "set",
    }  # fmt: skip
    assert machine.states() == ["global.json", "netns"]
    assert machine.tuned_by() == ["run-1"]
    assert set(statuses(machine.kernel().restore())) == {"set"}
    assert machine.values() == ORIGINAL
    assert machine.tuned_by() == []
    assert [path.name for path in machine.place.parent.iterdir()] == ["c10k.lock"], "what a run locks is never replaced"


def test_restoring_twice_or_with_nothing_saved_changes_nothing(machine: Machine) -> None:
    assert machine.kernel().restore() == []
    assert not machine.place.exists(), "a restore of nothing leaves nothing behind"
    machine.kernel().tune(ALL)
    machine.kernel().restore()
    machine.put("net.core.somaxconn", "777")
    assert machine.kernel().restore() == []
    assert machine.values()["net.core.somaxconn"] == "777"


def test_tuned_values_are_never_saved_as_originals(machine: Machine) -> None:
    machine.kernel("run-1").tune(ALL)
    again = machine.kernel("run-2").tune([{**SOMAXCONN, "value": 70000}, *ALL[1:]])
    assert again[0]["before"] == "4096"
    assert statuses(again) == ["set", "set", "set", "set", "absent"]
    state = json.loads((machine.place / "global.json").read_text())
    assert (state["originals"], state["run"]) == (
        {"fs.file-max": {"original": "400000", "asked": ["1048576"]}}, "run-1",
    )  # fmt: skip
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


def test_what_root_keeps_root_alone_can_read(machine: Machine) -> None:
    before = os.umask(0)
    try:
        machine.kernel().tune(ALL)
    finally:
        os.umask(before)
    modes = {path.name.split("-")[0]: stat.S_IMODE(path.stat().st_mode) for path in machine.place.iterdir()}
    assert modes == {"global.json": 0o600, "netns": 0o600}
    assert stat.S_IMODE(machine.place.stat().st_mode) == 0o700


def test_every_account_may_know_which_run_has_tuned(machine: Machine) -> None:
    before = os.umask(0o077)
    try:
        machine.kernel().tune(ALL)
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path(f"{machine.place}.lock").stat().st_mode) == 0o644


def someone_elses(machine: Machine) -> None:
    """As good as we can without another account: one that is not root alone's."""
    machine.place.mkdir(mode=0o755)


def a_link(machine: Machine) -> None:
    (machine.place.parent / "etc").mkdir(mode=0o700)
    machine.place.symlink_to("etc")


def a_file(machine: Machine) -> None:
    machine.place.touch()


@pytest.mark.parametrize("planted", [someone_elses, a_link, a_file])
def test_a_directory_that_is_not_roots_alone_is_not_believed(machine: Machine, planted: Any) -> None:
    planted(machine)
    for deed in (machine.kernel().restore, lambda: machine.kernel().tune(ALL)):
        with pytest.raises(Distrusted, match="and remove it"):
            deed()
    assert machine.values() == ORIGINAL
    assert not list((machine.place.parent / "etc").glob("*"))


def cut(text: str) -> str:
    return text[: len(text) // 2]


def other(text: str) -> str:
    return text.replace('"net.core.somaxconn"', '"../../etc/x"')


@pytest.mark.parametrize("damage", [cut, other, lambda _: "{}", lambda _: "", lambda _: "[" * 60_000])
def test_damaged_originals_are_never_nothing_to_restore(machine: Machine, damage: Any) -> None:
    machine.kernel().tune([SOMAXCONN])
    (state,) = machine.place.glob("netns-*")
    whole = state.read_text()
    state.write_text(damage(whole))
    with pytest.raises(Distrusted, match="remove it"):
        machine.kernel().restore()
    if damage is not other:  # with a key that is not ours too much is said, and nothing is lost
        with pytest.raises(Distrusted, match="remove it"):
            machine.kernel().tune(ALL)
    assert machine.values()["net.core.somaxconn"] == "65535"
    state.write_text(whole)
    machine.kernel().restore()
    assert machine.values() == ORIGINAL


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_originals_are_a_plain_file(machine: Machine, kind: str) -> None:
    machine.kernel().tune([SOMAXCONN])
    (state,) = machine.place.glob("netns-*")
    away = state.rename(machine.place.parent / "elsewhere")
    if kind == "link":
        state.symlink_to(away)
    elif kind == "pipe":
        os.mkfifo(state)
    else:
        state.mkdir()
    with pytest.raises(Distrusted, match="damaged"):
        machine.kernel().restore()


def test_no_key_is_written_that_no_profile_has(machine: Machine) -> None:
    for key in ("kernel.core_pattern", "../../etc/passwd", "/etc/passwd"):
        with pytest.raises(Distrusted, match="not a key of any profile"):
            machine.kernel().tune([{"key": key, "value": "|/bin/sh", "scope": "global"}])
    assert not machine.place.exists()


@pytest.mark.parametrize("profile", sorted(Path("playbooks/profiles").glob("*.yml")), ids=lambda path: path.stem)
def test_each_key_of_a_profile_may_be_written(profile: Path) -> None:
    entries = yaml.safe_load(profile.read_text())
    assert {entry["key"]: entry["scope"] for entry in entries}.items() <= KEYS.items()


def test_what_somebody_set_meanwhile_stays_and_is_told(machine: Machine) -> None:
    machine.kernel().tune(ALL)
    machine.put("net.core.somaxconn", "32768")
    found = {report["key"]: report["status"] for report in machine.kernel().restore()}
    assert found.pop("net.core.somaxconn") == "changed"
    assert set(found.values()) == {"set"}
    assert machine.values() == {**ORIGINAL, "net.core.somaxconn": "32768"}
    assert machine.kernel().restore() == []


def test_what_another_run_of_ours_set_is_put_back(machine: Machine) -> None:
    """The first crashed, the second asked for more, and was killed between saving and writing, or after."""
    machine.kernel("run-1").tune([SOMAXCONN])
    machine.kernel("run-2").tune([{**SOMAXCONN, "value": 70000}])
    machine.put("net.core.somaxconn", "65535")
    machine.kernel().restore()
    assert machine.values() == ORIGINAL


def test_what_the_kernel_makes_of_a_value_is_ours(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Kernel.write
    monkeypatch.setattr(Kernel, "write", lambda kernel, key, value: write(kernel, key, str(int(value) + 1)))
    assert statuses(machine.kernel().tune([SOMAXCONN])) == ["set"]
    monkeypatch.undo()
    assert statuses(machine.kernel().restore()) == ["set"]
    assert machine.values() == ORIGINAL


def test_a_key_that_is_gone_is_told_once(machine: Machine) -> None:
    machine.kernel().tune(ALL)
    machine.path("fs.file-max").unlink()
    found = {report["key"]: report["status"] for report in machine.kernel().restore()}
    assert found["fs.file-max"] == "absent"
    assert machine.kernel().restore() == []


def test_a_container_leaves_what_belongs_to_the_machine(machine: Machine) -> None:
    machine.contained = True
    results = machine.kernel().tune(ALL)
    assert statuses(results) == ["set", "set", "set", "refused", "absent"]
    assert "container" in results[3]["why"]
    assert machine.values()["fs.file-max"] == "400000"


def test_a_full_disk_leaves_value_and_directory_as_they_were(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("plugins.module_utils.c10k_tree.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        machine.kernel().tune(ALL)
    assert machine.values() == ORIGINAL
    assert not machine.place.exists()


def test_another_namespace_of_the_same_number_has_other_originals(machine: Machine) -> None:
    machine.kernel().tune([SOMAXCONN])
    machine.put("net.core.somaxconn", "128")
    machine.name = "cookie 8"
    assert machine.kernel().restore() == []
    machine.kernel().tune([SOMAXCONN])
    machine.kernel().restore()
    assert machine.values()["net.core.somaxconn"] == "128"


def test_this_kernel_names_its_namespace() -> None:
    assert c10k_state.namespace().split()[0] in ("cookie", "inode")


def test_originals_of_another_boot_are_void(machine: Machine) -> None:
    machine.kernel().tune(ALL)
    machine.put("kernel.random.boot_id", "boot-2")
    for key, value in FRESH.items():
        machine.put(str(key), value)
    machine.put("net.core.somaxconn", "5000")
    assert machine.kernel().restore() == []
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
    assert machine.unrestored() == [SOMAXCONN["key"]]
    monkeypatch.undo()
    assert machine.unrestored() == []
    assert machine.values() == ORIGINAL


def test_a_value_that_does_not_take_is_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kernel, "write", lambda *_: None)
    assert statuses(machine.kernel().tune([SOMAXCONN])) == ["refused"]


def test_a_dry_run_touches_nothing(machine: Machine) -> None:
    results = machine.kernel(dry=True).tune(ALL)
    assert statuses(results) == ["set", "set", "set", "set", "absent"]
    assert machine.values() == ORIGINAL
    assert not machine.place.exists()


RESERVED = {"key": "net.ipv4.ip_local_reserved_ports", "value": "", "at_least": True, "scope": "netns"}


@pytest.mark.parametrize(
    ("before", "ports", "after"),
    [
        ("", [9000], "9000"),
        ("", [9000, 9001, 9003], "9000-9001,9003"),
        ("8080,9148-9150", [9000], "8080,9000,9148-9150"),
        ("9002", [9001, 9003], "9001-9003"),
    ],
)
def test_listeners_are_reserved_beside_what_is_and_then_given_back(
    machine: Machine, before: str, ports: list[int], after: str
) -> None:
    machine.put(str(RESERVED["key"]), before)
    (result,) = machine.kernel().tune([RESERVED], ports)
    assert (result["status"], result["before"], result["after"]) == ("set", before, after)
    assert machine.path(str(RESERVED["key"])).read_text() == f"{after}\n"
    assert statuses(machine.kernel("run-2").tune([RESERVED], ports)) == ["set"]
    machine.kernel().restore()
    assert machine.path(str(RESERVED["key"])).read_text() == f"{before}\n"


def test_reserved_by_somebody_else_is_kept(machine: Machine) -> None:
    machine.put(str(RESERVED["key"]), "8990-9010")
    assert statuses(machine.kernel().tune([RESERVED], [9000])) == ["kept"]


def test_a_list_of_ports_is_read_as_it_is_written() -> None:
    assert listed(ports_of("1,3-5,6")) == "1,3-6"
    assert (ports_of(""), listed([])) == (set(), "")


def test_a_range_never_swallows_a_listener(machine: Machine) -> None:
    (refused,) = machine.kernel().tune([PORTS], [20000])
    assert (refused["status"], refused["after"]) == ("refused", "32768 60999")
    assert "20000" in refused["why"]
    machine.put(str(RESERVED["key"]), "")
    reserved, widened = machine.kernel().tune([RESERVED, PORTS], [20000])
    assert (reserved["after"], widened["after"]) == ("20000", "15000 64999")


@pytest.mark.parametrize("profile", sorted(Path("playbooks/profiles").glob("*.yml")), ids=lambda path: path.stem)
def test_listeners_are_reserved_before_the_range_grows(profile: Path) -> None:
    keys = [entry["key"] for entry in yaml.safe_load(profile.read_text())]
    if PORTS["key"] in keys:
        assert keys.index(RESERVED["key"]) < keys.index(PORTS["key"])


def test_a_range_that_would_shrink_is_left(machine: Machine) -> None:
    (result,) = machine.kernel().tune([{**PORTS, "value": "50002 64999"}])
    assert (result["status"], result["after"]) == ("kept", "32768 60999")
