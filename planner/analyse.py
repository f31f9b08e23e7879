"""The commands of analysis, as the playbooks run them: in a process of their own, with the controller's Python."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

Say = Callable[[str], None]
LONG_S = 120  # seconds of load, from which on a person wants to know how long the run takes and what it can find
MOST_OF_A_COMPLAINT = 600
DESIGN_S = 60


def analyse(words: Sequence[str], within_s: float | None = None) -> tuple[str, str | None]:
    """What a command shows, and its complaint where it failed. It names files as they are seen from where a person is;
    another package of this name that lies there is not taken (-P)."""
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-m", "analysis", *words], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="backslashreplace", timeout=within_s, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return "", str(error)
    shown = answer.stdout.rstrip()
    return shown, None if answer.returncode == 0 else answer.stderr.strip()[-MOST_OF_A_COMPLAINT:] or "no reason given"


def report(run: Path, say: Say) -> str | None:
    """Say the table of a run and where its report is; writes summary.csv and report.html. Returns the complaint. One
    process does both: to start and to read the run takes as long as all the rest."""
    place = run.relative_to(Path.cwd()) if run.is_relative_to(Path.cwd()) else run  # it stands in commands to type
    shown, complaint = analyse(["summary", str(place), "--csv", str(place / "summary.csv"), "--report"])
    if shown:
        say(shown)
    return complaint and f"The report of {run.name} could not be made: {complaint}"


def design(plan: Path, load_s: float) -> str:
    """How long a run of more than LONG_S takes, and how small a difference it can detect; else empty."""
    if load_s <= LONG_S:
        return ""
    shown, complaint = analyse(["design", str(plan)], DESIGN_S)
    return f"How long this takes, and what it can find, is not known: {complaint}" if complaint else shown
