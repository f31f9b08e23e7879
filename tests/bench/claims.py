"""From the runs of claims to their page: archives under docs/runs/, pictures, and the answers in docs/claims.md.

    script/claims && python -m tests.bench.claims results/RUN…    # archives the runs, then as below
    python -m tests.bench.claims                                  # pictures and answers, from the archives alone

An archive holds what the figures of a run are computed from. What is left out: the hosts' own logs, of which events.jsonl
holds every line; the sightings of clocks, whose outcome is in the event `clocks`; and the gaps between sends, of which
check GN10 has judged the law when the run ended.
"""

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.bench.common import ROOT

RUNS, PICTURES, PAGE = ROOT / "docs/runs", ROOT / "docs/pictures", ROOT / "docs/claims.md"
BEGIN, END = "<!-- answers: made by tests/bench/claims.py -->\n", "<!-- end of answers -->\n"
EVENTS, KEPT = "events.jsonl", ("manifest.json", "plan.yml", "trials/")
MOST_BYTES = 2_000_000


def archive(run: Path) -> Path:
    """Pack a run under the name of its claim."""
    manifest = json.loads((run / "manifest.json").read_text())
    if manifest["status"] != "ok":
        raise SystemExit(f"{run} did not end well ({manifest['status']}), so it answers nothing.")
    place = RUNS / f"{manifest['claim']['name']}.tar.xz"
    RUNS.mkdir(exist_ok=True)
    found = {str(path.relative_to(run)): path for path in sorted(run.rglob("*")) if path.is_file()}
    files = {name: path.read_bytes() for name, path in found.items() if name.startswith(KEPT)}
    files[EVENTS] = lean((run / EVENTS).read_text())
    manifest["files"] = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items() if name in manifest["files"]
    }  # fmt: skip
    files["manifest.json"] = (json.dumps(manifest, indent=2) + "\n").encode()
    with tarfile.open(place, "w:xz", preset=9) as packed:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{run.name}/{name}")  # of nobody, and of no time
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    if place.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{place.name} has {place.stat().st_size:,} bytes, and {MOST_BYTES:,} are enough.")
    return place


def lean(events: str) -> bytes:
    """The lines of a run without those that no figure is computed from; what its trailer counts is counted again."""
    lines = [json.loads(line) for line in events.splitlines()]
    kept = [line for line in lines if line.get("event") != "clock"]
    for line in kept:
        if "send_gaps_ns" in (line.get("self") or {}):
            line["self"]["send_gaps_ns"] = []
        if line.get("trailer"):
            line["lines"] -= len(lines) - len(kept)
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in kept).encode()


@contextmanager
def unpacked() -> Iterator[dict[str, Path]]:
    """The archived runs, by the names of their claims."""
    with tempfile.TemporaryDirectory() as name:
        found = {}
        for place in sorted(RUNS.glob("*.tar.xz")):
            claim = place.name.removesuffix(".tar.xz")
            with tarfile.open(place) as packed:
                packed.extractall(Path(name) / claim, filter="data")
            (found[claim],) = (Path(name) / claim).iterdir()
        yield found


def analysis(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "analysis", *words], cwd=ROOT, text=True, capture_output=True, check=False
    )


def draw(claim: str, run: Path) -> None:
    figure = yaml.safe_load((run / "plan.yml").read_text())["claim"]["figure"]
    done = analysis("plot", str(run), "--figure", figure, "-o", str(PICTURES / f"claim-{claim}.svg"))
    if done.returncode:
        raise SystemExit(f"{claim}: {done.stderr}")


def answers(runs: dict[str, Path]) -> str:
    """The part of the page that the runs say."""
    return analysis("claim", "--markdown", *map(str, runs.values())).stdout


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.claims", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path)
    for run in parser.parse_args().runs:
        print(archive(run.resolve()))
    with unpacked() as runs:
        for claim, run in runs.items():
            draw(claim, run)
        if runs:
            head, rest = PAGE.read_text().split(BEGIN)
            PAGE.write_text(head + BEGIN + answers(runs) + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
