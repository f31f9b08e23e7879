"""What a host says, as a terminal may show it."""

import unicodedata


def visible(text: str) -> str:
    """The text with control, format and surrogate characters written out, so that a terminal executes none."""
    if text.isprintable():
        return text
    return "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text)


def visible_lines(text: str) -> str:
    return "\n".join(visible(line) for line in text.split("\n"))
