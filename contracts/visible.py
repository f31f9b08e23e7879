"""What a host says, as a terminal may show it."""

import unicodedata

MOST_OF_A_LINE = 4096


def visible(text: str) -> str:
    """The text with control, format and surrogate characters written out, so that a terminal executes none."""
    if text.isprintable():
        return text
    return "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text)


def visible_lines(text: str) -> str:
    return "\n".join(visible(line) for line in text.split("\n"))


def sayable(text: str) -> str:
    """Visible, and no line so long that it drives everything else from the screen; the files have all of it."""
    return "\n".join(map(_cut, visible_lines(text).split("\n")))


def _cut(line: str) -> str:
    more = len(line) - MOST_OF_A_LINE
    return line if more <= 0 else f"{line[:MOST_OF_A_LINE]} … ({more:,} characters more)"
