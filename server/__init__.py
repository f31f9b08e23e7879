"""TCP echo servers, one per I/O strategy: an event loop (loops/) times a way to spread connections (distributions/).

Begin with loops/, whose docstring gives an order to read them in; common.py holds what all of them share. catalog.yml
describes every strategy, conformance/ examines one over the wire, reference/ holds servers in C and Go to compare with.
linux/ holds kernel interfaces that the standard library lacks. agent/ is not for readers of servers: the benchmark
supervises and measures a strategy with it.
"""
