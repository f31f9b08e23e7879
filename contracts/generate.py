"""`script/generate [--check]`: makes what is made of parameters.yml and words.yml, or says what is old."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("contracts/declared.json", "loadgen/internal/contracts/declared.json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"
BEGIN = "<!-- parameters: script/generate makes this table from contracts/parameters.yml -->\n"
END = "<!-- end of parameters -->\n"


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "contracts" / name).read_text(encoding="utf-8"))
    return document


def declared() -> dict[str, Any]:
    """The declarations whole: words are lists, every parameter says what it accepts."""
    words = load("words.yml")
    rows = [{"name": name, **row} for name, row in load("parameters.yml").items()]
    for row in rows:
        if isinstance(row.get("words"), str):
            asked = words[row["words"]]
            row["words"] = [name for name, traits in asked.items() if row["words"] != "workloads" or traits["asked"]]
        row.setdefault("varies", row["belongs"] != "run")
        row["accepts"] = row.get("accepts") or accepts(row)
    return {"parameters": rows, **words}


def number(value: float) -> str:
    return f"{value:,}" if value >= 10_000 else str(value)


def accepts(row: dict[str, Any]) -> str:
    """The range of a parameter in words."""
    kind, words = row["kind"], row.get("words", [])
    between = f"{number(row['low'])} to {number(row['high'])}" if "low" in row else ""
    if kind == "whole":
        return f"{between} {row.get('unit', '')}".rstrip() + "".join(f", or `{word}`" for word in words)
    return {
        "seconds": f"{between} s", "choice": f"one of {', '.join(words)}", "truth": "true or false",
        "hostile": f"`none`, or <kind>:<{between}>, kinds {', '.join(words)}",
        "cpus": "`auto`, `none`, or a list such as 0-3,6",
    }[kind]  # fmt: skip


def one_a_line(document: dict[str, Any]) -> str:
    """JSON with one declaration a line."""
    parts = []
    for name, value in document.items():
        inner = [json.dumps(row, ensure_ascii=False) for row in value] if isinstance(value, list) else [
            f"{json.dumps(key)}: {json.dumps(row, ensure_ascii=False)}" for key, row in value.items()
        ]  # fmt: skip
        left, right = "[]" if isinstance(value, list) else "{}"
        parts.append(f'"{name}": {left}\n  ' + ",\n  ".join(inner) + f"\n{right}")
    return "{" + ",\n".join(parts) + "}\n"


def table(document: dict[str, Any]) -> str:
    """The rows of docs/contracts.md."""
    lines = ["| parameter | default | range | meaning |", "|---|---|---|---|"]
    for row in document["parameters"]:
        default = "–" if row["default"] is None else f"`{json.dumps(row['default'])}`".replace('"', "")
        only = f" (`{'`, `'.join(row['workloads'])}`)" if row.get("workloads") else ""
        lines.append(f"| `{row['name']}` | {default} | {row['accepts']} | {row['meaning']}{only} |")
    return "\n".join(lines) + "\n"


def shape(row: dict[str, Any], words: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a value in plan or specification: its type. Ranges are judged where a person types."""
    if row["kind"] == "choice":
        return {"enum": list(words.get(row["name"] + "s", row["words"]))}
    # A client's share of what comes each second need not be whole.
    number = "number" if row.get("unit", "").endswith("/s") or row["kind"] == "seconds" else "integer"
    kind = {"whole": number, "seconds": number, "hostile": "object"}.get(row["kind"], "string")
    never_null = kind in ("number", "integer") and row["default"] is not None and row.get("words") != ["burst"]
    return {"type": kind if never_null else [kind, "null"]} | ({"minimum": 0} if kind == number else {})


def schema(document: dict[str, Any]) -> str:
    """docs/schema/parameters.yml: `server` and `load` of a trial, for the schemas of plan and specifications."""
    parts: dict[str, dict[str, Any]] = {"server": {}, "load": {}}
    for row in document["parameters"]:
        if row["belongs"] in parts:
            parts[row["belongs"]][row["name"]] = shape(row, document)
    parts["load"]["seed"] = {"type": "integer", "minimum": 0}
    lines = ["# Made by script/generate from contracts/parameters.yml.", f"$schema: {DIALECT}", "$defs:"]
    for part, properties in parts.items():
        lines += [f"  {part}:", "    type: object", "    properties:"]
        lines += [f"      {name}: {json.dumps(value)}" for name, value in properties.items()]
        lines += [f"    required: [{', '.join(properties)}]", "    additionalProperties: false"]
    return "\n".join(lines) + "\n"


def made() -> dict[Path, str]:
    """Every generated file, whole."""
    document = declared()
    page = ROOT / "docs/contracts.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    return {ROOT / place: one_a_line(document) for place in PLACES} | {
        page: before + BEGIN + table(document) + END + after,
        ROOT / "docs/schema/parameters.yml": schema(document),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a generated file is old")
    check = parser.parse_args().check
    old = [path for path, text in made().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in old:
        if check:
            print(f"{path.relative_to(ROOT)} is old: run script/generate", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made()[path], encoding="utf-8")
            print(path.relative_to(ROOT))
    return 1 if check and old else 0


if __name__ == "__main__":
    sys.exit(main())
