"""The archived runs of the claims: one of each, of what is claimed today, and the page says what they say."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.claim import seal
from planner import claims
from tests.bench import claims as bench


@pytest.fixture(scope="module")
def runs() -> Iterator[dict[str, Path]]:
    with bench.unpacked() as found:
        yield found


def test_there_is_an_archive_and_a_picture_of_each_claim(runs: dict[str, Path]) -> None:
    assert sorted(runs) == claims.names()
    assert all((bench.PICTURES / f"claim-{name}.svg").read_text().startswith("<") for name in runs)
    assert all(place.stat().st_size <= bench.MOST_BYTES for place in bench.RUNS.iterdir())


@pytest.mark.parametrize("name", claims.names())
def test_what_was_claimed_before_an_archived_run_is_what_is_claimed_today(name: str, runs: dict[str, Path]) -> None:
    _, today = claims.applied({"claim": name})
    planned = yaml.safe_load((runs[name] / "plan.yml").read_text())["claim"]
    assert today is not None
    assert planned == today, "measure it again, or take the change of the claim back"
    assert seal({part: value for part, value in planned.items() if part != "seal"}) == planned["seal"]


def test_the_page_says_what_the_archived_runs_say(runs: dict[str, Path]) -> None:
    """Each answer with its interval; `python -m tests.bench.claims` writes them."""
    page = bench.PAGE.read_text()
    assert all(part in page for part in bench.parts(runs).values())


def test_an_archive_counts_its_lines_anew_and_keeps_what_is_judged() -> None:
    own: dict[str, Any] = {"lag": "a", "service": "b", "loop_lag": "c", "connect": "d"}
    own["self"] = {"send_gaps_ns": [1], "sent": 3}
    begun = [
        {"event": "trial", "state": "started", "n": n, "load": {"workload": workload}}
        for n, workload in enumerate(("open", "churn"))
    ]
    done = [{"event": "done", "trial": n, **own} for n in range(2)]
    written = [*begun, {"event": "clock", "n": 1}, *done, {"trailer": 1, "lines": 5, "t": 5}]
    kept = bench.lean("".join(json.dumps(line) + "\n" for line in written)).decode().splitlines()
    own["self"]["send_gaps_ns"] = []
    own["loop_lag"] = bench.NOTHING
    unpaced = own | dict.fromkeys(("lag", "service"), bench.NOTHING)
    assert [json.loads(line) for line in kept] == [
        *begun, {"event": "done", "trial": 0, **own}, {"event": "done", "trial": 1, **unpaced},
        {"trailer": 1, "lines": 4, "t": 5},
    ]  # fmt: skip
