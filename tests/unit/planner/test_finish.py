"""The end of a run, whatever state its files are in."""

import errno
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from planner import analyse, finish, measure, results
from planner.parameters import Refused
from tests.unit.planner.asking import interpreter, request

RUN = "20261122T190312Z-3f9a1c"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(analyse, "report", lambda _run, _say: None)
    place = tmp_path / RUN
    for n, text in (
        (1, '{"n": 1, "outcome": "crashed", "strategy": "poll", "reason": "why.", "overhead_s": 0.5}'),
        (2, "{"),
    ):
        (place / f"trials/{n:03d}").mkdir(parents=True)
        (place / f"trials/{n:03d}/trial.json").write_text(text)
    results.write_manifest(place, {"status": "running", "tuning": {"server": {"restored": None}}})
    return place


def given(code: int, restored: dict[str, Any]) -> dict[str, Any]:
    measured = {"exit": code, "run": RUN, "trials_s": 1.0, "complaint": "it went wrong"}
    return {
        "measured": measured, "tunings": {"c10k": {"server": ["an entry"]}}, "tuned": {"server": {"keys": []}},
        "collected": {"server": None}, "restored": {"server": restored}, "keep_tuned": False,
    }  # fmt: skip


def test_a_damaged_trial_does_not_keep_the_run_from_its_end(run: Path) -> None:
    with pytest.raises(Refused, match=r"(?s)exit 3\..*Trial 1 \(poll\): crashed: why\.$"):
        finish.finish(given(3, {"problem": None}), print)
    manifest = results.read_manifest(run) or {}
    assert (manifest["exit"], manifest["overhead"]["per_trial_s"]) == (3, [0.5, None])
    assert manifest["tuning"]["server"]["restored"] is True


def test_the_report_sees_how_the_run_ended_and_the_manifest_learns_how_long_it_took(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []

    def report(_run: Path, _say: analyse.Say) -> None:
        seen.append(results.read_manifest(run) or {})
        time.sleep(0.05)
        (run / "summary.csv").write_text("a\n")

    monkeypatch.setattr(analyse, "report", report)
    told = given(0, {"problem": None})
    told["measured"]["trials_s"] = 0.0  # pytest's parent may be younger than a second
    finish.finish(told, print)
    before, after = seen[0], results.read_manifest(run) or {}
    assert (before["status"], before["overhead"]["report_s"]) == ("ok", None)
    assert after["overhead"]["report_s"] >= 0.05
    assert after["overhead"]["playbook_s"] >= before["overhead"]["playbook_s"] + 0.04  # a clock tick is 10 ms
    assert set(after["files"]) - set(before["files"]) == {"summary.csv"}
    different = {"overhead": None, "files": None}
    assert {**before, **different} == {**after, **different}


def test_a_kernel_that_was_not_put_back_outranks_the_rest(run: Path) -> None:
    with pytest.raises(
        Refused, match=r"(?s)exit 4\..*The kernel of server was not put back.*server: The kernel refused"
    ):
        finish.finish(given(3, {"problem": "The kernel refused to put back a (refused)."}), print)
    assert (results.read_manifest(run) or {})["exit"] == 4


def test_a_value_that_somebody_changed_meanwhile_is_in_the_manifest(run: Path) -> None:
    def entry(key: str, status: str, before: str | None, after: str = "2") -> dict[str, Any]:
        return {"key": key, "status": status, "before": before, "after": after}

    tuned = {
        "keys": [entry("a", "set", "1"), entry("b", "set", "1"), entry("c", "kept", "1", "1"), entry("d", "set", "1")]
    }
    restored = {"keys": [entry("a", "set", "2"), entry("b", "kept", "1"), entry("d", "absent", None)]}
    told = {**given(0, {"problem": None, **restored}), "tuned": {"server": tuned}}
    finish.finish(told, print)
    assert (results.read_manifest(run) or {})["tuning"]["server"]["moved"] == [
        {"key": "b", "set": "2", "found": "1"}, {"key": "d", "set": "2", "found": None}
    ]  # fmt: skip


def test_a_run_goes_on_only_while_its_owner_lives(run: Path) -> None:
    results.claim(run, os.getpid())
    assert results.goes_on(run)
    nobody = 1 << 30
    results.claim(run, nobody)
    assert not results.goes_on(run)
    (run / ".owner").write_text(json.dumps({"pid": nobody, "start_ticks": 1}))
    assert not results.goes_on(run)


@pytest.mark.parametrize(
    ("tune", "keys", "state"), [("off", [], "off"), ("auto", [], "left"), ("auto", ["a"], "tuned")]
)
def test_the_manifest_says_whether_a_host_is_tuned(tune: str, keys: list[str], state: str) -> None:
    facts = {**dict.fromkeys(measure.FACTS), "interpreters": {"3.13": interpreter("3.13.0"), "3.15": None}}
    host = {**dict.fromkeys(("role", "connection", "load_address", "sources", "weight", "base")), "name": "server"}
    admitted = {"hosts": [{**host, "probe": {"facts": facts}}], "references": False}
    told = {
        "resolved": {"run": RUN, "seed": 7, "started_utc": "now", "missing": None, "claim": None},
        "admitted": admitted,
        "binaries": {"amd64": "ab"}, "prepared": {"server": {"gil": {"/opt/3.13.0/bin/python3": True}}},
        "tuned": {"server": {"keys": keys} if keys else {"skipped": True}},
    }  # fmt: skip
    made = measure.manifest(told, request(tune=tune), measure.Asked("2.19", ["inventory/lab"], None))
    assert made["tuning"] == {"server": {"state": state, "keys": keys, "restored": None}}
    assert made["inventory"] == {"sources": ["inventory/lab"], "limit": None}
    assert made["versions"]["loadgen-linux-amd64"] == "sha256:ab"
    (found,) = made["hosts"]["server"]["interpreters"].items()
    assert (found[0], found[1]["python"], found[1]["gil_with_packages"]) == ("3.13", "3.13.0", True)


def test_an_owner_that_nobody_has_reaped_is_dead(run: Path) -> None:
    """In a container without an init a killed playbook stays a zombie for ever."""
    with subprocess.Popen(["sleep", "60"]) as owner:
        results.claim(run, owner.pid)
        assert results.goes_on(run)
        owner.kill()
        os.waitid(os.P_PID, owner.pid, os.WEXITED | os.WNOWAIT)
        assert not results.goes_on(run)


def ended(run: Path, *hosts: str) -> None:
    """A run that went well, on hosts of which these have sent their logs."""
    shutil.rmtree(run / "trials/002")
    (run / "trials/001/trial.json").write_text('{"n": 1, "outcome": "ok", "strategy": "poll", "overhead_s": 0.5}')
    manifest = results.read_manifest(run) or {}
    results.write_manifest(run, {**manifest, "hosts": {"server": {}, "client1": {}}})
    for host in hosts:
        (run / f"hosts/{host}/001").mkdir(parents=True)
        (run / f"hosts/{host}/001/agent.jsonl").write_text("{}\n")


def test_a_log_that_its_host_had_no_more_is_told(run: Path) -> None:
    """A directory that came home empty is no log."""
    ended(run, "server")
    (run / "hosts/client1").mkdir()
    told = {**given(0, {"problem": None}), "collected": {"server": {"files": 3}, "client1": {"files": 0}}}
    with pytest.raises(Refused, match=r"(?s)exit 3\..*client1 had no log of trial 1 to fetch\.$"):
        finish.finish(told, print)
    assert (results.read_manifest(run) or {})["exit"] == 3


def test_a_host_that_did_not_answer_has_its_logs_still(run: Path) -> None:
    ended(run, "server")
    told = {**given(0, {"problem": None}), "collected": {"server": {"files": 3}, "client1": {"unreachable": True}}}
    with pytest.raises(Refused, match=r"The logs of client1 are not here; playbooks/collect\.yml fetches them"):
        finish.finish(told, print)


def test_whole_logs_are_no_complaint(run: Path) -> None:
    ended(run, "server", "client1")
    told = {**given(0, {"problem": None}), "collected": {"server": {"files": 3}, "client1": {"files": 3}}}
    assert finish.finish(told, print)["run"] == RUN


def test_one_reason_of_several_hosts_is_one_sentence(run: Path) -> None:
    full = {"problem": "a file cannot be used: No space left on device."}
    told = {**given(3, {"problem": None}), "collected": {"server": full, "client1": full}}
    with pytest.raises(Refused, match=r"server, client1: a file cannot be used: No space left on device\."):
        finish.finish(told, print)


def test_a_manifest_that_cannot_be_written_does_not_hide_how_the_run_ended(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_run: Path, _manifest: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(results, "write_manifest", full)
    with pytest.raises(
        Refused, match=rf"(?s)exit 3\..*poll.*manifest\.json cannot be written .*collect\.yml -e run={RUN}"
    ):
        finish.finish(given(3, {"problem": None}), print)
