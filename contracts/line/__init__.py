"""The agent's end of the line protocol, for every agent in Python: Python 3.9, no packages.

The conductor starts an agent, writes orders to its stdin and reads events from its stdout, one JSON object a line
(docs/contracts.md). `Outbox` says events and `Inbox` hears orders, each with a thread of its own, so that a full or an
empty pipe never holds the agent up. `Journal` keeps every event in agent.jsonl, `identify` writes agent-<nnn>.json.
"""

from contracts.line.events import Event, encode, error, hello, protocol_error, whole
from contracts.line.identity import forget, identify
from contracts.line.inbox import Inbox
from contracts.line.limits import raise_descriptor_limit
from contracts.line.outbox import CAPACITY, Journal, Outbox

__all__ = [
    "CAPACITY", "FLUSH_S", "SILENCE_S", "SWITCH_S", "Event", "Inbox", "Journal", "Outbox", "encode", "error", "forget",
    "hello", "identify", "protocol_error", "raise_descriptor_limit", "whole",
]  # fmt: skip

SILENCE_S = 10.0  # an agent that has read nothing for so long ends: the conductor says `alive` every second
FLUSH_S = 1.0  # what the reader of stdout gets at the end to take what still waits
SWITCH_S = 0.0005  # sys.setswitchinterval: threads change places soon, so that a clock is answered at once
