"""Whatever Ansible shows of what a host says, the terminal executes none of it; and it is shown at once, in a pipe too,
where Ansible leaves it to Python to write when some kilobytes have come together.

Results, warnings and errors come to the terminal by many ways, and all of them end in Display.display. So it is the one
place, and no module, plugin or connection has to think of it.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from typing import Any

from ansible.plugins.callback import CallbackBase

try:
    from contracts.visible import visible_lines
except ImportError:  # an Ansible that is not the checkout's: c10k_command_line refuses it before any host is touched

    def visible_lines(text: str) -> str:
        return text


DOCUMENTATION = """
    name: c10k_visible
    type: aggregate
    short_description: Writes control sequences of hosts out
    description: Control and bidirectional characters of any text are written out, but for Ansible's own colours.
"""
COLOUR = re.compile("(\x1b\\[[01](?:;3[1-6])?m)")
"""What Ansible itself writes around a difference. It hides nothing, so a host may write it too: neither black nor white
letters, nor a ground, which could be those of the terminal."""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "c10k_visible"

    def __init__(self) -> None:
        super().__init__()
        show = self._display.display

        def at_once(msg: Any, *given: Any, **named: Any) -> None:
            show(shown(msg), *given, **named)
            with suppress(OSError):  # nobody reads any more: Ansible minds that itself
                sys.stdout.flush()

        self._display.display = at_once


def shown(text: Any) -> str:
    parts = COLOUR.split(str(text))
    return "".join(part if n % 2 else visible_lines(part) for n, part in enumerate(parts))
