"""Distributions: how connections reach the workers that serve them.

A module states here what differs from the rule, which is that several processes hold the connections, and that they
share the listeners they are given:

- `ONE_SLOT = True`: one process counts all connections, so there is one slot of statistics.
- `THREADS = True`: the workers, each with a slot, are threads of one process, and share its descriptors.
- `LISTENS_PER_WORKER = True`: each worker gets a listener of its own for every port.
"""
