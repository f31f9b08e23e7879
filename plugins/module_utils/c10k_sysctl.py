"""Kernel values: saved before they are changed, read back after, and put back. Runs on the hosts (Python 3.8).

Every path hangs off a root, so that the tests can bring a /proc/sys and a /run/c10k of their own.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .c10k_state import PLACE, SCOPES, Distrusted, State, in_container, namespace

RANGE = "net.ipv4.ip_local_port_range"
RESERVED = "net.ipv4.ip_local_reserved_ports"
KEYS = {
    "net.core.somaxconn": "netns",
    "net.ipv4.tcp_max_syn_backlog": "netns",
    RANGE: "netns",
    RESERVED: "netns",
    "net.ipv4.tcp_tw_reuse": "netns",
    "net.ipv4.tcp_max_tw_buckets": "netns",
    "net.ipv4.tcp_migrate_req": "netns",
    "net.netfilter.nf_conntrack_max": "global",
    "net.core.netdev_max_backlog": "global",
    "net.ipv4.tcp_mem": "global",
    "fs.file-max": "global",
    "fs.nr_open": "global",
    "fs.epoll.max_user_watches": "global",
}
"""Every key that a profile ever had, with its scope; no other is written, whoever asks."""
UNRESTORED = ("read_only", "refused")
"""After these a value is still tuned."""
NOT_OURS = "a container does not write what belongs to the whole machine"


def words(value: Any) -> str:
    """A value as the kernel compares it: tabs and runs of blanks count as one blank."""
    return " ".join(str(value).split())


def numbers(value: str) -> list[int] | None:
    try:
        return [int(word) for word in value.split()]
    except ValueError:
        return None


def suffices(key: str, present: str, asked: str, at_least: bool) -> bool:
    """Is the present value as good as the one that is asked for?"""
    if present == asked:
        return True
    if key == RESERVED:
        return ports_of(asked) <= ports_of(present)
    have, want = numbers(present), numbers(asked)
    if not have or not want or len(have) != len(want):
        return False
    if key == RANGE:  # never made narrower
        return have[1] - have[0] >= want[1] - want[0] + (not at_least)
    return at_least and all(have[i] >= want[i] for i in range(len(want)))


def ports_of(text: str) -> set[int]:
    """The ports of a list such as 9000,9100-9103."""
    found: set[int] = set()
    for part in filter(None, text.replace(" ", "").split(",")):
        low, _, high = part.partition("-")
        found.update(range(int(low), int(high or low) + 1))
    return found


def listed(numbers: Iterable[int]) -> str:
    """Ports, or CPUs, as the kernel lists them: [0, 1, 2, 6] as 0-2,6."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


class Kernel:
    def __init__(
        self, run: str = "", dry: bool = False, *, proc: str = "/proc", place: str = PLACE,
        name: str | None = None, contained: bool | None = None,
    ) -> None:  # fmt: skip
        """`dry`: say what would be done, and do nothing. The rest is for tests: where /proc and /run/c10k are, what the
        namespace is called, and whether this is a container."""
        self.proc = Path(proc)
        self.run, self.dry = run, dry
        self.contained = in_container() if contained is None else contained
        self.written: list[str] = []
        boot = (self.proc / "sys/kernel/random/boot_id").read_text().strip()
        inode = (self.proc / "self/ns/net").stat().st_ino
        self.state = State(place, boot, inode, name or namespace())

    def path(self, key: str) -> Path:
        return self.proc / "sys" / key.replace(".", "/")

    def read(self, key: str) -> str | None:
        try:
            return words(self.path(key).read_text())
        except OSError:
            return None

    def write(self, key: str, value: str) -> str | None:
        """Write a value; returns None, or the status that says why the kernel refused."""
        try:
            with open(str(self.path(key)), "w") as file:
                file.write(value + "\n")
        except OSError as error:
            return "read_only" if error.errno in (errno.EROFS, errno.EACCES) else "refused"
        self.written.append(key)
        return None

    # Tuning ----------------------------------------------------------------------------------------------------------

    def tune(self, entries: list[dict[str, Any]], ports: Iterable[int] = ()) -> list[dict[str, Any]]:
        """Ask for each entry; the result has the value before, the value after, and a status for each."""
        foreign = [str(entry["key"]) for entry in entries if KEYS.get(entry["key"]) is None]
        if foreign:
            raise Distrusted(f"{foreign[0]} is not a key of any profile, so it is not written.")
        with self.state.held(make=not self.dry) as there:
            saved = {scope: self.state.load(scope) if there else {} for scope in SCOPES}
            return [self.tune_one(entry, ports, saved[KEYS[entry["key"]]]) for entry in entries]

    def tune_one(self, entry: Mapping[str, Any], ports: Iterable[int], saved: dict[str, Any]) -> dict[str, Any]:
        """`saved`: what State.load gave for the key's scope; it grows by what is saved here."""
        key, at_least = entry["key"], bool(entry.get("at_least"))
        asked, scope, present = words(entry["value"]), KEYS[key], self.read(key)
        if key == RESERVED and present is not None:  # besides what somebody else has reserved
            asked = listed(ports_of(present) | ports_of(asked) | set(ports))
        own = saved.get("originals", {}).get(key)
        before = own["original"] if own else present
        result = {"key": key, "scope": scope, "before": before, "asked": asked, "after": present}
        if present is None:
            missed = {"status": "refused", "why": "this kernel does not have it"}
            return {**result, **(missed if entry.get("needed") else {"status": "absent"})}
        if suffices(key, present, asked, at_least):
            # What another of our runs, or another host on this kernel, has already set counts as set.
            return {**result, "status": "set" if own and before != present else "kept"}
        if key == RANGE and not self.dry and (open_ := self.swallowed(asked, ports)):
            return {**result, "status": "refused", "why": f"a connection could take the listener's port {open_[0]}"}
        if scope == "global" and self.contained:
            return {**result, "status": "refused", "why": NOT_OURS}
        if self.dry:
            return {**result, "after": asked, "status": "set"}
        own = own or {"original": present, "asked": []}
        self.save(scope, saved, key, {**own, "asked": [*own["asked"], asked]})
        refusal = self.write(key, asked)
        after = self.read(key)
        result["after"] = after
        if after is not None and suffices(key, after, asked, at_least):
            if after != asked:  # the kernel made another value of it, and that is ours too
                self.save(scope, saved, key, {**own, "asked": [*own["asked"], asked, after]})
            return {**result, "status": "set"}
        return {**result, "status": refusal or "refused"}

    def swallowed(self, asked: str, ports: Iterable[int]) -> list[int]:
        """The listeners' ports inside a range of ports that nobody has reserved."""
        low, high = numbers(asked) or [0, 0]
        return sorted(port for port in set(ports) - ports_of(self.read(RESERVED) or "") if low <= port <= high)

    def save(self, scope: str, saved: dict[str, Any], key: str, own: Mapping[str, Any]) -> None:
        saved.setdefault("run", self.run)
        saved.setdefault("originals", {})[key] = own
        self.state.save(scope, saved["run"], saved["originals"])

    # Putting back ----------------------------------------------------------------------------------------------------

    def restore(self) -> list[dict[str, Any]]:
        """Put back all that is saved, and prove it. Status of each: `set` and `kept` as it was; `changed` by somebody
        meanwhile, so it stays as he left it; `absent`, gone with its module. All these are forgotten. `read_only` and
        `refused`: it could not be put back, and stays saved."""
        reports: list[dict[str, Any]] = []
        with self.state.held(make=False) as there:
            for scope in SCOPES if there else ():
                reports += self.restore_scope(scope)
        return reports

    def restore_scope(self, scope: str) -> list[dict[str, Any]]:
        saved = self.state.load(scope)
        originals = saved.get("originals", {})
        foreign = [key for key in originals if KEYS.get(key) != scope]
        if foreign:
            raise Distrusted(f"{self.state.files[scope]} names {foreign[0]}, which no run of ours tunes: remove it.")
        reports = [self.restore_one(key, scope, own) for key, own in originals.items()]
        left = {report["key"]: originals[report["key"]] for report in reports if report["status"] in UNRESTORED}
        if not self.dry:
            self.state.save(scope, saved.get("run", ""), left)
        return reports

    def restore_one(self, key: str, scope: str, own: Mapping[str, Any]) -> dict[str, Any]:
        original, before = own["original"], self.read(key)
        report = {"key": key, "scope": scope, "before": before, "asked": original, "after": before}
        if before == original:
            return {**report, "status": "kept"}
        if before is None:
            return {**report, "status": "absent"}
        if before not in own["asked"]:
            return {**report, "status": "changed"}
        refusal = None if self.dry else self.write(key, original)
        report["after"] = original if self.dry else self.read(key)
        return {**report, "status": "set" if report["after"] == original else refusal or "refused"}
