"""A claim: a question, and the estimates that answer it, stated before the run and sealed by a hash.

Written in claims/NAME.yml, copied by the planner into plan and manifest, judged by analysis.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

TEXTS = ("question", "source", "mechanism", "changes", "figure")
ESTIMATES = ("ratio", "level", "slope")
"""Of one cell over another; of a cell by itself; of a figure over the connections of several cells."""
BOUNDS = ("at_least", "at_most", "within")
"""How an answer says what is claimed; `within`: the factor from 1, as a share, of a ratio alone."""


def seal(claim: Mapping[str, Any]) -> str:
    """The hash of what was stated, whatever the order in which it stands."""
    text = json.dumps(claim, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
