"""Every command of README.md and docs/ is one that the program takes: judged by its own parsers, for all of them are
too many to run here. `python -m tests.bench.documents` runs them."""

import importlib.util
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.splitter import parse_kv

from analysis.__main__ import parser as of_analysis
from planner import command_line
from planner.cells import resolve
from server import options
from server.catalog import load
from tests import documents, line

PROFILES = [path.stem for path in (line.ROOT / "playbooks/profiles").glob("*.yml")]
INVENTORIES = ("local", "lab", "vagrant", "cluster", "INVENTORY")
STANDS_FOR = {"ID": "latest", "RUN": "results/latest"}
TWO_SERVERS = '{"server_command": ["old {host} {port}", "new {host} {port}"]}'
OTHERS = (
    "ansible-inventory",
    "ansible-galaxy",
    "ansible-doc",
    "ansible",
    "fab",
    "vagrant",
    "git",
    "pip",
    "loadgen-bin",
)
ADDED = {"epoll_rearm"}
"""Strategies that a page has its reader write."""


def words_of(text: str) -> list[str]:
    """Of the first command of a line, as the program gets them; two servers stand for what a shell would put there."""
    text, computed, _ = text.partition(' -e "$(')
    words = shlex.split(text.replace("…", "")) + (["-e", TWO_SERVERS] if computed else [])
    ends = [i for i, word in enumerate(words) if word in ("&&", ";", ">", "|", "&", "2>&1", "<")]
    return [word.strip("[]") for word in words[: min(ends, default=len(words))]]


@pytest.mark.parametrize("command", documents.commands(), ids=str)
def test_it_is_taken(command: documents.Command) -> None:
    words = words_of(command.text)
    program = Path(words[0]).name
    if program == "ansible-playbook":
        playbook(words[1:])
    elif program in ("python", "python3", "analysis"):
        module(words if program == "analysis" else words[words.index("-m") + 1 :])
    elif words[0].startswith("script/"):
        assert (line.ROOT / words[0]).is_file()
    else:
        assert program in OTHERS, program


def playbook(words: list[str]) -> None:
    given: dict[str, Any] = {}
    name = ""
    rest = iter(words)
    for word in rest:
        if word == "-e":
            given.update(parameters_of(next(rest)))
        elif word == "-i":
            source = next(rest)
            assert Path(source).name in INVENTORIES or (line.ROOT / source).exists(), source
        elif word in ("--tags", "-l", "--limit"):
            next(rest)
        elif not word.startswith("-"):
            name = word
    assert (line.ROOT / name).is_file(), name
    if Path(name).stem in command_line.KNOWN:
        known = (*command_line.KNOWN[Path(name).stem], *command_line.OF_A_RUN.get(Path(name).stem, ()))
        assert set(given) <= {*known, *command_line.OF_HOSTS}
    elif name == "run_benchmark.yml" and "run" not in given:
        catalog = load()
        asked = {key: value for key, value in given.items() if not ADDED & set(str(value).split(","))}
        assert resolve(asked, catalog, PROFILES, [*command_line.OF_HOSTS]).cells


def parameters_of(text: str) -> dict[str, Any]:
    if text.startswith("@"):
        found = line.ROOT / text[1:]
        if text.startswith("@/opt/mine/"):  # which the page has its reader write
            return {}
        return dict(yaml.safe_load(found.read_text(encoding="utf-8")))
    if text.startswith("{"):
        return dict(json.loads(text))
    return dict(parse_kv(text))


def module(words: list[str]) -> None:
    name, *rest = words
    if name == "analysis":
        of_analysis(rest).parse_args([STANDS_FOR.get(word, word) for word in rest])
    elif name == "server":
        options.parser().parse_args([word for word in rest if word not in ADDED] if not ADDED & set(rest) else ["list"])
    else:
        assert importlib.util.find_spec(name), name


def test_pages_are_read() -> None:
    found = documents.commands()
    assert len(found) > 60
    assert any(command.text.endswith("-e strategy=poll") for command in found)
    assert not any(command.text.endswith("\\") for command in found)
