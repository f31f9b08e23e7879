"""First task of every run: the command line becomes typed parameters, or is refused before any host is touched."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

OTHERS = [
    "run",
    "purge",
    "c10k_base",
    "c10k_load_address",
    "c10k_sources",
    "c10k_weight",
    "c10k_ssh_config",
    "c10k_known_hosts",
]
NO_VENV = (
    "This Ansible does not have the benchmark's packages: use the one of the checkout, `. .venv/bin/activate`"
    " (script/bootstrap makes it)."
)


class ActionModule(ActionBase):
    _requires_connection = False
    _VALID_ARGS: frozenset[str] = frozenset()

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        try:
            from planner import admission, cells, results
            from planner.parameters import Refused
            from server import catalog
        except ImportError as error:
            raise AnsibleActionFail(NO_VENV) from error
        variables = task_vars or {}
        root = results.ROOT
        given = {name: variables.get(name, value) for name, value in load_extra_vars(self._loader).items()}
        given = json.loads(json.dumps(self._templar.template(given)))
        inventoried = set(variables) - set(given)
        try:
            server, clients = admission.check_groups(variables["groups"])
            profiles = sorted(path.stem for path in (root / "roles/kernel_tuning/files/profiles").glob("*.yml"))
            others = [*OTHERS, *(name for name in inventoried if name.startswith("c10k_"))]
            request = cells.resolve(given, catalog.load(), profiles, others)
        except Refused as refused:
            raise AnsibleActionFail(" ".join(refused.problems)) from None
        profile = yaml.safe_load(
            (root / f"roles/kernel_tuning/files/profiles/{request.run_wide['profile']}.yml").read_text(encoding="utf-8")
        )
        seed = request.run_wide["seed"]
        started = results.utc_now()
        return {
            "changed": False,
            "run": f"{started.replace('-', '').replace(':', '')}-{secrets.token_hex(3)}",
            "seed": secrets.randbelow(2**32) if seed is None else seed,
            "started_utc": started,
            "request": asdict(request),
            "profile": profile,
            "server": server,
            "clients": clients,
        }
