"""What workloads beside `open` have to say: ladders and their knee, steps, ceilings; and every factor that differs."""

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from analysis.__main__ import main
from analysis.capacity import Objective, Rung, knee, objective_of
from analysis.events import Unreadable, read
from analysis.summary import cells
from analysis.trials import trial_table
from tests.unit.analysis.build import MS, ended, event, started, trial, whole, write

Capture = pytest.CaptureFixture[str]
Documents = list[dict[str, Any]]
P99 = Objective(Fraction(99), 10 * MS)


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


def test_the_rungs_come_in_order_of_rate_and_the_knee_is_bracketed(tmp_path: Path, capsys: Capture) -> None:
    trials, events = ladder({2000: SLOW, 500: GOOD, 1000: GOOD})
    table = trial_table(read(str(write(tmp_path / "run", trials, events))))[0]
    assert cells(table)["rate"].tolist() == [500, 1000, 2000]
    text = summary(tmp_path, trials, events, capsys)
    assert (
        "- epoll: the knee lies between 1,000/s, which meets p99 ≤ 10 ms over planned requests (5.00 ms), "
        "and 2,000/s, which does not (20.0 ms); "
        "refine it with the same command and -e workload=open -e rate=1250,1500,1750"
    ) in text


def test_each_strategy_has_a_ladder_of_its_own(tmp_path: Path, capsys: Capture) -> None:
    trials, events = ladder({500: GOOD, 1000: SLOW})
    others, more = ladder({1000: GOOD, 500: GOOD}, "poll", first=3)
    table = trial_table(read(str(write(tmp_path / "run", trials + others, events + more))))[0]
    assert [(row["strategy"], row["rate"]) for row in cells(table).to_dict("records")] == [
        ("epoll", 500), ("epoll", 1000), ("poll", 500), ("poll", 1000),
    ]  # fmt: skip
    text = summary(tmp_path, trials + others, events + more, capsys)
    assert "epoll: the knee lies between 500/s" in text
    assert "poll: every rate up to 1,000/s meets p99 ≤ 10 ms; look higher" in text


def test_requests_that_were_never_answered_count_against_the_objective(tmp_path: Path, capsys: Capture) -> None:
    trials, events = ladder({500: GOOD, 1000: GOOD})
    # 11 of 1,000 planned requests of the second rung: more than one in a hundred.
    late = next(e for e in events if e["event"] == "interval" and e["trial"] == 2 and e["k"] == 1)
    late |= {"planned": late["planned"] + 11, "timed_out": 11}
    text = summary(tmp_path, trials, events, capsys)
    assert "1,000/s, which does not (> timeout)" in text


def test_a_rung_that_is_not_ok_does_not_meet_it(tmp_path: Path, capsys: Capture) -> None:
    trials, events = ladder({500: GOOD})
    trials.append(trial(2, cell="c2", workload="capacity", rate=1000))
    events += whole(trials[1], GOOD, outcome="invalid", reason="1 of 2 planned requests were never sent")
    assert "between 500/s" in summary(tmp_path, trials, events, capsys)


@pytest.mark.parametrize(
    ("responses", "words"),
    [
        ([math.nan, math.nan], "says enough"),
        ([11 * MS, 12 * MS], "no rate from 100/s on meets p99 ≤ 10 ms; look lower with the same command and "
         "-e workload=capacity -e rate=25"),
        ([1 * MS, 10 * MS], "every rate up to 200/s meets"),
        ([1 * MS, 10 * MS + 1], "rate=125,150,175"),
        # Noise in the middle: what counts is the highest rate that meets it.
        ([1 * MS, 11 * MS, 9 * MS, math.inf], "between 400/s"),
        ([1 * MS, math.nan, 20 * MS], "100/s, which meets p99 ≤ 10 ms over planned requests (1.00 ms), and 400/s"),
    ],
)  # fmt: skip
def test_the_knee(responses: list[float], words: str) -> None:
    assert words in knee([Rung(100 * 2**i, response) for i, response in enumerate(responses)], P99)


def test_the_objective_is_the_runs_own(tmp_path: Path) -> None:
    log = read(str(write(tmp_path, [trial(1)], [])))
    assert objective_of(log) == P99
    for slo, found in (("p99.9=1.5s", (99.9, 1.5e9)), ("p50=200us", (50, 2e5)), ("soon", (99, 1e7)), (7, (99, 1e7))):
        (tmp_path / "manifest.json").write_text(json.dumps({"parameters": {"slo": slo}}))
        objective = objective_of(log)
        assert (float(objective.percent), objective.limit_ns) == pytest.approx(found)
    for text in ("[", "[]", "{}", ""):
        (tmp_path / "manifest.json").write_text(text)
        assert objective_of(log) == P99


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
    events = [*whole(trials[0]), started(trials[1]), ended(trials[1], kind="calibration", ceiling=ceiling)]
    assert len(trial_table(read(str(write(tmp_path / "run", trials, events))))[0]) == 1
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
    ("factors", "shown"),
    [
        ({"generator": "asyncio"}, ("generator", "asyncio")),
        ({"hostile": {"kind": "mute", "connections": 50}}, ("hostile", "mute:50")),
        ({"think_time": 0.25}, ("think", "0.25")),
        ({"server_ports": 4}, ("ports", "4")),
        ({"steps": 5}, ("steps", "5")),
        ({"workload": "closed"}, ("workload", "closed")),
    ],
)
def test_whatever_differs_between_cells_is_seen(
    tmp_path: Path, capsys: Capture, factors: dict[str, Any], shown: tuple[str, str]
) -> None:
    trials = [trial(1), trial(2, cell="c2", **factors)]
    assert main(["summary", str(write(tmp_path, trials, [e for t in trials for e in whole(t)]))]) == 0
    text = capsys.readouterr().out
    table = text[text.index("strategy") - 200 : text.index("───")]
    assert shown[0] in table
    assert any(shown[1] in line.split() for line in text.splitlines() if line.startswith("epoll"))


def test_a_factor_that_is_the_same_throughout_and_unusual_stands_in_the_headline(
    tmp_path: Path, capsys: Capture
) -> None:
    planned = trial(1, generator="pool", hostile={"kind": "storm", "connections": 7}, server_ports=3)
    text = summary(tmp_path, [planned], whole(planned), capsys)
    assert all(words in text for words in ("generator pool", "hostile clients storm:7", "3 ports"))
