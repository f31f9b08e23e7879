"""The variables of a host, as inventories write them."""

import ipaddress
from typing import Any

import pytest

from planner import variables
from planner.parameters import Refused
from planner.variables import Variables

ADDRESS = "198.18.0.11"


def read(role: str = "client", **given: Any) -> tuple[Variables, dict[str, str]]:
    return variables.read("client1", role, {"c10k_load_address": ADDRESS, **given})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Variables(ADDRESS, (), 1)),
        ({"c10k_weight": 2, "c10k_sources": [ADDRESS]}, Variables(ADDRESS, (ADDRESS,), 2)),
        ({"c10k_weight": "0.5"}, Variables(ADDRESS, (), 0.5)),
        # What hosts.ini gives
        ({"c10k_sources": "198.18.0.11,198.19.1.0/28"}, Variables(ADDRESS, (ADDRESS, "198.19.1.0/28"))),
        ({"c10k_sources": "198.18.0.11 198.18.0.12"}, Variables(ADDRESS, (ADDRESS, "198.18.0.12"))),
        ({"c10k_sources": "['198.18.0.11']"}, Variables(ADDRESS, (ADDRESS,))),
        ({"c10k_load_address": "FD00::0:1"}, Variables("fd00::1", ())),
        ({"c10k_load_address": "127.0.0.1"}, Variables("127.0.0.1", ())),
    ],
)
def test_right_ones(given: dict[str, Any], expected: Variables) -> None:
    assert read(**given) == (expected, {})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        *[({"c10k_weight": weight}, "c10k_weight of client1 is") for weight in ("heavy", "nan", "inf", 0, -1, True)],
        ({"c10k_load_address": None}, "client1 has no c10k_load_address: give it the address"),
        ({"c10k_load_address": ""}, "client1 has no c10k_load_address"),
        ({"c10k_load_address": "bench.example.org"}, "which is no address: give the address itself"),
        ({"c10k_load_address": "198.18.0.11/24"}, "which is no address"),
        ({"c10k_load_address": str(ipaddress.IPv4Address(0))}, "not one host's alone"),
        ({"c10k_load_address": "fe80::1%eth0"}, "not one host's alone"),
        ({"c10k_sources": 7}, "it takes a list of addresses or networks"),
        ({"c10k_sources": {"a": 1}}, "it takes a list of addresses or networks"),
        ({"c10k_sources": "me, you"}, "holds 'me', which is neither an address nor a network"),
        ({"c10k_sources": ["10.0.0.0/8"]}, "more than 65,536"),
    ],
)
def test_wrong_ones_are_a_sentence_each(given: dict[str, Any], sentence: str) -> None:
    (problem,) = read(**given)[1].values()
    assert sentence in problem and problem.endswith(".")


def test_all_wrong_ones_are_told_at_once() -> None:
    given: dict[str, Any] = {"c10k_load_address": "bench", "c10k_weight": "heavy", "c10k_sources": 1}
    assert len(read(**given)[1]) == 3
    assert len(read("server", **given)[1]) == 2  # a server has no sources


def test_all_are_of_one_version_of_ip() -> None:
    def of(name: str, address: str, *listed: str) -> dict[str, Any]:
        return {"name": name, "load_address": address, "listed": listed}

    server = of("server", "fd00::1")
    fitting = [server, of("client1", "fd00::2", "fd00::/126"), of("client2", "")]
    assert list(variables.other_family(server, fitting)) == []
    found = dict(variables.other_family(server, [server, of("client1", ADDRESS), of("client2", "fd00::3", ADDRESS)]))
    assert set(found) == {"client1", "client2"}
    assert "client1 has 198.18.0.11, and the server's c10k_load_address is fd00::1" in found["client1"]


SOURCES: list[tuple[str, list[str], int, list[str]]] = [
    ("fd00::11", [], 1, ["fd00::11"]),
    ("fd00::11", ["fd00:1::/126"], 2, ["fd00:1::1", "fd00:1::2"]),
    ("198.18.0.11", [], 1, ["198.18.0.11"]),
    ("127.0.0.11", [], 3, ["127.0.0.11", "127.1.0.11", "127.2.0.11"]),
    ("198.18.0.11", ["198.18.0.11", "198.19.1.0/29"], 3, ["198.18.0.11", "198.19.1.1", "198.19.1.2"]),
    ("198.18.0.11", ["198.19.1.1", "198.19.1.0/30"], 2, ["198.19.1.1", "198.19.1.2"]),
]


@pytest.mark.parametrize(("address", "listed", "count", "expected"), SOURCES)
def test_a_client_uses_the_first_of_its_sources(
    address: str, listed: list[str], count: int, expected: list[str]
) -> None:
    assert variables.sources("client1", address, listed, count) == expected


@pytest.mark.parametrize(
    ("listed", "count", "sentence"),
    [
        ([], 2, "client1 has 1"),
        (["198.19.1.0/30"], 3, "client1 has 2"),
        (["me"], 1, "neither an address nor a network"),
        (["10.0.0.0/8"], 1, "more than 65,536"),
    ],
)
def test_sources_that_are_not_there_are_refused(listed: list[str], count: int, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        variables.sources("client1", "198.18.0.11", listed, count)
