"""From the runs of claims to their page: archives under docs/runs/, pictures, and the answers in docs/claims.md.

    script/claims && python -m tests.bench.claims results/RUN…    # archives the runs, then as below
    python -m tests.bench.claims                                  # pictures and answers, from the archives alone

An archive holds what the hosts and the conductor wrote of a run, and nothing that can be made of it again.
"""

import argparse
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
MADE = ("dataset", "export", "report.html", "summary.csv", ".owner")
"""What can be made again."""
MOST_BYTES = 2_000_000


def archive(run: Path) -> Path:
    """Pack a run under the name of its claim."""
    manifest = json.loads((run / "manifest.json").read_text())
    if manifest["status"] != "ok":
        raise SystemExit(f"{run} did not end well ({manifest['status']}), so it answers nothing.")
    place = RUNS / f"{manifest['claim']['name']}.tar.xz"
    RUNS.mkdir(exist_ok=True)
    with tarfile.open(place, "w:xz", preset=9) as packed:
        for path in sorted(run.iterdir()):
            if path.name not in MADE:
                packed.add(path, f"{run.name}/{path.name}", filter=nobodys)
    if place.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{place.name} has {place.stat().st_size:,} bytes, and {MOST_BYTES:,} are enough.")
    return place


def nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A member without the names of whoever packs it."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


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
