"""The recorded vectors meet the schemas, and the schemas refuse what they must."""

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fixtures.faulty_server import crc32c
from tests.schemas import SCHEMAS, validator

ROOT = Path(__file__).parents[2]
VECTORS = Path(__file__).parent / "vectors"


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_schema_is_a_schema(name: str) -> None:
    validator(name).check_schema(SCHEMAS[name])


@pytest.mark.parametrize("line", (VECTORS / "protocol.jsonl").read_text().splitlines())
def test_recorded_line_is_of_the_protocol(line: str) -> None:
    validator("protocol").validate(json.loads(line))


@pytest.mark.parametrize("line", (VECTORS / "protocol-bad.jsonl").read_text().splitlines())
def test_bad_line_is_refused(line: str) -> None:
    try:
        value = json.loads(line)
    except json.JSONDecodeError:
        return
    assert not validator("protocol").is_valid(value)


@pytest.mark.parametrize("name", ["armed", "done", "interval", "sample"])
def test_no_field_of_an_event_may_be_missing(name: str) -> None:
    lines = [json.loads(line) for line in (VECTORS / "protocol.jsonl").read_text().splitlines()]
    recorded = [line for line in lines if line.get("event") == name]
    assert recorded
    for event in recorded:
        for field in event:
            without = {key: value for key, value in event.items() if key != field}
            assert not validator("protocol").is_valid(without), f"{name} without {field}"


def test_a_step_of_a_ramp_is_the_conductors() -> None:
    step = {"event": "step", "n": 1, "connections": 10, "arm_s": 0.1, "kernel": 10, "server": None, "clients": 10}
    line = {**step, "host": "controller", "trial": 1, "at": 5}
    validator("events").validate(line)
    for field in step:
        without = {key: value for key, value in line.items() if key != field}
        assert field == "event" or not validator("events").is_valid(without), field
    assert not validator("events").is_valid({**line, "host": "client1"})


@pytest.mark.parametrize("name", ["server-spec", "loadgen-spec", "trial"])
def test_recorded_document_meets_its_schema(name: str) -> None:
    document = json.loads((VECTORS / f"{name}.json").read_text())
    validator(name).validate(document)
    for field in SCHEMAS[name]["required"]:
        without = {key: value for key, value in document.items() if key != field}
        assert not validator(name).is_valid(without), f"{name} without {field}"


def test_recorded_plan_meets_its_schema() -> None:
    plan = yaml.safe_load((VECTORS / "plan.yml").read_text())
    validator("plan").validate(plan)
    damages: list[dict[str, object]] = [
        {"version": 1},
        {"run": "latest"},
        {"trials": []},
        {"hosts": {"server": plan["hosts"]["server"]}},
    ]
    for damage in damages:
        assert not validator("plan").is_valid({**plan, **damage})


@pytest.mark.parametrize("vector", json.loads((VECTORS / "record.json").read_text())["vectors"])
def test_record_vector_is_what_the_contract_says(vector: dict[str, Any]) -> None:
    record = bytes.fromhex(vector["hex"])
    fields = struct.unpack_from("<HBBIIIIQI", record)
    assert fields[:8] == (
        0xC10C, 1, vector["flags"], vector["payload_bytes"], vector["run"], vector["connection"], vector["sequence"],
        vector["intended_ns"],
    )  # fmt: skip
    assert len(record) == vector["payload_bytes"]
    assert fields[8] == crc32c(record[:28] + record[32:])


def test_histogram_vector_decodes_to_what_was_recorded() -> None:
    from hdrh.histogram import HdrHistogram

    vector = json.loads((VECTORS / "histogram.json").read_text())
    decoded = HdrHistogram.decode(vector["base64"])
    recorded = HdrHistogram(100, 60_000_000_000, 3)
    for value in vector["values_ns"]:
        recorded.record_value(value)
    assert base64.b64decode(vector["base64"])
    assert decoded.get_total_count() == len(vector["values_ns"])
    assert [decoded.get_count_at_index(i) for i in range(decoded.counts_len)] == [
        recorded.get_count_at_index(i) for i in range(recorded.counts_len)
    ]
