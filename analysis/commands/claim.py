"""Judge what was claimed before a run: each answer holds, does not hold, or cannot be said here.

Exits: 0 all hold; 1 one does not; 2 unreadable, or no run had a claim; 3 one cannot be said.
"""

import argparse
import textwrap

from analysis import format as show
from analysis.answers import claims
from analysis.dataset import load
from analysis.statistics.claim import FAILS, HOLDS, OPEN
from analysis.terminal import columns
from analysis.unreadable import Unreadable

EXITS = {HOLDS: 0, FAILS: 1, OPEN: 3}


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the directory of a run made with -e claim=NAME")


def run(options: argparse.Namespace) -> int:
    found = claims.claims(load(options.runs))
    if not found:
        raise Unreadable("no run here had a claim: run it with -e claim=NAME, one of those in claims/.")
    width = columns()
    for one in found:
        for line in lines(one, width):
            print(show.visible(line))
    words = {answer.word for one in found for answer in one.answers} | {OPEN for one in found if one.broken}
    return next(EXITS[word] for word in (FAILS, OPEN, HOLDS) if word in words)


def lines(claim: claims.Claim, width: int) -> list[str]:
    """The question, and of each answer the word, what was claimed and what was found."""
    told = wrapped(f"{claim.name}{claims.otherwise(claim)}: {claim.texts['question']}", "", width)
    if claim.broken:
        return told + wrapped(f"{OPEN}: {claim.broken}.", "  ", width)
    longest = max(len(answer.word) for answer in claim.answers)
    for answer in claim.answers:
        told += wrapped(answer.sentence, f"  {answer.word:<{longest}}  ", width)
    for line in claim.apart.sentences if claim.apart else ():
        told += wrapped(line, "  ", width)
    return told


def wrapped(text: str, head: str, width: int) -> list[str]:
    """The text behind its head, and below itself where the line is full."""
    below = " " * len(head)
    return textwrap.wrap(
        show.visible(text), width, initial_indent=head, subsequent_indent=below, break_on_hyphens=False
    )
