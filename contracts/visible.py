"""What a host says, as a terminal may show it."""

import unicodedata

MOST_OF_A_LINE, MOST_OF_A_SENTENCE = 4096, 600


def visible(text: str) -> str:
    """The text with control, format and surrogate characters written out, so that a terminal executes none."""
    if text.isprintable():
        return text
    return "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text)


def visible_lines(text: str) -> str:
    return "\n".join(visible(line) for line in text.split("\n"))


def sayable(text: str) -> str:
    """Visible, and no line so long that it drives everything else from the screen; the files have all of it."""
    return "\n".join(_cut(line, MOST_OF_A_LINE) for line in visible_lines(text).split("\n"))


def one_line(text: object, most: int = MOST_OF_A_SENTENCE) -> str:
    """What a host says, as a part of a sentence of ours: it begins no line, which could be taken for one of ours."""
    return _cut(" ".join(str(text).split()), most)


def _cut(line: str, most: int) -> str:
    more = len(line) - most
    return line if more <= 0 else f"{line[:most]} … ({more:,} characters more)"
