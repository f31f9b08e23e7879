"""Two servers side by side, by the whole way: real SSH, two agents on each host, one moment to go."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.dataset import load
from analysis.metrics import PRIMARY
from analysis.statistics.verdict import NOT_COMPARABLE, WORSE
from tests import line

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]


@pytest.fixture(scope="module")
def duet(lab: None) -> Path:
    """poll beside epoll, and epoll beside itself. With 3,000 connections poll's calls are dear."""
    result = line.play(
        "run_benchmark.yml", "lab", strategy="epoll,poll", duet="true", connections=3000, rate=1000, repetitions=3,
        warmup=0, duration=2,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    run = line.newest()
    assert run is not None
    return run


def pairs(run: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    done = {trial["n"]: trial for trial in line.trials(run)}
    beside = {trial["n"]: trial["beside"] for trial in yaml.safe_load((run / "plan.yml").read_text())["trials"]}
    return [(done[n], done[other]) for n, other in beside.items() if n < other]


def test_the_two_of_a_pair_hold_their_connections_at_the_same_time(duet: Path) -> None:
    assert len(pairs(duet)) == 2 * 3
    for one, other in pairs(duet):
        assert one["outcome"] == other["outcome"] == "ok"
        assert one["go_ns"] == other["go_ns"] is not None
        three = {"kernel": 3000, "server": 3000, "clients": 3000}
        assert one["proof"] == other["proof"] == {"barrier": three, "end": three}


def test_only_what_a_request_costs_is_compared(duet: Path) -> None:
    table = load([str(duet)]).contrasts
    rival = table[~table["control"]].set_index("metric")
    cost = rival.loc[PRIMARY]
    assert (cost["n"], cost["verdict"]) == (3, WORSE)
    assert cost["high"] < 0.8
    assert rival.loc["p99", "verdict"] == NOT_COMPARABLE


def test_no_host_keeps_the_record_of_an_agent(duet: Path) -> None:
    base = Path(yaml.safe_load((duet / "plan.yml").read_text())["hosts"]["server"]["base"])
    assert not list(base.glob("*/agent*"))
