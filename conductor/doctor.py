"""What a run would say of every host, as a table, at any time. It asks the gate through playbooks/ping.yml, which looks
at the hosts and changes nothing, and tries an echo from each client; it takes no lock."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from conductor import echo, hold
from conductor.errors import RunRefused
from conductor.inbox import Inbox
from conductor.output import complain, say
from conductor.run import INTERRUPTED, REFUSED, open_all, session_of

ROOT = Path(__file__).parents[1]
FIT = 0
COLUMNS = ("host", "checked", "need", "have", "verdict")


def doctor(arguments: Sequence[str]) -> int:
    """`arguments` go to ansible-playbook: -i, -e and what else reaches the hosts. Returns the exit status."""
    try:
        found = asked(arguments)
        checks = found["checks"]
        if found["hosts"]:
            checks += echoes(found)
    except RunRefused as refusal:
        complain(str(refusal))
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    show(checks)
    return REFUSED if any(check["verdict"] == "refused" for check in checks) else FIT


def asked(arguments: Sequence[str]) -> dict[str, Any]:
    """What ping.yml writes: checks, what is there, hosts, ports. RunRefused in Ansible's own words where it cannot."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "found.json"
        ansible = Path(sys.executable).with_name("ansible-playbook")
        ended = subprocess.run(
            [ansible, "playbooks/ping.yml", *arguments], cwd=ROOT,
            env={**os.environ, "C10K_DOCTOR": str(place), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
        )  # fmt: skip
        if not place.is_file():
            raise RunRefused(last_error(ended.stdout))
        found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        return found


def last_error(output: str) -> str:
    """One sentence of what Ansible says where it came to no end, without its own frame."""
    if found := re.search(r"Unable to parse (.+) as an inventory source", output):
        return f"{found[1]} is no inventory that Ansible can read: `ansible-inventory -i {found[1]} --list` says why."
    if found := re.search(
        r"^(?:\[ERROR\]|ERROR!|ansible-playbook: error): ?(?:Task failed: )?(.+)", output, re.MULTILINE
    ):
        return found[1]
    return "Ansible ended without a word: try `ansible-playbook playbooks/look.yml` with the same options."


def echoes(found: Mapping[str, Any]) -> list[dict[str, str]]:
    """A check for each client: does an echo come back? `found` is what hold.parse() reads."""
    inbox: Inbox = SimpleQueue()
    held, ports = hold.parse(found)
    hosts = [one.host for one in held]
    sessions = {host.name: session_of(host, frozenset(os.sched_getaffinity(0))) for host in hosts}
    try:
        open_all(list(sessions.values()), inbox)
        failed = echo.failures(sessions, hosts, ports)
    except RunRefused as refusal:
        return [row(hosts[0].name, "conductor", "a session to each", "no", str(refusal))]
    finally:
        for session in sessions.values():
            with contextlib.suppress(OSError):
                session.close()
    server = next(host for host in hosts if host.role == "server")
    to = f"from {echo.show(server.load_address, ports[0])}"
    if server.name in failed:
        return [row(server.name, "echo", "a listener", "none", failed[server.name])]
    clients = [host.name for host in hosts if host is not server]
    return [row(name, "echo", to, "none" if name in failed else "came", failed.get(name, "")) for name in clients]


def row(host: str, what: str, need: str, have: str, sentence: str) -> dict[str, str]:
    verdict = "refused" if sentence else "fits"
    return {"host": host, "what": what, "need": need, "have": have, "verdict": verdict, "sentence": sentence}


def show(checks: Sequence[Mapping[str, str]]) -> None:
    """The table, host by host; below it a sentence for each check that is not met, and one for all."""
    names = list(dict.fromkeys(check["host"] for check in checks))
    rows = [COLUMNS]
    for name in names:
        of_host = [check for check in checks if check["host"] == name]
        for n, check in enumerate(of_host):
            shown = "" if n else name
            rows.append((shown, check["what"], check["need"], check["have"], check["verdict"]))
    for line in lines(rows):
        say(line)
    for check in checks:
        if check["sentence"]:
            say(f"{check['verdict']}: {check['sentence']}")
    say(conclusion(checks))


def conclusion(checks: Sequence[Mapping[str, str]]) -> str:
    refused = sum(check["verdict"] == "refused" for check in checks)
    if refused:
        return f"A run would be refused, for {refused} reason{'s' if refused > 1 else ''}."
    return f"All {len({check['host'] for check in checks})} hosts fit: a run would work."


def lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest word, two blanks between."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]
