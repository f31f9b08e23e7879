"""The conductor: runs a plan over SSH. It knows the plan, the barrier and the clock, and not how a server works."""
