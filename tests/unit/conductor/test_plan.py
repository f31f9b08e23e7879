import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from conductor.errors import RunRefused
from conductor.plan import Plan, load_plan, parse_plan
from conductor.protocol import OF_CONDUCTOR, OF_ROLE, Malformed, parse
from conductor.shares import shares
from conductor.specs import agent_argv, bounds, estimate_s, generator_spec, run_number, server_spec
from tests.schemas import validator
from tests.unit.conductor.stage import SEARCH

ROOT = Path(__file__).parents[3]
VECTORS = ROOT / "tests/contract/vectors"


@pytest.fixture
def document() -> dict[str, Any]:
    plan: dict[str, Any] = yaml.safe_load((VECTORS / "plan.yml").read_text())
    return plan


@pytest.fixture
def plan(document: dict[str, Any]) -> Plan:
    return parse_plan(document)


def test_specs_meet_their_schemas_and_the_recorded_one(plan: Plan) -> None:
    trial = plan.trials[0]
    parts = shares(trial.load, plan.clients)
    client = generator_spec(plan, trial, plan.clients[0], parts["client1"])
    recorded = json.loads((VECTORS / "loadgen-spec.json").read_text())
    assert json.loads(json.dumps(client)) | {"lifetime_s": 120} == recorded
    for name, spec in (("loadgen", client), ("server", server_spec(plan, trial))):
        validator(f"{name}-spec").validate(json.loads(json.dumps(spec)))


PYTHON = ["/usr/bin/python3", "-m"]
PROGRAMS = {name: ["./loadgen"] for name in ("go", "goroutine")} | {
    name: [*PYTHON, "pyloadgen"] for name in ("pool", "threads", "asyncio")
}


@pytest.mark.parametrize("generator", PROGRAMS)
def test_the_command_lines_are_those_of_the_contract(document: dict[str, Any], generator: str) -> None:
    document["trials"][0]["load"] |= {"generator": generator}
    plan = parse_plan(document)
    trial = plan.trials[0]
    assert agent_argv(plan, trial, plan.server, None)[:5] == [*PYTHON, "server", "agent", "--spec"]
    words = agent_argv(plan, trial, plan.clients[1], shares(trial.load, plan.clients)["client2"])
    assert words[:-1] == [*PROGRAMS[generator], "agent", "--spec"]
    assert json.loads(words[-1])["load"]["generator"] == generator


def test_a_generator_is_told_every_port_and_its_part_of_the_hostile_clients(document: dict[str, Any]) -> None:
    document["trials"][0]["server"] |= {"server_ports": 3}
    document["trials"][0]["load"] |= {"hostile": {"kind": "mute", "connections": 4}, "think_time": 0.5}
    plan = parse_plan(document)
    parts = shares(plan.trials[0].load, plan.clients)
    specs = [generator_spec(plan, plan.trials[0], client, parts[client.name]) for client in plan.clients]
    for spec in specs:
        validator("loadgen-spec").validate(json.loads(json.dumps(spec)))
        assert spec["targets"] == ["198.18.0.10:9000", "198.18.0.10:9001", "198.18.0.10:9002"]
        assert spec["load"]["think_time"] == 0.5
    assert [spec["load"]["hostile"]["connections"] for spec in specs] == [2, 1, 1]
    assert server_spec(plan, plan.trials[0])["server"]["server_ports"] == 3


def test_parameters_that_the_conductor_does_not_look_at_pass_through_unread(document: dict[str, Any]) -> None:
    document["trials"][0]["server"] |= {"spin": 3}
    document["trials"][0]["load"] |= {"colour": [1, None]}
    plan = parse_plan(document)
    part = shares(plan.trials[0].load, plan.clients)["client1"]
    assert server_spec(plan, plan.trials[0])["server"] == document["trials"][0]["server"]
    load = generator_spec(plan, plan.trials[0], plan.clients[0], part)["load"]
    assert load == {**document["trials"][0]["load"], **part.load}


def test_a_plan_of_version_1_is_read_as_one_of_version_3(document: dict[str, Any]) -> None:
    trial = document["trials"][0]
    trial["load"] |= {"workload": "churn", "requests": 9, "warmup": 0}
    gone = {"owner_base": "/var/lib/c10k", "ssh_config": "/etc/c10k/ssh_config", "known_hosts": None}
    old = json.loads(json.dumps(document)) | {"version": 1, **gone}
    for host in old["hosts"].values():
        del host["base"], host["ssh_args"]
    names = {"server_command": "command", "server_port": "port", "server_ports": "ports"}
    old["trials"][0]["server"] = {names.get(name, name): value for name, value in trial["server"].items()}
    old["trials"][0]["load"]["warmup"] = 2
    assert parse_plan(old) == parse_plan(document)


def test_the_lifetime_covers_all_and_a_ramp_takes_a_second_more_for_each_step(document: dict[str, Any]) -> None:
    plan = parse_plan(document)
    limits = bounds(plan.trials[0])
    assert limits.lifetime_s > limits.listen_s + limits.arm_s + limits.prove_s + limits.load_s + 30
    assert limits.listen_s > 12
    assert estimate_s(plan) == pytest.approx(12 + 2 + 1.5)
    document["trials"][0]["load"] |= {"workload": "ramp", "steps": 4}
    ramp = parse_plan(document)
    assert estimate_s(ramp) == pytest.approx(12 + 2 + 4 + 1.5)
    limits = bounds(ramp.trials[0])
    assert limits.lifetime_s > limits.listen_s + 4 * (limits.arm_s + limits.prove_s + 1) + limits.load_s
    document["trials"][0] |= {"kind": "calibration"}
    document["trials"][0]["load"] |= {"workload": "calibrate", "warmup": 0, "duration": 1}
    assert estimate_s(parse_plan(document)) == pytest.approx(1 + 2 + 1.5)


def test_run_number_of_the_contract() -> None:
    assert [run_number("20261122T190312Z-3f9a1c", n) for n in (1, 257)] == [20945436, 20945436]


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["version"], 4, "version"),
        (["run"], "latest", "run id"),
        (["hosts", "server", "role"], "client", "server"),
        (["hosts", "client1", "connection"], "telnet", "telnet"),
        (["hosts", "client1", "ssh"], None, "client1"),
        (["hosts", "client1", "weight"], 0, "weight"),
        (["hosts", "client1", "extra"], 1, "extra unknown"),
        (["hosts", "client1", "cpus"], "0-3", "cpus '0-3'"),
        (["conductor_cpus"], 3, "conductor_cpus 3"),
        (["trials"], [], "no trials"),
        (["trials", 0, "load", "workload"], "flood", "flood"),
        (["trials", 0, "load", "workload"], "calibrate", "not for the kind measure"),
        (["trials", 0, "kind"], "calibration", "not for the kind calibration"),
        (["trials", 0, "kind"], "rehearsal", "rehearsal"),
        (["trials", 0, "load", "generator"], "wrk", "wrk"),
        (["trials", 0, "load", "timeout"], "long", "timeout"),
        (["trials", 0, "load", "rate"], None, "rate"),
        (["trials", 0, "load", "steps"], 0, "steps"),
        (["trials", 0, "load", "hostile"], {"kind": "rude", "connections": 1}, "rude"),
        (["trials", 0, "load", "hostile"], {"kind": "mute", "connections": 0}, "hostile"),
        (["trials", 0, "load", "hostile"], {"kind": "mute"}, "connections is missing"),
        (["trials", 0, "server", "server_ports"], 0, "ports"),
        (["trials", 0, "server", "server_ports"], 60_000, "ports"),
        (["trials", 0, "load", "active"], 10_001, "active"),
        (["trials", 0, "load", "requests"], 5, "requests"),
        (["trials", 0, "server", "server_command"], "x {port}", "strategy or a command"),
        (["trials", 0, "load"], {}, "missing"),
        (["trials", 0, "search"], SEARCH | {"most_rungs": 0}, "without an end, or without a rung"),
        (["trials", 0, "search"], SEARCH | {"resolution": 1}, "without an end"),
        (["trials", 0, "search"], SEARCH | {"to": 999}, "a search from 1000 to 999"),
        (["trials", 0, "search"], {"from": 1}, "pass_rule is missing"),
        (["trials", 0, "search"], SEARCH | {"budget_s": "long"}, "budget_s 'long'"),
    ],
)
def test_a_wrong_plan_is_refused_in_one_sentence(
    document: dict[str, Any], tmp_path: Path, path: list[Any], value: object, says: str
) -> None:
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    file = tmp_path / "plan.yml"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(RunRefused) as refusal:
        load_plan(file)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_numbers_of_a_search_are_its_own(document: dict[str, Any]) -> None:
    first = document["trials"][0]
    document["trials"] = [first | {"n": 1, "search": SEARCH | {"most_rungs": 10}}, first | {"n": 11}]
    assert [trial.n for trial in parse_plan(document).trials] == [1, 11]
    document["trials"][1]["n"] = 10
    with pytest.raises(ValueError, match="same number"):
        parse_plan(document)


@pytest.mark.parametrize("text", ["", "[]", "3", "a: [", "\x00", None])
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "plan.yml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(RunRefused, match="The plan .* is not" if text is not None else "cannot be read"):
        load_plan(file)


@pytest.mark.parametrize("line", (VECTORS / "protocol.jsonl").read_text().splitlines())
def test_recorded_lines_are_understood(line: str) -> None:
    said = json.loads(line)
    role = "server" if said.get("event") in OF_ROLE["server"] else "client"
    assert (parse(line, role) is None) == ("order" in said)


@pytest.mark.parametrize("text", ["", "Welcome!", "{", "[1]", "7", '{"a": 1}', '{"event": 3}', "[" * 100_000])
def test_other_text_is_no_event(text: str) -> None:
    assert parse(text, "server") is None


@pytest.mark.parametrize("text", ['"armed"', '"clock","n":"7","t":1', '"interval","k":1', '"hello","version":1'])
def test_an_event_that_is_not_what_it_says_is_told_apart(text: str) -> None:
    with pytest.raises(Malformed):
        parse(f'{{"event":{text}}}', "client")


FORGED = [
    '{"event":"sample","t":1,"open":null}',
    '{"event":"sample","t":1,"open":1,"bytes_out":"9","accept_queue":0,"cpu_user_ns":1,"cpu_system_ns":1}',
    '{"event":"counts","t":1,"established":1,"open":1,"unread":"all"}',
    '{"event":"clock","n":1,"t":true}',
    f'{{"event":"clock","n":1,"t":1{"0" * 400}}}',
    f'{{"event":"clock","n":1,"t":-1{"0" * 400}}}',
    '{"event":"stderr","trailer":1}',
    '{"header":1,"event":"stderr"}',
    f'{{"event":"stderr","a":{"[" * 900}{"]" * 900}}}',
]


@pytest.mark.parametrize("line", FORGED)
def test_what_the_conductor_reckons_with_is_what_it_seems(line: str) -> None:
    """The measured server can write to its agent's stdout, and what it says must not end the conductor."""
    with pytest.raises(Malformed) as refusal:
        parse(line, "server")
    assert len(str(refusal.value)) < 1000


def test_a_count_by_cause_is_a_count() -> None:
    with pytest.raises(Malformed, match="connect/refused"):
        parse('{"event":"armed","connected":1,"verified":1,"failed":{"connect/refused":"many"}}', "client")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_a_word_that_json_does_not_have_is_no_event(word: str) -> None:
    assert parse(f'{{"event":"stopped","t":1,"own":{word}}}', "server") is None


@pytest.mark.parametrize("line", (VECTORS / "protocol.jsonl").read_text().splitlines())
def test_no_agent_speaks_for_one_of_the_other_kind(line: str) -> None:
    name = json.loads(line).get("event")
    for role, other in (("server", "client"), ("client", "server")):
        if name in OF_ROLE[other]:
            with pytest.raises(Malformed, match=f"{name} from a {role}"):
                parse(line, role)


@pytest.mark.parametrize("name", sorted(OF_CONDUCTOR))
@pytest.mark.parametrize("role", ["server", "client"])
def test_no_agent_speaks_for_the_conductor(name: str, role: str) -> None:
    """Analysis believes these lines of events.jsonl: a forged `went` would move the window."""
    with pytest.raises(Malformed, match=name):
        parse(json.dumps({"event": name, "at_ns": {}, "state": "ended"}), role)
