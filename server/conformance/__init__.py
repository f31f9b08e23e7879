"""The conformance suite: what a correct echo server does, asked over the wire. `python -m server check` runs it."""
