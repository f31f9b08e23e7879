"""The one sentence of a report, by hand for each kind of run."""

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.answers import glance
from analysis.answers.headline import Headline, headline
from analysis.contrasts import contrasts_table
from analysis.estimates import estimates_table, metrics_table
from analysis.terminal import facts, of_objective
from tests.bench import headline as bench
from tests.bench.headline import named, outcome
from tests.unit.analysis.chart_data import Row, contrast, dataset_of, estimate, struck, trial
from tests.unit.analysis.simulated import BASE, drawn, rows


def own(n: int, strategy: str, **fields: Any) -> Row:
    return trial(n, strategy, held_connections=10_000, active=10_000, rate=10_000) | fields


def server(cpus: list[int] | None) -> Row:
    return {"run": "r1", "host": "server", "role": "server", "facts": json.dumps({"cpus": cpus})}


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


def test_an_overloaded_server_is_not_said_to_bear_its_load() -> None:
    late = struck("epoll", "The backlog grew.", "SV6") | {"severity": "warn", "cells": "[]", "trials": "[1]"}
    tables: dict[str, Any] = {
        "trials": [own(1, "epoll")],
        "estimates": [estimate("epoll", "throughput", 2_200), estimate("epoll", "p50", np.inf)],
    }
    assert said(**tables, findings=[late]).sentence == (
        "epoll held 10,000 of 10,000 connections and does not sustain 10,000 requests/s: it answered 2,200/s, and less "
        "than half of the requests in time; its server CPU time per request must not be used (SV6)."
    )
    neighbour = struck("epoll", "Others used it.", "SV5") | {"severity": "warn", "cells": "[]", "trials": "[1]"}
    starved = said(**tables, findings=[late, neighbour]).sentence
    assert "answered 2,200 of 10,000 requests/s on CPUs that it had not to itself (SV5)" in starved
    assert "does not sustain" not in starved
    full = tables | {"trials": [own(1, "epoll", server_cpu_share=0.97)], "hosts": [server([0])]}
    assert "does not sustain" in said(**full, findings=[late, neighbour]).sentence
    alone = said(**tables)
    assert "sustain" not in alone.sentence and "10,000 requests/s" in alone.sentence


LOAD = "At 10,000 connections and 10,000 requests/s "


def test_the_better_ones_against_the_baseline_what_is_not_decided_and_what_stopped() -> None:
    found = said(
        trials=[own(1, "epoll"), own(2, "poll"), own(3, "uvloop"), own(4, "c_epoll"), own(7, "asyncio"),
                own(5, "select", outcome="dnf", limit="FD_SETSIZE", held_connections=1018), own(6, "trio")],
        contrasts=[contrast("uvloop", 1.22, 1.09, 1.38, "better"), contrast("poll", 0.3, 0.25, 0.35, "worse"),
                   contrast("asyncio", 1.01, 0.95, 1.08, "inconclusive"), contrast("c_epoll", 3, 2.9, 3.1, "better")],
        findings=[struck("trio", "Saturated.")])  # fmt: skip
    assert found.sentence == (
        LOAD + "uvloop answers 1.22 × [1.09, 1.38] as many requests per CPU second as epoll (95 %, 3 repetitions)."
    )
    assert found.more == (
        "poll answers 0.30 × [0.25, 0.35] as many requests per CPU second as epoll (95 %, 3 repetitions). "
        "No difference in requests per server-CPU-second was shown between epoll and asyncio (95 %, 3 repetitions); "
        "this run could have found one of 8.8 % in 80 % of cases. "
        "For comparison, not in Python: c_epoll answers 3.00 × [2.90, 3.10] as many requests per CPU second as epoll "
        "(95 %, 3 repetitions). asyncio, c_epoll, epoll, poll, uvloop held all "
        "10,000 connections. select stopped at 1,018; trio is not valid: Saturated."
    )


def test_where_all_are_worse_the_baseline_stands_first() -> None:
    found = said(
        trials=[own(1, "epoll"), own(2, "poll"), own(3, "epoll_edge")],
        contrasts=[contrast("poll", 0.2, 0.19, 0.21, "worse"), contrast("epoll_edge", 0.8, 0.75, 0.85, "worse")],
    )
    assert found == Headline(
        LOAD + "epoll answers 1.25 × [1.18, 1.33] as many requests per CPU second as epoll_edge, 5.0 × [4.8, 5.3] "
        "as poll (95 %, 3 repetitions).",
        "epoll, epoll_edge, poll held all 10,000 connections.",
    )


def test_one_noisy_strategy_does_not_hide_what_could_be_found_of_the_others() -> None:
    """The defect: `could have found one of a factor of 27` of sixteen strategies, of which one had a bad minute."""
    told = (("a", 0.2), ("b", 26.0))
    pairs = [contrast(name, 1.0, 0.9, 1.1, "inconclusive") | {"least": least} for name, least in told]
    found = said(trials=[own(1, "epoll"), own(2, "a"), own(3, "b")], contrasts=pairs)
    assert "could have found one of 20 %, of the noisiest a factor of 27, in 80 % of" in found.sentence


def test_repetitions_that_differ_are_told_as_a_range() -> None:
    """The defect: `95 %, 3, of the noisiest 5, repetitions`."""
    pairs = [contrast(name, 0.5, 0.4, 0.6, "worse", n=n) for name, n in (("a", 3), ("b", 5))]
    found = said(trials=[own(1, "epoll"), own(2, "a"), own(3, "b")], contrasts=pairs)
    assert found.sentence.endswith("(95 %, 3 to 5 repetitions).")


@pytest.mark.parametrize(("cpus", "text"), [("[0]", "server pinned to 1 CPU"), ("[0, 1]", "server pinned to 2 CPUs")])
def test_the_heading_says_how_many_cpus_the_server_has(cpus: str, text: str) -> None:
    trials = [own(1, "epoll", pipeline=1, server_ports=1, think_time=0, generator="go")]
    assert text in facts(dataset_of(trials=trials, hosts=[server([0, 1, 2]) | {"cpus": cpus}]))
    assert not any("pinned" in one for one in facts(dataset_of(trials=trials, hosts=[server([0, 1, 2])])))


def test_that_one_held_less_is_not_passed_over() -> None:
    trials = [own(1, "epoll"), own(2, "poll", held_connections=9_999)]
    assert "held all" not in said(trials=trials, contrasts=[contrast("poll", 0.2, 0.19, 0.21, "worse")]).more


@pytest.mark.parametrize("verdict", ["worse", "inconclusive"])
def test_a_factor_that_the_rate_makes_is_said_to_be_so(verdict: str) -> None:
    """The defect: 5.13 × [4.94, 5.33], of a server with all its CPU used: at a fifth of the rate it was 10 ×."""
    full = struck("poll", "The server used 0.998 of 1.00 CPUs.", "SV7") | {"severity": "info"}
    found = said(
        trials=[own(1, "epoll"), own(2, "poll")],
        contrasts=[contrast("poll", 0.2, 0.19, 0.21, verdict)],
        findings=[full],
    )
    what = "poll left hardly any CPU time: at this rate no request can be seen to cost more there, and another rate"
    end = " gives another factor (SV7); see a lower one too (-e rate=1000)."
    assert found.more.startswith(f"{what}{end}") == (verdict == "worse")


def test_that_nothing_is_ranked_since_the_baseline_met_its_limit_is_said() -> None:
    limited = trial(3, "select", outcome="dnf", limit="FD_SETSIZE", held_connections=1018)
    rows = [contrast(name, np.nan, np.nan, np.nan, "not comparable", baseline="c-select") for name in ("epoll", "poll")]
    found = said(trials=[own(1, "epoll"), own(2, "poll"), limited], contrasts=rows)
    why = "all are compared with select, which met a limit (name another first)"
    assert f" ranked, since {why}: " in found.sentence


def test_a_dearer_estimate_wins_nothing_without_a_contrast() -> None:
    """The defect: unpaired intervals named a winner that no comparison supported."""
    tables = {
        "trials": [own(1, "epoll"), own(2, "poll")],
        "estimates": [estimate("epoll", "efficiency", 20_000, 19_900, 20_100),
                      estimate("poll", "efficiency", 4000, 3900, 4100)],
    }  # fmt: skip
    found = said(**tables, contrasts=[contrast("poll", 0.967, 0.905, 1.034, "inconclusive")])
    assert found.sentence == (
        LOAD
        + "no difference in requests per server-CPU-second was shown between epoll and poll (95 %, 3 repetitions); "
        "this run could have found one of 8.8 % in 80 % of cases."
    )
    blind = contrast("poll", 0.967, 0.1, 9.0, "inconclusive") | {"least": 36.0}
    assert "could have found one of a factor of 37 in 80 %" in said(**tables, contrasts=[blind]).sentence
    beyond = contrast("poll", 0.967, 0.1, 9.0, "inconclusive") | {"least": 3.3e14}
    assert "could have found one of a factor of more than 100 in 80 %" in said(**tables, contrasts=[beyond]).sentence
    found = said(**tables, contrasts=[contrast("poll", 1.0, 0.98, 1.02, "equivalent")])
    assert found.sentence == (
        LOAD + "poll and epoll are equal within 3 % in requests per server-CPU-second (95 %, 3 repetitions)."
    )


def test_one_repetition_ranks_nothing() -> None:
    why = "one block says nothing of how much blocks differ"
    found = said(
        trials=[own(1, "poll", block=1), own(2, "epoll", block=1)],
        estimates=[estimate("epoll", "efficiency", 20_000), estimate("poll", "efficiency", 4000)],
        contrasts=[contrast("poll", np.nan, np.nan, np.nan, "not comparable", n=1, why=why)])  # fmt: skip
    assert found.sentence == (
        "With one repetition nothing is ranked: at 10,000 connections and 10,000 requests/s, requests per "
        "server-CPU-second: epoll 20,000; poll 4,000."
    )
    assert found.more == f"Not compared: poll ({why}). epoll, poll held all 10,000 connections."
    assert not SUPERLATIVE.search(f"{found.sentence} {found.more}")


SUPERLATIVE = re.compile(r"cheapest|fastest|best|wins|winner")


def missed(strategy: str, p99_ns: float) -> Row:
    return own({"epoll": 1, "poll": 2}[strategy], strategy, response_p99_ns=p99_ns)


def test_who_missed_the_objective_is_no_recommendation() -> None:
    """The defect: "cheapest" had p99 89 ms against 10 ms."""
    tables: dict[str, Any] = {"runs": [{"run": "r1", "slo": "p99=10ms"}],
                              "contrasts": [contrast("poll", 1.3, 1.2, 1.4, "better")]}  # fmt: skip
    found = said(**tables, trials=[missed("epoll", 5e6), missed("poll", 89e6)])
    assert found.sentence.endswith("(95 %, 3 repetitions); poll missed p99 ≤ 10 ms, so this is no recommendation.")
    found = said(**tables, trials=[missed("epoll", 89e6), missed("poll", 5e6)])
    assert "recommendation" not in found.sentence


def test_an_objective_that_a_finding_doubts_is_not_called_missed() -> None:
    """The defect: what the generator's lateness did was the server's miss."""
    late = struck("poll", "Sent late.", "GN3") | {"severity": "warn", "cells": "[]", "trials": "[2]"}
    data = dataset_of(
        runs=[{"run": "r1", "slo": "p99=10ms"}], contrasts=[contrast("poll", 1.3, 1.2, 1.4, "better")],
        trials=[missed("epoll", 5e6), missed("poll", 89e6)], findings=[late])  # fmt: skip
    assert headline(data).sentence.endswith(
        "; whether poll would keep p99 ≤ 10 ms cannot be told (GN3), so this is no recommendation."
    )
    frame = glance.data(data)
    assert dict(zip(frame["label"], frame["kept_doubt"], strict=True)) == {"epoll": "", "poll": "GN3"}
    assert glance.caption(frame).endswith("1 of 2 met p99 ≤ 10 ms (1 cannot be told: GN3).")
    # A miss that nothing doubts is told, whoever else is in doubt.
    third = [missed("epoll", 5e6), missed("poll", 89e6), own(3, "uvloop", response_p99_ns=70e6)]
    better = [contrast(name, 1.3, 1.2, 1.4, "better") for name in ("poll", "uvloop")]
    both = dataset_of(runs=[{"run": "r1", "slo": "p99=10ms"}], contrasts=better, trials=third, findings=[late])
    assert "uvloop missed p99 ≤ 10 ms, so this is no recommendation" in headline(both).sentence
    assert of_objective(frame) == "p99 ≤ 10 ms: met by 1 of 2 rows (1 cannot be told: GN3)."
    assert of_objective(frame[frame["kept_doubt"].ne("")]) == "p99 ≤ 10 ms: whether it was met cannot be told (GN3)."
    # The median is not touched by it.
    median = replace(data, runs=data.runs.assign(slo="p50=10ms"))
    assert not glance.data(median)["kept_doubt"].any()


def test_each_ratio_stands_beside_the_side_it_was_measured_against() -> None:
    """The defect: of several loads the ratios of all stood beside the first one's baseline."""
    loads = ((rate, name) for rate in (1000, 2000) for name in ("epoll", "poll", "uvloop"))
    trials = [own(n, name, cell=f"c{n}", rate=rate) for n, (rate, name) in enumerate(loads, 1)]
    found = said(trials=trials, contrasts=[
        contrast("", 0.5, 0.45, 0.55, "worse", cell="c2", baseline="c1"),
        contrast("", 1.01, 0.9, 1.1, "inconclusive", cell="c3", baseline="c1"),
        contrast("", 0.25, 0.2, 0.3, "worse", cell="c5", baseline="c4"),
        contrast("", 1.0, 0.99, 1.01, "equivalent", cell="c6", baseline="c4")])  # fmt: skip
    assert found.sentence == (
        "epoll, 1,000/s answers 2.0 × [1.8, 2.2] as many requests per CPU second as poll, 1,000/s (95 %, 3 "
        "repetitions); epoll, 2,000/s answers 4.0 × [3.3, 5.0] as many requests per CPU second as poll, 2,000/s (95 %, "
        "3 repetitions)."
    )
    assert "between epoll, 1,000/s and uvloop, 1,000/s (95 %" in found.more
    assert "uvloop, 2,000/s and epoll, 2,000/s are equal within 3 %" in found.more


def test_what_was_not_run_is_not_called_invalid() -> None:
    found = said(trials=[own(1, "epoll"), own(2, "poll", outcome="not run"), own(3, "trio", outcome="crashed"),
                         own(4, "uvloop")], findings=[struck("uvloop", "Saturated.")])  # fmt: skip
    assert found.more == "poll was not run to its end; trio crashed; uvloop is not valid."


def test_a_finding_that_forbids_a_claim_bars_it() -> None:
    order = struck("epoll", "All in one order.", "DS4") | {"severity": "warn", "cells": "[]"}
    found = said(
        trials=[own(1, "epoll"), own(2, "poll")],
        estimates=[estimate("epoll", "efficiency", 20_000), estimate("poll", "efficiency", 4000)],
        contrasts=[contrast("poll", 0.2, 0.19, 0.21, "worse")], findings=[order])  # fmt: skip
    assert "×" not in found.sentence and not SUPERLATIVE.search(found.sentence)
    assert found.more == "Not compared: poll (DS4 forbids it). epoll, poll held all 10,000 connections."
    late = struck("epoll", "Sent late.", "GN3") | {"severity": "warn", "cells": "[]", "trials": "[1]"}
    found = said(trials=[own(1, "epoll")], estimates=[estimate("epoll", "p99", 1e6)], findings=[late])
    assert "99 % within" not in found.sentence
    assert found.sentence.endswith("; its p99 response must not be used (GN3).")


def test_hostile_kinds_stand_against_none() -> None:
    kinds = (None, "reset:100", "mute:100")
    trials = [own(n, "epoll", cell=f"c-{n}", hostile=kind) for n, kind in enumerate(kinds, 1)]
    rows = [contrast(str(n), ratio, low, high, word, baseline="c-1", metric=metric) for metric in ("p99", "throughput")
            for n, ratio, low, high, word in ((2, 2.3, 1.9, 2.8, "worse"), (3, 1.01, 0.9, 1.1, "inconclusive"))
            if metric == "p99" or n == 3]  # fmt: skip
    found = said(trials=trials, contrasts=rows)
    assert found.sentence == (
        LOAD + "with hostile reset:100 the p99 response is 2.3 × [1.9, 2.8] that with no hostile clients "
        "(95 %, 3 repetitions)."
    )
    assert "No difference in p99 response was shown between no hostile clients and hostile mute:100" in found.more
    assert "No difference in requests answered per second was shown between no hostile" in found.more


def test_backlogs_by_how_long_a_connect_takes() -> None:
    trials = [own(n, "epoll", cell=f"c-{n}", backlog=size) for n, size in enumerate((4096, 16), 1)]

    def told(ratio: float, low: float, high: float, word: str, metric: str = "connect_p99") -> Headline:
        return said(trials=trials, contrasts=[contrast("2", ratio, low, high, word, baseline="c-1", metric=metric)])

    assert told(3.0, 2.5, 3.6, "worse").sentence == (
        LOAD
        + "with backlog 16 the p99 of connecting is 3.0 × [2.5, 3.6] that with backlog 4,096 (95 %, 3 repetitions)."
    )
    open_to_doubt = told(1.1, 0.8, 1.5, "inconclusive")
    assert "×" not in f"{open_to_doubt.sentence}{open_to_doubt.more}"
    assert "no difference in p99 of connecting was shown between backlog 4,096 and backlog 16" in open_to_doubt.sentence
    # What else differs is no answer to what a backlog does.
    assert "×" not in told(1.3, 1.2, 1.4, "better", metric="efficiency").sentence


def test_generators_by_their_lag() -> None:
    trials = [own(n, "epoll", cell=f"c-{n}", generator=name, block=1) for n, name in enumerate(("go", "pool"), 1)]
    found = said(trials=trials, estimates=[estimate(str(n), "lag", 1e6 * n) for n in (1, 2)])
    assert found.sentence == (
        "With one repetition nothing is ranked: at 10,000 connections and 10,000 requests/s, p99 lateness of sending: "
        "generator go 1.00 ms; generator pool 2.00 ms."
    )


def test_a_ramp_says_what_broke_first_and_what_did_not() -> None:
    ramp = [own(1, "epoll", workload="ramp"), own(2, "select", workload="ramp", outcome="dnf", limit="FD_SETSIZE",
                                                  held_connections=1018)]  # fmt: skip
    assert said(trials=ramp).sentence == (
        "select stopped at 1,018 (FD_SETSIZE); epoll stopped where it was asked to: nothing broke up to 10,000 "
        "connections."
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


def test_without_cpu_nothing_is_ranked() -> None:
    found = said(trials=[own(1, "epoll"), own(2, "poll")])
    assert found.sentence == (
        "With one repetition nothing is ranked: at 10,000 connections and 10,000 requests/s epoll, poll were measured, "
        "and no requests per server-CPU-second may be claimed."
    )


def test_nothing_good() -> None:
    assert said().sentence == "No trial of this run was planned."
    found = said(trials=[own(1, "poll", outcome="crashed"), own(2, "trio", outcome="crashed")])
    assert found == Headline("Nothing was measured to the end.", "poll crashed; trio crashed.")
    many = said(trials=[own(n, name, outcome="crashed") for n, name in enumerate(("poll", "trio", "epoll"), 1)])
    assert many.more == "epoll, poll, trio crashed."


def test_what_became_of_the_only_server_is_the_answer() -> None:
    crashed = struck("own server", "own server crashed: the server ended on its own with status 7 (trial 1).", "DT7")
    found = said(trials=[own(1, "own server", outcome="crashed")], findings=[crashed])
    assert found == Headline("own server crashed: the server ended on its own with status 7 (trial 1).")
    assert said(trials=[own(1, "poll", outcome="not run")]).sentence == "Nothing was measured to the end."


def test_a_limit_of_the_only_strategy_is_the_answer() -> None:
    found = said(trials=[own(1, "select", outcome="dnf", limit="FD_SETSIZE", held_connections=1018)])
    assert found == Headline("select held 1,018 of 10,000 connections and met a limit of its own: FD_SETSIZE.")


@pytest.mark.parametrize(
    ("used", "cpus", "sentence"),
    [
        (0.42, [0], "Its processes used 0.42 of 1 CPU: it had room."),
        (0.896, [0], "Its processes used 0.90 of 1 CPU."),  # it was said to have room
        (0.97, [0], "Its processes used 0.97 of 1 CPU: that was its limit."),
        (0.97, [0, 1], "Its processes used 0.97 of 2 CPUs."),  # a single thread may have been at its limit, or not
        (0.97, None, ""),
    ],
)
def test_what_limited_it(used: float, cpus: list[int] | None, sentence: str) -> None:
    assert said(trials=[own(1, "epoll", server_cpu_share=used)], hosts=[server(cpus)]).more == sentence


def test_a_ladder_and_idle_connections_are_answered_by_their_figure() -> None:
    trials = [own(n, "epoll", cell=f"c{n}", block=1, connections=10**n, active=100) for n in (2, 3, 4)]
    metrics = [{"run": "r1", "trial": n, "metric": "cpu", "value": 30.0, "quality": "solid"} for n in (2, 3, 4)]
    estimates = [estimate("epoll", "cpu", 30.0, cell=f"c{n}") for n in (2, 3, 4)]
    assert said(trials=trials, metrics=metrics, estimates=estimates).sentence.startswith(
        "From 100 to 10,000 connections with 100 active, a request's server CPU time grows: epoll 1.0 ×"
    )


EFFECTS = [(3, [0.0, 0.0]), (3, [0.1, 0.0]), (6, [0.1, 0.0]), (6, [-0.1, 0.1])]


@pytest.mark.parametrize(("blocks", "effects"), EFFECTS, ids=str)
def test_who_is_named_is_who_is_decided(blocks: int, effects: list[float]) -> None:
    """Unpaired intervals named one in 9 to 15 % of the runs without a difference; tests.bench.headline makes more."""
    draw = np.random.default_rng([11, blocks, len(effects)])
    found = [outcome(draw, blocks, effects) for _ in range(12)]
    assert [names for names, _ in found] == [decided for _, decided in found]
    if not any(effects):
        assert sum(bool(names) for names, _ in found) <= 2  # of 12 at 5 %: more in 2 of 100 such tests


@pytest.mark.parametrize(("blocks", "effects"), EFFECTS, ids=str)
def test_a_whole_run_names_whom_the_simulations_name(blocks: int, effects: list[float]) -> None:
    """From its trials on, by every step of the analysis."""
    logs = drawn(np.random.default_rng([13, blocks, len(effects)]), blocks, effects)
    names = [BASE, BASE, *(f"c{n}" for n in range(1, len(logs) - 1))]
    trials = [
        own(len(names) * block + n + 1, name, cell=name, block=block + 1, control=n == 1,
            requests_per_cpu_s=float(20_000 * np.exp(logs[n, block])))
        for block in range(blocks) for n, name in enumerate(names)
    ]  # fmt: skip
    data = dataset_of(runs=[{"run": "r1", "repetitions": blocks}], trials=trials)
    data = replace(data, metrics=metrics_table(data))
    data = replace(data, estimates=estimates_table(data))
    found = headline(replace(data, contrasts=contrasts_table(data)))
    assert named(f"{found.sentence} {found.more}") == named(bench.said(rows(logs)))
