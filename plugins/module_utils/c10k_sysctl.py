"""Kernel values: saved before they are changed, read back after, and put back. Runs on the hosts (Python 3.8).

Every path hangs off a root, so that the tests can bring a /proc/sys of their own.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .c10k_tree import read_plain, sync_directory, write_whole

RANGE = "net.ipv4.ip_local_port_range"
OWNERS = (0, os.geteuid())
"""Whose saved originals are believed: root's, and in a test one's own."""


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
    have, want = numbers(present), numbers(asked)
    if not have or not want or len(have) != len(want):
        return False
    if key == RANGE:  # never made narrower, as by a listener's port that is spared
        return have[1] - have[0] >= want[1] - want[0] + (not at_least)
    return at_least and all(have[i] >= want[i] for i in range(len(want)))


def spare(asked: str, ports: Iterable[int]) -> str:
    """A port range that begins above every listener it would have swallowed, ends of opposite parity kept."""
    low, high = numbers(asked) or [0, 0]
    inside = [port for port in ports if low <= port <= high]
    if not inside:
        return asked
    start = max(inside) + 1
    return f"{start + (start - low) % 2} {high}"


class Kernel:
    def __init__(self, base: str, run: str = "", proc: str = "/proc", dry: bool = False) -> None:
        self.proc = Path(proc)
        self.state = Path(base) / "kernel"
        self.run = run
        self.dry = dry
        """Say what would be done, and do nothing."""
        self.written: list[str] = []
        self.boot = (self.proc / "sys/kernel/random/boot_id").read_text().strip()
        self.netns = (self.proc / "self/ns/net").stat().st_ino
        self.files = {"netns": self.state / f"netns-{self.netns}.json", "global": self.state / "global.json"}

    # What is known of each kernel ------------------------------------------------------------------------------------

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

    def saved(self, scope: str) -> dict[str, Any]:
        """The originals saved in this boot; those of another boot are void, and what an ordinary account wrote is."""
        try:
            text, owner = read_plain(self.files[scope])
            state = json.loads(text)
        except (OSError, ValueError):
            return {}
        same_boot = owner in OWNERS and isinstance(state, dict) and state.get("boot_id") == self.boot
        return state if same_boot and isinstance(state.get("originals"), dict) else {}

    def save(self, scope: str, originals: dict[str, str]) -> None:
        """On the disk, whole, before this returns."""
        run = self.saved(scope).get("run") or self.run
        state = {"version": 1, "boot_id": self.boot, "scope": scope, "run": run, "originals": originals}
        write_whole(self.files[scope], json.dumps(state, indent=1, sort_keys=True))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One host at a time of those that share this kernel."""
        if self.dry:
            yield
            return
        self.state.mkdir(mode=0o755, parents=True, exist_ok=True)
        there = self.state.lstat()
        if not stat.S_ISDIR(there.st_mode) or there.st_uid not in OWNERS:
            raise PermissionError(errno.EPERM, "root did not make this directory", str(self.state))
        with open(str(self.state / "lock"), "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # What is done to it ----------------------------------------------------------------------------------------------

    def tune(self, entries: list[dict[str, Any]], ports: Iterable[int] = ()) -> list[dict[str, Any]]:
        """Ask for each entry; the result has the value before, the value after, and a status for each."""
        with self.alone():
            results = []
            for entry in entries:
                asked = words(entry["value"])
                if entry["key"] == RANGE:
                    asked = spare(asked, ports)
                results.append(self.tune_one(entry["key"], entry["scope"], asked, bool(entry.get("at_least"))))
            return results

    def tune_one(self, key: str, scope: str, asked: str, at_least: bool) -> dict[str, Any]:
        present = self.read(key)
        originals = dict(self.saved(scope).get("originals", {}))
        result = {"key": key, "scope": scope, "before": originals.get(key, present), "asked": asked, "after": present}
        if present is None:
            return {**result, "status": "absent"}
        if suffices(key, present, asked, at_least):
            # What another of our runs, or another host on this kernel, has already set counts as set.
            return {**result, "status": "set" if key in originals and originals[key] != present else "kept"}
        if self.dry:
            return {**result, "after": asked, "status": "set"}
        if key not in originals:
            self.save(scope, {**originals, key: present})
        refusal = self.write(key, asked)
        after = self.read(key)
        result["after"] = after
        if after is not None and suffices(key, after, asked, at_least):
            return {**result, "status": "set"}
        return {**result, "status": refusal or "refused"}

    def restore(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Put back all that is saved, prove it, and forget it; what cannot be put back (the second list) stays."""
        restored: list[dict[str, Any]] = []
        unrestored: list[dict[str, Any]] = []
        if any(path.exists() for path in self.files.values()):
            with self.alone():
                for scope in self.files:
                    self.restore_scope(scope, restored, unrestored)
        return restored, unrestored

    def restore_scope(self, scope: str, restored: list[dict[str, Any]], unrestored: list[dict[str, Any]]) -> None:
        left = {}
        for key, original in self.saved(scope).get("originals", {}).items():
            before, refusal = self.read(key), None
            if before != original and not self.dry:
                refusal = self.write(key, original)
            after = original if self.dry else self.read(key)
            report = {"key": key, "scope": scope, "before": before, "asked": original, "after": after}
            if after == original:
                restored.append({**report, "status": "kept" if before == original else "set"})
            else:
                left[key] = original
                unrestored.append({**report, "status": "absent" if after is None else refusal or "refused"})
        if self.dry:
            return
        if left:
            self.save(scope, left)
        elif self.files[scope].exists():
            self.files[scope].unlink()
            sync_directory(self.state)
