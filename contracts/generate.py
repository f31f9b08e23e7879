"""`script/generate [--check]`: makes what is made of the declarations and the profiles, or says what is old."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("contracts/declared.json", "loadgen/internal/contracts/declared.json")
PROFILES = ROOT / "playbooks/profiles"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
BEGIN, END = "<!-- {}: made by script/generate -->\n", "<!-- end of {} -->\n"


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
        only += " (strategies that honour it)" if row.get("optional") else ""
        accepted = row["accepts"].replace("<", "&lt;")
        lines.append(f"| `{row['name']}` | {default} | {accepted} | {row['meaning']}{only} |")
    return "\n".join(lines) + "\n"


def meanings(document: dict[str, Any], name: str, first: str, second: str) -> str:
    """A table of the words of one kind in docs/contracts.md."""
    meaning = {word: row if isinstance(row, str) else row["meaning"] for word, row in document[name].items()}
    rows = [f"| `{word}` | {text} |" for word, text in meaning.items()]
    return "\n".join([f"| {first} | {second} |", "|---|---|", *rows]) + "\n"


def tables_of_contracts(document: dict[str, Any]) -> dict[str, str]:
    """What stands between the markers of docs/contracts.md."""
    return {
        "parameters": table(document),
        "hostile": meanings(document, "hostile", "kind", "what each connection does, again and again"),
        "counts": meanings(document, "counts", "count", "a request that"),
        "integrity": meanings(document, "integrity", "class", "what came instead of the expected record"),
        "outcomes": meanings(document, "outcomes", "outcome", "meaning"),
    }


def shape(row: dict[str, Any], words: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a value in plan or specification: its type. Ranges are judged where a person types."""
    if row["kind"] == "choice":
        return {"enum": list(words.get(row["name"] + "s", row["words"]))}
    if row["kind"] == "hostile":
        members = {"kind": {"enum": row["words"]}, "connections": {"type": "integer", "minimum": 0}}
        return {"type": ["object", "null"], "properties": members, "required": [*members]}
    # A client's share of what comes each second need not be whole.
    number = "number" if row.get("unit", "").endswith("/s") or row["kind"] == "seconds" else "integer"
    kind = {"whole": number, "seconds": number}.get(row["kind"], "string")
    never_null = kind in ("number", "integer") and row["default"] is not None and row.get("words") != ["burst"]
    return {"type": kind if never_null else [kind, "null"]} | ({"minimum": 0} if kind == number else {})


def entry(key: str, value: Any, indent: str) -> list[str]:
    """A key of YAML with its value, on as many lines as yamllint asks for."""
    line = f"{indent}{key}: {json.dumps(value)}"
    if len(line) <= 120 or not isinstance(value, dict):
        return textwrap.wrap(line, 120, subsequent_indent=indent + " " * len(f"{key}: ["), break_on_hyphens=False)
    return [f"{indent}{key}:", *(line for name, part in value.items() for line in entry(name, part, indent + "  "))]


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
        lines += [line for name, value in properties.items() for line in entry(name, value, "      ")]
        lines += [*entry("required", [*properties], "    "), "    additionalProperties: false"]
    return "\n".join(lines) + "\n"


def schema_of_words(document: dict[str, Any]) -> str:
    """docs/schema/words.yml: the words that protocol and trial.json share with others."""
    lines = ["# Made by script/generate from contracts/words.yml.", f"$schema: {DIALECT}", "$defs:"]
    for name in ("counts", "integrity"):
        lines += [f"  {name}:", "    type: object", *entry("required", [*document[name]], "    ")]
        lines += ["    patternProperties:"]
        lines += [*entry(f"^({'|'.join(document[name])})$", {"type": "integer", "minimum": 0}, "      ")]
    for name in ("hostile", "error_phases", "outcomes"):
        lines.append(f"  {name}: {{enum: [{', '.join(document[name])}]}}")
    return "\n".join(lines) + "\n"


def tuning() -> str:
    """The rows of docs/tuning.md: each key of the profiles, its value in each, and the profile's own reason."""
    profiles = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(PROFILES.glob("*.yml"))}
    ours = sorted((item for item in profiles.items() if item[1]), key=lambda item: (item[0][0] != "c", len(item[1])))
    profiles = dict(ours)
    every = {entry["key"]: entry for entries in reversed(profiles.values()) for entry in entries}
    lines = [f"| key | {' | '.join(profiles)} | of | why |", f"|{'---|' * (3 + len(profiles))}"]
    for key in dict.fromkeys(entry["key"] for entries in profiles.values() for entry in entries):
        values = []
        for entries in profiles.values():
            own = next((entry for entry in entries if entry["key"] == key), None)
            text = "–" if own is None else str(own["value"]) or "the run's ports"
            values.append(f"≥ {text}" if own and own.get("at_least") and text[0].isdecimal() else text)
        scope = {"netns": "each namespace", "global": "the machine"}[every[key]["scope"]]
        lines.append(f"| `{key}` | {' | '.join(values)} | {scope} | {' '.join(every[key]['why'].split())} |")
    return "\n".join(lines) + "\n"


def page(text: str, tables: dict[str, str]) -> str:
    """A page, with what stands between its markers made anew."""
    for name, made_of_it in tables.items():
        before, begin, rest = text.partition(BEGIN.format(name))
        _, end, after = rest.partition(END.format(name))
        text = before + begin + made_of_it + end + after
    return text


def made() -> dict[Path, str]:
    """Every generated file, whole."""
    document = declared()
    pages = {"contracts": tables_of_contracts(document), "tuning": {"profiles": tuning()}}
    docs = {ROOT / f"docs/{name}.md": tables for name, tables in pages.items()}
    return {ROOT / place: one_a_line(document) for place in PLACES} | {
        **{path: page(path.read_text(encoding="utf-8"), tables) for path, tables in docs.items()},
        ROOT / "docs/schema/parameters.yml": schema(document),
        ROOT / "docs/schema/words.yml": schema_of_words(document),
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
