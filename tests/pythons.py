"""Other Pythons than the one that runs the tests."""

from plugins.module_utils.c10k_python import interpreters


def interpreter(version: str) -> str | None:
    """A Python of this version that starts."""
    (found,) = interpreters([version]).values()
    return str(found["executable"]) if found else None
