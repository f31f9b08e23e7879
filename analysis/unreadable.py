"""The one error that a command of analysis reports."""


class Unreadable(Exception):
    """An input cannot be read or used; the text is the one sentence that a user reads."""
