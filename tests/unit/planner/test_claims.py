"""claims/: each that is shipped can be run and judged; a wrong one is refused in a sentence."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.answers.stated import read
from contracts.claim import seal
from planner import claims
from planner.cells import resolve
from planner.parameters import Refused
from planner.profiles import entries
from planner.results import ROOT
from server.catalog import load

PROFILES = {path.stem: yaml.safe_load(path.read_text()) or [] for path in (ROOT / "playbooks/profiles").glob("*.yml")}


def cells_of(name: str) -> list[dict[str, Any]]:
    given, _ = claims.applied({"claim": name})
    return resolve(given, load(), list(PROFILES), []).cells


@pytest.mark.parametrize("name", claims.names())
def test_a_claim_asks_for_a_run_that_can_answer_it(name: str) -> None:
    stated, cells = claims.read(name), cells_of(name)
    for level in {cell["profile"] for cell in cells}:
        entries(level, PROFILES)
    for one, answer in stated["answers"].items():
        told = read({"name": one, **answer})
        assert told is not None, f"{one} is not understood"
        for side in (told.of, told.to) if told.estimate == "ratio" else (told.of,):
            found = [cell for cell in cells if all(str(cell[key]) == str(level) for key, level in side.items())]
            least = 3 if told.estimate == "slope" else 1
            assert len(found) == 1 if least == 1 else len(found) >= least, f"{one}: {side} is {len(found)} cells"


def test_what_is_given_goes_before_what_the_claim_asks_for() -> None:
    given, stated = claims.applied({"claim": "idle_law", "repetitions": 2, "strategy": "poll"})
    assert (given["repetitions"], given["strategy"]) == (2, "poll") and stated
    assert stated["changed"] == ["repetitions", "strategy"]
    assert stated["seal"] == seal({part: value for part, value in stated.items() if part != "seal"})
    assert claims.applied({"rate": 1}) == ({"rate": 1}, None)


def test_what_changes_nothing_of_the_run_is_not_told_as_a_change() -> None:
    asked = str(claims.read("idle_law")["run"]["duration"])
    same = {"claim": "idle_law", "duration": asked, "seed": 1, "c10k_base": "/x"}
    stated = claims.applied(same)[1]
    assert stated is not None and stated["changed"] == []


def test_a_claim_that_there_is_not_is_refused() -> None:
    with pytest.raises(Refused, match="There is no claim `idle_low`; did you mean `idle_law`"):
        claims.applied({"claim": "idle_low"})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"answers": {}}, "answers is to hold at least one"),
        ({"run": {"ratte": 1}}, "parameters of a run, and not ratte"),
        ({"pairs": {"metric": "cpu"}}, "pairs is to hold a metric, and a margin as a share"),
        ({"question": 1}, "question is to be a text"),
        ({"answers": {"x": {"estimate": "mean"}}}, "answer x: estimate is one of ratio, level, slope"),
        ({"answers": {"x": {"estimate": "ratio", "at_least": 1, "at_most": 2}}}, "answer x: it states one number"),
        ({"answers": {"x": {"colour": 1}}}, "answer x: it has says"),
    ],
)
def test_a_wrong_claim_is_refused(change: Any, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = claims.read("idle_law") | change
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims/mine.yml").write_text(yaml.safe_dump(document))
    monkeypatch.setattr(claims, "ROOT", tmp_path)
    monkeypatch.setattr(claims, "CLAIMS", tmp_path / "claims")
    with pytest.raises(Refused, match=sentence):
        claims.applied({"claim": "mine"})
