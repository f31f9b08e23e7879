"""The one sentence of a report, by hand for each kind of run."""

import json
from typing import Any

import pytest

from analysis.answers.headline import Headline, headline
from tests.unit.analysis.chart_data import Row, contrast, dataset_of, estimate, struck, trial


def own(n: int, strategy: str, **fields: Any) -> Row:
    return trial(n, strategy, held_connections=10_000, active=10_000, rate=10_000) | fields


def said(**tables: Any) -> Headline:
    return headline(dataset_of(**tables))


def test_one_strategy_held_how_fast_and_at_what_cost() -> None:
    found = said(
        trials=[own(1, "epoll")],
        estimates=[estimate("epoll", "p50", 90_000), estimate("epoll", "p99", 1.2e6, 1.1e6, 1.3e6),
                   estimate("epoll", "cpu", 41.5)])  # fmt: skip
    assert found.sentence == (
        "epoll held 10,000 of 10,000 connections and 10,000 requests/s, answered half of them within 90.0 µs, "
        "99 % within 1.20 ms [1.10 ms, 1.30 ms], and spent 41.5 µs of server CPU on each request."
    )
    assert found.more == ""


def test_the_winner_its_lead_its_ties_and_what_stopped() -> None:
    found = said(
        trials=[own(1, "epoll"), own(2, "poll"), own(3, "uvloop"), own(4, "c_epoll"),
                own(5, "select", outcome="dnf", limit="FD_SETSIZE", held_connections=1018), own(6, "trio")],
        estimates=[estimate("epoll", "efficiency", 20_000, 19_000, 21_000),
                   estimate("poll", "efficiency", 4000, 3900, 4100),
                   estimate("uvloop", "efficiency", 20_500, 19_500, 21_500),
                   estimate("c_epoll", "efficiency", 30_000, 29_000, 31_000)],
        contrasts=[contrast("uvloop", 1.025, 1.01, 1.04, "equivalent")],
        findings=[struck("trio", "Saturated.")])  # fmt: skip
    assert found.sentence == (
        "At 10,000 connections and 10,000 requests/s no one strategy in Python wins: uvloop, epoll cannot be told "
        "apart, at about 20,500 [19,500, 21,500] requests for each second of server CPU."
    )
    assert found.more == (
        "uvloop answers 1.02 × [1.01, 1.04] as many as epoll: equivalent. "
        "For comparison, not in Python: c_epoll (30,000 [29,000, 31,000]). "
        "select stopped at 1,018; trio is not valid."
    )


def test_a_winner_alone() -> None:
    found = said(
        trials=[own(1, "epoll"), own(2, "poll")],
        estimates=[estimate("epoll", "efficiency", 20_000, 19_000, 21_000),
                   estimate("poll", "efficiency", 4000, 3900, 4100)],
        contrasts=[contrast("poll", 0.2, 0.19, 0.21, "worse")])  # fmt: skip
    assert found == Headline(
        "At 10,000 connections and 10,000 requests/s the cheapest strategy is epoll, with 20,000 [19,000, 21,000] "
        "requests for each second of server CPU."
    )


def test_several_loads_are_named_by_their_range() -> None:
    trials = [own(n, name, cell=f"c-{name}{n}", rate=1000 * n) for n in (1, 3) for name in ("epoll", "poll")]
    assert said(trials=trials).sentence == (
        "epoll, poll measured from 1,000 to 3,000 requests/s: the charts below say where they part."
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"active": 100}, "held 10,000 of 10,000 connections, 9,900 of them idle, and 10,000 requests/s"),
        ({"workload": "closed"}, "held 10,000 of 10,000 connections in a closed loop"),
        ({"workload": "churn"}, "served 10,000 requests in flight, a connection for each"),
    ],
    ids=["idle", "closed", "churn"],
)
def test_the_load_in_words(fields: dict[str, Any], words: str) -> None:
    assert said(trials=[own(1, "epoll", **fields)]).sentence == f"epoll {words}."


def test_without_cpu_nobody_wins() -> None:
    found = said(trials=[own(1, "epoll"), own(2, "poll")])
    assert found.sentence == (
        "epoll, poll held 10,000 connections and 10,000 requests/s; what the server spent is not known."
    )


def test_nothing_good() -> None:
    assert said().sentence == "No trial of this run was planned."
    found = said(trials=[own(1, "poll", outcome="crashed"), own(2, "trio", outcome="crashed")])
    assert found == Headline("Nothing was measured to the end.", "poll, trio are not valid.")


def test_a_limit_of_the_only_strategy_is_the_answer() -> None:
    found = said(trials=[own(1, "select", outcome="dnf", limit="FD_SETSIZE", held_connections=1018)])
    assert found == Headline("select held 1,018 of 10,000 connections and met a limit of its own: FD_SETSIZE.")


@pytest.mark.parametrize(
    ("used", "cpus", "sentence"),
    [
        (0.42, [0], "Its processes used 0.42 of 1 CPU: it had room."),
        (0.97, [0], "Its processes used 0.97 of 1 CPU: that was its limit."),
        (0.97, [0, 1], "Its processes used 0.97 of 2 CPUs."),  # a single thread may have been at its limit, or not
        (0.97, None, ""),
    ],
)
def test_what_limited_it(used: float, cpus: list[int] | None, sentence: str) -> None:
    host = {"run": "r1", "host": "server", "role": "server", "facts": json.dumps({"cpus": cpus})}
    assert said(trials=[own(1, "epoll", server_cpu_share=used)], hosts=[host]).more == sentence


def test_a_ladder_and_idle_connections_are_answered_by_their_figure() -> None:
    trials = [own(n, "epoll", cell=f"c{n}", connections=10**n, active=100) for n in (2, 3, 4)]
    metrics = [{"run": "r1", "trial": n, "metric": "cpu", "value": 30.0, "quality": "solid"} for n in (2, 3, 4)]
    estimates = [estimate("epoll", "cpu", 30.0, cell=f"c{n}") for n in (2, 3, 4)]
    assert said(trials=trials, metrics=metrics, estimates=estimates).sentence.startswith(
        "From 100 to 10,000 connections with 100 active, a request's server CPU time grows: epoll 1.0 ×"
    )
