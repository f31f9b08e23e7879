"""Distributions: how connections reach the processes that serve them.

A module states here what differs from the rule, which is that several processes hold the connections, and that they
share the listeners they are given:

- `ONE_SLOT = True`: one process counts all connections, so there is one slot of statistics.
- `LISTENS_PER_WORKER = True`: each worker process gets a listener of its own for every port.
"""
