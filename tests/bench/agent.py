"""What the server agent's own supervision and sampling costs (issue 4: below 1 % of a core, one sample a second).

Its CPU time between two of its samples: with idle connections held by one epoll server, and with trees of processes
that do nothing. A tree of more than 256 is looked at at the edges only.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from pathlib import Path

from contracts.line import raise_descriptor_limit
from tests.bench import common
from tests.contract.test_server_agent import Conductor

FOREST = """
import os, signal, socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
for _ in range(int(sys.argv[3]) - 1):
    if os.fork() == 0: break
signal.pause()
"""


def cost(connections: int, processes: int, seconds: float) -> tuple[float, int, int]:
    """Per cent of a core, samples in that time, and how many of them looked at the processes."""
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "forest.py"
        script.write_text(FOREST)
        command = f"{sys.executable} {script} {{host}} {{port}} {processes}"
        what = {"strategy": "epoll"} if connections else {"strategy": None, "server_command": command}
        agent = Conductor(Path(directory), **what, connections=connections or 1)
        agent.arm()
        held: list[socket.socket] = []
        for number in range(connections):
            held.append(agent.connect())
            if number % 1000 == 0:
                agent.order("alive")
        time.sleep(1)  # until all are accepted, and all processes forked
        at = time.monotonic_ns() + common.NS_PER_S
        agent.order("go", at=at)
        samples = [agent.wait_for("sample")]
        while samples[-1]["t"] < at + seconds * common.NS_PER_S:
            samples.append(agent.wait_for("sample"))
            agent.order("alive")
        agent.order("stop")
        agent.end()
        for sock in held:
            sock.close()
    first, *rest = [sample for sample in samples if sample["t"] > at]  # what the edge itself costs is before it
    used = (rest[-1]["agent_ns"] - first["agent_ns"]) / (rest[-1]["t"] - first["t"]) * 100
    return used, len(rest), sum(sample["processes"] is not None for sample in rest)


def main() -> None:
    options = common.parser(__doc__, rounds=1, seconds=30.0).parse_args()
    raise_descriptor_limit()
    cases = ((10_000, 1), (0, 1), (0, 64), (0, 200), (0, 256), (0, 300))
    rows = []
    for connections, processes in cases:
        found = [cost(connections, processes, options.seconds) for _ in range(options.rounds)]
        used = [one[0] for one in found]
        shown = [common.figure(value) for value in (common.median(used), min(used), max(used))]
        rows.append([f"{connections:,}", str(processes), *shown, str(found[-1][1]), str(found[-1][2])])
    title = f"The agent's own CPU over {options.seconds:g} s, {options.rounds} round(s)."
    columns = ["connections", "processes", "median % of a core", "least", "most", "samples", "of the processes"]
    common.table(title, columns, rows)


if __name__ == "__main__":
    main()
