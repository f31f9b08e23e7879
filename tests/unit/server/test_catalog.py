"""The catalogue: the tiny parser reads what PyYAML reads, refuses the rest, and every entry can be run."""

import ast
import importlib
import re
from pathlib import Path

import pytest
import yaml

from server import catalog, lessons, loops, page
from server.conformance.clauses import CLAUSES

SERVER = Path(catalog.__file__).parent


@pytest.mark.parametrize(
    "text",
    [
        catalog.CATALOG.read_text(),
        "a:\n  how: plain words; even 'quotes' inside\n  needs: [uvloop, cc]  # why\n# a comment\nb:\n  needs: []\n",
    ],
    ids=["catalog.yml", "more"],
)
def test_it_reads_what_pyyaml_reads(text: str) -> None:
    """So whatever YAML takes for something else (yes, 12, a colon, a quote) has to stay out of the file."""
    lists = {
        name: {key: list(value) if isinstance(value, tuple) else value for key, value in entry.items()}
        for name, entry in catalog.parse(text).items()
    }
    assert lists == yaml.safe_load(text)


@pytest.mark.parametrize(
    "text",
    [
        "  how: before any name",
        "a:\n how: one space",
        "a:\n\thow: tab",
        "a: value",
        "a:\n  needs:\n    - a",
        "a:\n  how:",
        "a:\n  how: x\n  how: y",
        "a:\n  how: x\na:\n  how: y",
        "---\na:\n  how: x",
    ],
)
def test_it_refuses_what_it_does_not_know(text: str) -> None:
    with pytest.raises(catalog.CatalogError):
        catalog.parse(text)


def test_every_strategy_can_be_loaded() -> None:
    for strategy in catalog.load().values():
        assert strategy.is_program == bool({"cc", "go"} & set(strategy.needs))
        if strategy.is_program:
            continue
        assert callable(strategy.load_loop().run)
        assert callable(importlib.import_module(f"server.distributions.{strategy.distribution}").serve)
    assert set(catalog.SEED) <= set(catalog.load())


def test_the_modes_of_the_original() -> None:
    """Each has an entry; `seed` runs those that a laptop can hold."""
    played = {name: one.original for name, one in catalog.load().items() if one.original}
    assert played.keys() == {"fork_per_connection", *catalog.SEED}
    for mode in ("basic", "select", "poll", "epoll", "--worker"):
        assert sum(mode in words.partition(";")[0] for words in played.values()) >= 1, mode


def shows(name: str) -> bool:
    """Whether what an entry's `shown_by` names is there."""
    kind, _, what = name.partition(".")
    if kind == "clause":
        return what in {clause.name for clause in CLAUSES}
    if kind == "lesson":
        return what in lessons.NAMES
    if kind == "bench":
        return (SERVER.parent / f"tests/bench/{what}.py").is_file()
    file = Path(__file__).with_name(f"{kind}.py")
    return file.is_file() and f"\ndef {what}(" in file.read_text()


def test_what_shows_an_entry_is_there() -> None:
    for name, one in catalog.load().items():
        assert one.shown_by, name
        assert [what for what in one.shown_by if not shows(what)] == [], name
    assert not shows("test_catalog.test_that_nobody_wrote")


def test_processes() -> None:
    assert [catalog.find("epoll").processes(n) for n in (1, 8)] == [1, 1]
    for name in ("workers", "sendfd", "prefork_reuseport", "c_reuseport", "null_server"):
        assert [catalog.find(name).processes(n) for n in (1, 2, 8)] == [2, 2, 8]
    for name in ("c_epoll", "go_goroutine"):
        assert [catalog.find(name).processes(n) for n in (1, 8)] == [1, 1]


def test_an_unknown_name_is_answered_with_the_nearest_and_the_list() -> None:
    with pytest.raises(KeyError, match=r"mean 'epoll_edge'.*epoll, epoll_edge, .*workers"):
        catalog.find("epol_edge")


def test_the_page_is_what_the_catalogue_says() -> None:
    """Made again with: python -m server list --markdown > docs/strategies.md"""
    assert (SERVER.parent / "docs/strategies.md").read_text() == page.markdown(catalog.load().values())


def test_the_reading_order_names_every_loop_once() -> None:
    names = re.findall(r"(?m)^\d+\. `(\w+)`", loops.__doc__ or "")
    assert sorted(names) == sorted(path.stem for path in (SERVER / "loops").glob("[a-z]*.py"))
    assert all(f"[{name}](../server/loops/{name}.py)" in page.reading_order() for name in names)


FACTS = {
    "epoll": (True, False, False, None), "select": (True, False, False, 1024), "workers": (False, False, False, None),
    "prefork_select": (False, True, False, 1024), "prefork_accept": (False, False, True, None),
    "thread_per_connection": (True, False, True, None), "null_server": (False, True, False, None),
}  # fmt: skip


def test_what_loops_and_distributions_say_of_themselves() -> None:
    for name, facts in FACTS.items():
        one = catalog.find(name)
        assert (one.one_process, one.listens_per_worker, one.one_client, one.most_descriptors) == facts, name
    assert catalog.find("epoll").room(10_000) == catalog.find("poll").room(10_000) == 9_936
    assert catalog.find("select").room(10_000) == catalog.find("prefork_select").room(10_000) == 960
    assert catalog.find("select").room(500) == 436


def test_a_loop_that_needs_something_says_nothing() -> None:
    """The planner could not import it."""
    for strategy in catalog.load().values():
        if strategy.needs and not strategy.is_program:
            text = (SERVER / f"loops/{strategy.loop}.py").read_text()
            assert "MOST_DESCRIPTORS" not in text, strategy.name
            assert "ONE_CLIENT" not in text, strategy.name


def test_only_the_agent_needs_the_contracts() -> None:
    for path in SERVER.rglob("*.py"):
        words = re.findall(r"(?m)^(?:from|import) ([\w.]+)", path.read_text())
        if path.parent.name != "agent":
            assert not [word for word in words if word.startswith(("contracts", "server.agent"))], path


def test_a_field_too_few(tmp_path: Path) -> None:
    path = tmp_path / "catalog.yml"
    path.write_text("a:\n  family: x\n")
    with pytest.raises(catalog.CatalogError, match="must have"):
        catalog.load(path)


def test_an_entry_may_say_which_optional_parameters_it_honours(tmp_path: Path) -> None:
    entry = [f"  {name}: {'[x]' if name in catalog.LISTS else 'x'}" for name in catalog.FIELDS]
    path = tmp_path / "catalog.yml"
    path.write_text("\n".join(["a:", *entry, "b:", "  honours: [spin]", *entry]) + "\n")
    assert [strategy.honours for strategy in catalog.load(path).values()] == [(), ("spin",)]


@pytest.mark.parametrize(("line", "field"), [("  needs: uvloop", "needs"), ("  how: [a]", "how")])
def test_text_and_lists_are_not_taken_for_each_other(tmp_path: Path, line: str, field: str) -> None:
    entry = {name: f"  {name}: {'[x]' if name in catalog.LISTS else 'x'}" for name in catalog.FIELDS} | {field: line}
    path = tmp_path / "catalog.yml"
    path.write_text("\n".join(["a:", *entry.values()]) + "\n")
    with pytest.raises(catalog.CatalogError, match=f"a has '{field}'"):
        catalog.load(path)


@pytest.mark.parametrize("path", sorted(SERVER.rglob("*.py")), ids=lambda path: str(path.relative_to(SERVER)))
def test_python_3_9_reads_every_module(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    if any(isinstance(node, (ast.FunctionDef, ast.AnnAssign)) for node in ast.walk(tree)):
        names = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert "annotations" in names, "3.9 cannot evaluate X | None"
    assert len(path.read_text().splitlines()) < 300
