"""Last task: the summary and the report, and the manifest completed. A run that did not go well fails the playbook."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from planner import analyse, conduct, results
from planner.parameters import Refused
from plugins.action.c10k_admit import plain


class ActionModule(ActionBase):
    _requires_connection = False
    _VALID_ARGS = frozenset({"run", "measured", "admitted", "keep_tuned", "summary"})

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        if self._task.check_mode:
            return {"changed": False, "msg": "Would write the summary and the report."}
        measured = plain(self._task.args.get("measured"))
        if measured:
            return self.finish(measured, (task_vars or {})["hostvars"])
        try:
            run = results.find(self._task.args.get("run"))
        except Refused as refused:
            raise AnsibleActionFail(" ".join(refused.problems)) from None
        wanted = self._task.args.get("summary", True)
        complaint = self.show(analyse.summary, run) if wanted else None
        if complaint:
            raise AnsibleActionFail(complaint)
        self.bring_up_to_date(run)
        complaint = self.show(analyse.report, run) if wanted else None
        if complaint:
            raise AnsibleActionFail(complaint)
        return {"changed": True, "run": run.name}

    @staticmethod
    def bring_up_to_date(run: Path) -> None:
        """The files of an old run, and how it ended where it could not say so itself."""
        manifest = results.read_manifest(run)
        if not manifest or results.goes_on(run):
            return
        if manifest["status"] == "running":
            manifest = results.end(manifest, run, 130, None)
        results.write_manifest(run, {**manifest, "files": results.file_hashes(run)})

    def finish(self, measured: dict[str, Any], hostvars: Any) -> dict[str, Any]:
        """The end of a whole run."""
        restored = self.restored(hostvars)
        not_restored = [name for name, state in restored.items() if state is False]
        not_collected = self.not_collected(hostvars)
        code = results.final_exit(measured["exit"], not_collected, not_restored)
        reasons = []
        if not_collected:
            reasons.append(f"The logs of {', '.join(not_collected)} are not here; playbooks/collect.yml fetches them.")
        if not_restored:
            reasons.append(f"The kernel of {', '.join(not_restored)} was not put back; run playbooks/restore.yml.")
        if measured["run"] is None:
            raise AnsibleActionFail(" ".join([measured["complaint"], *reasons]))
        run = results.RESULTS / measured["run"]
        complaint = self.show(analyse.summary, run)
        manifest = results.read_manifest(run) or {}
        for name, entry in manifest.get("tuning", {}).items():
            entry["restored"] = restored.get(name)
        overhead = {
            "playbook_s": round(max(0.0, conduct.elapsed_s(os.getppid()) - measured["trials_s"]), 3),
            "trials_s": measured["trials_s"],
            "per_trial_s": results.per_trial_overhead(run),
        }
        results.write_manifest(run, results.end(manifest, run, code, overhead))
        # The report tells how the run ended, so it comes after the manifest.
        complaint = " ".join(filter(None, [complaint, self.show(analyse.report, run)]))
        if code != 0:
            reasons = [*(self.spoiled(run) or [measured["complaint"]]), *reasons, complaint]
            raise AnsibleActionFail(" ".join([f"The run {run.name} ended with exit {code}.", *filter(None, reasons)]))
        if complaint:
            raise AnsibleActionFail(complaint)
        return {"changed": True, "run": run.name, "overhead": overhead}

    def not_collected(self, hostvars: Any) -> list[str]:
        names = plain(self._task.args["admitted"])["tuning"]
        return [name for name in names if (plain(hostvars[name].get("results_collected")) or {}).get("problem")]

    def restored(self, hostvars: Any) -> dict[str, bool | None]:
        """True: put back, or nothing had been changed; False: not, or nobody knows; None: kept on purpose."""
        found: dict[str, bool | None] = {}
        for name, tuning in plain(self._task.args["admitted"])["tuning"].items():
            answer = plain(hostvars[name].get("kernel_tuning_restored"))
            if self._task.args.get("keep_tuned"):
                found[name] = None
            elif answer and not answer.get("skipped") and not answer.get("unreachable"):
                found[name] = not answer.get("failed") and not answer.get("unrestored")
            else:
                # A host that was lost on the way: what had been tuned there still is.
                found[name] = not (tuning["entries"] and hostvars[name].get("kernel_tuning_tuned"))
        return found

    def show(self, make: Callable[[Path], tuple[str, str | None]], run: Path) -> str | None:
        """Show what analysis makes of the run; returns its complaint."""
        shown, complaint = make(run)
        if shown:
            self._display.display(shown)
        return complaint

    @staticmethod
    def spoiled(run: Path) -> list[str]:
        """One phrase for each trial that is neither ok nor dnf."""
        found = []
        for path in sorted((run / "trials").glob("*/trial.json")):
            trial = json.loads(path.read_text(encoding="utf-8"))
            if trial["outcome"] not in ("ok", "dnf"):
                reason = str(trial.get("reason") or "").rstrip(".")
                what = f"Trial {trial['n']} ({trial['strategy'] or 'own server'}): {trial['outcome']}"
                found.append(f"{what}: {reason}." if reason else f"{what}.")
        return found
