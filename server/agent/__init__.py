"""The benchmark's watchman: `python -m server agent` runs a strategy for one trial, samples it, and ends it.

A server needs nothing of this. The agent speaks the line protocol with the conductor, so it needs contracts/ beside
server/. Read agent.py first: it is the trial in the order in which it happens. spec.py is what the conductor gives at
the start, budget.py what must hold before the server starts, child.py the server as a child process, sampling.py and
host.py what the agent measures of it.
"""
