"""What a plan costs and can find: durations and sums of squares by hand, the power against simulation."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from analysis.__main__ import main
from analysis.design import design, duration_s, earlier_spread
from analysis.statistics.paired import ratio
from analysis.statistics.power import detectable, residual
from tests.unit.analysis.build import RUN, Document, plan, trial


def two_strategies(blocks: int = 3, **factors: Any) -> Document:
    """epoll twice and poll once in each block: 0.5 + 1000/5000 + 1 + 2 + 1 s each."""
    trials = []
    for block in range(1, blocks + 1):
        trials += [
            trial(3 * block - 2, "epoll", block=block, **factors),
            trial(3 * block - 1, "epoll", block=block, control=True, **factors),
            trial(3 * block, "poll", block=block, cell="c2", **factors),
        ]
    return plan(trials)


def written(directory: Path, document: Document, run: str = RUN) -> Path:
    path = directory / run / "plan.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document | {"run": run}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("factors", "seconds"),
    [
        ({}, 0.5 + 0.2 + 1 + 2 + 1),
        ({"connections": 10_000, "warmup": 2, "duration": 10}, 0.5 + 2 + 2 + 10 + 1),
        ({"connect_rate": None}, 0.5 + 0 + 1 + 2 + 1),
        ({"workload": "ramp", "steps": 10}, 0.5 + 0.2 + 10 + 1 + 2 + 1),
        ({"workload": "churn"}, 0.5 + 0 + 1 + 2 + 1),
        ({"workload": "churn", "requests": 5000, "warmup": 0}, 0.5 + 0 + 0 + 0 + 1),
    ],
)
def test_a_trial_takes_so_long(factors: Document, seconds: float) -> None:
    assert duration_s(trial(1, **factors)) == pytest.approx(seconds)


def test_a_plan_by_hand() -> None:
    document = two_strategies()
    document["trials"].append(trial(10, "null_server", block=4, cell="calibration") | {"kind": "calibration"})
    found = design(document)
    assert (found.trials, found.blocks, found.comparisons) == (9, 3, 1)
    assert found.duration_s == pytest.approx(10 * 4.7)
    assert found.contenders == {("epoll", ""), ("poll", "")}


def test_every_cell_of_another_strategy_is_compared() -> None:
    trials = [
        trial(n, strategy, cell=f"c{n}", connections=connections)
        for n, (strategy, connections) in enumerate([(s, c) for c in (10, 100) for s in ("a", "b", "c")], 1)
    ]
    assert design(plan(trials)).comparisons == 4


def test_own_servers_are_told_apart_by_their_commands() -> None:
    found = design(plan([trial(1, None, server_command="./one"), trial(2, None, server_command="./two", cell="c2")]))
    assert found.comparisons == 1 and ("own server", "./one") in found.contenders


@pytest.mark.parametrize(
    ("n", "confidence"), [(2, 0.95), (3, 0.95), (3, 1 - 0.05 / 28), (5, 0.99), (5, 0.95), (10, 0.999)]
)
def test_what_t_detects_is_as_another_implementation_has_it(n: int, confidence: float) -> None:
    shift = math.log1p(detectable(n, 0.03, confidence)) / (0.03 * math.sqrt(2 / n))
    t = stats.t.ppf((1 + confidence) / 2, n - 1)
    assert stats.nct.sf(t, n - 1, shift) == pytest.approx(0.8, abs=1e-6)


def test_what_six_ranks_detect_by_hand() -> None:
    # Only six ratios above 1 are told from none: each is so with 0.8^(1/6) = 0.96349, the normal's at 1.7927.
    assert math.log1p(detectable(6, 0.03)) / (0.03 * math.sqrt(2)) == pytest.approx(1.7927, rel=0.01)


def test_many_ranks_are_as_their_limit() -> None:
    below, above = detectable(40, 0.03), detectable(41, 0.03)
    assert above == pytest.approx(below * math.sqrt(40 / 41), rel=0.02)


def test_more_blocks_and_less_spread_find_less() -> None:
    assert detectable(10, 0.03) < detectable(6, 0.03) < detectable(3, 0.03) < detectable(3, 0.06)
    assert detectable(10, 0.03) < detectable(10, 0.03, 1 - 0.05 / 9)
    assert detectable(1, 0.03) == math.inf


@pytest.mark.parametrize(
    ("n", "confidence"), [(3, 0.95), (5, 0.95), (6, 0.95), (10, 0.95), (10, 1 - 0.05 / 9), (50, 0.95)]
)
def test_simulated_comparisons_find_it_as_often_as_planned(n: int, confidence: float) -> None:
    """Blocks differ by 10 %, repetitions by 3 %. 2,000 comparisons: three standard errors are 2.7 %."""
    draw = np.random.default_rng([n, 3])
    effect = 1 + detectable(n, 0.03, confidence)
    blocks = draw.normal(0, 0.1, (2000, n))
    ours = effect * np.exp(blocks + draw.normal(0, 0.03, (2000, n)))
    theirs = np.exp(blocks + draw.normal(0, 0.03, (2000, n)))
    found = sum(ratio(a, b, confidence).low > 1 for a, b in zip(ours.tolist(), theirs.tolist(), strict=True))
    assert found / 2000 == pytest.approx(0.8, abs=0.027)


def test_what_is_left_of_two_by_two_by_hand() -> None:
    # 0 1 / 2 5: the interaction is (0 - 1 - 2 + 5)/4 = 0.5 in every corner, so four squares of 0.5 and one degree.
    frame = pd.DataFrame({"block": [1, 1, 2, 2], "cell": ["a", "b", "a", "b"], "log": [0.0, 1.0, 2.0, 5.0]})
    assert residual(frame) == pytest.approx((1, 1))
    assert residual(frame.iloc[:3]) == pytest.approx((0, 0))
    assert residual(frame.iloc[:0]) == (0, 0)


def test_a_control_is_a_repetition_in_its_block() -> None:
    # a twice in each of two blocks, 0 and 2, 10 and 14: the block is worth 11, so -1, 1, -2, 2 are left: 10 of 4 - 2.
    frame = pd.DataFrame({"block": [1, 1, 2, 2], "cell": ["a"] * 4, "log": [0.0, 2.0, 10.0, 14.0]})
    assert residual(frame) == pytest.approx((10, 2))


def summary(path: Path, started: str, logs: list[list[float]], run: str, **columns: str) -> None:
    """A finished run in the way of the playbook: of each strategy its logarithm of CPU per request, block by block."""
    rows = [
        {"run": run, "block": block, "cell": f"c{i}", "control": False, "strategy": strategy, "server_command": None,
         "workload": "open", "outcome": "ok", "cpu_us_per_request": math.exp(log)} | columns
        for i, (strategy, its) in enumerate(zip(("epoll", "poll"), logs, strict=True), 1)
        for block, log in enumerate(its, 1)
    ]  # fmt: skip
    path.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(path / "summary.csv", index=False)
    (path / "manifest.json").write_text(json.dumps({"run": run, "started_utc": started}), encoding="utf-8")


def logs(d: float) -> list[list[float]]:
    shared = [0.0, 0.3, -0.2, 0.1, 0.5, 0.4]
    return [shared, [one + d * other for one, other in zip(shared, [-1, 1, -1, 1, -2, 2], strict=True)]]


def test_the_spread_of_an_earlier_run(tmp_path: Path) -> None:
    # The second is off by -d, d, -d, d, -2d, 2d, half of which falls on each: 12 d² · 2/4 = 6 d² of five degrees.
    summary(tmp_path / "one", "2026-01-01T00:00:00Z", logs(0.1), "one")
    found = earlier_spread(tmp_path, design(two_strategies()))
    assert found is not None
    assert found.value == pytest.approx(math.sqrt(0.06 / 5))
    assert found.source == "as in one"


def test_the_newest_three_runs_are_pooled(tmp_path: Path) -> None:
    for number, d in ((1, 9.0), (4, 0.1), (2, 0.2), (3, 0.3)):
        summary(tmp_path / f"any{9 - number}", f"2026-01-0{number}T00:00:00Z", logs(d), f"run{number}")
    found = earlier_spread(tmp_path, design(two_strategies()))
    assert found is not None
    assert found.value == pytest.approx(math.sqrt(6 * (0.01 + 0.04 + 0.09) / 15))
    assert found.source == "as in run4, run3 and run2"


@pytest.mark.parametrize(
    "columns", [{"workload": "churn"}, {"outcome": "crashed"}, {"strategy": "select"}, {"server_command": "x"}]
)
def test_a_run_of_something_else_says_nothing(tmp_path: Path, columns: dict[str, str]) -> None:
    summary(tmp_path / "one", "2026-01-01T00:00:00Z", logs(0.1), "one", **columns)
    assert earlier_spread(tmp_path, design(two_strategies())) is None


def test_a_broken_neighbour_says_nothing(tmp_path: Path) -> None:
    summary(tmp_path / "itself", "2026-01-01T00:00:00Z", logs(0.1), RUN)
    for name, text in (("a", "[]"), ("b", "{"), ("c", '{"run": "c", "started_utc": "2026"}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(text, encoding="utf-8")
    (tmp_path / "c" / "summary.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert earlier_spread(tmp_path, design(two_strategies())) is None


def test_two_lines_say_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = str(written(tmp_path, two_strategies()))
    assert main(["design", where]) == 0
    unknown = "how small a difference it finds is not known, as no earlier run here is like it (or give --spread)"
    assert capsys.readouterr().out.splitlines() == ["9 trials in 3 blocks, about 42 s", unknown]
    assert main(["design", where, "--spread", "3%"]) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "9 trials in 3 blocks, about 42 s" and third.startswith("more repetitions: 10 would find ")
    # t = 4.3027 of two degrees of freedom is passed in 80 of 100 at a shift of 5.65: e^(5.65 · 0.03 · √(2/3)) = 1.15.
    found, spread = second.split("; ")
    assert found == "smallest difference found in 80 % of such runs: 13 %"
    assert spread == "at a spread of 3.0 % (as given)"


def test_a_directory_stands_for_its_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, two_strategies())
    said = []
    for given in (path, path.parent):
        assert main(["design", str(given)]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e308, 2**63 - 1, -1, "", None, []])
@pytest.mark.parametrize("name", ["duration", "warmup", "connections", "connect_rate", "requests", "workload"])
def test_any_field_of_a_plan_may_be_anything(
    name: str, value: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = two_strategies()
    document["trials"][0]["load"][name] = value
    assert main(["design", str(written(tmp_path, document))]) in (0, 2)
    said = capsys.readouterr()
    assert "Traceback" not in said.err and "nan" not in said.out and "inf" not in said.out


def test_a_plan_of_aliases_does_not_unfold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, two_strategies())
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    path.write_text(bomb + path.read_text().replace(f"run: {RUN}", "run: *a39"))
    assert main(["design", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_byte_order_mark_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, two_strategies())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert main(["design", str(path)]) == 0


def test_a_run_that_was_measured_tells_its_own_spread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The defect: of a run that had ended `design` told the spread of another one, or that none was known."""
    summary(tmp_path / "other", "2026-01-01T00:00:00Z", logs(0.4), "other")
    summary(tmp_path / "runs" / RUN, "2026-01-02T00:00:00Z", logs(0.1), RUN)
    (tmp_path / "runs" / RUN / "plan.yml").write_bytes(written(tmp_path, two_strategies()).read_bytes())
    assert main(["design", str(tmp_path / "runs" / RUN)]) == 0
    _, found, more = capsys.readouterr().out.splitlines()
    assert found.endswith("; at a spread of 11 % (as it was)")
    assert more.startswith("more repetitions: 10 would find ") and more.count(" would find ") == 3


def test_an_earlier_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary(tmp_path / "one", "2026-01-01T00:00:00Z", logs(0.1), "one\x1b[2J")
    path = written(tmp_path, two_strategies())
    assert main(["design", str(path)]) == 0
    assert r"at a spread of 11 % (as in one\u001b[2J)" in capsys.readouterr().out
    assert main(["design", str(path), "--spread", "5%"]) == 0
    assert "at a spread of 5.0 % (as given)" in capsys.readouterr().out


def test_requests_take_as_long_as_they_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = two_strategies(2, workload="churn", requests=5000, warmup=0)
    assert main(["design", str(written(tmp_path, document))]) == 0
    assert capsys.readouterr().out.startswith("6 trials in 2 blocks, about 9 s and what the requests take\n")


def test_many_comparisons_find_less(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trials = [trial(n, f"s{n}", cell=f"c{n}", block=block) for block in (1, 2, 3) for n in range(1, 30)]
    assert main(["design", str(written(tmp_path, plan(trials))), "--spread", "0.03"]) == 0
    assert "runs: 15 %; with 28 compared at once: a factor of 2.1; at" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (plan([trial(1, "epoll")]), ["1 trial in 1 block, about 5 s; one strategy, so nothing is compared"]),
        (
            plan([trial(1, "epoll"), trial(2, "poll", cell="c2")]),
            ["2 trials in 1 block, about 9 s",
             "one block says nothing of how much blocks differ: no difference can be found; repeat it"],
        ),
    ],
)  # fmt: skip
def test_a_plan_that_finds_nothing_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], document: Document, expected: list[str]
) -> None:
    assert main(["design", str(written(tmp_path, document))]) == 0
    assert capsys.readouterr().out.splitlines() == expected


def test_hours_are_told_as_hours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", str(written(tmp_path, two_strategies(2, duration=1997)))]) == 0
    assert "about 3 h 20 min" in capsys.readouterr().out  # six of 0.5 + 0.2 + 1 + 1997 + 1 s


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no plan of a version that this analysis reads"),
        ("version: 4", "is no plan of a version that this analysis reads"),
        ("- 1", "is no plan of a version that this analysis reads"),
        ("a: [", "is no YAML"),
        ("\x00", "is no YAML"),
        ("!!python/object/apply:os.system [x]", "is no YAML"),
        ("version: 1\nrun: x\ntrials: []", "does not understand"),
        ("version: 1\nrun: x\ntrials: [1]", "does not understand"),
        ("version: 1\nrun: x\ntrials: 3", "does not understand"),
        ("version: 1\ntrials: {}", "does not understand"),
    ],
)
def test_what_is_no_plan_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    path = tmp_path / "plan.yml"
    path.write_text(text, encoding="utf-8")
    assert main(["design", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and said in captured.err and captured.err.count("\n") == 1


def test_no_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["design", str(tmp_path)]) == 2
    assert main(["design", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("cannot be read") == 2


@pytest.mark.parametrize("text", ["3", "0", "-1%", "x", "nan", "100%", "%", "inf"])
def test_what_is_no_share_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["design", "plan.yml", f"--spread={text}"])
    assert ended.value.code == 2
    assert "is no share between 0 and 1" in capsys.readouterr().err


def duet(blocks: int = 8) -> Document:
    """epoll twice and poll once beside epoll in each block."""
    trials = []
    for first in range(1, 4 * blocks, 4):
        block = first // 4 + 1
        trials += [
            trial(first, "poll", block=block, cell="c2") | {"beside": first + 1},
            trial(first + 1, "epoll", block=block) | {"beside": first},
            trial(first + 2, "epoll", block=block) | {"beside": first + 3},
            trial(first + 3, "epoll", block=block, control=True) | {"beside": first + 2},
        ]
    return plan(trials)


def test_two_beside_each_other_take_their_time_once() -> None:
    found = design(duet())
    assert (found.trials, found.blocks, found.comparisons, found.is_duet) == (32, 8, 1, True)
    assert found.duration_s == pytest.approx(16 * 4.7)


def test_a_duet_finds_what_the_spread_of_a_ratio_lets_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, duet())
    assert main(["design", str(path)]) == main(["design", str(path), "--spread", "2%"]) == 0
    first, second, _, other, *_ = capsys.readouterr().out.splitlines()
    assert first == "32 trials, two at a time, in 8 blocks, about 75 s"
    assert second.endswith("is not known, as no earlier duet here is like it (or give --spread)")
    assert other.endswith("; at a spread of a pair's ratio of 2.0 % (as given)")
    # Differences that spread by 1 % themselves, not measurements that do.
    draw = np.random.default_rng(3)
    ratios = (1 + detectable(8, 0.01, measured=math.inf)) * np.exp(draw.normal(0, 0.01, (2000, 8)))
    found = sum(ratio(one, [1.0] * 8).low > 1 for one in ratios.tolist())
    assert found / 2000 == pytest.approx(0.8, abs=0.027)


def earlier_duet(path: Path, run: str, d: float, *, lost: int = 0) -> None:
    """In each of four blocks poll over epoll by 1 ± d, and the control by ± d; what a pair shares is far more."""
    rows = []
    for entry in duet(4)["trials"]:
        n, sign = entry["n"], 1 if entry["block"] % 2 else -1
        is_first = entry["cell"] == "c2" or entry["control"]
        log = 0.3 * entry["block"] + (sign * d + (entry["cell"] == "c2") if is_first else 0.0)
        rows.append(
            {"run": run, "trial": n, "beside": entry["beside"], "block": entry["block"], "cell": entry["cell"],
             "control": entry["control"], "strategy": entry["server"]["strategy"], "server_command": None,
             "workload": "open", "outcome": "crashed" if n == lost else "ok", "cpu_us_per_request": math.exp(log)}
        )  # fmt: skip
    path.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(path / "summary.csv", index=False)
    (path / "manifest.json").write_text(json.dumps({"run": run, "started_utc": "2026-01-02"}), encoding="utf-8")


@pytest.mark.parametrize(("lost", "squares", "freedom"), [(0, 8.0, 6), (13, 4 + 8 / 3, 5), (14, 4 + 8 / 3, 5)])
def test_the_spread_of_an_earlier_duet(tmp_path: Path, lost: int, squares: float, freedom: int) -> None:
    # Two kinds of pairs, four blocks each, all off by d: 8 d² of 8 - 2. Without one of a kind its mean is off by d/3.
    earlier_duet(tmp_path / "one", "one", 0.01, lost=lost)
    found = earlier_spread(tmp_path, design(duet()))
    assert found is not None and found.source == "as in one"
    assert found.value == pytest.approx(0.01 * math.sqrt(squares / freedom))


def test_a_duet_and_a_run_without_say_nothing_of_each_other(tmp_path: Path) -> None:
    earlier_duet(tmp_path / "one", "one", 0.01)
    assert earlier_spread(tmp_path, design(two_strategies())) is None
    summary(tmp_path / "two" / "solo", "2026-01-01T00:00:00Z", logs(0.1), "solo")
    assert earlier_spread(tmp_path / "two", design(duet())) is None
