"""`all` is what the hosts can run; what is named and cannot run is refused, with the reason."""

import re
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from planner import available, cells, wheels
from planner.parameters import Refused
from server.catalog import SEED, load
from tests.unit.planner.asking import interpreter

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "requirements-server.lock"
NAMES = (*SEED, "epoll", "uvloop", "rloop", "trio", "io_uring", "interpreter_per_core", "c_epoll", "null_server")
CATALOG = {name: strategy for name, strategy in load().items() if name in NAMES}


def request(**given: Any) -> cells.Request:
    return cells.resolve(given, CATALOG, ["c10k"], [])


def server(**facts: Any) -> dict[str, Any]:
    found = {
        "python": "3.11.2", "implementation": "CPython", "arch": "x86_64", "libc": ["glibc", "2.36"],
        "executable": "/usr/bin/python3", "free_threaded": False,
        "interpreters": {
            "3.13": interpreter("3.13.0"), "3.14t": interpreter("3.14.0", free_threaded=True),
            "pypy3.10": interpreter("3.10.14", implementation="PyPy"),
        },
        "kernel_release": "6.1.0-13-amd64", "io_uring_disabled": "0", **facts,
    }  # fmt: skip
    return {"name": "server", "probe": {"facts": found}}


def test_what_all_brought_in_vain_is_left_out_and_said_once() -> None:
    asked = request(strategy="all", rate="10,20")
    sentence = "uvloop, trio cannot run: no network."
    left, lines, problems = available.settle(asked, dict.fromkeys(["uvloop", "rloop", "trio"], sentence))
    expected = ["epoll", "epoll_edge", "poll", "select", "io_uring", "workers", "interpreter_per_core", "c_epoll"]
    assert available.asked(left) == expected
    assert left.parameters["strategy"] == available.asked(left)
    assert left.parameters["rate"] == [10, 20]
    assert len(left.cells) == 16
    assert (lines, problems) == ([f"Left out of `all`: {sentence}"], [])
    assert "uvloop" not in left.optional


@pytest.mark.parametrize(
    "given",
    [
        {"strategy": "uvloop"},
        {"strategy": "epoll,uvloop"},
        {"strategy": "all,uvloop"},
        {"cells": [{"strategy": "all"}, {"strategy": "uvloop", "rate": 5}]},
    ],
)
def test_what_is_named_and_lacking_is_refused(given: dict[str, Any]) -> None:
    asked = request(**given)
    _, _, problems = available.settle(asked, {"uvloop": "uvloop cannot run: no network."})
    assert problems == ["uvloop cannot run: no network."]


def test_the_four_of_the_original_are_named_ones() -> None:
    assert "workers" not in request(strategy="all,seed").optional


def test_a_request_of_which_nothing_is_left_is_refused() -> None:
    only = {"uvloop": CATALOG["uvloop"]}
    asked = cells.resolve({"strategy": "all"}, only, ["c10k"], [])
    with pytest.raises(Refused, match="Nothing is left to measure"):
        available.settle(asked, {"uvloop": "no."})


@pytest.mark.parametrize(
    ("release", "disabled", "words"),
    [
        ("6.18.44-generic", "0", None),
        ("6.1.0", None, None),
        ("10.0.0", "0", None),
        ("5.15.0-91-generic", None, "io_uring needs Linux 6.1, and server has 5.15.0-91-generic: "),
        ("6.0.19", "0", "io_uring needs Linux 6.1"),
        ("6.8.0", "1", "io_uring needs io_uring, which server forbids: run `sysctl kernel.io_uring_disabled=0` there"),
        ("6.8.0", "2", "server forbids"),
    ],
)
def test_io_uring_is_judged_by_the_servers_kernel(release: str, disabled: str | None, words: str | None) -> None:
    host = server(kernel_release=release, io_uring_disabled=disabled)
    found = available.without_io_uring(["epoll", "io_uring"], CATALOG, host)
    assert list(found) == (["io_uring"] if words else [])
    assert words is None or words in found["io_uring"]


def test_subinterpreters_are_judged_by_the_python_that_shall_run_them() -> None:
    asked = request(strategy="epoll,interpreter_per_core", python="3.13,pypy3.10")
    assert list(available.without_subinterpreters(asked, CATALOG, server())) == [("interpreter_per_core", "pypy3.10")]
    asked = request(strategy="epoll,interpreter_per_core")
    assert not available.without_subinterpreters(asked, CATALOG, server(python="3.12.1"))
    found = available.without_subinterpreters(asked, CATALOG, server())
    sentence = (
        "interpreter_per_core needs CPython 3.12 or newer, and is to run in CPython 3.11.2 of server: name a newer one"
    )
    assert found[("interpreter_per_core", None)].startswith(sentence)


def test_a_strategy_that_one_interpreter_lacks_is_left_out_in_that_one() -> None:
    lacking: available.Lacking = {("uvloop", "pypy3.10"): "it cannot."}
    left, lines, problems = available.settle(request(strategy="all", python="3.13,pypy3.10"), lacking)
    assert (lines, problems) == (["Left out of `all`: it cannot."], [])
    assert ("uvloop", "3.13") in available.pairs(left)
    assert {("uvloop", "pypy3.10"), ("trio", "pypy3.10")} - available.pairs(left) == {("uvloop", "pypy3.10")}
    _, lines, problems = available.settle(request(strategy="uvloop", python="3.13,pypy3.10"), lacking)
    assert (lines, problems) == ([], ["it cannot."])


def test_a_request_without_packages_fetches_none(tmp_path: Path) -> None:
    asked = request(strategy="epoll,c_epoll,io_uring", python="3.13")
    assert available.wheels_for(asked, CATALOG, server(), tmp_path, LOCK, False) == ({}, {})
    assert not list(tmp_path.iterdir())


def test_check_mode_fetches_nothing_and_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    place = wheels.place_of(tmp_path, LOCK, server()["probe"]["facts"])
    asked, found = request(strategy="uvloop"), {"packages-cp311": place}
    assert available.wheels_for(asked, CATALOG, server(), tmp_path, LOCK, True) == (found, {})
    assert not list(tmp_path.iterdir())
    place.mkdir()
    assert available.wheels_for(asked, CATALOG, server(), tmp_path, LOCK, False) == (found, {})


def test_each_interpreter_has_the_packages_of_its_abi(tmp_path: Path) -> None:
    asked = request(strategy="epoll,uvloop,trio", python="3.13,3.14t")
    found, lacking = available.wheels_for(asked, CATALOG, server(), tmp_path, LOCK, True)
    assert not lacking
    assert list(found) == ["packages-cp313", "packages-cp314t"]
    assert [path.name.split("-")[1] for path in found.values()] == ["cp313", "cp314t"]
    assert available.imports(asked, CATALOG, server()) == [
        {"python": "/opt/3.13.0/bin/python3", "packages": "packages-cp313", "names": ["trio", "uvloop"]},
        {"python": "/opt/3.14.0/bin/python3", "packages": "packages-cp314t", "names": ["trio", "uvloop"]},
    ]


def test_all_interpreters_are_those_of_the_host() -> None:
    asked = request(strategy="epoll,c_epoll", python="all,3.14t")
    missing = available.without_interpreter(asked, server())
    assert {"3.9", "3.13t"} <= set(missing) and not {"3.13", "3.14t"} & set(missing)
    left, (line,), problems = available.settle(asked, missing)
    assert line.startswith("Left out of `all`: server has no Python 3.9, 3.10, ") and not problems
    assert [(cell["strategy"], cell["python"]) for cell in left.cells] == [
        ("epoll", "3.13"), ("epoll", "3.14t"), ("epoll", "pypy3.10"), ("c_epoll", None),
    ]  # fmt: skip


def test_what_one_interpreter_cannot_import_is_told_of_that_one(tmp_path: Path) -> None:
    asked = request(strategy="uvloop,epoll", python="3.13,pypy3.10")
    found, lacking = available.wheels_for(asked, CATALOG, server(), tmp_path, LOCK, True)
    assert list(found) == ["packages-cp313"]
    assert list(lacking) == [("uvloop", "pypy3.10")]
    assert "PyPy 3.10.14 of server" in lacking["uvloop", "pypy3.10"]


def test_an_interpreter_that_needs_no_package_is_tried_all_the_same() -> None:
    assert available.imports(request(strategy="epoll"), CATALOG, server()) == []
    assert available.imports(request(strategy="epoll", python="3.13"), CATALOG, server()) == [
        {"python": "/opt/3.13.0/bin/python3", "packages": "packages-cp313", "names": []}
    ]


def test_a_package_that_the_lock_does_not_hold_for_a_python_is_lacking_there(tmp_path: Path) -> None:
    """And the others are fetched all the same."""
    asked = request(strategy="epoll,rloop,uvloop", python="3.13,3.9")
    host = server(interpreters={"3.13": interpreter("3.13.0"), "3.9": interpreter("3.9.2")})
    found, lacking = available.wheels_for(asked, CATALOG, host, tmp_path, LOCK, True)
    assert list(found) == ["packages-cp313", "packages-cp39"]
    assert list(lacking) == [("rloop", "3.9")]
    words = "requirements-server.lock holds no such package for CPython 3.9.2 of server"
    assert words in lacking["rloop", "3.9"]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, ["x86_64", "pip said: ", "Mend the network or pip's index settings"]),
        ({"implementation": "PyPy"}, ["PyPy 3.11.2 of server", "for CPython only"]),
    ],
)
def test_packages_that_cannot_be_had_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], words: list[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    asked = request(strategy="epoll,uvloop,trio")
    places, lacking = available.wheels_for(asked, CATALOG, server(**facts), tmp_path / "cache", LOCK, False)
    assert places == {}
    assert list(lacking) == [("uvloop", None), ("trio", None)]
    (sentence,) = set(lacking.values())
    assert sentence.startswith("uvloop, trio cannot run: ")
    assert all(word in sentence for word in words), sentence
    assert "\n" not in sentence
    assert not list((tmp_path / "cache").glob("*")), "half a parcel was left"


def chosen(python: str, arch: str = "x86_64") -> dict[str, str]:
    text = wheels.requirements(LOCK.read_text(), server(python=python, arch=arch)["probe"]["facts"])
    assert ";" not in text
    firsts = re.findall(r"(?m)^(\S+)==(\S+) \\$", text)
    assert len(dict(firsts)) == len(firsts), "a package twice"
    assert len(re.findall("--hash=sha256:", text)) >= len(firsts)
    return dict(firsts)


@pytest.mark.parametrize("python", ["3.9.2", "3.10.12", "3.11.2", "3.12.3", "3.13.0"])
def test_the_lock_file_holds_each_package_once_for_each_python(python: str) -> None:
    found = chosen(python)
    assert {"uvloop", "gevent", "trio", "greenlet", "sniffio", "anyio", "tornado", "twisted"} <= set(found)
    assert ("exceptiongroup" in found) == (python in ("3.9.2", "3.10.12"))
    assert (found["gevent"] != chosen("3.13.0")["gevent"]) == (python == "3.9.2")
    assert "cffi" not in found, "that is for Windows"


def test_no_lock_file_names_an_index() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text(), lock


def test_the_locks_of_controller_and_host_agree() -> None:
    """The tests run what the controller's lock holds."""
    ours = {
        entry.name: str(entry.specifier)
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if (first := line.partition(" \\")[0]) and re.match(r"[a-z]", line)
        for entry in [Requirement(first)]
    }
    for name, version in chosen("3.11.2").items():
        assert ours[name] == f"=={version}", name


@pytest.mark.parametrize(
    ("libc", "first", "last"),
    [
        (["glibc", "2.36"], "manylinux_2_36_x86_64", "manylinux2014_x86_64"),
        (["glibc", "2.17"], "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
        (["", ""], "musllinux_1_2_x86_64", "musllinux_1_1_x86_64"),
    ],
)
def test_only_wheels_that_the_c_library_can_load_are_asked_for(libc: list[str], first: str, last: str) -> None:
    found = wheels.platforms(server(libc=libc)["probe"]["facts"])
    assert (found[0], found[-1]) == (first, last)
