"""What a server_command names on the server host: a program, and the script that an interpreter shall read. Pure."""

import re
import shlex
from collections.abc import Iterator

from planner.cells import Request
from planner.check import Check, Facts, Host, judged

INTERPRETER = re.compile(r"(.*/)?(python|pypy|node|ruby|perl|php|bash|dash|sh)[\d.]*")


def words(request: Request) -> dict[str, list[str]]:
    """`programs`, the first word of each command, and `scripts`, the second where the first is an interpreter."""
    every = [shlex.split(cell["server_command"]) for cell in request.cells if cell["server_command"]]
    found = {
        "programs": [command[0] for command in every],
        "scripts": [
            command[1] for command in every
            if INTERPRETER.fullmatch(command[0]) and not command[1].startswith("-") and "{" not in command[1]
        ],
    }  # fmt: skip
    return {name: list(dict.fromkeys(listed)) for name, listed in found.items()}


def there(request: Request, host: Host, facts: Facts) -> Iterator[Check]:
    """One check of the server host, where the run has a command."""
    asked = words(request)
    if not asked["programs"]:
        return
    who = (host["probe"].get("account") or {"name": "its user"})["name"]
    named = ", ".join(asked["programs"] + asked["scripts"])
    lacking = next(iter(facts["absent"]), None)
    use = "run" if lacking in asked["programs"] else "read"
    bad = f" has no {lacking} that {who} may {use}: put it there, and name it in server_command by its whole path."
    yield judged(host, "server_command", named, "not there" if lacking else "there", bad if lacking else "")
