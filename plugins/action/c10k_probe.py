"""Has the module c10k_home describe a host; a host that cannot answer becomes one sentence in `problem`.

Where the inventory gives the host an account of its own, that account tells of itself too, and of that its limits and
its directory count. It also says which options Ansible gives to OpenSSH for the host, from wherever they come, so that
the conductor goes the same way.
"""

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from contracts.visible import one_line
from planner.check import UNREACHED
from planner.facts import ACCOUNT, wrong

QUIET = ("Control", "ServerAlive")
"""Options of ssh that lead nowhere else."""
UNPIPED = (
    "would have root run modules from files that its own user can change: set ansible_pipelining=true (and see that "
    "sudo there does not ask for a terminal)."
)
OF_ACCOUNT = ("nofile_hard", "cgroup", "cpus", "ports_held", "base_writable", "disk_free_bytes", "noexec", "absent")
"""What an account tells of itself: its limits and its directory. All else is said by the SSH user, least of all which
Python that user shall run: the measured server may have changed what its account says."""
NOT_RUN = (126, 127)  # the shell's answers for a program that is not there, or that it cannot run


class ActionModule(ActionBase):
    _VALID_ARGS = frozenset(
        {"account", "address", "home", "interpreters", "limited", "ports", "programs", "scripts", "strict"}
    )

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        if self._task.args.get("limited"):
            raise AnsibleActionFail("A run needs localhost and every host of the inventory: leave --limit away.")
        home, strict = Path(str(self._task.args["home"])), bool(self._task.args.get("strict"))
        given = task_vars or {}
        asked = {name: self._task.args.get(name) or [] for name in ("interpreters", "ports", "programs", "scripts")}
        asked["address"] = str(self._task.args.get("address") or "")
        before = time.time()
        name = str(self._task.args.get("account") or "")
        with self.as_the_ssh_user():
            problem, found = self.look(home, strict, {**asked, "account": name}, given)
        facts, account = found.get("facts", {}), found.get("account")
        user = facts.get("user")
        password = (
            given.get("ansible_become_password") or given.get("ansible_become_pass") or self._play_context.become_pass
        )
        asks = bool(facts and not facts["root"] and password)
        root = bool(facts.get("root") or asks)
        become = root and user != 0
        if (become or name) and not self._connection.is_pipelining_enabled():
            problem = UNPIPED
        if account:
            account |= {"name": name, "user": user, "root": False}
            if not problem and account["reached"] and account["uid"] not in (0, user):
                problem, found = self.look(home, strict, asked, given)
                of_account = found.get("facts", {})
                account["root"] = of_account.get("root", False)
                facts |= {name: of_account[name] for name in OF_ACCOUNT if name in of_account}
                facts["user"] = account["uid"]
        if not problem and self._connection.transport not in ("ssh", "local"):
            problem = f"is reached by {self._connection.transport}; the conductor knows ssh and local only."
        if problem and strict:
            raise AnsibleActionFail(f"{home.name} {problem}")
        return {
            "changed": False, "problem": problem, "facts": {**facts, "root": root} if facts else {}, "become": become,
            "asks": asks,
            "clock_ahead_s": beyond(facts.get("utc_s"), before, time.time()), "account": account,
            "base": str(home.parent), "ssh": self.way() if self._connection.transport == "ssh" else None,
        }  # fmt: skip

    @contextmanager
    def as_the_ssh_user(self) -> Iterator[None]:
        """Whatever `become` of the task says."""
        become, self._connection.become = self._connection.become, None
        try:
            yield
        finally:
            self._connection.become = become

    def way(self) -> dict[str, Any]:
        """The name that ssh is given, and its options in the order in which Ansible gives them: the first counts."""
        option = self._connection.get_option
        words = shlex.split(option("ssh_args") or "")
        if option("port") is not None:
            words += ["-o", f"Port={option('port')}"]
        if key := option("private_key_file"):
            words += ["-o", f'IdentityFile="{Path(key).expanduser()}"']
        if user := option("remote_user"):
            words += ["-o", f'User="{user}"']
        words += ["-o", f"ConnectTimeout={option('timeout')}"]
        for name in ("ssh_common_args", "ssh_extra_args"):
            words += shlex.split(option(name) or "")
        return {"name": str(self._connection.host), "args": without(QUIET, words)}

    def hindrance(self) -> str | None:
        """What keeps the conductor from the host; None where nothing does. With ControlPersist, which Ansible uses,
        OpenSSH throws away what the ssh of a gateway says, and what is left names neither the gateway nor the cause."""
        if self._connection.transport != "ssh":
            return None
        from conductor.errors import RunRefused  # only here: its packages take half a second to load
        from conductor.ssh import close, enter

        way = self.way()
        try:
            close(enter(way["name"], way["args"]))
        except RunRefused as refusal:
            return one_line(refusal)
        return None

    def look(
        self, home: Path, strict: bool, asked: dict[str, Any], task_vars: dict[str, Any]
    ) -> tuple[str | None, dict[str, Any]]:
        """What is wrong with the host, or what it says of itself: `facts`, and `account` where one was asked for."""
        arguments = {"home": str(home), "state": "described", **asked}
        try:
            result = self._execute_module("c10k_home", arguments, task_vars=task_vars)
        except AnsibleConnectionFailure as error:
            why = self.hindrance() or f"{one_line(error.message).rstrip('.')}."
            if strict:
                raise AnsibleConnectionFailure(f"{home.name}{UNREACHED}{why}") from None
            return f"{UNREACHED.lstrip()}{why}", {}
        except AnsibleError as error:
            return f"cannot be looked at: {one_line(error.message)}", {}
        if "facts" in result:
            if what := wrong(result["facts"]):
                return f"cannot be looked at: what it says of its {what} makes no sense.", {}
            if asked.get("account") and not ACCOUNT(result.get("account")):
                return f"cannot be looked at: it does not say whether it has the account {asked['account']}.", {}
            return None, {"facts": result["facts"], "account": result.get("account")}
        if result.get("rc") in NOT_RUN:
            python = str(self._used_interpreter or "/usr/bin/python3").removeprefix("#!")
            return f"has no Python at {python}: install python3 there, or name it as ansible_python_interpreter.", {}
        said = " ".join(f"{result.get(key, '')}" for key in ("msg", "module_stderr", "module_stdout"))
        return f"cannot be looked at: {one_line(said)}", {}


def beyond(there_s: float | None, before_s: float, after_s: float) -> float:
    """How many seconds a clock that was read between two moments is ahead of them; negative: behind."""
    if there_s is None or before_s <= there_s <= after_s:
        return 0.0
    return there_s - (after_s if there_s > after_s else before_s)


def without(options: tuple[str, ...], words: list[str]) -> list[str]:
    found, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if word == "-o" and rest and rest[0].startswith(options):
            rest.pop(0)
        elif not (word.startswith("-o") and word[2:].startswith(options)):
            found.append(word)
    return found
