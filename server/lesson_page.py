"""The lessons as a page of documentation: `python -m server lesson --markdown` prints docs/lessons.md."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable

from server.conformance.clauses import CLAUSES, FIRST
from server.lesson import Lesson
from server.lessons.correct import Server

MEANINGS = {clause.name: clause.meaning for clause in CLAUSES}

HEAD = """\
# Lessons

Made by `python -m server lesson --markdown` from [server/lessons](../server/lessons); change those, not this.

These are the classic mistakes of servers that hold many connections. Each is alone in a server that is otherwise
correct: [server/lessons/correct.py](../server/lessons/correct.py) meets every clause of the conformance suite, and a
lesson changes a few of its lines. Run one and talk to it with `nc`, or let the suite find the mistake:

    python -m server lesson half_close_as_close --port 9000
    python -m server check --lesson half_close_as_close

`python -m server lesson` lists all. A check of a lesson ends with exit 1, as clauses failed; a test holds each lesson
to exactly the clauses that stand here, which [own-server.md](own-server.md#the-clauses) explains. No lesson is in a
ranking: `-e strategy=` refuses them, since a server that fails a clause has no speed worth knowing.

"""


def markdown(lessons: Iterable[Lesson]) -> str:
    """The whole page."""
    listed = list(lessons)
    rows = ["| lesson | the mistake | fails |", "|---|---|---|"]
    rows += [f"| [{one.name}](#{one.name}) | {one.mistake} | {clauses(one)} |" for one in listed]
    return HEAD + "\n".join(["\n".join(rows) + "\n", *map(section, listed)])


def clauses(lesson: Lesson) -> str:
    return ", ".join(f"`{clause}`" for clause in lesson.fails)


def section(lesson: Lesson) -> str:
    """One lesson: the mistake, its code, and the same as it should be."""
    lines = [f"## {lesson.name}", "", lesson.mistake, "", " ".join(lesson.why.split()), ""]
    lines += [f"- **Seen:** {lesson.seen}"]
    lines += [f"- **Fails** `{clause}`: {MEANINGS[clause]}" for clause in lesson.fails]
    if FIRST.name in lesson.fails:
        lines += ["- The other clauses are skipped, since without this one nothing can be judged."]
    lines += [f"- **Mended:** {lesson.mend} [{lesson.right}](strategies.md#{lesson.right}) does so.", ""]
    lines += [code(inspect.getsource(lesson.server)), ""]
    lines += ["As it is in [correct.py](../server/lessons/correct.py):", "", code(right(lesson))]
    return "\n".join(lines) + "\n"


def right(lesson: Lesson) -> str:
    """What the lesson has in its own way, as the correct server has it."""
    changed = [name for name, what in vars(lesson.server).items() if inspect.isfunction(what)]
    return "\n\n".join(textwrap.dedent(inspect.getsource(getattr(Server, name))) for name in changed)


def code(source: str) -> str:
    return f"```python\n{source.rstrip()}\n```"
