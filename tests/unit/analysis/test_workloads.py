"""What workloads beside `open` have to say: ladders and their knee, steps, ceilings; and every factor that differs."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.__main__ import main
from analysis.answers.objective import objective
from analysis.ingest.events import read
from analysis.ingest.run import ingest
from analysis.unreadable import Unreadable
from tests.unit.analysis.build import MS, done, ended, event, started, trial, whole, write

Capture = pytest.CaptureFixture[str]
Documents = list[dict[str, Any]]


def summary(folder: Path, trials: Documents, events: Documents, capsys: Capture) -> str:
    assert main(["summary", str(write(folder, trials, events))]) == 0
    # Long remarks are wrapped; a test reads them as one line.
    return " ".join(capsys.readouterr().out.split())


def ladder(rates: dict[int, dict[int, int]], strategy: str = "epoll", first: int = 1) -> tuple[Documents, Documents]:
    """A cell for each rate, with what each interval of a client was answered."""
    trials = [
        trial(n, strategy, cell=f"c{n}", workload="capacity", rate=rate) for n, rate in enumerate(rates, start=first)
    ]
    answers = list(rates.values())
    return trials, [e for t, response in zip(trials, answers, strict=True) for e in whole(t, response)]


GOOD = {5 * MS: 250}
# 4 intervals of 250: 40 of 1,000 requests take 20 ms, so that is the 99th percentile.
SLOW = {MS: 240, 20 * MS: 10}


def test_each_block_of_a_search_has_rates_of_its_own_and_is_asked_for_no_more(tmp_path: Path, capsys: Capture) -> None:
    """The knee is at 1,410/s in each; their second and third rates differ."""
    trials, events = [], []
    for block, rates in (
        (1, {500: GOOD, 1000: GOOD, 2000: SLOW}),
        (2, {500: GOOD, 1000: GOOD, 2000: SLOW, 1414: GOOD}),
    ):
        entry = trial(10 * block, workload="capacity", rate=500, block=block) | {"search": {"most_rungs": 10}}
        trials.append(entry)
        for n, (rate, response) in enumerate(rates.items(), start=10 * block):
            rung = trial(n, cell=f"c1@{rate}", workload="capacity", rate=rate, block=block)
            began, *rest = whole(rung, response)
            events += [began | {"cell": rung["cell"]}, *rest]
    text = summary(tmp_path, trials, events, capsys)
    assert "Capacity within p99 ≤ 10 ms: epoll 1," in text, text
    assert "misses it" not in text and "with the same command" not in text, text


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        # Between 5 and 20 ms half of the way, in logarithms, is 10 ms: √2 times the rate below.
        ({2000: SLOW, 500: GOOD, 1000: GOOD}, ["Capacity within p99 ≤ 10 ms: epoll 1,410/s",
         "epoll: refine it with the same command and -e workload=open -e rate=1250,1500,1750"]),
        ({500: GOOD, 1000: GOOD, 2000: GOOD}, ["epoll at least 2,000/s", "look higher with the same command and "
         "-e workload=capacity -e rate=8000"]),
        ({400: SLOW, 800: SLOW, 1600: SLOW}, ["misses it in some block at 400/s already", "look lower with the same "
         "command and -e workload=capacity -e rate=100"]),
        # Noise in the middle: the first miss counts, everywhere.
        ({500: GOOD, 1000: SLOW, 2000: GOOD, 4000: SLOW}, ["(met again at 2,000/s, beyond a miss", "rate=625,750,875"]),
    ],
)  # fmt: skip
def test_the_capacity_and_the_rates_to_try_next(
    tmp_path: Path, capsys: Capture, rates: dict[int, dict[int, int]], words: list[str]
) -> None:
    text = summary(tmp_path, *ladder(rates), capsys)
    assert all(word in text for word in words), text
    assert {f"{rate:,}/s" for rate in rates} <= set(text.split()) or "already" in text


def test_each_strategy_has_a_ladder_of_its_own(tmp_path: Path, capsys: Capture) -> None:
    trials, events = ladder({500: GOOD, 1000: SLOW, 2000: SLOW})
    others, more = ladder({1000: GOOD, 500: GOOD, 2000: GOOD}, "poll", first=4)
    text = summary(tmp_path, trials + others, events + more, capsys)
    assert "epoll: refine it with the same command and -e workload=open -e rate=625,750,875" in text
    assert "poll: look higher" in text


def test_requests_that_were_never_answered_count_against_the_objective(tmp_path: Path, capsys: Capture) -> None:
    trials, events = ladder({500: GOOD, 1000: GOOD, 2000: GOOD})
    # 11 of 1,000 planned requests of the third rung: more than one in a hundred.
    late = next(e for e in events if e["event"] == "interval" and e["trial"] == 3 and e["k"] == 1)
    late |= {"planned": late["planned"] + 11, "sent": late["sent"] + 11, "timed_out": 11}
    assert "rate=1250,1500,1750" in summary(tmp_path, trials, events, capsys)


def test_a_rung_that_is_not_ok_does_not_meet_it(tmp_path: Path, capsys: Capture) -> None:
    trials, events = ladder({500: GOOD, 1000: GOOD})
    trials.append(trial(3, cell="c3", workload="capacity", rate=2000))
    events += whole(trials[2], GOOD, outcome="invalid", reason="1 of 2 planned requests were never sent")
    text = summary(tmp_path, trials, events, capsys)
    # It is struck, so it says nothing of 2,000/s: neither that the rate is met nor that it is missed.
    assert "Capacity within p99 ≤ 10 ms: epoll at least 1,000/s" in text
    # That rate comes first, not a higher one; where the knee lies below it, it is of no interest.
    assert "epoll: repeat what has no valid trial with the same command and -e workload=open -e rate=2000" in text
    trials, events = ladder({400: SLOW, 800: SLOW})
    trials.append(trial(3, cell="c3", workload="capacity", rate=1600))
    events += whole(trials[2], GOOD, outcome="invalid", reason="1 of 2 planned requests were never sent")
    assert "look lower" in summary(tmp_path / "low", trials, events, capsys)


def test_the_objective_is_the_runs_own(tmp_path: Path) -> None:
    for slo, found in (("p99.9=1.5s", (99.9, 1.5e9)), ("p50=200us", (50, 2e5)), ("soon", (99, 1e7)), (7, (99, 1e7))):
        goal = objective(slo)
        assert (float(goal.percent), goal.limit_ns) == pytest.approx(found)
    folder = write(tmp_path, [trial(1)], [])
    assert ingest(str(folder)).runs["slo"].tolist() == ["p99=10ms"]
    manifest = {"schema": 1, "parameters": {"slo": "p50=200us"}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert ingest(str(folder)).runs["slo"].tolist() == ["p50=200us"]
    for text in ("[", "[]", "{}", ""):
        (folder / "manifest.json").write_text(text)
        assert ingest(str(folder)).runs["slo"].tolist() == ["p99=10ms"]


def step(planned: dict[str, Any], k: int, asked: int, arm_s: float, clients: int | None = None) -> dict[str, Any]:
    held = asked if clients is None else clients
    said = event("step", n=planned["n"], connections=asked, arm_s=arm_s, kernel=held, server=held, clients=held)
    return said | {"n": k}


def test_a_ramp_prints_its_steps(tmp_path: Path, capsys: Capture) -> None:
    trials = [trial(n, block=n, workload="ramp", steps=2) for n in (1, 2, 3)]
    events = [e for t in trials for e in whole(t)]
    for planned, arm_s in zip(trials, (0.1, 0.9, 0.2), strict=True):
        events += [step(planned, 1, 500, arm_s), step(planned, 2, 1000, 2 * arm_s)]
    trials.append(trial(4, "select", cell="c2", workload="ramp", steps=2))
    events += [started(trials[3]), step(trials[3], 1, 500, 0.1), step(trials[3], 2, 1000, 0.2, clients=815)]
    text = summary(tmp_path, trials, events, capsys)
    assert "- epoll: connections were armed in steps, 500 in 200 ms · 1,000 in 400 ms" in text
    assert "- select: connections were armed in steps, 500 in 100 ms · 1,000 (815 held)" in text
    assert "2 steps" in text


def test_many_steps_are_cut_short(tmp_path: Path, capsys: Capture) -> None:
    planned = trial(1, workload="ramp", steps=40)
    steps = [step(planned, k, 25 * k, 0.1) for k in range(1, 41)]
    text = summary(tmp_path, [planned], [*whole(planned), *steps], capsys)
    assert "275 in 100 ms · … (28 more) · 1,000 in 100 ms" in text


def calibration(n: int) -> dict[str, Any]:
    return trial(n, "null_server", cell="calibration", workload="calibrate") | {"kind": "calibration"}


def test_a_calibration_is_no_row_and_one_line(tmp_path: Path, capsys: Capture) -> None:
    trials = [trial(1), calibration(2)]
    ceiling = {"client1": {"sends_per_s": 812345.6, "sends_per_cpu_s": 900000.0},
               "client2": {"sends_per_s": None, "sends_per_cpu_s": None}}  # fmt: skip
    events = [*whole(trials[0]), started(trials[1]), done(2, "client2"), done(2, "client1")]
    events.append(ended(trials[1], kind="calibration", ceiling=ceiling))
    assert len(ingest(str(write(tmp_path / "run", trials, events))).trials) == 1
    text = summary(tmp_path, trials, events, capsys)
    assert "null_server" not in text
    assert (
        "ceiling, against a server that swallows: client1 812,000 records/s (900,000 per CPU second), client2 –" in text
    )
    assert "1 trial " in f"{text} "


def test_a_plan_of_nothing_but_a_calibration_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="nothing but its generators"):
        read(str(write(tmp_path, [calibration(1)], [])))


def test_a_closed_loop_has_no_offered_rate(tmp_path: Path, capsys: Capture) -> None:
    planned = trial(1, workload="closed", think_time=0.5)
    text = summary(tmp_path, [planned], whole(planned), capsys)
    assert "closed load" in text
    assert "0.5 s think time" in text
    assert "offered" not in text


@pytest.mark.parametrize(
    ("factors", "labels"),
    [
        ({"generator": "asyncio"}, ["epoll, generator asyncio", "epoll, generator go"]),
        ({"hostile": {"kind": "mute", "connections": 50}}, ["epoll", "epoll, hostile mute:50"]),
        ({"think_time": 0.25}, ["epoll, think 0 s", "epoll, think 0.25 s"]),
        ({"server_ports": 4}, ["epoll, server ports 1", "epoll, server ports 4"]),
        ({"steps": 5}, ["epoll, steps 10", "epoll, steps 5"]),
        ({"workload": "closed"}, ["epoll", "epoll, closed"]),
    ],
)
def test_whatever_differs_between_cells_is_seen(
    tmp_path: Path, capsys: Capture, factors: dict[str, Any], labels: list[str]
) -> None:
    trials = [trial(1), trial(2, cell="c2", **factors)]
    assert main(["summary", str(write(tmp_path, trials, [e for t in trials for e in whole(t)]))]) == 0
    lines = capsys.readouterr().out.splitlines()
    (rule,) = (place for place, line in enumerate(lines) if line.startswith("───"))
    # A label ends where the column does, two spaces before the next.
    assert lines[rule - 1].startswith("strategy  ")
    assert sorted(line.split("  ")[0] for line in lines[rule + 1 : rule + 3]) == labels


def test_a_factor_that_is_the_same_throughout_and_unusual_stands_in_the_headline(
    tmp_path: Path, capsys: Capture
) -> None:
    planned = trial(1, generator="pool", hostile={"kind": "storm", "connections": 7}, server_ports=3)
    text = summary(tmp_path, [planned], whole(planned), capsys)
    assert all(words in text for words in ("generator pool", "hostile clients storm:7", "3 ports"))
