"""What breaks first: the answer of a search for a limit, by what was recorded of the trial that broke."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.answers import limit, objective
from analysis.answers.headline import headline
from analysis.dataset import load
from analysis.findings import Finding
from analysis.model import Dataset
from analysis.report.build import html
from analysis.terminal import page
from tests.unit.analysis.build import MS, RUN, ended, event, started, trial, whole, write

GOOD, SLOW = {5 * MS: 250}, {MS: 240, 20 * MS: 10}
SHORT = event(
    "error", "server", 3, phase="budget", cause="descriptors", message="4000 connections need 4064 descriptors.",
    remedy="Raise the hard limit.",
)  # fmt: skip


def rung(n: int, connections: int, block: int = 1) -> dict[str, Any]:
    return trial(
        n, cell=f"c1@{connections}", block=block, workload="limit", connections=connections, active=connections
    )


def began(planned: dict[str, Any]) -> dict[str, Any]:
    return started(planned) | {"cell": planned["cell"]}


def searched(folder: Path, *broken: dict[str, Any], block: int = 1, cpu: float = 1.0, **fields: Any) -> Dataset:
    """1,000 and 2,000 connections held; at 4,000 what the test says, or what is SLOW."""
    entry = trial(1, workload="limit", block=block) | {"search": {"most_rungs": 10, "over": "connections"}}
    events = []
    for n, connections in ((1, 1000), (2, 2000)):
        first, *rest = whole(rung(n, connections, block), GOOD, held=connections)
        events += [first | {"cell": f"c1@{connections}"}, *rest]
    last = rung(3, 4000, block)
    if broken or fields:
        events += [began(last), *broken, ended(last, **{"outcome": "dnf", "held": None, **fields})]
    else:
        first, *rest = whole(last, SLOW, cpu=cpu, held=4000)
        events += [first | {"cell": "c1@4000"}, *rest]
    return load([str(write(folder, [entry], events))])


def sentence(dataset: Dataset) -> str:
    return " ".join(headline(dataset).sentence.split())


def test_the_descriptors_of_a_host(tmp_path: Path) -> None:
    said = sentence(searched(tmp_path, SHORT, reason="server: 4000 connections need 4064 descriptors"))
    assert said == (
        "epoll held 2,000 connections within p99 ≤ 10 ms. At 4,000 the first thing to break was the descriptors of "
        "server: 4000 connections need 4064 descriptors. Raise the hard limit. One search does not tell how sure that "
        "is."
    )


def test_a_limit_of_the_strategys_own(tmp_path: Path) -> None:
    own = event("limit", "server", 3, resource="FD_SETSIZE", held=1018)
    assert "At 4,000 the first thing to break was a limit of the strategy's own, FD_SETSIZE." in sentence(
        searched(tmp_path, own, held=1018)
    )


def test_connections_that_could_not_be_made(tmp_path: Path) -> None:
    said = sentence(searched(tmp_path, reason="not armed: 3,988 of 4,000 connections verified (connect/refused 12)"))
    assert "was connecting: not armed: 3,988 of 4,000 connections verified (connect/refused 12)." in said


def test_a_server_that_crashed(tmp_path: Path) -> None:
    assert "was the server: the server ended by itself." in sentence(
        searched(tmp_path, outcome="crashed", reason="the server ended by itself")
    )


def test_the_objective_where_nothing_else_is_seen(tmp_path: Path) -> None:
    assert "was the objective, p99 ≤ 10 ms." in sentence(searched(tmp_path))


def test_an_objective_that_a_finding_forbids_to_judge_is_not_claimed_to_be_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = searched(tmp_path)
    monkeypatch.setattr(objective, "doubts", lambda _dataset: {(RUN, "c1@4000", "p99"): ("SV5",)})
    said = sentence(dataset)
    assert "(whether within p99 ≤ 10 ms cannot be told: SV5)" in said
    assert "was the objective, p99 ≤ 10 ms, of which nothing may be claimed (SV5)." in said


def finding(check: str) -> Finding:
    return Finding(RUN, check, "warn", "trial", ("c1@4000",), (3,), (), "What was seen.", "", "Mend it.", [])


@pytest.mark.parametrize(
    ("check", "fields", "named"),
    [
        ("SV1", {"held": 3900}, "the accept queue: What was seen. Mend it."),
        ("NW2", {"held": 3900, "reason": "not armed: timeout 100"}, "connecting: not armed: timeout 100."),
        ("SV2", {"held": 3900, "reason": "not armed: timeout 100"}, "connecting: not armed: timeout 100."),
        ("GN2", {}, "a generator's CPU: What was seen. Mend it."),
        ("GN3", {}, "the objective, p99 ≤ 10 ms."),
        ("LG1", {}, "the objective, p99 ≤ 10 ms."),
    ],
)
def test_only_a_finding_that_says_what_broke_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: str, fields: dict[str, Any], named: str
) -> None:
    dataset = searched(tmp_path, **fields)
    monkeypatch.setattr(limit, "parsed", lambda _findings: [finding(check)])
    assert f"the first thing to break was {named}" in sentence(dataset)


def test_nothing_that_broke_is_said_so_and_how_to_go_on(tmp_path: Path) -> None:
    planned = rung(1, 1000)
    entry = trial(1, workload="limit") | {"search": {"most_rungs": 1, "over": "connections"}}
    first, *rest = whole(planned, GOOD)
    dataset = load([str(write(tmp_path, [entry], [first | {"cell": "c1@1000"}, *rest]))])
    assert "and nothing broke; go on with a higher search_to or search_budget." in sentence(dataset)


def test_an_invalid_rung_tells_nothing(tmp_path: Path) -> None:
    said = sentence(searched(tmp_path, outcome="invalid", reason="client1: 3 replies corrupt"))
    assert "nothing broke" in said and "corrupt" not in said


def test_the_lines_to_keep_are_those_in_force(tmp_path: Path) -> None:
    dataset = searched(tmp_path, SHORT)
    keys = [{"key": "net.core.somaxconn", "after": "65535"}, {"key": "net.core.x", "after": None}]
    dataset.runs["tuning"] = json.dumps({name: {"keys": keys} for name in ("server", "client1")})
    assert limit.keep(dataset) == ["# /etc/sysctl.d/90-c10k.conf of server, client1", "net.core.somaxconn = 65535"]
    assert "    net.core.somaxconn = 65535" in page(dataset, str(tmp_path))
    file, line = limit.keep(dataset)
    assert f">{file}\n{line}\n</pre>" in html(dataset), "each stands on a line of its own"


def test_a_run_that_changed_no_sysctl_says_so(tmp_path: Path) -> None:
    dataset = searched(tmp_path, SHORT)
    dataset.runs["tuning"] = json.dumps({name: {"keys": []} for name in ("server", "client1")})
    assert limit.keep(dataset) == ["# no sysctl of server, client1 was changed"]


def test_an_accept_queue_that_overflowed_before_anything_broke_is_told(tmp_path: Path) -> None:
    """The defect: connecting took 2 s from 10,000 connections on, and the answer spoke of descriptors alone."""
    dataset = searched(tmp_path, SHORT)
    named = {"run": RUN, "check": "SV1", "severity": "warn", "scope": "trial", "cells": "[]", "trials": "[2, 3]",
             "hosts": "[]", "message": "m", "matters": "m", "remedy": "r", "evidence": "[]"}  # fmt: skip
    overflown = replace(dataset, findings=pd.DataFrame([named]))
    text = "Already at 2,000 an accept queue overflowed while connecting, so clients waited to be taken in (SV1)."
    assert text in sentence(overflown) and text not in sentence(dataset)
    assert any("raise net.core.somaxconn" in one for one in limit.keep(overflown))
    assert not any("raise net.core.somaxconn" in one for one in limit.keep(dataset))


@pytest.mark.parametrize("broken", [SHORT, None])
def test_descriptors_that_broke_first_are_not_to_be_kept(tmp_path: Path, broken: dict[str, Any] | None) -> None:
    dataset = searched(tmp_path, *([broken] if broken else []))
    of_server = dataset.hosts["host"] == "server"
    dataset.hosts.loc[of_server, "facts"] = json.dumps({"nofile_hard": 4000})
    kept = [one for one in limit.keep(dataset) if "sysctl" not in one]
    raised = ["# too few of server, where it broke first: write more than this"] if broken else []
    file = "# /etc/security/limits.d/90-c10k.conf of server; of a service LimitNOFILE="
    assert kept == [file, *raised, "* - nofile 4000", "root - nofile 4000"]


@pytest.mark.parametrize("workload", ["open", "capacity", "ramp"])
def test_no_other_workload_has_such_an_answer(tmp_path: Path, workload: str) -> None:
    planned = trial(1, workload=workload)
    dataset = load([str(write(tmp_path, [planned], whole(planned)))])
    assert limit.data(dataset).empty and limit.keep(dataset) == []
