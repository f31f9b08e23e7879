"""What every Python of .venv does first (its c10k.pth): the checkout is importable, and Ansible finds its configuration
from any directory and starts in any locale.

A configuration of the reader's own comes first: ANSIBLE_CONFIG, or an ansible.cfg in the directory where he is.
"""

from __future__ import annotations

import locale
import os
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OURS = "ansible.cfg"


def configure(environment: MutableMapping[str, str]) -> None:
    """Ansible ignores the file of a directory that others may write, unless it is named. c10k_command_line refuses
    such a checkout in a sentence."""
    with suppress(OSError):  # the directory may be gone
        here = Path.cwd()
        if here != ROOT and (here / OURS).exists():
            return
    environment.setdefault("ANSIBLE_CONFIG", str(ROOT / OURS))


def speak(environment: MutableMapping[str, str]) -> None:
    """Ansible starts in a UTF-8 locale alone, and LC_ALL=C is none; nor is one that this machine does not have."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_ALL, "")
        serves = locale.nl_langinfo(locale.CODESET).upper() == "UTF-8"
    except locale.Error:
        serves = False
    finally:
        locale.setlocale(locale.LC_ALL, "C")
        locale.setlocale(locale.LC_CTYPE, before)
    if not serves:
        environment["LC_ALL"] = "C.UTF-8"


configure(os.environ)
speak(os.environ)
