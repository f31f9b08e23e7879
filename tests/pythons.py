"""Other Pythons than the one that runs the tests."""

import shutil
import subprocess
from pathlib import Path


def interpreter(version: str) -> str | None:
    """A Python of this version that starts: from PATH, or one of pyenv's."""
    found = [shutil.which(f"python{version}"), *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python3"))]
    return next(
        (one for one in found if one and subprocess.run([one, "-c", ""], capture_output=True).returncode == 0), None
    )
