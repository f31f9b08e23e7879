"""What a host says of itself is data: each fact is of its kind, or the host is told to be none that we know. Pure.

Facts stand in paths, in commands that a person is told to type, and in sums, so they are judged once, where they come.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from plugins.module_utils.c10k_host import RUN_ID

Judge = Callable[[Any], bool]
MOST_TEXT, MOST_ITEMS, MOST_NUMBER = 4096, 65_536, 1 << 63


def whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < MOST_NUMBER


def truth(value: Any) -> bool:
    return isinstance(value, bool)


def seconds(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1e12


def text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MOST_TEXT and value.isprintable()


def like(pattern: str) -> Judge:
    return lambda value: text(value) and re.fullmatch(pattern, value) is not None


def maybe(judge: Judge) -> Judge:
    return lambda value: value is None or judge(value)


def each(judge: Judge, most: int = MOST_ITEMS) -> Judge:
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(judge, value))


def pair(judge: Judge) -> Judge:
    return lambda value: each(judge, 2)(value) and len(value) == 2


def of(**judges: Judge) -> Judge:
    return lambda value: isinstance(value, dict) and all(judge(value.get(name, ...)) for name, judge in judges.items())


def libc(value: Any) -> bool:
    """Name and version, each perhaps empty; that of glibc is counted with."""
    named = pair(like(r"[\w.]{0,32}"))(value)
    return named and (value[0] != "glibc" or re.fullmatch(r"\d{1,2}\.\d{1,3}(\.\d+)?", value[1]) is not None)


def by_name(judge: Judge) -> Judge:
    return lambda value: isinstance(value, dict) and all(text(name) and judge(one) for name, one in value.items())


PYTHON = like(r"\d{1,2}\.\d{1,3}(\.[\w.+-]+)?")
RUN = like(RUN_ID.pattern)
INTERPRETER = of(
    executable=like("/.*"), python=PYTHON, implementation=like(r"\w+"), build=text, free_threaded=truth, gil=truth,
    libc=libc,
)  # fmt: skip
FACTS: Mapping[str, Judge] = {
    "python": PYTHON, "interpreters": by_name(maybe(INTERPRETER)), "executable": like("/.*"),
    "implementation": like(r"\w+"), "free_threaded": truth,
    "boot_id": like("[0-9a-f-]{1,64}"), "netns": whole, "arch": like(r"\w{1,32}"), "cpus": each(whole),
    "libc": libc, "cpu_model": maybe(text), "virtualisation": maybe(text), "governor": maybe(text),
    "clocksource": maybe(text), "memory_bytes": whole, "memory_available_bytes": whole, "disk_free_bytes": whole,
    "noexec": truth, "conntrack": maybe(of(max=whole, count=whole)),
    "cgroup": of(memory_bytes=maybe(whole), pids=maybe(whole)), "address_problem": maybe(text),
    "login_address": maybe(text),
    "ports_held": each(of(port=whole, why=text)), "utc_s": seconds, "nofile_hard": whole, "port_range": pair(whole),
    "reserved_ports": like("[0-9, -]*"), "somaxconn": whole, "syn_backlog": whole, "syncookies": whole,
    "file_max": whole, "kernel": text,
    "kernel_release": text, "io_uring_disabled": maybe(text), "hostname": text, "user": whole, "root": truth,
    "base_writable": truth, "obstacle": maybe(text), "agent": maybe(of(run=maybe(RUN))),
    "uncollected": each(RUN), "tuned_by": each(text), "lockable": truth, "absent": each(text),
    "locked_by": maybe(of(pid=maybe(whole), run=maybe(RUN))),
}  # fmt: skip
"""By the names that c10k_host.facts() gives them."""
ACCOUNT = of(uid=maybe(whole), reached=truth)
"""What the SSH user says of an account of the inventory."""


def wrong(facts: Any) -> str | None:
    """The name of the first fact that is missing or not of its kind; None: all are."""
    known = facts if isinstance(facts, dict) else {}
    return next((name for name, judge in FACTS.items() if not judge(known.get(name, ...))), None)
