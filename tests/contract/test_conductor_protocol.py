"""The conductor as a real process against scripted agents, real processes too: what it makes of what they do."""

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.conductor.stage import Stage, alive, eventually, read_events

ALL = {"kernel": 1000, "server": 1000, "clients": 1000}
NOT_PROVED = {"barrier": None, "end": None}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def all_are(behaviour: str, **more: object) -> dict[str, dict[str, Any]]:
    return {f"client{i}": {"is": behaviour, **more} for i in (1, 2, 3)}


def test_two_trials_that_go_well(stage: Stage) -> None:
    stage.trials = 2
    ended = stage.run()
    assert [trial["outcome"] for trial in ended.trials] == ["ok", "ok"]
    for trial in ended.trials:
        assert trial["proof"] == {"barrier": ALL, "end": ALL}
        assert trial["held"] == 1000
        assert trial["counts"]["answered"] == trial["counts"]["planned"] == 2000
        assert trial["window"] == {"start_ns": 10**9, "end_ns": 3 * 10**9}
        assert trial["start_skew_ms"] < 1
        assert trial["overhead_s"] < 5
        assert set(trial["phases_s"]) == {"start", "arm", "prove", "load", "drain", "stop"}
        # The fakes' clocks are a day ahead.
        assert all(abs(clock["offset_ns"] - 86_400 * 10**9) < 10**8 for clock in trial["clocks"].values())
        assert all(clock["offset_after_ns"] is not None for clock in trial["clocks"].values())
    assert "trial 1/2 epoll  load" in ended.out
    assert "trial 2/2 epoll  ok   1,000/1,000 held   1,000 req/s   p50 " in ended.out
    assert ended.out.index("about ") < ended.out.index("trial 1/2")
    assert ended.err == ""


def test_the_events_tell_the_whole_story_in_order(stage: Stage) -> None:
    ended = stage.run()
    said = [e for e in ended.lines[1:-1] if e["host"] == "controller"]
    used = [e for e in said if e["event"] == "own"]  # each ten seconds, whatever goes on
    assert all(e["rss_bytes"] > 1_000_000 and e["descriptors"] > 2 and e["cpu_ns"] > 0 for e in used)
    assert [(e["event"], e.get("when") or e.get("state")) for e in said if e not in used] == [
        ("plan", None), ("trial", "started"), ("clocks", "before"), ("proof", "barrier"), ("went", None),
        ("proof", "end"), ("clocks", "after"), ("trial", "ended"), ("run", "ended"),
    ]  # fmt: skip
    (started, finished) = ended.events("trial")
    assert {name: share["connections"] for name, share in started["shares"].items()} == {
        "client1": 334, "client2": 333, "client3": 333,
    }  # fmt: skip
    assert finished["result"] == ended.trial
    (went,) = ended.events("went")
    assert set(went["at_ns"]) == {"server", "client1", "client2", "client3"}
    for host, at_ns in went["at_ns"].items():
        assert at_ns == went["go_ns"] + ended.trial["clocks"][host]["offset_ns"]
    # Nobody was armed before the server listened, nobody went before all were armed.
    at = {name: [e["at"] for e in ended.events(name)] for name in ("listening", "armed", "interval")}
    assert max(at["listening"]) < min(at["armed"])
    assert max(at["armed"]) < went["at"] < min(at["interval"])


def test_a_limit_is_a_result(stage: Stage) -> None:
    stage.behaviours = {"server": {"is": "limit", "count": 100}, **all_are("limited")}
    stage.trials = 2
    ended = stage.run()
    assert [trial["outcome"] for trial in ended.trials] == ["dnf", "dnf"]
    trial = ended.trials[0]
    assert "FD_SETSIZE" in trial["reason"]
    # Three clients that each lost all but 300 of their share.
    assert trial["held"] == trial["proof"]["barrier"]["clients"] == 900
    assert trial["go_ns"] is None
    assert not ended.events("interval")


GOOD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "churn has no proof", {"load": {"workload": "churn"}},
        {"held": None, "proof": NOT_PROVED, "asked": {"connections": 1000, "rate": None}},
    ),
    (
        "a closed loop is held and proved, and has no rate",
        {
            "load": {"workload": "closed", "think_time": 0.1, "generator": "threads"},
            "behaviours": {"client3": {"is": "starts late"}},
        },
        {"proof": {"barrier": ALL, "end": ALL}, "asked": {"connections": 1000, "rate": None}},
    ),
    (
        "a user's own server counts nothing itself",
        {"server": {"strategy": None, "server_command": "./mine --port {port}"}},
        {"strategy": None, "proof": {when: {**ALL, "server": None} for when in ("barrier", "end")}},
    ),
    (
        "the skew of a late start is kept",
        {"load": {"rate": 3000}, "behaviours": {"client3": {"is": "starts late"}}},
        {"start_skew_ms": pytest.approx(50, abs=1)},
    ),
    ("late replies are a finding of analysis", {"behaviours": {"client2": {"is": "late"}}}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "fields"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_what_goes_well(tmp_path: Path, changes: dict[str, Any], fields: dict[str, Any]) -> None:
    trial = Stage(tmp_path, **changes).run().trial
    fields = {"outcome": "ok", "reason": None, **fields}
    assert {name: trial[name] for name in fields} == fields


@pytest.mark.parametrize(("disturb", "orders"), [(None, ["stop"]), ("restart/1s", ["prove", "stop"])])
def test_the_server_is_told_that_a_load_is_over_in_which_it_disturbs(
    tmp_path: Path, disturb: str | None, orders: list[str]
) -> None:
    stage = Stage(tmp_path, load={"workload": "churn"}, server={"disturb": disturb})
    assert stage.run().trial["outcome"] == "ok"
    (told,) = tmp_path.glob("server/app/orders-1")
    said = [name for name in told.read_text().split() if name not in ("clock", "alive")]
    assert said[said.index("go") + 1 :] == orders


def side_by_side(tmp_path: Path, **behaviours: dict[str, Any]) -> Stage:
    return Stage(tmp_path, trials=4, duet=True, behaviours=behaviours)


def test_two_trials_run_side_by_side_and_go_at_one_moment(tmp_path: Path) -> None:
    ended = side_by_side(tmp_path, client2={"is": "slow arm after"}).run()
    assert [(trial["n"], trial["outcome"]) for trial in ended.trials] == [(n, "ok") for n in (1, 2, 3, 4)]
    first, second, third, fourth = (trial["go_ns"] for trial in ended.trials)
    assert first == second < third == fourth
    began = {e["n"]: (e["at"], e["beside"]) for e in ended.events("trial") if e["state"] == "started"}
    assert {n: beside for n, (_, beside) in began.items()} == {1: 2, 2: 1, 3: 4, 4: 3}
    assert max(began[1][0], began[2][0]) < first < min(began[3][0], began[4][0])
    ports = {spec["trial"]: spec["targets"] for spec in ended.stage.specs("client1")}
    assert ports == {n: [f"127.0.0.1:{9000 + n}"] for n in (1, 2, 3, 4)}
    for n in (1, 2, 3, 4):
        assert {e["host"] for e in ended.events("done") if e["trial"] == n} == {"client1", "client2", "client3"}
    assert "trial 2/4 epoll  ok" in ended.out


def test_beside_a_trial_that_ends_early_the_other_goes_alone(tmp_path: Path) -> None:
    ended = side_by_side(tmp_path, client2={"is": "some refused after"}).run(3)
    assert [trial["outcome"] for trial in ended.trials] == ["ok", "invalid", "invalid", "invalid"]
    assert ended.trials[0]["counts"]["answered"] == 2000
    assert [event["trial"] for event in ended.events("went")] == [1]


def test_a_refusal_of_one_is_one_of_both(tmp_path: Path) -> None:
    ended = side_by_side(tmp_path, client2={"is": "budget after"}).run(2)
    assert not ended.events("went")
    assert ended.err.count("40000 source ports") == 1


def test_an_interruption_ends_both(tmp_path: Path) -> None:
    stage = side_by_side(tmp_path)
    stage.load = {"duration": 60}
    stage.set_up()
    process = stage.start()
    events = stage.results / "events.jsonl"
    eventually("both go", lambda: events.exists() and events.read_text().count('"went"') == 2, 20)
    process.send_signal(signal.SIGINT)
    ended = stage.end(process, 130)
    assert [trial["outcome"] for trial in ended.trials] == ["interrupted", "interrupted"]


CAPACITY: dict[str, Any] = {"workload": "capacity", "warmup": 0, "duration": 1}


def test_a_search_goes_on_to_the_knee_and_a_missed_rung_is_a_result(stage: Stage) -> None:
    stage.load, stage.search, stage.behaviours = CAPACITY, {}, all_are("normal", knee=1000)
    ended = stage.run()
    rungs = [(e["trial"], e["cell"], e["rate"], e["passed"]) for e in ended.events("rung")]
    assert rungs == [
        (1, "c1@1000", 1000, True), (2, "c1@2000", 2000, True), (3, "c1@4000", 4000, False),
        (4, "c1@2828", 2828, True),
    ]  # fmt: skip
    assert [(t["n"], t["cell"], t["block"], t["asked"]["rate"], t["outcome"]) for t in ended.trials] == [
        (n, cell, 1, rate, "ok") for n, cell, rate, _ in rungs
    ]
    for started in ended.events("trial")[::2]:
        assert started["load"]["rate"] == sum(share["rate"] for share in started["shares"].values())
        assert (started["block"], started["kind"], started["control"]) == (1, "measure", False)
        assert started["cell"] == f"c1@{started['load']['rate']}"
    assert [spec["load"]["rate"] for spec in ended.stage.specs("client2")] == [333, 666, 1332, 942]
    assert "trial 1/1 epoll 4,000/s  ok" in ended.out


def test_every_entry_searches_anew_within_its_numbers_and_its_time(stage: Stage) -> None:
    stage.load, stage.behaviours = CAPACITY, all_are("normal", knee=1000)
    stage.search = {"most_rungs": 2}
    first = {"n": 1, "block": 1}
    plan = stage.plan()["trials"][0]
    stage.plan_fields = {
        "trials": [
            plan | first,
            plan | {"n": 3, "block": 2},
            plan | {"n": 5, "search": plan["search"] | {"budget_s": 1}},
        ]
    }
    ended = stage.run()
    assert [(e["trial"], e["block"], e["rate"]) for e in ended.events("rung")] == [
        (1, 1, 1000), (2, 1, 2000), (3, 2, 1000), (4, 2, 2000), (5, 1, 1000),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("behaviours", "status", "outcome"),
    [
        (all_are("mismatch after"), 3, "invalid"),
        ({"server": {"is": "crash after"}}, 3, "crashed"),
        ({"client2": {"is": "dies in mid-load after"}}, 3, "partial"),
        ({"server": {"is": "limit after"}, **all_are("limited after")}, 0, "dnf"),
    ],
)
def test_a_rung_that_says_nothing_of_its_rate_ends_its_search(
    stage: Stage, behaviours: dict[str, dict[str, Any]], status: int, outcome: str
) -> None:
    stage.load, stage.search, stage.behaviours = CAPACITY, {}, behaviours
    ended = stage.run(status)
    assert [(e["rate"], e["passed"], e["why"]) for e in ended.events("rung")][1:] == [(2000, None, outcome)]


LIMIT: dict[str, Any] = {"workload": "limit", "warmup": 0, "duration": 1}


@pytest.mark.parametrize(
    ("behaviours", "status", "outcome", "reason"),
    [
        ({"client2": {"is": "budget after"}}, 0, "dnf", "client2: 40000 connections need 40000 source ports"),
        ({"client2": {"is": "some refused after"}}, 0, "dnf", "not armed: 1,998 of 2,000 connections verified"),
        ({"server": {"is": "limit after"}, **all_are("limited after")}, 0, "dnf", "FD_SETSIZE"),
        ({"server": {"is": "crash after"}}, 3, "crashed", "died of signal 9"),
    ],
)
def test_a_search_for_a_limit_closes_in_on_whatever_breaks(
    stage: Stage, behaviours: dict[str, dict[str, Any]], status: int, outcome: str, reason: str
) -> None:
    stage.load, stage.search, stage.behaviours = LIMIT, {"over": "connections"}, behaviours
    ended = stage.run(status)
    rungs = [(e["trial"], e["cell"], e["connections"], e["passed"]) for e in ended.events("rung")]
    assert rungs == [
        (1, "c1@1000", 1000, True), (2, "c1@2000", 2000, False), (3, "c1@1414", 1414, False),
    ]  # fmt: skip
    assert [(t["n"], t["outcome"], t["asked"]["connections"]) for t in ended.trials][:2] == [
        (1, "ok", 1000), (2, outcome, 2000),
    ]  # fmt: skip
    assert reason in ended.trials[1]["reason"]
    assert [spec["load"]["active"] for spec in ended.stage.specs("client2")][:2] == [333, 667]
    assert "met at 1,000 connections and missed at 1,414 connections" in ended.out


def test_what_is_wrong_with_a_host_refuses_a_search_for_a_limit_too(stage: Stage) -> None:
    stage.load, stage.search = LIMIT, {"over": "connections"}
    stage.behaviours = {"client2": {"is": "bad spec"}}
    assert "The spec is not for me." in stage.run(2).err


def test_a_ramp_is_proved_at_each_step_and_then_loaded(stage: Stage) -> None:
    stage.load = {"workload": "ramp", "steps": 3}
    ended = stage.run()
    trial = ended.trial
    # 334, 333 and 333 in three parts each: 112 + 111 + 111, and so on.
    heights = [334, 667, 1000]
    assert [{**step, "arm_s": 0} for step in trial["steps"]] == [
        {"connections": n, "arm_s": 0, "kernel": n, "server": n, "clients": n} for n in heights
    ]
    assert trial["outcome"] == "ok"
    assert trial["asked"] == {"connections": 1000, "rate": 1000}
    assert trial["proof"] == {"barrier": ALL, "end": ALL}
    steps = ended.events("step", "controller")
    assert [(step["n"], step["connections"]) for step in steps] == list(enumerate(heights, 1))
    apart_ns = [after["at"] - before["at"] for before, after in itertools.pairwise(steps)]
    assert min(apart_ns) >= 10**9
    assert trial["phases_s"]["arm"] >= 3
    assert "step 2/3" in ended.out


def test_a_limit_ends_a_ramp_with_the_steps_so_far(stage: Stage) -> None:
    stage.behaviours = all_are("limited")
    stage.load = {"workload": "ramp", "connections": 1200, "active": 1200, "steps": 4}
    ended = stage.run()
    trial = ended.trial
    assert (trial["outcome"], trial["held"], trial["go_ns"]) == ("dnf", 900, None)
    assert "FD_SETSIZE" in trial["reason"]
    assert [(step["connections"], step["clients"]) for step in trial["steps"]] == [
        (300, 300), (600, 600), (900, 900), (1200, 900),
    ]  # fmt: skip


def test_a_ramp_whose_counts_disagree_is_invalid(stage: Stage) -> None:
    stage.behaviours = {"server": {"is": "normal", "count": 99}}
    stage.load = {"workload": "ramp", "arm_timeout": 1}
    ended = stage.run(3)
    assert "do not agree (kernel 99" in ended.trial["reason"]
    assert len(ended.trial["steps"]) == 1


def test_a_calibration_gives_the_ceilings(stage: Stage) -> None:
    stage.calibration = True
    ended = stage.run()
    last = ended.trials[-1]
    assert (last["kind"], last["cell"], last["outcome"], last["held"]) == ("calibration", "calibration", "ok", None)
    assert last["proof"] == NOT_PROVED
    assert last["ceiling"]["client2"] == {"sends_per_s": 500_000, "sends_per_cpu_s": 625_000}
    assert ended.trials[0]["ceiling"] is None
    assert "trial 2/2 calibration  ok   client1 sends at most 500,000/s" in ended.out


@pytest.mark.parametrize("behaviour", ["budget after", "crash after"])
def test_whatever_becomes_of_the_calibration_the_run_is_good(stage: Stage, behaviour: str) -> None:
    stage.behaviours = {"client1": {"is": behaviour}} if behaviour == "budget after" else {"server": {"is": behaviour}}
    stage.calibration = True
    ended = stage.run()
    assert [trial["outcome"] for trial in ended.trials] == ["ok", "invalid" if "budget" in behaviour else "crashed"]


def test_with_a_number_of_requests_the_window_ends_with_the_last_done(stage: Stage) -> None:
    stage.load = {"workload": "churn", "requests": 3000}
    ended = stage.run()
    assert ended.trial["outcome"] == "ok"
    window = ended.trial["window"]
    assert window["start_ns"] == 0
    last = max(event["at"] for event in ended.events("done"))
    assert window["end_ns"] == pytest.approx(last - ended.trial["go_ns"], abs=10**8)
    assert sum(stage.specs(f"client{i}")[0]["load"]["requests"] for i in (1, 2, 3)) == 3000


@pytest.mark.parametrize(
    ("behaviours", "says"),
    [
        (
            {"client2": {"is": "budget"}},
            "client2: 40000 connections need 40000 source ports and this host has 28232. Spread",
        ),
        ({"client3": {"is": "bad spec"}}, "client3: The spec is not for me. Deploy again."),
        ({"server": {"is": "dies at start"}}, "server: its agent did not start in "),
        ({"client1": {"is": "dies at start"}}, "(cannot import name 'x')"),
    ],
)
def test_refused_before_any_load(stage: Stage, behaviours: dict[str, Any], says: str) -> None:
    stage.behaviours = behaviours
    stage.trials = 2
    ended = stage.run(2)
    assert says in ended.err
    assert ended.err.count("\n") == 1
    assert len(ended.events("trial")) == 2  # started and ended, of the first only
    assert not ended.events("interval")


@pytest.mark.parametrize(
    ("name", "says"), [("client2", "client2: its agent did not start"), ("server", "server: its agent")]
)
def test_a_missing_agent_is_one_sentence(stage: Stage, name: str, says: str) -> None:
    stage.set_up()
    if name == "server":
        stage.hosts = {"server": {"python": "/nowhere/python3"}}
        (stage.base / "plan.yml").write_text(yaml.safe_dump(stage.plan()))
    else:
        (stage.base / name / "app/loadgen").unlink()
    ended = stage.end(stage.start(), 2)
    assert says in ended.err
    assert "prepare.yml" in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("behaviours", "outcome", "says"),
    [
        ({"server": {"is": "crash"}}, "crashed", "signal 9"),
        ({"client2": {"is": "some refused"}}, "invalid", "connect/refused 2"),
        ({"server": {"is": "normal", "count": 1001}}, "invalid", "kernel 1,001"),
        ({"client1": {"is": "mismatch"}}, "invalid", "client1: 1 replies crossed"),
        ({"client1": {"is": "surplus"}}, "invalid", "no request asked for"),
        ({"client1": {"is": "does not add up"}}, "invalid", "accounted for"),
        ({"client1": {"is": "cannot keep up"}}, "invalid", "never sent"),
        ({"client2": {"is": "dies in mid-load"}}, "partial", "client2"),
        ({"client2": {"is": "garbage in mid-load"}}, "partial", "does not keep the protocol"),
    ],
)
def test_what_goes_wrong_has_its_name(stage: Stage, behaviours: dict[str, Any], outcome: str, says: str) -> None:
    stage.behaviours = behaviours
    ended = stage.run(3)
    assert ended.trial["outcome"] == outcome
    assert says in ended.trial["reason"]
    assert says in ended.out
    if outcome == "partial":
        # The others went on to their end.
        assert {event["host"] for event in ended.events("done")} == {"client1", "client3"}
        assert ended.trial["counts"]["planned"] == 2 * (334 + 333)


IMITATION = "oh.\ntrial 1/1 epoll  ok   1,000/1,000 held\n\nAll hosts are as they were."


@pytest.mark.parametrize(
    ("forged", "says"),
    [
        ('{"event":"sample","t":1,"open":null}', "does not keep the protocol: sample with"),
        (f'{{"event":"stderr","a":{"[" * 900}{"]" * 900}}}', "does not keep the protocol: stderr that could not"),
        (f'{{"event":"clock","n":1,"t":1{"0" * 4200}}}', "does not keep the protocol: clock with t 1000"),
        (json.dumps({"event": "limit", "resource": IMITATION, "held": 1}), "its limit oh. trial 1/1 epoll ok"),
        (
            json.dumps({"event": "error", "phase": "internal", "cause": "crashed", "message": IMITATION, "remedy": ""}),
            "the server: oh. trial 1/1 epoll ok",
        ),
    ],
)
def test_what_the_server_forges_ends_its_trial_at_most_and_imitates_nobody(
    stage: Stage, forged: str, says: str
) -> None:
    """It can write to the stdout of its agent."""
    stage.behaviours = {"server": {"is": "normal", "forges": [forged]}}
    ended = stage.run(0 if "limit" in forged else 3)
    assert says in ended.trial["reason"] and len(ended.trial["reason"]) < 4200
    assert not [
        text for text in ended.out.splitlines() if text.startswith(("trial 1/1 epoll  ok   1,000/1,000", "All"))
    ]


STILL = {"is": "normal", "stands still": True}
IDLE = "at the end the server did nothing and gave nobody a whole answer: it hung, lost bytes, or nothing reached it"
IN_VAIN = {"client1": {"is": "normal", "in vain": 334}} | {
    name: {"is": "normal", "in vain": 333} for name in ("client2", "client3")
}


@pytest.mark.parametrize(
    ("behaviours", "outcome", "reason"),
    [
        # All wait in vain: on a server that does nothing, and on one that is only slow.
        ({"server": STILL, **IN_VAIN}, "crashed", IDLE),
        (IN_VAIN, "ok", None),
        # One client, of which the server has read all that came: its path; or a part of the server, which has not.
        (
            {"server": STILL, "client2": {"is": "normal", "in vain": 333}}, "partial",
            "client2 lost the server: none of its 333 connections answered at the end",
        ),
        (
            {"server": {**STILL, "unread": 200}, "client2": {"is": "normal", "in vain": 200}}, "crashed",
            "the server hung: it did nothing, and had not read what came on 200 connections",
        ),
        ({"client2": {"is": "normal", "in vain": 200}}, "ok", None),
        (
            {"server": {**STILL, "queued": 2}, "client2": {"is": "some refused"}}, "crashed",
            "the server hung: it did nothing, and had not accepted 2 that had come",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("server", [{}, {"strategy": None, "server_command": "./mine --port {port}"}])
def test_who_hangs_is_told_from_who_is_slow_and_from_a_path_that_is_cut(
    stage: Stage, server: dict[str, Any], behaviours: dict[str, Any], outcome: str, reason: str | None
) -> None:
    stage.behaviours, stage.server, stage.load = behaviours, server, {"warmup": 0, "duration": 1}
    ended = stage.run(0 if outcome == "ok" else 3)
    assert (ended.trial["outcome"], ended.trial["reason"]) == (outcome, reason)


@pytest.mark.parametrize(
    ("server", "outcome", "reason"),
    [
        (STILL, "crashed", IDLE),
        ({"is": "normal"}, "partial", "client1 was lost: nothing was answered for 7 s"),
    ],
)
def test_a_number_of_requests_that_nobody_answers_any_more_is_given_up(
    stage: Stage, server: dict[str, Any], outcome: str, reason: str
) -> None:
    stage.behaviours = {"server": server, **all_are("gets no answers")}
    stage.load = {"workload": "churn", "requests": 100_000, "warmup": 0}
    ended = stage.run(3)
    assert ended.trial["outcome"] == outcome
    assert ended.trial["reason"].startswith(reason)


@pytest.mark.parametrize(
    ("server", "answers_for", "outcome", "reason"),
    [
        (STILL, 0, "crashed", IDLE),
        (
            {**STILL, "queued": 30},
            1,
            "crashed",
            "the server hung: it did nothing, and had not accepted 30 that had come",
        ),
        ({"is": "normal"}, 1, "ok", None),  # it works on, be it for nobody
        (STILL, 2, "ok", None),  # answers ceased for a second, which may be the timeout of each request
    ],
)
def test_churn_is_judged_for_a_hang_too(
    stage: Stage, server: dict[str, Any], answers_for: int, outcome: str, reason: str | None
) -> None:
    stage.behaviours = {"server": server, **all_are("normal", **{"answers for": answers_for})}
    stage.load = {"workload": "churn", "warmup": 0, "duration": 3, "timeout": 1}
    ended = stage.run(0 if outcome == "ok" else 3)
    assert (ended.trial["outcome"], ended.trial["reason"]) == (outcome, reason)


def test_an_agent_that_died_is_started_again_for_the_next_trial(stage: Stage) -> None:
    stage.behaviours = {"server": {"is": "crash"}}
    stage.trials = 2
    ended = stage.run(3)
    assert [trial["outcome"] for trial in ended.trials] == ["crashed", "crashed"]


def test_a_host_gone_silent_ends_the_run(stage: Stage) -> None:
    stage.behaviours = {"client2": {"is": "silent in mid-load"}}
    stage.trials = 2
    ended = stage.run(3)
    assert ended.trial["outcome"] == "partial"
    assert "client2" in ended.trial["reason"]
    assert {event["host"] for event in ended.events("done")} == {"client1", "client3"}
    assert "client2: out of reach" in ended.err


@pytest.mark.parametrize("arm_timeout", [1, 60])
def test_silence_while_arming_is_a_loss_whatever_the_time_for_it(stage: Stage, arm_timeout: int) -> None:
    stage.behaviours = {"client1": {"is": "silent"}}
    stage.load = {"arm_timeout": arm_timeout}
    ended = stage.run(3)
    assert ended.trial["outcome"] == "partial"
    assert "client1 was lost: it has said nothing for" in ended.trial["reason"]
    assert ended.trial["go_ns"] is None


def test_one_look_at_many_sockets_may_take_longer_than_there_is_time_for_another(stage: Stage) -> None:
    stage.behaviours = {"server": {"counts for": 1}}  # END_RECOUNT_S is half of it
    assert stage.run().trial["proof"] == {"barrier": ALL, "end": ALL}


def test_a_slow_client_is_waited_for(stage: Stage) -> None:
    stage.behaviours = {"client3": {"is": "slow arm"}}
    ended = stage.run()
    assert ended.trial["phases_s"]["arm"] > 2.5
    assert "arming 2." in ended.out
    assert ended.trial["overhead_s"] < 2


def test_other_text_and_a_flood_on_stderr_harm_nobody(stage: Stage) -> None:
    stage.behaviours = {"client1": {"is": "greeting"}, "client2": {"is": "flood"}}
    ended = stage.run()
    assert ended.trial["outcome"] == "ok"
    assert any(event["text"] == "Welcome to this host!" for event in ended.events("stderr", "client1"))
    assert len(ended.events("stderr", "client2")) < 20_000


def test_an_agent_that_does_not_stop_is_ended(stage: Stage) -> None:
    stage.behaviours = {"client1": {"is": "deaf to stop"}}
    ended = stage.run()
    assert ended.trial["phases_s"]["stop"] < 20


def until_load(stage: Stage, process: "subprocess.Popen[str]") -> None:
    def loading() -> bool:
        assert process.poll() is None, process.communicate()
        events = stage.results / "events.jsonl"
        return events.exists() and '"event":"interval"' in events.read_text()

    eventually("an interval", loading, 15)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_and_keeps_what_there_is(stage: Stage, number: signal.Signals) -> None:
    stage.load = {"duration": 30}
    stage.behaviours = {"client1": {"is": "deaf to stop"}}
    stage.set_up()
    process = stage.start()
    until_load(stage, process)
    process.send_signal(number)
    ended = stage.end(process, 130, 15)  # of 30 s of load
    assert ended.trial["outcome"] == "interrupted"
    assert number.name in ended.trial["reason"]
    assert ended.events("interval")


def test_a_signal_before_the_first_trial_goes_on(stage: Stage) -> None:
    stage.behaviours = {"server": {"is": "silent"}}
    stage.load = {"arm_timeout": 60}
    stage.set_up()
    process = stage.start()
    eventually("agents", lambda: len(stage.pids()) == 4, 10)
    process.send_signal(signal.SIGINT)
    stage.end(process, 130, 10)


def test_the_owners_death_ends_the_run(stage: Stage) -> None:
    stage.load = {"duration": 30}
    stage.set_up()
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    process = stage.start("--owner", str(owner.pid))
    until_load(stage, process)
    owner.kill()
    ended = stage.end(process, 130, 15)  # of 30 s of load
    owner.wait()
    assert ended.trial["outcome"] == "interrupted"
    assert "owner" in ended.err


def test_an_owner_already_dead_is_noticed(stage: Stage) -> None:
    owner = subprocess.Popen(["true"])
    owner.wait()
    stage.set_up()
    process = stage.start("--owner", str(owner.pid))
    assert process.wait(timeout=10) == 130


def test_killed_outright_its_agents_end_too_and_the_events_can_be_read(stage: Stage) -> None:
    stage.load = {"duration": 30}
    stage.set_up()
    process = stage.start()
    until_load(stage, process)
    process.kill()
    process.communicate()
    eventually("all agents gone", lambda: not any(alive(pid) for pid in stage.pids()), 5)
    lines = read_events(stage.results)
    assert lines[0]["header"] == 1
    assert "trailer" not in lines[-1]


def test_nobody_reading_its_output_is_no_reason_to_stop(stage: Stage) -> None:
    stage.set_up()
    process = stage.start()
    assert process.stdout and process.stderr
    process.stdout.close()
    process.stderr.close()
    assert process.wait(timeout=30) == 0


def test_a_run_is_never_written_over(stage: Stage) -> None:
    stage.run()
    before = (stage.results / "events.jsonl").read_text()
    process = stage.start()
    _, err = process.communicate(timeout=10)
    assert process.returncode == 2
    assert "never written over" in err
    assert (stage.results / "events.jsonl").read_text() == before


def test_the_conductors_pinning_is_not_the_agents(stage: Stage) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    stage.plan_fields = {"conductor_cpus": cpus[:1]}
    stage.load = {"duration": 3}
    stage.set_up()
    process = stage.start()
    until_load(stage, process)
    assert os.sched_getaffinity(process.pid) == set(cpus[:1])
    assert all(os.sched_getaffinity(pid) == set(cpus) for pid in stage.pids())
    process.communicate(timeout=20)
    assert process.returncode == 0
