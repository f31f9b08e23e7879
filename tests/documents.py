"""The commands that README.md and docs/ tell a reader to type."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import line

STARTS = re.compile(
    r"(\$ )?(ansible(-\w+)?|python3?|\.venv/bin/python|fab|script/\w+|vagrant|(\./)?loadgen(-bin)?|analysis|pip|git) "
)
REMARK = re.compile(r"\s+#(?!\w).*$")


@dataclass(frozen=True)
class Command:
    """As a shell is given it, without the remark behind it."""

    page: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.number} {self.text}"


def pages() -> list[Path]:
    return [line.ROOT / "README.md", *sorted((line.ROOT / "docs").glob("*.md"))]


def commands() -> list[Command]:
    """All of them, in the order of the pages. What a block shows of a command's output is no command."""
    return [command for page in pages() for command in of_page(page)]


def of_page(page: Path) -> Iterator[Command]:
    rest = iter(enumerate(blocks(page.read_text(encoding="utf-8")), 1))
    for number, text in rest:
        if not STARTS.match(f"{text} "):
            continue
        whole = text
        while whole.endswith("\\") or open_quote(whole):
            more = next(rest, (0, ""))[1]
            whole = f"{whole.removesuffix(chr(92)).rstrip()} {more}"
            assert more, f"{page.name}:{number}: {whole!r} does not end"
        yield Command(page.name, number, REMARK.sub("", whole.removeprefix("$ ")))


def blocks(text: str) -> Iterator[str]:
    """Each line of the page: that of a block of code without its indent, any other empty."""
    is_fenced = False
    for one in text.splitlines():
        if one.startswith("```"):
            is_fenced = not is_fenced
            yield ""
        else:
            yield one.strip() if is_fenced or one.startswith("    ") else ""


def open_quote(text: str) -> bool:
    return REMARK.sub("", text).count("'") % 2 == 1
