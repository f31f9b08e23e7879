"""What a command line of any playbook may say, and what is refused before a host is touched."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible import context

from planner import results
from plugins.callback import c10k_command_line
from plugins.callback.c10k_command_line import judged
from tests import line

PLAIN = {"tags": ["all"], "skip_tags": [], "start_at_task": None}
RUN = "20261122T190312Z-3f9a1c"


@pytest.fixture(autouse=True)
def one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / RUN).mkdir()
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(context, "CLIARGS", PLAIN)


@pytest.mark.parametrize(
    ("playbook", "given", "sentence"),
    [
        ("collect", {"rnu": RUN}, "There is no parameter `rnu`; did you mean `run`?"),
        ("report", {"runn": RUN}, "did you mean `run`?"),
        ("report", {"strategy": "poll"}, "There is no parameter `strategy`; report.yml has `run`."),
        ("restore", {"purg": "true"}, "did you mean `purge`?"),
        ("stop", {"run": RUN}, "There is no parameter `run`; stop.yml has none."),
        ("collect", {"run": "latst"}, "run=latst is not the id of a run"),
        ("report", {"run": RUN[:-1] + "d"}, f"There is no run {RUN[:-1]}d under results/; did you mean `{RUN}`?"),
        ("report", {"run": ""}, "run= is not the id of a run"),
        ("collect", {"run": False}, "run=False is not the id of a run"),
        ("collect", {"run": [RUN]}, "is not the id of a run"),
        ("run_benchmark", {"c10k_weight": "heavy"}, "c10k_weight of every host is 'heavy'; it takes a number"),
        ("prepare", {"c10k_load_address": ""}, "every host has no c10k_load_address"),
        ("stop", {"c10k_sources": 7}, "c10k_sources of every host is 7"),
        ("report", {}, "There is no run under results/ yet"),
        ("collect", {}, "There is no run under results/ yet"),
    ],
)
def test_what_a_playbook_does_not_know_is_refused(playbook: str, given: dict[str, Any], sentence: str) -> None:
    (problem,) = judged(playbook, given)
    assert sentence in problem


@pytest.mark.parametrize(
    ("playbook", "given"),
    [
        ("collect", {"run": RUN, "ansible_user": "me", "c10k_base": "/srv/c10k"}),
        ("restore", {"purge": True}),
        ("restore", {"strategy": "poll", "cells": [], "run": RUN}),
        ("collect", {"run": RUN[:-1] + "d"}),
        ("stop", {}),
        ("prepare", {"c10k_weight": "{{ 2 if inventory_hostname == 'client1' else 1 }}", "c10k_sources": ""}),
        ("run_benchmark", {"whatever": "the run judges it with all the rest"}),
    ],
)
def test_what_it_knows_is_not(playbook: str, given: dict[str, Any]) -> None:
    assert judged(playbook, given) == []


@pytest.mark.parametrize(
    "part",
    [{"tags": ["mesure"]}, {"tags": ["all", "never"]}, {"skip_tags": ["x"]}, {"start_at_task": "Run the trials"}],
)
def test_a_part_that_a_run_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch, part: dict[str, Any]) -> None:
    monkeypatch.setattr(context, "CLIARGS", {**PLAIN, **part})
    assert judged("run_benchmark", {}) == [c10k_command_line.NO_PARTS]


def test_only_a_run_has_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "CLIARGS", {**PLAIN, "tags": ["prepare", "measure"]})
    assert judged("run_benchmark", {}) == []
    assert judged("prepare", {}) == [c10k_command_line.NO_PARTS]


@pytest.mark.parametrize("kind", [ImportError, TypeError])
def test_a_python_that_cannot_read_the_planner_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """Python 3.9 ends with TypeError at the first annotation `str | None`."""

    class Older:
        @staticmethod
        def find_spec(name: str, *_more: Any) -> None:
            if name == "planner.command_line":
                raise kind("unsupported")

    monkeypatch.delitem(sys.modules, "planner.command_line", raising=False)
    monkeypatch.delattr("planner.command_line", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Older(), *sys.meta_path])
    assert judged("stop", {}) == [c10k_command_line.NO_VENV]


def ansible(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(line.BIN / "ansible-playbook"), *words],
        cwd=line.ROOT, env=line.environment(), text=True, capture_output=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["playbooks/stop.yml", "-e", "rnu=1"], "There is no parameter `rnu`"),
        (["run_benchmark.yml", "--tags", "mesure"], "Nothing here can be left out"),
    ],
)
def test_ansible_ends_there(words: list[str], sentence: str) -> None:
    done = ansible(words)
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
    assert "PLAY" not in done.stdout and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("inventory", "words", "sentence"),
    [
        ("[c10k_clients]\n", ["playbooks/restore.yml"], c10k_command_line.NO_HOST),
        ("[c10k_clients]\n", ["playbooks/stop.yml"], c10k_command_line.NO_HOST),
        ("[c10k_clients]\n", ["run_benchmark.yml", "--tags", "report", "-e", "run=latest"], c10k_command_line.NO_HOST),
        ("[all:vars]\nc10k_absent=It sleeps.\n", ["playbooks/restore.yml"], "[ERROR]: It sleeps."),
    ],
)
def test_a_play_without_a_host_is_not_done(tmp_path: Path, inventory: str, words: list[str], sentence: str) -> None:
    (tmp_path / "hosts.ini").write_text(inventory)
    done = ansible(["-i", str(tmp_path / "hosts.ini"), *words])
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
