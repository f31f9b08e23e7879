"""From the runs of claims to their page: archives under docs/runs/, pictures, and the answers in docs/claims.md.

    script/claims && python -m tests.bench.claims results/RUN…    # archives the runs, then as below
    python -m tests.bench.claims                                  # pictures and answers, from the archives alone

An archive holds what the figures of a run are computed from. What is left out: the hosts' own logs, of which
events.jsonl holds every line; the sightings of clocks, whose outcome is in the event `clocks`; the gaps between
sends, whose law check GN10 has judged when the run ended; how late a generator's loop woke; and where requests have no
times of their own, how late they were sent and what remains without that, which no check judges there. Its manifest
lists the files as they are in the archive.
"""

import argparse
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml

from analysis.answers import claims
from analysis.dataset import load
from analysis.demo.histogram import encode
from analysis.statistics.claim import FAILS, HOLDS, OPEN
from contracts.declared import WORKLOADS
from tests.bench.common import ROOT

RUNS, PICTURES, PAGE = ROOT / "docs/runs", ROOT / "docs/pictures", ROOT / "docs/claims.md"
BEGIN, END = "<!-- {}: made by tests/bench/claims.py -->\n", "<!-- end of {} -->\n"
EVENTS, KEPT = "events.jsonl", ("manifest.json", "plan.yml", "trials/")
MOST_BYTES = 2_000_000
WORDS = (HOLDS, FAILS, OPEN)
NOTHING = encode(np.array([]))


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
    begun = [line for line in kept if line.get("event") == "trial" and line["state"] == "started"]
    paced = {line["n"]: WORKLOADS[line["load"]["workload"]].paced for line in begun}
    for line in kept:
        if line.get("event") == "done":
            dropped = ("loop_lag",) if paced[line["trial"]] else ("loop_lag", "lag", "service")
            line |= dict.fromkeys(dropped, NOTHING)
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


def draw(claim: str, run: Path) -> None:
    figure = yaml.safe_load((run / "plan.yml").read_text())["claim"]["figure"]
    words = ["-m", "analysis", "plot", str(run), "--figure", figure, "-o", str(PICTURES / f"claim-{claim}.svg")]
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True)


def parts(runs: dict[str, Path]) -> dict[str, str]:
    """The parts of the page that the runs say, by their names, each with its marks."""
    found = claims.claims(load([str(run) for run in runs.values()]))
    told = {
        "overview": overview(found),
        "answers": [line for one in found for line in section(one)],
    }
    return {
        name: BEGIN.format(name) + "".join(f"{line}\n" for line in lines) + END.format(name)
        for name, lines in told.items()
    }


def section(claim: claims.Claim) -> list[str]:
    """What was found, why it is so, and what would change it."""
    texts = {part: " ".join(text.split()) for part, text in claim.texts.items()}
    told = [f"| {answer.word} | {answer.sentence} |" for answer in claim.answers]
    table = ["| it | what was claimed, and what was found |", "|---|---|", *told]
    return [
        f"## {texts['question']}", "", f"![{texts['question']}](pictures/claim-{claim.name}.svg)", "",
        *(table if told else [f"{OPEN}: {claim.broken}."]), "",
        *pairs(claim),
        f"**Why.** {texts['mechanism']}", "", f"**What would change it.** {texts['changes']}", "",
        f"**Who says so.** {texts['source']}", "", f"    script/claims {claim.name}", "",
    ]  # fmt: skip


def pairs(claim: claims.Claim) -> list[str]:
    """Which rows can be told apart, for a claim that asks."""
    first, *rest = claim.apart.sentences if claim.apart else [""]
    return [first, "", *(f"- {line}" for line in rest), ""] if first else []


def overview(found: list[claims.Claim]) -> list[str]:
    """A row for each claim, with how many of its answers hold."""
    rows = [f"| claim | question | {' | '.join(WORDS)} |", "|---|---|--:|--:|--:|"]
    for one in found:
        question = " ".join(one.texts["question"].split())
        counted = Counter(answer.word for answer in one.answers)
        told = " | ".join(str(counted[word]) for word in WORDS)
        rows.append(f"| [{one.name}](../claims/{one.name}.yml) | [{question}](#{anchor(question)}) | {told} |")
    return rows


def anchor(heading: str) -> str:
    """By what a page is entered at this heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.claims", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path)
    for run in parser.parse_args().runs:
        print(archive(run.resolve()))
    with unpacked() as runs:
        for claim, run in runs.items():
            draw(claim, run)
        for name, text in parts(runs).items() if runs else ():
            head, rest = PAGE.read_text().split(BEGIN.format(name))
            PAGE.write_text(head + text + rest.split(END.format(name))[1])


if __name__ == "__main__":
    main()
