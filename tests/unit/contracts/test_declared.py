"""What is declared hangs together, is read by Python 3.9 without packages, and what is made of it is up to date."""

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts import generate
from contracts.declared import GENERATORS, HOSTILE, LOAD, OUTCOMES, PARAMETERS, SERVER, SETTLED, WORKLOADS, WRONG
from contracts.judge import Parameter, judge
from contracts.older import newest

ROOT = Path(__file__).parents[3]
SHIPPED = [path for path in (ROOT / "contracts").rglob("*.py") if path.name != "generate.py"]


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=PARAMETERS)
def test_every_default_is_a_value_that_the_parameter_takes(parameter: Parameter) -> None:
    assert parameter.belongs in ("run", "server", "load", "kernel")
    assert parameter.meaning
    if parameter.default is not None:
        assert judge(parameter, parameter.default) == parameter.default


def test_a_word_has_one_meaning() -> None:
    words = generate.load("words.yml")
    names = [name for kind in words.values() for name in kind]
    assert sorted(names) == sorted(set(names))


def test_words_that_name_others_name_what_there_is() -> None:
    assert {name for parameter in PARAMETERS.values() for name in parameter.workloads} <= WORKLOADS.keys()
    assert {name for generator in GENERATORS.values() for name in generator.lacks} <= PARAMETERS.keys()
    assert {name for generator in GENERATORS.values() for name in generator.lacks_workloads} <= WORKLOADS.keys()
    assert PARAMETERS["workload"].words == tuple(name for name, workload in WORKLOADS.items() if workload.asked)
    assert PARAMETERS["generator"].words == tuple(GENERATORS)
    assert PARAMETERS["hostile"].words == tuple(HOSTILE)
    assert not {"search_to", "seed", "sources"} & {*SERVER, *LOAD}
    assert (OUTCOMES[0], OUTCOMES[-1], SETTLED[0], "late" in WRONG) == ("interrupted", "ok", "answered", False)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_3_9_reads_every_module_and_needs_no_package(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= {*sys.stdlib_module_names, "contracts"}


def test_what_is_generated_is_up_to_date() -> None:
    for path, text in generate.made().items():
        assert path.read_text(encoding="utf-8") == text, f"run script/generate: {path.relative_to(ROOT)}"


OLD: dict[str, Any] = {
    "server": {"strategy": "poll", "command": None, "port": 9000, "ports": 1, "backlog": 5, "workers": 1},
    "load": {"workload": "open", "warmup": 2, "duration": 10, "requests": None},
}


@pytest.mark.parametrize(
    ("load", "warmup", "duration"),
    [({}, 2, 10), ({"workload": "churn", "requests": 9}, 0, 10), ({"workload": "calibrate"}, 0, 1)],
)
def test_a_plan_of_version_1_is_read_as_one_of_version_3(load: dict[str, Any], warmup: int, duration: int) -> None:
    gone = {"owner_base": "/srv/", "ssh_config": "/c", "known_hosts": None}
    host = {"ssh": "client1", "connection": "ssh"}
    plan = newest(
        {"version": 1, **gone, "hosts": {"client1": host}, "trials": [{**OLD, "n": 1, "load": {**OLD["load"], **load}}]}
    )
    (trial,) = plan["trials"]
    assert plan["version"] == 3
    assert plan["hosts"] == {"client1": {**host, "base": "/srv", "ssh_args": ["-F", "/c"]}}
    assert not gone.keys() & plan.keys()
    assert {*trial["server"]} == {"strategy", "server_command", "server_port", "server_ports", "backlog", "workers"}
    assert (trial["load"]["warmup"], trial["load"]["duration"]) == (warmup, duration)
    assert newest(plan) is plan
