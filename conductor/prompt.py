"""What people ask of the hosts at a prompt: `fab status` and `fab logs`. fabfile.py has the tasks."""

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from conductor import doctor
from conductor.errors import RunRefused
from conductor.inbox import Inbox, Line, StreamEnd, Tag, Task, in_background
from conductor.output import complain, say
from conductor.plan import Host, Plan, load_plan
from conductor.run import REFUSED, open_all, session_of
from conductor.sessions import Channel, Session, as_account
from contracts.visible import one_line
from plugins.module_utils.c10k_tree import open_plain

NOTHING = "–"
LOGS = {"server": "server.log", "client": "loadgen.log"}
TAIL_LINES, TAIL_BYTES = 20, 1 << 16
ANSWER_S = 15.0
READER = """
import json, os, stat, sys
try:
    place = os.open(sys.argv[1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    status, most = os.fstat(place), int(sys.argv[2])
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "it is no plain file")
    os.lseek(place, max(0, status.st_size - most), os.SEEK_SET)
    said = {"log": os.read(place, most).decode(errors="replace")}
except OSError as error:
    said = {"problem": error.strerror}
print(json.dumps(said), flush=True)
"""
"""Runs on a host (Python 3.8), as whoever owns the log. The measured server may have put a link or a pipe there."""


def status(arguments: Sequence[str]) -> int:
    """A table of what is there on each host; `arguments` go to ansible-playbook. Returns the exit status."""
    try:
        found = doctor.asked(arguments)
    except RunRefused as refusal:
        complain(str(refusal))
        return REFUSED
    rows = [("host", "agent of run", "locked by run", "tuned by run", "logs not collected")]
    rows += [(name, *there(facts)) for name, facts in found["there"].items()]
    for line in doctor.lines(rows):
        say(line)
    unseen = [check["sentence"] for check in found["checks"] if found["there"].get(check["host"], {}) is None]
    for sentence in filter(None, unseen):
        complain(sentence)
    return REFUSED if None in found["there"].values() else 0


def there(facts: Mapping[str, Any] | None) -> tuple[str, str, str, str]:
    """Of one host, a word for each column."""
    if facts is None:
        return ("?",) * 4
    ids = facts["uncollected"]
    more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
    return (
        named(facts["agent"]), named(facts["locked_by"]), ", ".join(map(one_line, facts["tuned_by"])) or NOTHING,
        f"{ids[-1]}{more}" if ids else NOTHING,
    )  # fmt: skip


def named(what: Mapping[str, Any] | None) -> str:
    """The run of an agent or a lock."""
    return NOTHING if what is None else what["run"] or "unknown"


def logs(run: Path, n: int, name: str | None) -> int:
    """The ends of the logs of trial `n`, of all hosts or of one. Those that were not fetched yet are read on the hosts,
    which are reached as the plan says. Returns the exit status."""
    try:
        plan = load_plan(run / "plan.yml")
        hosts = [host for host in plan.hosts if name in (None, host.name)]
        if not hosts:
            raise RunRefused(f"{run.name} has no host {name}; it has {', '.join(host.name for host in plan.hosts)}.")
        places = {host.name: run / "hosts" / host.name / f"{n:03d}" / LOGS[host.role] for host in hosts}
        afar = [host for host in hosts if not os.path.lexists(places[host.name])]
        found = {host.name: end_of(places[host.name]) for host in hosts if host not in afar}
        found |= answers(plan, afar, n) if afar else {}
    except RunRefused as refusal:
        complain(str(refusal))
        return REFUSED
    for host in hosts:
        where = "on the host" if host in afar else "fetched"
        say(f"== {host.name} · {LOGS[host.role]} of trial {n}, {where}")
        for line in str(found[host.name].get("log", "")).splitlines()[-TAIL_LINES:]:
            say(line)
    missing = {name: answer["problem"] for name, answer in found.items() if "log" not in answer}
    for name, why in missing.items():
        complain(f"{name}: its log of trial {n} cannot be read ({one_line(why)}).")
    return REFUSED if missing else 0


def end_of(place: Path) -> dict[str, Any]:
    """Of a fetched log, what the READER would say."""
    try:
        with open_plain(place) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            return {"log": file.read(TAIL_BYTES).decode(errors="replace")}
    except OSError as error:
        return {"problem": error.strerror}


def answers(plan: Plan, hosts: Sequence[Host], n: int) -> dict[str, dict[str, Any]]:
    """What the READER says on each host: `log` or `problem`. Raises RunRefused where a host is not reached."""
    inbox: Inbox = SimpleQueue()
    sessions = {host.name: session_of(host, frozenset(os.sched_getaffinity(0))) for host in hosts}
    found: dict[str, dict[str, Any]] = {}
    try:
        open_all(list(sessions.values()), inbox)
        for host in hosts:
            in_background(inbox, host.name, partial(ask, sessions[host.name], plan, n, inbox))
        deadline = time.monotonic() + ANSWER_S
        while len(found) < len(hosts):
            match inbox.get(timeout=max(0.0, deadline - time.monotonic())):
                case Task(error=Exception() as error) as task:
                    found.setdefault(task.host, {"problem": str(error)})
                case Line(stream="stdout") as line if (answer := parsed(line.text)) is not None:
                    found.setdefault(line.tag.host, answer)
                case StreamEnd(stream="stdout") as end:
                    found.setdefault(end.tag.host, {"problem": "its Python says nothing"})
    except Empty:
        pass
    finally:
        for session in sessions.values():
            with contextlib.suppress(OSError):
                session.close()
    return {host.name: found.get(host.name, {"problem": f"no answer within {ANSWER_S:.0f} s"}) for host in hosts}


def ask(session: Session, plan: Plan, n: int, inbox: Inbox) -> Channel:
    host = session.host
    path = f"{plan.trial_dir(host, n)}/{LOGS[host.role]}"
    argv, cwd = as_account(host.account, [host.python, "-c", READER, path, str(TAIL_BYTES)], "/")
    return session.start(argv, cwd, inbox, Tag(host.name, n))


def parsed(text: str) -> dict[str, Any] | None:
    """What the reader says; a shell's greeting is nothing."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_answer = isinstance(answer, dict) and any(isinstance(answer.get(key), str) for key in ("log", "problem"))
    return answer if is_answer else None
