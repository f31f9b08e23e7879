"""The programs of each host: those in C and Go are built here, on the controller; the others are its own files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.declared import GENERATORS
from planner import available
from planner.cells import Request
from planner.fitness import GOARCH
from planner.parameters import Refused
from planner.results import ROOT
from plugins.module_utils.c10k_tree import digest
from server import catalog
from server.reference import build as reference

CACHE = ROOT / ".cache"


def build(admitted: Mapping[str, Any], dry: bool) -> dict[str, Any]:
    """Build what is missing or old; the answer has the binaries' hashes, and what to copy to each host."""
    arches = sorted({host["goarch"] for host in admitted["hosts"] if host["role"] == "client"})
    references = place_of_references(admitted)
    before = digests(arches, references)
    if not dry:
        try:
            for arch in arches:
                reference.build_with_go(loadgen(arch), ROOT / "loadgen", "./cmd/loadgen", arch)
            # Those in C run where they are built, so where there are any, both are for the same architecture.
            if references and admitted["references"]:
                reference.build(references)
            if references and admitted["go_servers"]:
                reference.build_go(references, admitted["go_servers"])
        except reference.BuildError as error:
            raise Refused([str(error)]) from None
    after = digests(arches, references)
    request = Request(**admitted["request"])
    server = next(host for host in admitted["hosts"] if host["role"] == "server")
    imports = available.imports(request, catalog.load(), server)
    return {
        "changed": before != after,
        "binaries": {arch: after.get(str(loadgen(arch))) for arch in arches},
        "programs": {host["name"]: programs(host, admitted, request, references) for host in admitted["hosts"]},
        "imports": {host["name"]: imports if host["role"] == "server" else [] for host in admitted["hosts"]},
    }


def loadgen(arch: str) -> Path:
    return CACHE / f"bin/loadgen-linux-{arch}"


def place_of_references(admitted: Mapping[str, Any]) -> Path | None:
    """Where the servers in C and Go are built, if the run wants any."""
    if not admitted["references"] and not admitted["go_servers"]:
        return None
    machine = os.uname().machine
    return CACHE / f"reference-{admitted['go_servers'] or GOARCH.get(machine, machine)}"


def digests(arches: list[str], references: Path | None) -> dict[str, str]:
    places = [loadgen(arch) for arch in arches] + (sorted(references.glob("[!.]*")) if references else [])
    return {str(place): digest(place) for place in places if place.exists()}


def programs(
    host: Mapping[str, Any], admitted: Mapping[str, Any], request: Request, references: Path | None
) -> dict[str, str]:
    """What a host must hold in its directory app, by name."""
    found: dict[str, Path | str | None] = {"contracts": ROOT / "contracts"}
    if host["role"] == "server":
        found |= {"server": ROOT / "server", "reference": references, **admitted["packages"]}
    elif any(GENERATORS[cell["generator"]].program == "pyloadgen" for cell in request.cells):
        found |= {"pyloadgen": ROOT / "loadgen/pyloadgen", "loadgen": loadgen(host["goarch"])}
    else:
        found = {"loadgen": loadgen(host["goarch"])}
    return {name: str(path) for name, path in found.items() if path}
